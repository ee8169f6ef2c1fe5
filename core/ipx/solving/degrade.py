"""Simulating a measurement."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ipx.files.arrays import check_channels, to_tensor
from ipx.numerics.memory import memory_errors
from ipx.parts.noise import Noise
from ipx.parts.operator import Operator
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import Description, tree
from ipx.solving.build import build, operator_from

Image = TypeVar("Image", "np.ndarray[Any, Any]", Tensor)


def degrade(
    image: Image,
    *,
    op: Description = "identity",
    noise: Description = "gaussian",
    seed: int = 0,
    device: torch.device | str | None = None,
    axes: str | None = None,
) -> Image:
    """Simulate a measurement, y = noise(A x).

    Args:
        image: the clean image, see `ipx.solve`.
        op: forward operator.
        noise: noise model; without a level it uses its default for simulations.
        seed: of the noise; the same seed gives the same data.
        device: where to compute.
        axes: see `ipx.solve`.

    Returns:
        The data, of the type and layout of ``image``; clipped only for integer types.
    """
    seed = SolveSettings(seed=seed).seed
    x, back = to_tensor(image, device, axes=axes)
    if axes is None and tree("operator", op).instance is None:
        check_channels(image, x.shape[1])
    with memory_errors():
        operator: Operator[Any] = operator_from(op, tuple(x.shape[1:]))
        model: Noise[Any] = build("noise", noise)
        generator = torch.Generator().manual_seed(seed)
        y = model.sample(operator(x), generator)
        known = operator.known(y)
        if known is not None:
            y = torch.where(known, y, torch.zeros_like(y))
    degraded: Image = back(y if y.ndim > 2 else y.reshape(y.shape[0], 1, 1, -1))
    return degraded
