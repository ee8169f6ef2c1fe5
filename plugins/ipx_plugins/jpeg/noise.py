"""JPEG compression: the data are the decoded picture, and each coefficient is known up to a step.

The data term is the sum of the distances of the coefficients of 8 x 8 pixels from their intervals,
an exact penalty for the set of pictures with this JPEG file. The transform of blocks is
orthonormal, so that its proximal map is that of each coefficient. For colour this holds in luma and
chroma: the map is the proximal one for the distance of pictures in these.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import InputError, Noise, Scalar, Storage, image_sum, per_image
from ipx_plugins.jpeg import JPEGOptions
from ipx_plugins.jpeg.coding import Coding
from ipx_plugins.jpeg.quality import nearest, quality_of
from ipx_plugins.jpeg.transform import blocks, from_planes, joined, to_planes

_USUAL = 10  # quality in simulations
_VARIANCE = 3e-4  # of what denoisers are to remove, in mean squared steps (best at quality 10)


class JPEG(Noise[JPEGOptions]):
    """f as above; ``level`` is the quality, from 1 to 100, for tables of a file the nearest one."""

    _told: Coding | None = None  # by the file

    def _coding(self, like: Tensor) -> Coding:
        """How images such as ``like`` ``(B, C, H, W)`` are stored."""
        if self._told is not None:
            return self._told
        level = _USUAL if self.level is None else self.level
        told = level.reshape(-1).tolist() if isinstance(level, Tensor) else [level]
        return Coding.of([int(q) for q in told], like.shape[1], self.options.subsampling)

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """``clean``, clipped to [0, 1], compressed and decoded, by default with quality 10."""
        _check(clean)
        coding, parts = self._coding(clean), []
        for i, plane in enumerate(coding.planes(to_planes(clean.clamp(0, 1), black=0.5))):
            step = coding.step(i, clean)
            parts.append(joined((blocks(plane) / step).round() * step, *plane.shape[-2:]))
        return from_planes(coding.whole(parts, clean), black=0.5).clamp(0, 1)

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        """The sum of the distances of coefficients from their intervals, per image ``(B,)``."""
        return torch.stack([image_sum(over.abs()) for over in self._outside(pred, y)]).sum(0)

    def _outside(self, pred: Tensor, y: Tensor) -> list[Tensor]:
        """How far the coefficients of each plane are from their intervals, with the sign."""
        coding, found = self._coding(y), []
        planes = [coding.planes(to_planes(x, black=0.5)) for x in (pred, y)]
        for i, (p, data) in enumerate(zip(*planes, strict=True)):
            step = coding.step(i, y)
            away = blocks(p) - coding.restored(i, data, step)
            found.append(away - away.clamp(-self.options.narrow * step, self.options.narrow * step))
        return found

    def prox(self, v: Tensor, y: Tensor, t: Scalar) -> Tensor:
        """v with each coefficient moved towards its interval by at most t.

        With one t per value, the largest of an image.
        """
        _check(y)
        step = torch.as_tensor(per_image(t, v), dtype=v.dtype, device=v.device)
        step = step.amax((1, 2, 3), keepdim=True) if step.ndim == v.ndim else step.view(1, 1, 1, 1)
        coding, moved = self._coding(y), []
        for over, size in zip(self._outside(v, y), coding.sizes(v), strict=True):
            moved.append(
                joined(over.sign() * torch.minimum(over.abs(), step[..., None, None]), *size)
            )
        return v - from_planes(coding.whole(moved, v))

    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        """0: the truth is about within the intervals."""
        return torch.zeros_like(count)

    def deviation(self, y: Tensor) -> Tensor:
        """What denoisers are to remove besides the projection, from the steps of luma."""
        squares = (self._coding(y).step(0, y) ** 2).flatten(1).mean(1).expand(len(y))
        return (_VARIANCE * squares).sqrt().view(-1, 1, 1, 1)

    def estimated(
        self, y: Tensor, known: Tensor | None = None, storage: Storage = Storage()
    ) -> JPEG:
        """This model with the tables of the file, or else with the quality of each image.

        The quality is the lowest one for whose steps the coefficients are multiples of these.

        Raises:
            InputError: there is none, as the picture was cut or changed after decoding.
        """
        if self.level is not None:
            return self
        _check(y)
        made = JPEG(self.options)
        if len(storage.steps) == y.shape[1]:
            made._told = Coding.of_file(storage)
            quality = [nearest(storage.steps[0])] * len(y)
        else:
            quality = [quality_of(to_planes(image[None], black=0.5)[:, :1]) for image in y]
        made.level = torch.tensor(quality).to(y)
        return made


def _check(y: Tensor) -> None:
    """Refuse data that are no pictures."""
    if y.ndim != 4 or y.shape[1] not in (1, 3):
        raise InputError("noise jpeg is for grey and colour pictures")
