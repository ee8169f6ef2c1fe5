"""Estimation of peak (photons at intensity 1) and read-out noise from the data.

Poisson noise has variance ``intensity / peak``, and read-out noise adds ``sigma^2``. Pixels are
divided into bands of similar local mean. In each band, the variance in the smoothest tenth follows
from the details of the 3 x 3 operator of Immerkaer (1996), which is zero on planes. A line through
variance against mean gives 1 / peak and sigma^2 (Foi et al., IEEE Trans. Image Process. 17(10),
2008). It is fitted by least absolute relative deviation, since remaining texture only adds
variance.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ipx import InputError, Scalar

_BANDS = 16
_SHARE, _ENOUGH = 0.1, 200  # of a band: the smoothest tenth, at least 200 details
_MOST = 1e8  # photons; noise is negligible at this peak

_PART = 0.25  # of the variance of read-out noise; less from photons does not tell the peak
_RISE = 0.05  # least smallest value of data with an offset, as a share of the others above it
_RANGE = 1.3  # least ratio of the means of bands that tell where the noise vanishes
_MISFIT, _BETTER = 0.3, 0.7  # largest misfit of that line, and its share of that of one through 0

_FILTERS = (
    ((1, -2, 1), (1, -2, 1)),
    ((1, -1), (1, -1)),
    ((1,), (1, -1)),
    ((1, -1), (1,)),
)


def photon_level(
    y: Tensor, known: Tensor | None, peak: Scalar | None, sigma: Scalar | None
) -> tuple[Tensor, Tensor]:
    """Estimate peak and sigma of each image where they are None.

    Args:
        y: ``(B, C, H, W)``, or ``(B, M)`` for data that are not pictures.
        known: boolean mask that broadcasts to y.
        peak: photons at intensity 1, if known, one or ``(B,)``.
        sigma: standard deviation of the read-out noise, if known, likewise.

    Returns:
        peak and sigma, ``(B,)`` each.

    Raises:
        InputError: no two neighbouring values are known.
    """
    pictures: Tensor = y if y.ndim == 4 else y.reshape(y.shape[0], 1, 1, -1)
    mask = torch.ones_like(pictures[:1], dtype=torch.bool)
    if known is not None:
        mask = known.expand_as(y[:1]).reshape(mask.shape)
    slopes, floors = [], []
    for i, picture in enumerate(pictures):
        means, variances = _bands(picture[None], mask)
        slope, floor = _line(means, variances, _of(peak, i), _of(sigma, i))
        slopes.append(slope)
        floors.append(floor)
    gain = 1 / torch.stack(slopes).clamp_min(1 / _MOST)
    return gain.to(y.dtype), torch.stack(floors).abs().sqrt().to(y.dtype)


def hardly_grows(y: Tensor, peak: Tensor, sigma: Tensor) -> Tensor:
    """True for images in which photons are a small part of the noise even where they are bright."""
    values = y.flatten(1)
    values = values[:, :: -(-values.shape[1] // 1_000_000)]
    bright = values.quantile(0.99, 1).clamp_min(0.0)
    return bright / peak < _PART * sigma**2


def pedestal(pictures: Tensor) -> float | None:
    """The offset that a camera seems to have added to some pictures ``(N, C, H, W)`` of one scene.

    Photons without an offset have a variance of ``intensity / peak``: a line through 0. An offset
    shifts the line, so that the noise vanishes at the offset. None unless no value is near 0, and
    such a line fits far better than one through 0. Uniform pictures do not tell.
    """
    floor = float(pictures.amin())
    above = float(torch.quantile(pictures.flatten()[:1_000_000], 0.999)) - floor
    if floor <= 0 or floor < _RISE * above:
        return None
    one = torch.ones_like(pictures[:1, :, :, :], dtype=torch.bool)
    found = [_bands(picture[None], one) for picture in pictures]
    means, variances = (torch.cat(each) for each in zip(*found, strict=True))
    seen = variances > 0
    means, variances = means[seen], variances[seen]
    least = float(means.min()) if len(means) else 0.0
    if len(means) < 3 or float(means.max()) < _RANGE * least:
        return None
    slope, root = _free_line(means, variances)
    if not (slope > 0 and root >= 0.5 * floor):
        return None
    through = (variances / means).log()
    line = (slope * (means - root)).clamp_min(0.1 * float(variances.min()))
    left = float((variances / line).log().abs().mean())
    plain = float((through - through.median()).abs().mean())
    fits = left < min(_MISFIT, _BETTER * plain)
    return min(max(root, floor), least) if fits else None


def _free_line(means: Tensor, variances: Tensor) -> tuple[float, float]:
    """Slope and root of the line through variance against mean, as `_line` without bounds."""
    fit, slope, root = variances, 0.0, 0.0
    tiny = 1e-12 * float(variances.max())
    for _ in range(30):
        size = fit.clamp_min(float(variances.min()))
        w = 1 / (size * (variances - fit).abs().clamp_min(0.02 * size + tiny))
        mm, mv = (w * means).sum() / w.sum(), (w * variances).sum() / w.sum()
        spread = (w * (means - mm) ** 2).sum().clamp_min(1e-30)
        s = (w * (means - mm) * (variances - mv)).sum() / spread
        fit = mv + s * (means - mm)
        slope = float(s)
        root = float(mm - mv / s) if slope > 0 else 0.0
    return slope, root


def _of(value: Scalar | None, image: int) -> Scalar | None:
    """The value of one image."""
    return value[image] if isinstance(value, Tensor) and value.ndim == 1 else value


def _bands(y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and noise variance of each band, float64 ``(N,)``."""
    m = mask.to(y.dtype).expand_as(y)
    there = _box(m)
    mean = _box(torch.where(mask, y, torch.zeros_like(y))) / there.clamp_min(1e-6)
    padded = functional.pad(mean, (1, 1, 1, 1), mode="replicate")
    across = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    rough = _box(across**2 + down**2)
    best: tuple[Tensor, Tensor, Tensor] | None = None
    for rows, columns in _FILTERS:
        if y.shape[-2] < len(rows) or y.shape[-1] < len(columns):
            continue
        r, c = torch.tensor(rows, dtype=y.dtype), torch.tensor(columns, dtype=y.dtype)
        weights = torch.outer(r / r.norm(), c / c.norm())[None, None].to(y.device)
        use = _filtered(m, torch.ones_like(weights)) > weights.numel() - 0.5
        each = torch.full_like(weights, 1 / weights.numel())
        found = tuple(
            v[use].double()
            for v in (_filtered(y, weights), _filtered(mean, each), _filtered(rough, each))
        )
        if best is None or len(found[0]) > len(best[0]):
            best = (found[0], found[1], found[2])
        if len(best[0]) >= _BANDS * _ENOUGH:
            break
    if best is None or len(best[0]) == 0:
        raise InputError(
            "the noise level cannot be estimated: no two neighbouring values are known; give it"
        )
    detail, level, rough = best
    order = level.argsort(stable=True)
    count = min(_BANDS, max(1, len(order) // _ENOUGH))
    points = []
    for band in order.tensor_split(count):
        calm = rough[band]
        wanted = min(len(band), max(_ENOUGH, round(_SHARE * len(band))))
        band = band[calm <= calm.kthvalue(wanted).values]
        points.append(torch.stack([level[band].mean(), (detail[band] ** 2).mean()]))
    line = torch.stack(points)
    return line[:, 0].clamp_min(0.0), line[:, 1]


def _filtered(image: Tensor, kernel: Tensor) -> Tensor:
    return functional.conv2d(image.transpose(0, 1), kernel)


def _box(x: Tensor) -> Tensor:
    return functional.avg_pool2d(functional.pad(x, (2,) * 4, mode="replicate"), 5, stride=1)


def _line(
    means: Tensor, variances: Tensor, peak: Scalar | None, sigma: Scalar | None
) -> tuple[Tensor, Tensor]:
    """Slope 1 / peak and floor sigma^2 >= 0 of the line, by reweighted least squares."""
    one = torch.ones_like(means)
    tiny = 1e-12 + 1e-6 * variances.max()
    slope = one[0] / peak if peak is not None else None
    floor = one[0] * sigma**2 if sigma is not None else None
    if slope is not None and floor is not None:
        return slope, floor
    fit = variances
    s, f = variances[0] * 0, variances[0] * 0
    for _ in range(30):
        # weights that turn squares into absolute relative deviations
        w = 1 / ((fit.clamp_min(tiny)) * (variances - fit).abs().clamp_min(0.02 * fit + tiny))
        if floor is not None:
            f = floor
            s = (w * means * (variances - f)).sum() / (w * means**2).sum().clamp_min(1e-30)
        elif slope is not None:
            s = slope
            f = (w * (variances - s * means)).sum() / w.sum()
        else:
            mm, mv = (w * means).sum() / w.sum(), (w * variances).sum() / w.sum()
            spread = (w * (means - mm) ** 2).sum().clamp_min(1e-30)
            s = ((w * (means - mm) * (variances - mv)).sum() / spread).clamp_min(0.0)
            f = mv - s * mm
            if f < 0:
                f, s = f * 0, (w * means * variances).sum() / (w * means**2).sum()
        s, f = s.clamp_min(0.0), f.clamp_min(0.0)
        fit = s * means + f
    return s, f
