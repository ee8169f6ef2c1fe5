"""Restoration in tiles of an image in memory, whose restoration does not fit there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ipx.errors import UsageError
from ipx.files.arrays import Back, rounding, to_tensor
from ipx.files.storage import Storage
from ipx.solving import tiled
from ipx.solving.build import build
from ipx.solving.prepare import Asked, changed_settings
from ipx.solving.tile_course import Course, attempts
from ipx.solving.tiled import Opening
from ipx.solving.windows import Survey


class TensorSource:
    """Data ``(1, C, H, W)`` in memory, see `ipx.solving.tiled.Source`."""

    def __init__(self, y: Tensor) -> None:
        self.y, self.shape, self.device, self.dtype = y, tuple(y.shape[1:]), y.device, y.dtype
        self.held = (0.0, float(y.numel() * y.element_size()))

    def read(self, top: int, bottom: int, left: int, right: int) -> Tensor:
        """A window."""
        return self.y[..., top:bottom, left:right].contiguous()


def in_tiles(asked: Asked) -> tuple[Tensor, Tensor, Back, Opening, Course]:
    """The restored image, the data as one, the way back to what was given, and how it went.

    Raises:
        UsageError: there are several images, or they cannot be cut into tiles.
    """
    s = asked.settings
    precision = None if s.precision is None else getattr(torch, s.precision)
    y, back = to_tensor(asked.image, s.device, precision, s.axes, s.sample_type)
    if len(y) != 1 or y.ndim != 4:
        raise UsageError("--tile and --max-memory are for one image, no batch and no volume")
    storage = Storage(rounding(asked.image)) if asked.storage is None else asked.storage
    survey, height = Survey(), y.shape[-2]
    for top in range(0, height, Survey.rows):
        survey.add(y[..., top : top + Survey.rows + 1, :])
    told = replace(asked, image=None, storage=storage, settings=changed_settings(s, {"axes": None}))
    opening = tiled.opened(told, TensorSource(y), survey)
    rows: list[Tensor] = []

    def work(bands: Iterator[Tensor], course: Course) -> None:
        rows[:] = bands

    course = attempts(opening, work)
    centred = build("noise", asked.noise).centred(y)
    before = opening.operator.view(opening.operator.preview(centred))
    return torch.cat(rows, 1)[None], before, back, opening, course
