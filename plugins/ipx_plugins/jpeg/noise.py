"""JPEG compression: the data are the decoded picture, and each coefficient is known up to a step.

The data term is the sum of the distances of the coefficients of 8 x 8 pixels from their intervals,
an exact penalty for the set of pictures with this JPEG file. The transform of blocks is
orthonormal, so that its proximal map is that of each coefficient. For colour this holds in luma and
chroma: the map is the proximal one for the distance of pictures in these.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ipx import InputError, Noise, Scalar, image_sum, per_image
from ipx_plugins.jpeg import JPEGOptions
from ipx_plugins.jpeg.transform import blocks, from_planes, joined, steps, to_planes

_USUAL = 10  # quality in simulations
_GRID = (
    0.1  # median distance from multiples of the steps, in steps, of a picture that was compressed
)
_WIDE, _FEW = 2.5 / 255, 4  # steps and number of coefficients that tell the quality
_NEAR = 1.5  # times the least distance from a grid: finer grids fit as well
_VARIANCE = 3e-4  # of what denoisers are to remove, in mean squared steps (best at quality 10)


class JPEG(Noise[JPEGOptions]):
    """f as above; ``level`` is the quality, from 1 to 100."""

    def _table(self, image: int, chroma: bool, like: Tensor) -> Tensor:
        """The steps of an image of the batch, ``(8, 8)``."""
        level = _USUAL if self.level is None else self.level
        told = level.reshape(-1) if isinstance(level, Tensor) else None
        quality = level if told is None else told[image if len(told) > 1 else 0]
        return steps(int(quality), chroma).to(like)

    def _steps(self, like: Tensor, chroma: bool) -> Tensor:
        """The steps of all images, ``(B, 1, 1, 1, 8, 8)``."""
        return torch.stack([self._table(i, chroma, like) for i in range(len(like))])[
            :, None, None, None
        ]

    def _planes(self, x: Tensor) -> list[tuple[Tensor, bool]]:
        """Planes of equal resolution, minus a half, and whether they are of colour."""
        p = to_planes(x)
        if x.shape[1] != 3:
            return [(p - 0.5, False)]
        colours = functional.avg_pool2d(p[:, 1:], 2, ceil_mode=True) if self._half(x) else p[:, 1:]
        return [(p[:, :1] - 0.5, False), (colours, True)]

    def _half(self, x: Tensor) -> bool:
        return self.options.subsampling and x.shape[1] == 3

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """``clean``, clipped to [0, 1], compressed and decoded, by default with quality 10."""
        _check(clean)
        parts = []
        for plane, chroma in self._planes(clean.clamp(0, 1)):
            step = self._steps(clean, chroma)
            parts.append(joined((blocks(plane) / step).round() * step, *plane.shape[-2:]))
        return self._picture(parts, clean).clamp(0, 1)

    def _picture(self, parts: list[Tensor], like: Tensor) -> Tensor:
        """The picture of planes."""
        parts = [parts[0] + 0.5, *parts[1:]]
        if self._half(like):
            parts[1] = _twice(parts[1], like)
        return from_planes(torch.cat(parts, 1))

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        """The sum of the distances of coefficients from their intervals, per image ``(B,)``."""
        total = torch.zeros_like(pred[:, 0, 0, 0])
        for (p, chroma), (data, _) in zip(self._planes(pred), self._planes(y), strict=True):
            total = total + image_sum(self._outside(p, data, chroma, y).abs())
        return total

    def _outside(self, p: Tensor, data: Tensor, chroma: bool, y: Tensor) -> Tensor:
        """How far coefficients of a plane are from their intervals, with the sign."""
        step = self._steps(y, chroma)
        away = blocks(p) - blocks(data)
        return away - away.clamp(-self.options.narrow * step, self.options.narrow * step)

    def prox(self, v: Tensor, y: Tensor, t: Scalar) -> Tensor:
        """v with each coefficient moved towards its interval by at most t.

        With one t per value, the largest of an image.
        """
        _check(y)
        step = torch.as_tensor(per_image(t, v), dtype=v.dtype, device=v.device)
        step = step.amax((1, 2, 3), keepdim=True) if step.ndim == v.ndim else step.view(1, 1, 1, 1)
        step, moved = step[..., None, None], []
        for (p, chroma), (data, _) in zip(self._planes(v), self._planes(y), strict=True):
            over = self._outside(p, data, chroma, y)
            less = over.sign() * torch.minimum(over.abs(), step)
            moved.append(joined(less, *p.shape[-2:]))
        if self._half(v):
            moved[1] = _twice(moved[1], v)
        return v - from_planes(torch.cat(moved, 1))

    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        """0: the truth is about within the intervals."""
        return torch.zeros_like(count)

    def deviation(self, y: Tensor) -> Tensor:
        """What denoisers are to remove besides the projection, from the steps of luma."""
        return (
            (_VARIANCE * (self._steps(y, False) ** 2).flatten(1).mean(1)).sqrt().view(-1, 1, 1, 1)
        )

    def estimated(
        self, y: Tensor, known: Tensor | None = None, floor: Sequence[float] = ()
    ) -> JPEG:
        """This model with the quality of each image.

        It is the lowest one for whose steps the coefficients are multiples of these.

        Raises:
            InputError: there is none, as the picture was cut or changed after decoding.
        """
        if self.level is not None:
            return self
        _check(y)
        made = JPEG(self.options)
        made.level = torch.tensor([_quality(to_planes(image[None])[:, :1]) for image in y]).to(y)
        return made


def _quality(luma: Tensor) -> int:
    """The lowest quality whose steps fit ``(1, 1, H, W)``."""
    rows, columns = (n - n % 8 for n in luma.shape[-2:])
    coefficients = blocks(luma.detach()[..., :rows, :columns] - 0.5)
    if float(coefficients.abs().max()) < 0.5 / 255:
        return 100  # grey all over, which is on every grid
    fits: list[tuple[int, float]] = []
    for quality in range(1, 97):
        step = steps(quality, False).to(luma).expand_as(coefficients)
        levels = coefficients / step
        off = (levels - levels.round()).abs()
        told = (levels.abs() > 0.5) & (step > _WIDE)  # zeros are multiples of everything
        if int(told.sum()) >= _FEW and float(off[told].median()) < _GRID:
            fits.append((quality, float((off * step)[told].median())))
    if fits:
        least = min(away for _, away in fits)
        return next(quality for quality, away in fits if away <= _NEAR * least)
    raise InputError(
        "the JPEG quality cannot be estimated: the coefficients of 8 x 8 pixels are on no grid, as "
        "of a picture that was cut or resized; give noise jpeg the quality"
    )


def _twice(half: Tensor, like: Tensor) -> Tensor:
    """Planes at half the resolution, each value repeated, cut to the size of ``like``."""
    wide = functional.interpolate(half, scale_factor=2, mode="nearest")
    return wide[..., : like.shape[-2], : like.shape[-1]]


def _check(y: Tensor) -> None:
    """Refuse data that are no pictures."""
    if y.ndim != 4 or y.shape[1] not in (1, 3):
        raise InputError("noise jpeg is for grey and colour pictures")
