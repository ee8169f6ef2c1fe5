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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from ipx.declare.capabilities import Local, Shape, has, using
from ipx.errors import InputError, MemoryExhaustedError, UsageError
from ipx.numerics.memory import memory_errors
from ipx.parts.operator import Operator
from ipx.planning.settings import bytes_in
from ipx.planning.tree import tree
from ipx.solving.build import image_shape_of, operator_from
from ipx.solving.choose_lam import Weighed
from ipx.solving.cost import BASE, Work, budget_of
from ipx.solving.observers import announce
from ipx.solving.pipeline import solution, solved_like
from ipx.solving.prepare import Asked, Ready, prepare
from ipx.solving.prepared import Prepared
from ipx.solving.progress import Result, Status
from ipx.solving.tiles import GRID, Cost, Span, Tiling, ramp_of, tiled
from ipx.solving.unknowns import Settled, settled
from ipx.solving.windows import SIDE, Survey

SEAM = 1e-3
"""Largest difference of neighbouring tiles where they blend, in units of [0, 1]."""

PROBES = 3
"""Windows along each axis on which the noise level is estimated; the median counts."""

SMALLEST = 64
"""Side of the smallest window on which a weight is chosen."""

GUESS = 4
"""Reach of a restoration over that of its operator, before it is measured."""

IMPULSE = 256
"""Largest side of the window in which the response of a pixel is looked at."""

RETRIES = 3
"""Times that the overlap grows, or tiles shrink, before the work is given up."""


class Source(Protocol):
    """Data that are read by rows.

    Attributes:
        shape: ``(C, H, W)`` of the data.
        device, dtype: of the tensors that it gives.
        held: bytes for each row of the data that are read, and in all.
    """

    shape: Shape
    device: torch.device
    dtype: torch.dtype
    held: tuple[float, float]

    def read(self, top: int, bottom: int, left: int, right: int) -> Tensor:
        """A window of the data ``(1, C, h, w)``, nominally in [0, 1]."""
        ...


class Seam(Exception):  # noqa: N818  # the overlap is to grow
    """Neighbouring tiles differ where they blend."""


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
        return _shown(self.operator)

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
        except MemoryExhaustedError:
            side //= 2
            if side < SMALLEST:
                raise


def check(asked: Asked) -> None:
    """Refuse what is about an image as a whole.

    Raises:
        UsageError: see above.
    """
    reasons = {
        "draws from the posterior are": asked.settings.sampled,
        "a start x0 is": asked.x0 is not None,
        "the best of several starts is": asked.settings.restarts > 1,
        "a truth for the tuner is": asked.truth is not None,
        "an image shape is": asked.image_shape is not None,
    }
    for what, given in reasons.items():
        if given:
            raise UsageError(f"{what} of the whole image: not with --tile or --max-memory")


def whole_operator(op: Any, shape: Shape) -> tuple[Operator[Any], int]:
    """The operator on all data of ``shape``, and restored pixels along an axis for each of them.

    Raises:
        UsageError: its data cannot be cut into windows.
    """
    operator, title = operator_from(op, image_shape_of(op, shape)), tree("operator", op).title
    if not has(operator, Local):
        raise UsageError(
            f"operator {title} cannot be restored in tiles, since each value of its data depends "
            "on the whole image; leave out --tile and --max-memory"
        )
    shown = _shown(operator)[-2:]
    factors = {a / b for a, b in zip(shown, shape[-2:], strict=True)}
    if len(factors) > 1 or not float(factor := factors.pop()).is_integer():
        raise UsageError(
            f"operator {title} restores {shown[0]} x {shown[1]} pixels of {shape[-2]} x "
            f"{shape[-1]}: such borders cannot be cut into tiles (boundary unknown can)"
        )
    return operator, int(factor)


def _opened(asked: Asked, source: Source, survey: Survey, side: int) -> Opening:
    """`opened`, with windows of this side."""
    size = (source.shape[-2], source.shape[-1])
    where = _aligned(survey.window(size, side))
    found = settled(asked.op, _cut(source, where))
    operator, factor = whole_operator(found.op, source.shape)
    asked = replace(asked, op=found.op, by=survey.unit)
    ready = _with_median_noise(asked, source, operator, where)
    with memory_errors():
        done = solution(ready.prepared)
    opening = Opening(
        source=source, asked=asked, operator=operator, factor=factor, ready=ready, done=done,
        found=found, where=where, by=float(ready.units.by[0]), tiling=Tiling([], [], 0, 0),
    )  # fmt: skip
    announce(asked.observers, "reach")
    return replace(opening, tiling=cut(opening, measured_reach(opening)))


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
    return prepare(replace(asked, image=_cut(source, where), made=part, axes=None))


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
        if (height, width) == (rows, columns) and min(gone) == 0:  # too small to be cut
            return 0
        inner = (top + gone[0], left + gone[1], height - gone[0], width - gone[1])
        with_cut, _ = opening.restored(*inner)
        f = opening.factor
        gap = (x[..., gone[0] * f :, gone[1] * f :] - with_cut).abs().amax((0, 1))
        reach = math.ceil(_last_above(gap, SEAM / 2) / f)
        if reach < 0.6 * min(inner[2:]):
            return reach
        known = (height, width)
        height, width = min(2 * height, rows), min(2 * width, columns)
        most = _budget(opening.asked, opening.source)
        fits = most is None or BASE + cost_of(opening).window(height, width) <= most
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


