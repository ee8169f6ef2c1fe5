"""Marks of a degradation in one image: outliers, stripes, flat areas, noise that grows."""

from __future__ import annotations

import math

import torch
from torch import Tensor

NORMAL = 0.6744897501960817
"""Median of |n| for a standard normal n."""

OUTLIER = 0.25
"""Distance from the median of the neighbours, in image range, of a value that is an outlier."""

LEAST = 0.01
"""Smallest noise over its model that counts: areas of one value have none."""

BINS = 6
"""Levels of brightness at which noise is compared."""


def outliers(y: Tensor) -> float:
    """Share of values far from the median of their 8 neighbours.

    That is farther than `OUTLIER`, and than five standard deviations of the usual distance.

    Args:
        y: one image ``(C, H, W)``, nominally in [0, 1], at least 3 x 3.
    """
    parts = torch.nn.functional.unfold(y[:, None], 3)  # (C, 9, pixels inside)
    others = torch.cat([parts[:, :4], parts[:, 5:]], 1)
    distance = (parts[:, 4] - others.median(1).values).abs()
    usual = float(distance.median()) / NORMAL
    return float((distance > max(OUTLIER, 5 * usual)).to(y.dtype).mean())


def stripes(y: Tensor) -> tuple[float, float]:
    """How much more the means of columns, and of rows, jump than noise and picture explain.

    The jumps are second differences of the means along a line. They are compared with those of the
    same values when each line is cut in two: stripes are alike in both halves, noise is not.

    Args:
        y: one image ``(C, H, W)``.

    Returns:
        Correlation of the jumps of both halves, for columns and for rows, in [-1, 1].
    """
    grey = y.double().mean(0)
    return _alike(grey), _alike(grey.T)


def _alike(grey: Tensor) -> float:
    rows, columns = grey.shape
    if rows < 8 or columns < 8:
        return 0.0
    # medians, so that an edge does not count as a stripe
    jumps = grey[:, :-2] - 2 * grey[:, 1:-1] + grey[:, 2:]
    first, second = (part.median(0).values for part in (jumps[0::2][: rows // 2], jumps[1::2]))
    upper, lower = (part.median(0).values for part in (jumps[: rows // 2], jumps[rows // 2 :]))
    return min(_correlation(first, second), _correlation(upper, lower))


def _correlation(a: Tensor, b: Tensor) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(a.norm() * b.norm())
    return float((a * b).sum()) / size if size > 0 else 0.0


def flat(y: Tensor) -> tuple[float, float]:
    """Share of the pixels in areas of 3 x 3 pixels of the darkest or brightest value, and which.

    Such are holes that are filled with black, and what is clipped.

    Args:
        y: one image ``(C, H, W)``.

    Returns:
        The share and the value, of the two the more frequent; 0 and NaN if there are none.
    """
    same = torch.nn.functional.max_pool2d(y, 3, 1, 1) == -torch.nn.functional.max_pool2d(
        -y, 3, 1, 1
    )
    where = same.all(0)
    if not bool(where.any()):
        return 0.0, math.nan
    values, counts = torch.unique(y[0][where], return_counts=True)
    first = int(counts.argmax())
    return float(counts[first]) / where.numel(), float(values[first])


def uneven(y: Tensor, deviation: Tensor) -> float:
    """How unevenly a noise model fits over the levels of brightness; 0 for a perfect fit.

    It is the standard deviation of the log of noise over ``deviation`` at `BINS` levels.

    Args:
        y: one image ``(C, H, W)``.
        deviation: what the model says of each value, a shape that broadcasts to that of y.
    """
    y = y.double()
    d = deviation.double().expand_as(y)
    inner = y[:, 1:-1, 1:-1]
    detail = 4 * inner
    for rows, columns in ((0, 1), (2, 1), (1, 0), (1, 2)):
        height, width = inner.shape[-2:]
        detail = detail - y[:, rows : rows + height, columns : columns + width]
    detail = detail.abs() / math.sqrt(20)
    mean = (y[:, :-2, 1:-1] + y[:, 2:, 1:-1] + y[:, 1:-1, :-2] + y[:, 1:-1, 2:]) / 4
    usual = d[:, 1:-1, 1:-1].flatten()
    order = mean.flatten().argsort()
    logs = []
    for part in order.chunk(BINS):
        # the quieter half: noise rather than edges
        ratio = detail.flatten()[part] / usual[part].clamp_min(1e-9)
        logs.append(math.log(max(float(ratio.quantile(0.25)), LEAST)))
    return float(torch.tensor(logs).std())
