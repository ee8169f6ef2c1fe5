"""The level of noise that is cut off at an end of the range, as files without negative values do.

Where the picture is as dark as the end of the range, half of the noise is missing, and its standard
deviation is 0.58 of what it was. All values on the other side are there. In a region with a share p
of values at the end the noise n of standard deviation s begins at -z s, with Phi(-z) = p, and

    E max(n, -z s)^2 = s^2 (p z^2 + Phi(z) - z phi(z)),

which is s^2 / 2 for p = 1/2. Its root is the error of the data, the mean of the cut noise included.
s is the distance of two quantiles of the values that are not cut, over that of a standard normal
variable.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ipx.toolkit import END_SHARES, cut_off

SIDE, STEP = 15, 4
"""Side of the regions, and their distance."""

ENOUGH = 100
"""Known values of a region that are needed."""

PART = 0.5
"""Least share of all regions in which noise is cut off: else others tell the level."""

MOST = 400
"""Regions used."""

QUIET = 0.25
"""Quantile of the estimates of all regions: those with edges are larger."""

QUANTILES = (0.8, 0.95)
"""Of the values of a region; both are above the largest share that is cut off, `END_SHARES`."""


def cut_sigma(y: Tensor, mask: Tensor) -> float | None:
    """The root mean square of noise that is cut off at an end of the range of a picture.

    Args:
        y: ``(1, C, H, W)``.
        mask: ``(1, C, H, W)``, true for known values.

    Returns:
        In the units of y; None if no noise is cut off.
    """
    if min(y.shape[-2:]) < SIDE:
        return None
    found = [_at_end(v, mask) for v in (y - y.amin(), y.amax() - y)]
    return max((v for v in found if v is not None), default=None)


def _at_end(y: Tensor, mask: Tensor) -> float | None:
    """`cut_sigma` for values >= 0, cut off at 0."""
    seen = mask.to(y.dtype).expand_as(y)
    end = (y == 0).to(y.dtype) * seen
    if float(end.sum()) < END_SHARES[0] * PART * float(seen.sum()):
        return None

    def mean(v: Tensor) -> Tensor:
        narrower = y.shape[-1] - v.shape[-1]  # pairs of neighbours: the regions are the same
        return functional.avg_pool2d(v, (SIDE, SIDE - narrower), STEP)

    enough = mean(seen) * SIDE**2 >= ENOUGH
    cut = cut_off(end, seen, mean)[1] & enough
    if float(cut.sum()) < PART * float(enough.sum()) or not bool(cut.any()):
        return None
    places = cut.nonzero()
    places = places[torch.arange(0, len(places), -(-len(places) // MOST))]
    levels = torch.tensor(QUANTILES, dtype=torch.float64, device=y.device)
    low, high = torch.special.ndtri(levels).tolist()
    sizes = []
    for image, channel, row, column in places.tolist():
        top, left = STEP * row, STEP * column
        here = y[image, channel, top : top + SIDE, left : left + SIDE]
        values = here[mask[image, channel, top : top + SIDE, left : left + SIDE]].double()
        p = (values == 0).double().mean()
        z = -torch.special.ndtri(p)
        density = torch.exp(-(z**2) / 2) / (2 * torch.pi) ** 0.5
        shrunk = (p * z**2 + (1 - p) - z * density).clamp_min(0).sqrt()
        least, most = values.quantile(levels)
        sizes.append(shrunk * (most - least) / (high - low))
    return float(torch.stack(sizes).quantile(QUIET))
