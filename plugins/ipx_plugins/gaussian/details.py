"""The noise level from the finest details of the smoothest parts of a picture.

The classical estimator is the median of the absolute finest wavelet details (Donoho, Johnstone
1994). In a sharp photograph these contain texture, and sigma = 0.01 is overestimated by 50 %. Here
the details are those of the 3 x 3 operator of Immerkaer (1996), which is zero on planes. The
median, refined by the standard deviation within three sigma, is taken over the smoothest tenth of
the picture. Smoothness is measured by the gradient of the locally averaged picture, which has
other frequencies than the details, so the selection hardly favours low noise. The error is a few
per cent for pictures with some uniform area.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ipx import InputError

MAD = 0.6744897502  # median of |n| for a standard normal n
_WITHIN_3 = 0.9733369246  # variance of n where |n| <= 3
_SHARE = 0.1  # fraction of the picture used, the smoothest
ENOUGH = 600  # details needed for 5 % precision of the median

# Scaled to norm 1 before use; with unknown pixels they are tried in this order.
_FILTERS = (
    ((1, -2, 1), (1, -2, 1)),
    ((1, -1), (1, -1)),
    ((1,), (1, -1)),
    ((1, -1), (1,)),
)
# For a line of pixels: the third difference is zero on parabolas.
_LINE_FILTERS = (((1,), (1, -3, 3, -1)), ((1, -3, 3, -1), (1,)), *_FILTERS[2:])


def calm_sigma(y: Tensor, mask: Tensor, holes: bool) -> Tensor:
    """The standard deviation of the noise where the picture is smoothest.

    Args:
        y: ``(1, C, H, W)``.
        mask: ``(1, C, H, W)``, true for known values; details that involve others are excluded.
        holes: some values are unknown.

    Returns:
        A scalar tensor in the units of y.

    Raises:
        InputError: no two neighbouring values are known.
    """
    rough = _roughness(y, mask, 5 if holes else 3)
    # extreme values may be clipped and without noise
    high, low = y.amax((-2, -1), keepdim=True), y.amin((-2, -1), keepdim=True)
    inner = mask & (y < high) & (y > low)
    found: list[tuple[Tensor, Tensor]] = []
    for use in (inner, mask):
        for rows, columns in _LINE_FILTERS if 1 in y.shape[-2:] else _FILTERS:
            if y.shape[-2] < len(rows) or y.shape[-1] < len(columns):
                continue
            detail, there, where = _details(y, use, rough, rows, columns)
            found.append((detail[there], where[there]))
            if len(found[-1][0]) >= ENOUGH:
                return _mad(*found[-1])
    most = max(found, key=lambda f: len(f[0]), default=None)
    if most is None or len(most[0]) == 0:
        raise InputError(
            "the noise level cannot be estimated: no two neighbouring values are known; give it"
        )
    return _mad(*most)


def _details(
    y: Tensor, use: Tensor, rough: Tensor, rows: tuple[int, ...], columns: tuple[int, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Details, whether each involves usable values only, and the roughness around each."""
    norm = (sum(v * v for v in rows) * sum(v * v for v in columns)) ** 0.5
    detail = filtered(y, rows, columns) / norm
    if bool(use.all()):
        full = torch.ones_like(detail, dtype=torch.bool)
    else:
        within = filtered(use.to(y.dtype), (1,) * len(rows), (1,) * len(columns))
        full = (within > len(rows) * len(columns) - 0.5).expand_as(detail)
    around = filtered(rough, (1,) * len(rows), (1,) * len(columns))
    return detail, full, around / (len(rows) * len(columns))


def filtered(y: Tensor, rows: tuple[int, ...], columns: tuple[int, ...]) -> Tensor:
    """The correlation with the outer product of two short filters, where it lies within y.

    Sums of shifted images are ten times faster than a convolution of one channel.
    """
    for axis, taps in ((-2, rows), (-1, columns)):
        length = y.shape[axis] - len(taps) + 1
        total = taps[0] * y.narrow(axis, 0, length)
        for k, tap in enumerate(taps[1:], 1):
            total = total.add_(y.narrow(axis, k, length), alpha=tap)
        y = total
    return y


def _roughness(y: Tensor, mask: Tensor, window: int) -> Tensor:
    """Local average of the squared gradient of the locally averaged picture, shape of y."""
    m = mask.to(y.dtype).expand_as(y)
    weight = _box(m, window)
    mean = _box(torch.where(mask, y, torch.zeros_like(y)), window) / weight.clamp_min(1e-6)
    padded = functional.pad(mean, (1, 1, 1, 1), mode="replicate")
    across = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    # a line has few neighbours: average over more, so that chance does not select low noise
    return _box(across**2 + down**2, 5 if y.shape[-2] > 1 else 9)


def _box(x: Tensor, size: int) -> Tensor:
    half = size // 2
    return functional.avg_pool2d(functional.pad(x, (half,) * 4, mode="replicate"), size, stride=1)


def _mad(detail: Tensor, rough: Tensor) -> Tensor:
    """Standard deviation of the details where the picture is smoothest, without outliers."""
    # of few details the smoothest third: all of them would be twice too high at 24 x 24 pixels
    few = min(ENOUGH, -(-len(detail) // 3))
    wanted = max(few, round(_SHARE * len(detail)))
    calm = detail[rough <= rough.kthvalue(wanted).values]
    sigma = calm.abs().median() / MAD
    for _ in range(2):  # for 8-bit data the median alone has steps of 10 %
        kept = calm[calm.abs() <= 3 * sigma]
        sigma = ((kept**2).mean() / _WITHIN_3).sqrt()
    return sigma
