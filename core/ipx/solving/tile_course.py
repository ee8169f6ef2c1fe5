"""The tiles of a restoration one after the other, blended to rows of the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ipx.errors import MemoryExhaustedError
from ipx.numerics.memory import trim
from ipx.solving.observers import announce_part
from ipx.solving.progress import Status
from ipx.solving.tiled import SEAM, Opening
from ipx.solving.tiles import Span, Tiling, ramp_of

RETRIES = 3
"""Times that the overlap grows, or tiles shrink, before the work is given up."""


class Seam(Exception):  # noqa: N818  # the overlap is to grow
    """Neighbouring tiles differ where they blend."""


@dataclass
class Course:
    """How the tiles went.

    Attributes:
        opened: the status of the representative window.
        statuses: of each tile.
        iterations: the most that a tile took.
        seam: the largest difference of neighbours where they blend.
        tiling: the one that was used in the end.
        attempts: passes over the data.
    """

    tiling: Tiling
    opened: Status
    statuses: list[Status] = field(default_factory=list)
    iterations: int = 0
    seam: float = 0.0
    attempts: int = 1

    @property
    def status(self) -> Status:
        """That of the representative window, whose steps all take, unless a tile diverged."""
        return "diverged" if "diverged" in self.statuses else self.opened

    def remarks(self) -> list[str]:
        """What the user is told, one line at most."""
        if self.seam <= SEAM:
            return []
        return [
            f"neighbouring tiles differ by up to {self.seam:.2g} where they blend: the restoration "
            "reaches farther than they overlap; give a larger --tile"
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**self.tiling.to_json(), "seam": self.seam, "attempts": self.attempts}


def bands(opening: Opening, course: Course, strict: bool) -> Iterator[Tensor]:
    """The restored image by consecutive rows ``(C, n, W)``, in the units of the data.

    Args:
        opening: what tiles have in common.
        course: receives how the tiles went.
        strict: stop at a seam above `SEAM`.

    Raises:
        Seam: see ``strict``.
    """
    tiling, f = course.tiling, opening.factor
    channels, _, wide = opening.shape
    kept: Tensor | None = None  # rows on which the next tiles have a weight, too
    number = 0
    for row in tiling.rows:
        high = (row.end - row.begin) * f
        rows = torch.zeros(
            channels, high, wide, dtype=opening.source.dtype, device=opening.source.device
        )
        plain: Tensor | None = None
        for column in tiling.columns:
            number += 1
            announce_part(opening.asked.observers, "tile", number, tiling.count)
            x = _tile(opening, course, row, column)
            plain = _seams(course, plain, x, column, f)
            weights = row.weights(f, x)[:, None] * column.weights(f, x)[None, :]
            rows[..., column.begin * f : column.end * f] += weights * x
            del x, weights
            trim(left=0)  # the next tile needs their memory
        if kept is not None:
            course.seam = max(course.seam, _differ(kept, rows, row, f))
            rows[:, : kept.shape[1]] += kept
        if strict and course.seam > SEAM:
            raise Seam
        settled_rows = (row.done - row.begin) * f
        kept = None if row.last else rows[:, settled_rows:].clone()
        yield rows[:, :settled_rows] * opening.by


def _tile(opening: Opening, course: Course, row: Span, column: Span) -> Tensor:
    """The part of a restored window on which the tile has a weight, ``(C, h, w)``."""
    x, result = opening.restored(row.start, column.start, row.size, column.size)
    course.statuses.append(result.status[0])
    course.iterations = max(course.iterations, int(result.iterations[0]))
    return _within(x[0], row, column, opening.factor).clone()


def _within(x: Tensor, row: Span, column: Span, f: int) -> Tensor:
    """The part of a restored window on which the tile has a weight."""
    down, right = (row.begin - row.start) * f, (column.begin - column.start) * f
    high, wide = (row.end - row.begin) * f, (column.end - column.begin) * f
    return x[:, down : down + high, right : right + wide]


def _seams(course: Course, before: Tensor | None, x: Tensor, column: Span, f: int) -> Tensor:
    """Compare a tile with the one to its left; returns what the next one is compared with."""
    ramp = column.ramp * f
    if before is not None:
        course.seam = max(course.seam, float((before - x[..., :ramp]).abs().amax()))
    return x[..., -ramp:].clone()


def _differ(kept: Tensor, rows: Tensor, row: Span, f: int) -> float:
    """The difference of the tiles above and below where they blend, from their weighted values."""
    rise = row.weights(f, rows)[: kept.shape[1], None]
    middle = (rise > 0.2) & (rise < 0.8)
    gap = (kept / (1 - rise).clamp_min(0.1) - rows[:, : kept.shape[1]] / rise.clamp_min(0.1)).abs()
    return float(torch.where(middle, gap, 0.0).amax())


def attempts(opening: Opening, work: Callable[[Iterator[Tensor], Course], None]) -> Course:
    """Restore all tiles; again with more overlap where seams show, with less where memory ends.

    Args:
        opening: what tiles have in common.
        work: takes the rows; it is called again from the first row where they are made again.

    Raises:
        MemoryExhaustedError: the smallest tiles run out of memory.
    """
    tiling, shrunk = opening.tiling, None
    for attempt in range(1, RETRIES + 2):
        course = Course(tiling, opening.done.solution.status[0], attempts=attempt)
        try:
            work(bands(opening, course, strict=attempt <= RETRIES), course)
            return course
        except Seam:
            reach = max(ramp_of(tiling.reach), 2 * tiling.reach)
            tiling = opening.cut(reach, shrunk)
        except MemoryExhaustedError:
            shrunk = max(s.high - s.low for s in (*tiling.rows, *tiling.columns)) // 2
            if attempt > RETRIES or shrunk < ramp_of(tiling.reach):
                raise
            tiling = opening.cut(tiling.reach, shrunk)
    raise AssertionError("the last attempt returns or raises")
