"""Restoration in tiles, of data that are read by rows, with one noise level and one weight.

Unknown options of the operator, noise level and weight are found on windows of the data, and told
to every tile. Each tile is an ordinary problem on a window of the data. All take as many steps as
the representative window: tiles that stop by themselves differ by what they lack of convergence,
which for total variation is ten times the seam that is allowed. How far the windows have to
overlap is measured: a window is restored with and without a part of it, and the reach is the
distance from the cut beyond which both agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ipx.declare.capabilities import Local, Shape, using
from ipx.errors import MemoryExhaustedError, UsageError
from ipx.numerics.memory import memory_errors
from ipx.parts.operator import Operator
from ipx.solving.choose_lam import Weighed
from ipx.solving.cost import BASE, Work
from ipx.solving.observers import announce
from ipx.solving.pipeline import solution, solved_like
from ipx.solving.prepare import Asked, Ready, prepare
from ipx.solving.prepared import Prepared
from ipx.solving.progress import Result
from ipx.solving.rivals import picked
from ipx.solving.tile_cost import (
    Source,
    budget_for,
    check,
    cost_of,
    shown_shape,
    tiling_for,
    whole_operator,
)
from ipx.solving.tiles import GRID, Cost, Tiling
from ipx.solving.unknowns import Settled, settled
from ipx.solving.windows import SIDE, Survey

SEAM = 1e-3
"""Largest difference of neighbouring tiles where they blend, in units of [0, 1]."""

PROBES = 3
"""Windows along each axis on which the noise level is estimated; the median counts."""

SMALLEST = 64
"""Side of the smallest window on which a weight is chosen."""


@dataclass(frozen=True, kw_only=True)
class Opening:
    """All that tiles have in common.

    Attributes:
        source: the data.
        asked: what was asked for.
        operator: on all data.
        factor: restored pixels along an axis for each of the data.
        ready: the problem of the representative window.
        done: its solution and the weights.
        found: the operator's description, without unknowns.
        where: top, left, height and width of that window.
        by: the unit of the data.
        tiling: how the data are cut.
    """

    source: Source
    asked: Asked
    operator: Operator[Any]
    factor: int
    ready: Ready
    done: Weighed
    found: Settled
    where: tuple[int, int, int, int]
    by: float
    tiling: Tiling

    @property
    def shape(self) -> Shape:
        """``(C, H, W)`` of the restored image."""
        return shown_shape(self.operator)

    @property
    def cost(self) -> Cost:
        """What tiles take."""
        mine, source = self.ready.prepared, self.source
        problem = mine.problem
        work = Work(
            mine.plan, self.operator, problem.noise, problem.prior, mine.algorithm, (), False, 1,
            source.dtype, source.device,
        )  # fmt: skip
        return cost_of(work, source, self.shape)

    def cut(self, reach: int, side: int | None = None) -> Tiling:
        """The tiles for a reach, of this side or as was asked for."""
        return tiling_for(self.asked, self.source, reach, self.cost, side)

    def prepared(self, top: int, left: int, height: int, width: int) -> Prepared:
        """The problem of a window of the data."""
        y = self.source.read(top, top + height, left, left + width) / self.by
        part = using(self.operator, Local).part(top, left, height, width)
        mine = self.ready.prepared
        problem = mine.problem.changed(y=y, operator=part)
        return Prepared.of(
            problem, mine.plan, algorithm=mine.algorithm, lam=mine.lam, tuner=mine.tuner,
            rule=mine.rule, settings=mine.settings, observers=mine.observers,
        )  # fmt: skip

    def restored(self, top: int, left: int, height: int, width: int) -> tuple[Tensor, Result]:
        """The restored window ``(1, C, h, w)``, and how it went."""
        with memory_errors():
            found = self.prepared(top, left, height, width)
            result = solved_like(found, self.done.settled, self.done.solution)
        return found.problem.operator.view(result.x), result


def opened(asked: Asked, source: Source, survey: Survey) -> Opening:
    """Find what tiles have in common, and cut the data.

    Args:
        asked: without an image.
        source: the data.
        survey: of the data.

    Raises:
        UsageError: the restoration cannot be cut into tiles.
        MemoryExhaustedError: no tile fits in the memory.
        IpxError: see `ipx.solve`.
    """
    check(asked)
    side = SIDE
    while True:
        try:
            return _opened(asked, source, survey, side)
        except MemoryExhaustedError as e:
            side //= 2
            if side < SMALLEST:
                raise MemoryExhaustedError(
                    "not even a small part of the image fits in the memory; what would help: a "
                    "larger --max-memory, a given --lam, another prior or solver"
                ) from e


def _opened(asked: Asked, source: Source, survey: Survey, side: int) -> Opening:
    """`opened`, with windows of this side."""
    size = (source.shape[-2], source.shape[-1])
    where = _aligned(survey.window(size, side))
    found = settled(asked.op, _cut(source, where))
    operator, factor = whole_operator(found.op, source.shape)
    asked = replace(asked, op=found.op, unit=survey.unit if asked.unit is None else asked.unit)
    asked = replace(asked, picked=picked(asked, _prepared_at(asked, source, operator, where)))
    ready = _with_median_noise(asked, source, operator, where)
    with memory_errors():
        done = solution(ready.prepared)
    opening = Opening(
        source=source, asked=asked, operator=operator, factor=factor, ready=ready, done=done,
        found=found, where=where, by=float(ready.units.by[0]), tiling=Tiling([], [], 0, 0),
    )  # fmt: skip
    announce(asked.observers, "reach")
    return replace(opening, tiling=opening.cut(measured_reach(opening)))


def _aligned(where: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    top, left, height, width = where
    return top // GRID * GRID, left // GRID * GRID, height, width


def _cut(source: Source, where: tuple[int, int, int, int]) -> Tensor:
    top, left, height, width = where
    return source.read(top, top + height, left, left + width)


def _prepared_at(
    asked: Asked, source: Source, operator: Operator[Any], where: tuple[int, int, int, int]
) -> Ready:
    part = using(operator, Local).part(*where)
    return prepare(replace(asked, image=_cut(source, where), made=part))


def _with_median_noise(
    asked: Asked, source: Source, operator: Operator[Any], where: tuple[int, int, int, int]
) -> Ready:
    """The problem of the representative window, with the noise that is usual over all data."""
    ready = _prepared_at(asked, source, operator, where)
    mine = ready.prepared
    if not mine.problem.estimated:
        return ready
    _, _, height, width = where
    models = [mine.problem.noise]
    for top in _places(source.shape[-2], height):
        for left in _places(source.shape[-1], width):
            if (top, left) != where[:2]:
                other = _prepared_at(asked, source, operator, (top, left, height, width))
                models.append(other.prepared.problem.noise)
    models.sort(key=lambda noise: float(torch.as_tensor(noise.level).mean()))
    problem = mine.problem.changed(noise=models[len(models) // 2])
    made = Prepared.of(
        problem, mine.plan, algorithm=mine.algorithm, lam=mine.lam, tuner=mine.tuner,
        rule=mine.rule, settings=mine.settings, observers=mine.observers,
    )  # fmt: skip
    return replace(ready, prepared=made)


def _places(length: int, side: int) -> list[int]:
    """The first pixels of windows spread over an axis."""
    count = min(PROBES, max(1, length // max(side, 1)))
    gaps = max(count - 1, 1)
    return sorted({(length - side) * i // gaps // GRID * GRID for i in range(count)})


def measured_reach(opening: Opening) -> int:
    """The distance from a cut, in pixels of the data, beyond which the result does not change.

    Raises:
        UsageError: it is not reached within the largest window that the memory allows.
    """
    top, left, height, width = opening.where
    rows, columns = opening.source.shape[-2:]
    x = opening.ready.prepared.problem.operator.view(opening.done.solution.x)
    while True:
        gone = [n // 4 // GRID * GRID for n in (height, width)]
        if (height, width) == (rows, columns) and max(gone) == 0:  # too small to be cut
            return 0
        inner = (top + gone[0], left + gone[1], height - gone[0], width - gone[1])
        with_cut, _ = opening.restored(*inner)
        f = opening.factor
        gap = (x[..., gone[0] * f :, gone[1] * f :] - with_cut).abs().amax((0, 1))
        reach = math.ceil(_last_above(gap, SEAM / 2, [n > 0 for n in gone]) / f)
        if reach < 0.6 * min(n for n, cut in zip(inner[2:], gone, strict=True) if cut):
            return reach
        known = (height, width)
        height, width = min(2 * height, rows), min(2 * width, columns)
        most = budget_for(opening.asked, opening.source)
        fits = most is None or BASE + opening.cost.window(height, width) <= most
        if known == (height, width) or not fits:
            raise UsageError(
                f"this restoration depends on the image beyond {reach} pixels: what is cut away "
                "changes all of it; leave out --tile and --max-memory, or take another prior or "
                "solver"
            )
        top, left = (
            max(0, min(a, n - side)) // GRID * GRID
            for a, n, side in ((top, rows, height), (left, columns, width))
        )
        x, _ = opening.restored(top, left, height, width)


def _last_above(gap: Tensor, most: float, cut: Sequence[bool]) -> int:
    """The distance from what was cut away beyond which no value exceeds ``most``.

    ``cut`` tells whether rows above, and columns to the left, were cut away.
    """
    near = torch.meshgrid(*(torch.arange(n, device=gap.device) for n in gap.shape), indexing="ij")
    distance = torch.stack([at for at, gone in zip(near, cut, strict=True) if gone]).amin(0)
    far = distance[gap > most]
    return int(far.max()) + 1 if far.numel() else 0
