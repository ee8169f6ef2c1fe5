"""The rotation centre of a parallel-beam sinogram."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from ipx import Estimate, InputError
from ipx_plugins.tomography import TomographyOptions

Array = np.ndarray[Any, np.dtype[Any]]


def rotation_centre(sinogram: Array, degrees: Array) -> float:
    """The offset of the rotation axis from the middle of the detector, in bins.

    The centre of mass of a projection at angle b is ``c + u cos b + v sin b``, with (u, v) that of
    the object (Azevedo et al., IEEE Trans. Nucl. Sci. 37(4), 1990). c is found by least squares,
    weighted by the mass. The object has to be inside the field of view at all angles.

    Args:
        sinogram: ``(angles, bins)``, 0 where nothing is in the ray.
        degrees: the angles, ``(angles,)``.

    Raises:
        InputError: fewer than three directions, or nothing but zeros.
    """
    mass = sinogram.sum(1)
    if not (mass > 1e-3 * np.abs(sinogram).sum(1)).all() or not mass.any():
        raise InputError("a projection has no positive sum; the background must be 0")
    bins = np.arange(sinogram.shape[1]) - (sinogram.shape[1] - 1) / 2
    moments = sinogram @ bins / mass
    angle = np.deg2rad(degrees)
    waves = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], 1)
    if np.linalg.matrix_rank(waves) < 3:
        raise InputError("the rotation centre needs at least three directions")
    weight = np.sqrt(mass / mass.mean())
    found = np.linalg.lstsq(waves * weight[:, None], moments * weight, rcond=None)[0]
    return float(found[0])


def estimate(y: Tensor, options: TomographyOptions) -> Estimate:
    """The option ``centre`` of the sinogram ``(1, C, angles, bins)``."""
    rows = y[0].double().mean(0).cpu().numpy()
    if len(rows) != len(options.degrees):
        raise InputError(
            f"the sinogram has {len(rows)} rows for {len(options.degrees)} angles; give --op.angles"
        )
    found = round(rotation_centre(rows, np.asarray(options.degrees)), 3)
    return Estimate({"centre": found}, (f"rotation centre {found:g} bins found in the data",))
