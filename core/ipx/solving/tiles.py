"""Tiles of an image that is restored part by part: where they lie, how they blend, how large.

Along each axis the data are cut in *cores* of equal size. The *window* of a tile, which is restored
at once, extends its core by the *reach* of the restoration and half of a *ramp*. What lies within
the reach of the end of a window depends on what is cut away, and is dropped. Over the ramp the
weight of a tile falls from 1 to 0 while that of the next one rises, so that weights add up to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ipx.declare.capabilities import Shape
from ipx.errors import InputError, MemoryExhaustedError
from ipx.numerics.text import size_text

GRID = 16
"""Windows begin at multiples of this: blocks of codecs and networks keep their places."""

LARGEST = 2048
"""Largest side of an automatic window: larger ones take longer by the pixel."""

SMALLEST = 64
"""Smallest side of an automatic core."""


@dataclass(frozen=True)
class Span:
    """A tile along one axis, in pixels of the data.

    Attributes:
        start, stop: its window.
        low, high: its core; the tile has weight 1 there, but for the ramps.
        ramp: pixels over which the weight rises at ``low`` and falls at ``high``.
        first, last: it is the first, the last on the axis: no ramp there.
    """

    start: int
    stop: int
    low: int
    high: int
    ramp: int
    first: bool
    last: bool

    @property
    def size(self) -> int:
        """Pixels of the window."""
        return self.stop - self.start

    @property
    def begin(self) -> int:
        """The first pixel with a weight."""
        return self.low if self.first else self.low - self.ramp // 2

    @property
    def end(self) -> int:
        """The pixel after the last with a weight."""
        return self.high if self.last else self.high + self.ramp // 2

    @property
    def done(self) -> int:
        """The pixel from which on the next tile has a weight, too."""
        return self.high if self.last else self.high - self.ramp // 2

    def weights(self, factor: int, like: Tensor) -> Tensor:
        """Those from `begin` to `end`, for ``factor`` restored pixels for each of the data."""
        ends = self.end - self.begin
        weights = torch.ones(ends * factor, dtype=like.dtype, device=like.device)
        count = self.ramp * factor
        middles = (torch.arange(count, dtype=torch.float64) + 0.5) / count
        rise = (0.5 - 0.5 * torch.cos(math.pi * middles)).to(like)
        if not self.first:
            weights[:count] = rise
        if not self.last:
            weights[-count:] = 1 - rise
        return weights


def spans(length: int, core: int, reach: int) -> list[Span]:
    """The tiles of an axis of ``length`` pixels with cores of about ``core`` pixels."""
    ramp = ramp_of(reach)
    count = max(1, math.ceil(length / max(core, ramp)))
    step = max(ramp, GRID * math.ceil(length / count / GRID))
    edges = [*range(0, length, step), length]
    if len(edges) > 2 and edges[-1] - edges[-2] < ramp:  # too short for its ramp
        del edges[-2]
    around = reach + ramp // 2
    found = []
    for low, high in pairwise(edges):
        start = max(0, (low - around) // GRID * GRID)
        stop = min(length, -(-(high + around) // GRID) * GRID)
        found.append(Span(start, stop, low, high, ramp, low == 0, high == length))
    return found


def ramp_of(reach: int) -> int:
    """Pixels over which two tiles blend."""
    return GRID * max(1, math.ceil(reach / (2 * GRID)))


@dataclass(frozen=True)
class Tiling:
    """How an image is cut.

    Attributes:
        rows, columns: the tiles along both axes.
        reach: pixels of the data that are dropped at each side of a window.
        memory: estimated peak of the memory of the process, in bytes.
    """

    rows: list[Span]
    columns: list[Span]
    reach: int
    memory: int

    @property
    def count(self) -> int:
        """The number of tiles."""
        return len(self.rows) * len(self.columns)

    @property
    def window(self) -> tuple[int, int]:
        """Height and width of the largest window."""
        return max(s.size for s in self.rows), max(s.size for s in self.columns)

    @property
    def overlap(self) -> int:
        """Pixels that neighbouring windows have in common, at least."""
        return 2 * self.reach + self.rows[0].ramp

    def line(self) -> str:
        """``12 tiles of at most 640 x 640 pixels that overlap by 80, 850 MB``."""
        height, width = self.window
        if self.count == 1:
            return f"1 tile of {height} x {width} pixels, about {size_text(self.memory)}"
        return (
            f"{self.count} tiles of at most {height} x {width} pixels that overlap by "
            f"{self.overlap}, about {size_text(self.memory)}"
        )

    def to_json(self) -> dict[str, int | list[int]]:
        """Plain values."""
        return {
            "count": self.count, "rows": len(self.rows), "columns": len(self.columns),
            "window": list(self.window), "overlap": self.overlap, "reach": self.reach,
            "memory": self.memory,
        }  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """The memory that tiles take.

    Attributes:
        window: bytes of the restoration of a window of this height and width.
        line: bytes for each row of the data, of its window and of the blended rows.
        fixed: bytes of the process, and of what files hold.
    """

    window: Callable[[int, int], float]
    line: float
    fixed: float

    def peak(self, rows: list[Span], columns: list[Span]) -> float:
        """Bytes at the peak."""
        high = max(s.size for s in rows)
        return self.fixed + self.line * high + self.window(high, max(s.size for s in columns))


def tiled(size: Shape, reach: int, side: int | None, cost: Cost, budget: float | None) -> Tiling:
    """Tiles of data of ``size`` ``(H, W)`` that fit in the memory.

    Args:
        size: height and width of the data.
        reach: of the restoration, in pixels of the data.
        side: of the cores; None for the largest that fits.
        cost: what a window takes.
        budget: bytes that the process may take; None if unknown.

    Raises:
        InputError: the cores are smaller than what the ramps take.
        MemoryExhaustedError: no size fits.
    """
    height, width = size
    least = ramp_of(reach)
    if side is not None and side < min(least, height, width):
        raise InputError(
            f"tiles of {side} pixels are too small here: neighbours blend over {least}; give "
            f"--tile {least} or more"
        )
    for core in _sides(reach, side, max(height, width)):
        rows, columns = spans(height, core, reach), spans(width, core, reach)
        peak = cost.peak(rows, columns)
        if budget is None or peak <= budget:
            return Tiling(rows, columns, reach, round(peak))
    ways = "a larger --max-memory" if side is None else "a smaller --tile"
    raise MemoryExhaustedError(
        f"tiles of {core} pixels with a reach of {reach} need about {size_text(peak)} of memory "
        f"and {size_text(budget or 0)} may be used; what would help: {ways}, or another prior or "
        "solver"
    )


def _sides(reach: int, side: int | None, longest: int) -> Iterator[int]:
    """The sides of cores to be tried, the largest first."""
    if side is not None:
        yield side
        return
    if longest <= LARGEST:
        yield longest
    least = max(SMALLEST, ramp_of(reach))
    core = max(least, min(longest, LARGEST) - 2 * reach - ramp_of(reach))
    while core > least:
        yield core
        core = max(least, int(core / 1.19) // GRID * GRID)
    yield least
