"""Options and numbers for the tests of the forward operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

BOUNDARIES = ("circular", "zero", "reflect", "replicate", "valid")
PSFS: tuple[dict[str, Any], ...] = (
    {"kind": "gaussian", "sigma": 1.1},
    {"kind": "gaussian", "sigma": 1.2, "across": 0.6, "angle": 25.0},
    {"kind": "gaussian", "sigma": 1.2, "axis": "vertical"},
    {"kind": "uniform", "size": 3, "axis": "horizontal"},
    {"kind": "uniform", "size": 3},
    {"kind": "uniform", "size": 4},
    {"kind": "disk", "radius": 2.2},
    {"kind": "motion", "length": 5.0, "angle": 30.0},
    {"kind": "random-motion", "length": 6.0, "seed": 3},
    {"kind": "airy", "radius": 1.0},
)
MASKS = ("pixels", "values", "box", "scratches", "text")
FILTERS = ("mean", "gaussian", "bicubic")


def noise_like(shape: tuple[int, ...], seed: int = 0, count: int = 2) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, generator=g, dtype=torch.float64)


def matrix(operator: Any) -> Tensor:
    """The dense matrix of an operator, columns are responses to unit images."""
    n = int(np.prod(operator.image_shape))
    units = torch.eye(n, dtype=torch.float64).reshape(n, *operator.image_shape)
    return operator.forward(units).flatten(1).T