def _last_above(gap: Tensor, most: float) -> int:
    """The distance from the upper and left end beyond which no value exceeds ``most``."""
    high = gap > most
    rows = torch.arange(gap.shape[0], device=gap.device)[:, None]
    columns = torch.arange(gap.shape[1], device=gap.device)[None, :]
    far = torch.minimum(rows, columns).expand(gap.shape)[high]
    return int(far.max()) + 1 if far.numel() else 0


def cut(opening: Opening, reach: int, side: int | None = None) -> Tiling:
    """The tiles for a reach, of the side that was asked for or of the largest that fits."""
    return _tiling(opening.asked, opening.source, reach, cost_of(opening), side)


def _tiling(
    asked: Asked, source: Source, reach: int, cost: Cost, side: int | None = None
) -> Tiling:
    told = asked.settings.tile if isinstance(asked.settings.tile, int) else None
    size = source.shape[-2:]
    return tiled(size, reach, side or told, cost, _budget(asked, source))


def _budget(asked: Asked, source: Source) -> int | None:
    """Bytes that the process may take; None if that is not to be checked."""
    s = asked.settings
    if s.memory == "ignore":
        return None
    return budget_of(source.device, None if s.max_memory is None else bytes_in(s.max_memory))


def cost_of(opening: Opening) -> Cost:
    """What tiles take."""
    mine, source = opening.ready.prepared, opening.source
    problem = mine.problem
    work = Work(
        mine.plan, opening.operator, problem.noise, problem.prior, mine.algorithm, (), False, 1,
        source.dtype, source.device,
    )  # fmt: skip
    return _cost(work, source, opening.shape)


def _cost(work: Work, source: Source, shape: Shape) -> Cost:
    """What tiles take; ``work`` is that of all data, ``shape`` that of the restored image."""

    def window(height: int, width: int) -> float:
        part = using(work.operator, Local).part(0, 0, height, width)
        return replace(work, operator=part, tuners=(), estimated=False).arrays()

    by_row, fixed = source.held
    channels, high, wide = shape
    factor = high // source.shape[-2]
    blended = 3 * channels * wide * factor * source.dtype.itemsize
    return Cost(window, by_row + blended, fixed + (0 if source.device.type == "cuda" else BASE))


def guessed(asked: Asked, source: Source, work: Work) -> Tiling:
    """The tiles before anything is measured, for a reach of `GUESS` times that of the operator.

    Args:
        asked: what was asked for.
        source: the data.
        work: that of the restoration of all data.

    Raises:
        UsageError: the restoration cannot be cut into tiles.
        MemoryExhaustedError: no tile fits.
    """
    check(asked)
    reach = max(GRID, GUESS * response(work.operator))
    shape = _shown(work.operator)
    return _tiling(asked, source, reach, _cost(work, source, shape))


@torch.no_grad()
def response(operator: Operator[Any]) -> int:
    """How far a pixel reaches in the data, in pixels of these, from its response."""
    height, width = (min(n, IMPULSE) for n in operator.data_shape[-2:])
    part = using(operator, Local).part(0, 0, height, width)
    x = torch.zeros(1, *part.image_shape, dtype=torch.float64)
    x[..., x.shape[-2] // 2, x.shape[-1] // 2] = 1
    y = part.forward(x).abs().amax((0, 1))
    rows, columns = torch.nonzero(y > SEAM * y.amax(), as_tuple=True)
    if not len(rows):  # a pixel that was not measured
        return 0
    spread = max(int(i.max() - i.min()) for i in (rows, columns))
    return (spread + 1) // 2


def _shown(operator: Operator[Any]) -> Shape:
    """``(C, H, W)`` of the restored image."""
    return tuple(operator.view(torch.empty(1, *operator.image_shape, device="meta")).shape[1:])


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
            announce(opening.asked.observers, f"tile {number} of {tiling.count}")
            x, result = opening.restored(row.start, column.start, row.size, column.size)
            course.statuses.append(result.status[0])
            course.iterations = max(course.iterations, int(result.iterations[0]))
            x = _within(x[0], row, column, f)
            plain = _seams(course, plain, x, column, f)
            weights = row.weights(f, x)[:, None] * column.weights(f, x)[None, :]
            rows[..., column.begin * f : column.end * f] += weights * x
        if kept is not None:
            course.seam = max(course.seam, _differ(kept, rows, row, f))
            rows[:, : kept.shape[1]] += kept
        if strict and course.seam > SEAM:
            raise Seam
        settled_rows = (row.done - row.begin) * f
        kept = None if row.last else rows[:, settled_rows:].clone()
        yield rows[:, :settled_rows] * opening.by


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
            tiling = cut(opening, reach, shrunk)
        except MemoryExhaustedError:
            shrunk = max(s.high - s.low for s in (*tiling.rows, *tiling.columns)) // 2
            if attempt > RETRIES or shrunk < ramp_of(tiling.reach):
                raise
            tiling = cut(opening, tiling.reach, shrunk)
    raise InputError("the tiles do not fit together")  # pragma: no cover
