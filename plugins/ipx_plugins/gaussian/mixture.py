"""The noise level of a picture of which a part is flat, such as text or line art.

The finest details are modelled by a mixture of zero-mean Gaussians: noise alone in the flat part,
edges and texture elsewhere. The component of smallest variance is the noise. It suffices that a
tenth of the details are flat, wherever they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ipx_plugins.gaussian.details import filtered
from ipx_plugins.gaussian.patches import spread

COMPONENTS = 3
LEAST = 0.1  # smallest share of a component that counts as noise
MOST = 20_000  # details used
ENOUGH = 1_000  # details needed
ITERATIONS = 80

SECOND = (1, -2, 1)  # its outer product with itself has norm 6


def flat_sigma(y: Tensor) -> float | None:
    """The standard deviation of the narrowest component of the details.

    Args:
        y: ``(1, C, H, W)``.

    Returns:
        In the units of y; None for pictures that are too small.
    """
    if min(y.shape[-2:]) < 3:
        return None
    detail = (filtered(y, SECOND, SECOND) / 6).double().flatten()
    # extreme values may be clipped, which halves the noise; of a page of text nothing else is left
    inner = ((y < y.amax()) & (y > y.amin())).to(y.dtype)
    within = (filtered(inner, (1, 1, 1), (1, 1, 1)) > 8.5).flatten()
    if int(within.sum()) >= max(ENOUGH, LEAST * len(within)):
        detail = detail[within]
    if len(detail) < ENOUGH:
        return None
    square = detail[spread(len(detail), MOST, y.device)] ** 2
    # quantiles of the squares over those of a squared standard normal variable
    at = torch.tensor([0.1, 0.5, 0.95], dtype=torch.float64, device=y.device)
    variance = torch.quantile(square, at) / torch.tensor([0.0158, 0.455, 3.84]).to(at)
    variance = variance.clamp_min(1e-14)
    weight = torch.full_like(variance, 1 / COMPONENTS)
    for _ in range(ITERATIONS):  # expectation maximisation; a row for each component
        log = torch.outer(-0.5 / variance, square)
        belongs = torch.softmax(log.add_((weight.log() - 0.5 * variance.log())[:, None]), 0)
        total = belongs.sum(1) + 1e-9
        weight = total / total.sum()
        variance = (belongs @ square / total).clamp_min(1e-14)
    return float(variance[weight >= LEAST].amin().sqrt())
