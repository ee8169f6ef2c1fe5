"""Restore an image file in tiles: read by rows, restored window by window, written by rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ipx.declare.capabilities import Shape
from ipx.errors import InputError, MemoryExhaustedError, UsageError
from ipx.files import images, large
from ipx.files.atomic import Part, check_folder, folder_for, part_of
from ipx.files.depth import Cut, depth_of
from ipx.files.format import Array
from ipx.files.large import LargePicture
from ipx.files.record import record_path
from ipx.files.written import commit
from ipx.jobs.assumed import assumptions, for_measured, of_other_size, scaled
from ipx.jobs.foresee import LARGE, Foreseen, foresee, longest, with_known, work_of
from ipx.jobs.records import MAIN, absolute, make_record
from ipx.jobs.reporter import Reporter, Reporting
from ipx.jobs.restored import METRICS, Restored
from ipx.numerics.devices import open_device
from ipx.numerics.free import free_memory
from ipx.numerics.memory import keep_freed
from ipx.planning.request import Request, Table
from ipx.planning.settings import SolveSettings, bytes_in
from ipx.solving import tiled
from ipx.solving.cost import Work, budget_of
from ipx.solving.observers import AnyObserver
from ipx.solving.prepare import Asked
from ipx.solving.restore import of_tiles
from ipx.solving.tile_cost import guessed, whole_operator
from ipx.solving.tile_course import Course, attempts
from ipx.solving.tiled import Opening
from ipx.solving.windows import SIDE, Survey


class FileSource:
    """The data of a file as tensors, see `ipx.solving.tiled.Source`."""

    def __init__(self, picture: LargePicture, settings: SolveSettings) -> None:
        self.picture = picture
        self.shape: Shape = picture.picture.shape
        self.device = open_device(settings.device)
        self.dtype: torch.dtype = getattr(
            torch, settings.precision or picture.picture.pixels.dtype.name
        )
        self._band: tuple[int, int, Array] | None = None  # the rows of the present tiles

    @property
    def held(self) -> tuple[float, float]:
        """Bytes for each row, and of all."""
        return 2.0 * self.picture.row_bytes, float(self.picture.held)

    def read(self, top: int, bottom: int, left: int, right: int) -> Tensor:
        """A window ``(1, C, h, w)``."""
        band = self._rows(top, bottom)
        pixels = self.picture.pixels(band[:, left:right])
        return torch.from_numpy(pixels)[None].to(self.device, self.dtype)

    def middle(self, side: int) -> Tensor:
        """The window of this side in the middle."""
        rows, columns = (((n - min(n, side)) // 2, (n + min(n, side)) // 2) for n in self.shape[1:])
        return self.read(*rows, *columns)

    def _rows(self, top: int, bottom: int) -> Array:
        if self._band is None or self._band[:2] != (top, bottom):
            self._band = None
            self._band = (top, bottom, self.picture.samples(top, bottom))
        return self._band[2]

    def surveyed(self) -> Survey:
        """What the data are like."""
        survey, (_, height, _) = Survey(), self.shape
        for top in range(0, height, Survey.rows):
            rows = self.picture.samples(top, min(top + Survey.rows + 1, height))
            survey.add(torch.from_numpy(self.picture.pixels(rows))[None])
        return survey


def large_enough(request: Request, source: FileSource) -> Work | None:
    """The work of a restoration that is to be cut into tiles; None if the whole is restored.

    It is cut if a side is given, or if the memory requires it.
    """
    s = request.settings
    if request.tree("op").unknown:  # the file is read only then
        request = with_known(request, source.middle(SIDE))
    y = torch.zeros((), dtype=source.dtype, device=source.device).expand(1, *source.shape)
    whole_operator(request.op, source.shape)
    work = work_of(request.settled(y.shape[1])[0], y)
    most = budget_of(source.device, None if s.max_memory is None else bytes_in(s.max_memory))
    side = s.tile if isinstance(s.tile, int) else None
    whole = most is None or work.peak() <= most
    return None if whole and (side is None or side >= max(source.shape[1:])) else work


def asked_of(request: Request, picture: LargePicture, observers: Sequence[AnyObserver]) -> Asked:
    """The arguments of a restoration without an image."""
    return Asked(
        image=None, op=request.op, noise=request.noise, prior=request.prior, solver=request.solver,
        lam=request.lam, tuner=request.tuner, truth=None, sampler=request.sampler,
        image_shape=None, x0=None, storage=picture.picture.storage,
        observers=observers, settings=request.settings,
    )  # fmt: skip


@dataclass
class Compared:
    """The error of rows against the truth, added up.

    Attributes:
        square: sum of squared errors, of values clipped to [0, 1].
        count: values so far.
    """

    truth: LargePicture | None
    square: float = 0.0
    count: int = 0
    row: int = field(default=0)

    def add(self, rows: Array) -> None:
        """The next rows ``(C, n, W)``."""
        if self.truth is None:
            return
        bottom = self.row + rows.shape[1]
        clean = self.truth.pixels(self.truth.samples(self.row, bottom))
        gap = np.clip(rows, 0, 1).astype(np.float64) - np.clip(clean, 0, 1)
        self.square, self.count, self.row = (
            self.square + float((gap**2).sum()),
            self.count + gap.size,
            bottom,
        )

    @property
    def psnr(self) -> float | None:
        """In dB; None without a truth."""
        if self.truth is None:
            return None
        return float(-10 * np.log10(self.square / self.count)) if self.square else float("inf")


def solve_tiled(
    request: Request,
    source: Path,
    output: Path,
    *,
    truth: Path | None = None,
    reporter: Reporter | None = None,
    expect: str | None = None,
    observers: Sequence[AnyObserver] = (),
    shown: str = "",
) -> Table | None:
    """Restore an image file in tiles, if it is to be restored so; arguments as of `solve_file`.

    Args:
        shown: what else was asked for that shows the whole image, such as a panel.

    Returns:
        The row of `solve_file`, with ``tiles``, the `Tiling` and the largest difference of
        neighbours; SSIM is not computed. None if the whole fits in the memory.

    Raises:
        IpxError: nothing was written.
    """
    if request.settings.axes is not None:  # a stack or a volume
        return None
    reporter, began = reporter or Reporter(), time.perf_counter()
    keep_freed()
    warnings = assumptions(request, source)
    actual = for_measured(request, source)
    reporter.enter("reading")
    looking = [] if reporter.report is None else [Reporting(reporter.report, None)]
    with ExitStack() as after:
        picture = after.enter_context(large.opened(source, _absolute(request)))
        if picture is None:  # its pictures are restored one by one
            return None
        data = FileSource(picture, request.settings)
        if large_enough(actual, data) is None:
            return None
        if shown:
            raise UsageError(f"{shown} shows the whole image: not with --tile or --max-memory")
        if expect is not None and picture.picture.sha256 != expect:
            reporter.note(f"{source} has changed since the record was written")
        after.enter_context(folder_for(output))
        dtype = depth_of(output, picture.picture, request.settings.sample_type)
        images.output_type(output, picture.picture, dtype)
        check_folder(record_path(output))
        asked = asked_of(actual, picture, [*observers, *looking])
        opening = tiled.opened(asked, data, data.surveyed())
        clean = None if truth is None else _truth(truth, picture, opening, after)
        reporter.note(f"{source}: {opening.tiling.line()}")
        part = after.enter_context(part_of(output))
        course, errors, cut = _written(opening, part, output, picture, clean, dtype)
        done = _done(actual, opening, course, picture, began)
        done.metrics["psnr_after"] = errors.psnr
        warnings += scaled(actual, picture.picture) + of_other_size(actual, picture.picture)
        done.warnings.extend(warnings + cut.lines())
        row = done.row(str(source), {MAIN: output})
        record = _record(request, reporter, done, row, picture, (source, output, truth))
        record["truth"] = None if clean is None else clean.picture.describe()
        commit(output, {}, record, [part])
    return row


def _record(
    request: Request,
    reporter: Reporter,
    done: Restored,
    row: Table,
    picture: LargePicture,
    paths: tuple[Path, Path, Path | None],
) -> Table:
    """The record of input, output and truth; its config reproduces the result."""
    source, output, truth = map(absolute, paths)
    config = done.chosen() | {
        "inputs": [source], "output": output, "truth": truth,
        "panel": None, "report": None, "std": None,
    }  # fmt: skip
    return make_record(
        "solve", request, picture.picture, reporter.command, row, config, done.how.trace
    )


def _absolute(request: Request) -> bool:
    """Refuse what no window can show; the trait ``absolute`` of the operator.

    Raises:
        UsageError: the data are complex.
    """
    traits = request.tree("op").facts.traits
    if traits.complex:
        raise UsageError(
            "complex data cannot be restored in tiles; leave out --tile and --max-memory"
        )
    return traits.absolute


def _truth(path: Path, like: LargePicture, opening: Opening, after: ExitStack) -> LargePicture:
    """The truth, whose shape is that of the result."""
    clean = after.enter_context(large.opened(path))
    if clean is None or clean.picture.shape != opening.shape:
        has = "several pictures" if clean is None else f"shape {clean.picture.shape}"
        raise InputError(f"{path}: the truth has {has}, the result {opening.shape}")
    return clean


def _written(
    opening: Opening,
    part: Part,
    output: Path,
    picture: LargePicture,
    clean: LargePicture | None,
    dtype: str | None,
) -> tuple[Course, Compared, Cut]:
    """Restore, write the part, compare with the truth, and count what is cut off."""
    errors, cut = Compared(clean), Cut(output, picture.picture, dtype)

    def work(bands: Iterator[Tensor], course: Course) -> None:
        nonlocal errors, cut
        errors, cut = Compared(clean), Cut(output, picture.picture, dtype)

        def rows() -> Iterator[Array]:
            for band in bands:
                made = band.detach().cpu().numpy()
                errors.add(made)
                cut.add(made)
                yield made

        shape = (opening.shape[0], opening.shape[1], opening.shape[2])
        part.fill(lambda at: large.write_rows(at, output, rows(), shape, picture, dtype))

    course = attempts(opening, work)
    return course, errors, cut


def _done(
    request: Request, opening: Opening, course: Course, picture: LargePicture, began: float
) -> Restored:
    """The result of the representative window, with the course of all tiles."""
    how = of_tiles(opening, course, began)
    return Restored(request, how, picture.picture.pixels, dict.fromkeys(METRICS), [*how.warnings])


def foresee_file(request: Request, source: Path) -> Foreseen:
    """What the restoration of a file will take, in tiles if it comes to that.

    Raises:
        IpxError: the file cannot be read, or the request does not fit it.
    """
    found = _foresee_tiled(request, source) if request.settings.tiled else None
    return foresee(request, source) if found is None else found


def _foresee_tiled(request: Request, source: Path) -> Foreseen | None:
    """What the restoration of a file in tiles will take; None if the whole is restored.

    Raises:
        IpxError: the file cannot be read, or the request does not fit it.
    """
    if request.settings.axes is not None:
        return None
    actual = for_measured(request, source)
    with large.opened(source, _absolute(request)) as picture:
        if picture is None:
            return None
        data = FileSource(picture, request.settings)
        work = large_enough(actual, data)
        if work is None:
            return None
        free = free_memory(data.device)
        try:
            tiling = guessed(asked_of(actual, picture, ()), data, work)
        except MemoryExhaustedError as e:
            return Foreseen(round(work.peak()), free, None, False, str(e))
        crop = data.middle(LARGE)
        found = longest(with_known(actual, crop), crop)
        windows = sum(r.size for r in tiling.rows) * sum(c.size for c in tiling.columns)
        times = windows / (crop.shape[-2] * crop.shape[-1])
        seconds, at_most = (None, False) if found is None else (found[0] * times, found[1])
        return Foreseen(tiling.memory, free, seconds, at_most, None, tiling)
