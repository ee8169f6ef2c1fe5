"""The PSF of a wide-field microscope: the scalar model of Gibson and Lanni.

    h(r, z) = |int_0^1 J0(k NA r t) exp(i k W(t, z)) t dt|^2,  k = 2 pi / wavelength,
    W(t, z) = (z - depth ni / ns) sqrt(ni^2 - NA^2 t^2) + depth sqrt(ns^2 - NA^2 t^2),

for a point at ``depth`` below a cover glass that is as the objective expects it, ns the index of
the sample, ni that of the immersion. z is the distance from the paraxial focus. At depth 0 or with
ns = ni it is the model of Born and Wolf (section 8.8). The integral is taken by Gauss and Legendre,
on a fine grid of r that is interpolated to the voxels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy.special
import torch
from torch import Tensor

from ipx import Shape
from ipx_plugins.blur.operator import Blur
from ipx_plugins.blur.optics import MicroscopeOptions

NODES = 400
"""Nodes of the quadrature: many more than the waves of the phase over the pupil."""

FINE = 8
"""Samples of r in a pixel."""

RINGS, LOBES = 6.0, 3.0
"""Reach of the PSF: radii of the first dark ring, and distances of the first axial zero."""


class Microscope(Blur):
    """`Blur` with the PSF of a microscope, of volumes ``(C, D, H, W)``, or of the focal plane."""

    options_type = MicroscopeOptions
    options: MicroscopeOptions  # type: ignore[assignment]  # not those of Blur

    @classmethod
    def psf_of(cls, options: MicroscopeOptions, size: Sequence[int] | None, dims: int) -> Tensor:  # type: ignore[override]
        """The PSF ``(d, h, w)`` or ``(h, w)``, cut to fit the picture, with sum 1."""
        across, along = reach(options)
        if size is not None:
            across = min(across, (min(size[-2:]) - 1) // 2)
            along = min(along, (size[0] - 1) // 2)
        along = along if dims == 3 else 0
        z = torch.arange(-along, along + 1, dtype=torch.float64) * options.step
        psf = in_planes(options, z, across)
        psf = psf if dims == 3 else psf[0]
        return psf / psf.sum()

    @classmethod
    def core_of(cls, options: MicroscopeOptions, dims: int) -> Shape:  # type: ignore[override]
        """What the PSF may be cut to: the first dark ring and the first axial zero."""
        ring, lobe = (2 * math.ceil(v) + 1 for v in first_zeros(options))
        return (lobe, ring, ring) if dims == 3 else (ring, ring)


def first_zeros(options: MicroscopeOptions) -> tuple[float, float]:
    """Radius of the first dark ring, and distance of the first axial zero, in voxels.

    0.61 wavelength / NA, and paraxially 2 ni wavelength / NA^2 (Born, Wolf, 8.8).
    """
    o = options
    ring = 0.61 * o.wavelength / o.na / o.pixel
    return ring, 2 * o.index * o.wavelength / o.na**2 / o.step


def reach(options: MicroscopeOptions) -> tuple[int, int]:
    """Half-width of the PSF in the plane and along the depth, in voxels."""
    ring, lobe = first_zeros(options)
    return math.ceil(RINGS * ring), math.ceil(LOBES * lobe)


def in_planes(options: MicroscopeOptions, z: Tensor, across: int) -> Tensor:
    """Intensity at these distances from the focus, ``(len(z), side, side)``, not normalised."""
    x = torch.arange(-across, across + 1, dtype=torch.float64)
    radius = torch.hypot(x[:, None], x) * options.pixel
    fine = torch.arange(FINE * (math.ceil(across * 1.5) + 1), dtype=torch.float64)
    step = options.pixel / FINE
    profile = radial(options, fine * step, z)
    at = radius / step
    low = at.floor().long()
    part = at - low
    return profile[:, low] * (1 - part) + profile[:, low + 1] * part


def radial(options: MicroscopeOptions, r: Tensor, z: Tensor) -> Tensor:
    """h(r, z), ``(len(z), len(r))``; distances in micrometres."""
    o, k = options, 2 * math.pi / options.wavelength
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    most = min(1.0, o.sample_index / o.na, o.index / o.na)  # total reflection beyond it
    t = torch.from_numpy((nodes + 1) / 2 * most)
    w = torch.from_numpy(weights / 2 * most) * t

    def wave(index: float) -> Tensor:
        return (index**2 - (o.na * t) ** 2).clamp_min(0).sqrt()

    distance = z[:, None] - o.depth * o.index / o.sample_index
    phase = k * (distance * wave(o.index) + o.depth * wave(o.sample_index))
    bessel = torch.from_numpy(scipy.special.j0((k * o.na * torch.outer(t, r)).numpy()))
    pupil = torch.polar(w.expand_as(phase).contiguous(), phase)
    field = torch.complex(pupil.real @ bessel, pupil.imag @ bessel)
    return field.abs() ** 2
