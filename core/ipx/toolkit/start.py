"""A start with its holes filled in."""

from __future__ import annotations

import torch
import torch.nn.functional as nn
from torch import Tensor

from ipx.declare.capabilities import Diagonal, has
from ipx.solving.problem import Problem


def filled_start(problem: Problem) -> Tensor:
    """``problem.start()`` with unmeasured and untrusted pixels filled in, ``(B, C, H, W)``.

    A hole left at zero costs an iterative solver most of its steps. A given start ``x0`` and a
    code are returned unchanged.
    """
    operator, axes = problem.physical, {len(problem.image_shape), len(problem.operator.image_shape)}
    if problem.x0 is not None or axes != {3} or not has(operator, Diagonal):
        return problem.start()
    x = problem.physical.preview(problem.y)
    d = operator.diagonal(x)
    trusted = problem.noise.trusted(problem.y)
    seen = (d != 0).expand_as(x) if trusted is None else (d != 0) & trusted
    seen = seen.to(x.dtype)
    if bool(seen.all()):
        return problem.unknown(x)
    return problem.unknown(_pull_push(x * seen, seen))


def _pull_push(weighted: Tensor, weight: Tensor) -> Tensor:
    """Fill holes with averages over increasingly large blocks (Gortler et al. 1996)."""
    filled = weighted / weight.clamp_min(1e-12)
    height, width = weighted.shape[-2:]
    if max(height, width) == 1 or bool((weight > 0).all()):
        return filled
    pad = (0, width % 2, 0, height % 2)
    coarse = _pull_push(
        nn.avg_pool2d(nn.pad(weighted, pad), 2), nn.avg_pool2d(nn.pad(weight, pad), 2)
    )
    size = (height + height % 2, width + width % 2)
    wide = nn.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return torch.where(weight > 0, filled, wide[..., :height, :width])
