"""How the planes of a picture are stored: tables of steps, thinned chroma, where blocks begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ipx import Storage
from ipx_plugins.jpeg.transform import SIDE, blocks, steps


@dataclass(frozen=True)
class Coding:
    """The coding of pictures with one or three planes.

    Attributes:
        tables: steps for values in [0, 1], ``(B, planes, 8, 8)``, B 1 if all images have the same.
        thinned: for each plane how many rows and columns of pixels share a value.
        turned: the axes along which blocks begin at the end.
        stored: the steps are those of the file, so that coefficients are multiples of these.
    """

    tables: Tensor
    thinned: tuple[tuple[int, int], ...]
    turned: tuple[int, ...] = ()
    stored: bool = False

    @classmethod
    def of(cls, qualities: Sequence[int], channels: int, halved: bool) -> Coding:
        """That of the Independent JPEG Group, chroma at half the resolution or not."""
        tables = [[steps(q, plane > 0) for plane in range(channels)] for q in qualities]
        chroma = (2, 2) if halved else (1, 1)
        thinned = ((1, 1), *[chroma] * (channels - 1))
        return cls(torch.stack([torch.stack(planes) for planes in tables]), thinned)

    @classmethod
    def of_file(cls, storage: Storage) -> Coding:
        """That of a file."""
        tables = torch.tensor(storage.steps, dtype=torch.float64)[None]
        turned = tuple(axis for axis, end in zip((-2, -1), storage.reversed, strict=True) if end)
        return cls(tables, storage.thinned, turned, True)

    def step(self, plane: int, like: Tensor) -> Tensor:
        """The steps of a plane, ``(B, 1, 1, 1, 8, 8)``."""
        return self.tables[:, plane, None, None, None].to(like)

    def planes(self, p: Tensor) -> list[Tensor]:
        """Planes ``(B, 1, h, w)``, in the order of blocks, of ``(B, C, H, W)``."""
        flipped = p.flip(self.turned) if self.turned else p
        return [
            plane if size == (1, 1) else functional.avg_pool2d(plane, size, ceil_mode=True)
            for plane, size in zip(torch.split(flipped, 1, 1), self.thinned, strict=True)
        ]

    def sizes(self, like: Tensor) -> list[tuple[int, int]]:
        """Height and width of each plane of images such as ``like``."""
        height, width = like.shape[-2:]
        return [(-(-height // tall), -(-width // wide)) for tall, wide in self.thinned]

    def whole(self, planes: Sequence[Tensor], like: Tensor) -> Tensor:
        """Planes at full resolution, each value repeated, ``(B, C, H, W)`` as ``like``."""
        height, width = like.shape[-2:]
        full = [
            plane.repeat_interleave(tall, -2).repeat_interleave(wide, -1)[..., :height, :width]
            for plane, (tall, wide) in zip(planes, self.thinned, strict=True)
        ]
        joined = torch.cat(full, 1)
        return joined.flip(self.turned) if self.turned else joined

    def restored(self, plane: int, p: Tensor, step: Tensor) -> Tensor:
        """The coefficients of the file, of a plane of the decoded picture, which are rounded."""
        found = blocks(p)
        if not self.stored or self.thinned[plane] != (1, 1):
            return found  # decoders smooth thinned planes
        rows, columns = (n // SIDE for n in p.shape[-2:])  # of blocks that the picture shows whole
        exact = (found / step).round() * step
        found[:, :, :rows, :columns] = exact[:, :, :rows, :columns]
        return found
