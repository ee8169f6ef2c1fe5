"""Restore an image file: the work of ``ipx solve`` on each input."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ipx.files import images
from ipx.files.complex import encoded_complex
from ipx.files.depth import cut_off, depth_of
from ipx.files.format import is_image
from ipx.files.images import Picture
from ipx.files.record import record_path
from ipx.files.written import commit
from ipx.jobs.assumed import assumptions, for_measured, of_other_size, scaled
from ipx.jobs.outputs import Outputs
from ipx.jobs.records import MAIN, absolute, contents, make_record, places, read_data
from ipx.jobs.reported import Files, reported
from ipx.jobs.reporter import Reporter
from ipx.jobs.restored import Restored, read_truth, restored
from ipx.jobs.stacks import restored_stack
from ipx.jobs.tiled import solve_tiled
from ipx.planning.request import Request, Table
from ipx.report.words import request_of
from ipx.solving.degrade import degrade
from ipx.solving.observers import AnyObserver
from ipx.solving.sample import kept_in


def solve_file(
    request: Request,
    source: Path,
    output: Path,
    *,
    truth: Path | None = None,
    others: Outputs = Outputs(),
    reporter: Reporter | None = None,
    expect: str | None = None,
    observers: Sequence[AnyObserver] = (),
    force: bool = False,
    whole: bool = False,
) -> Table:
    """Restore an image; write its outputs, the record and, if asked for, other files.

    Args:
        request: the restoration.
        source: the degraded image.
        output: the file of the restored image; missing folders are made. Outputs of observers
            are written beside it as STEM-NAME.tif, float32 in nominal units.
        truth: the clean image, for the metrics.
        others: further files.
        reporter: receives reports and notes.
        expect: sha256 of the input in a record; a difference is noted.
        observers: see `ipx.solve`.
        force: let outputs of observers replace files that are not in the record of ``output``.
        whole: see `ipx.jobs.records.places`.

    Returns:
        The row: input, output, status, plan, lam, sigma (noise level, in the unit of the noise
        model), iterations, seconds, PSNR (dB) and SSIM before and after (None without a truth),
        outputs (the file of each), warnings (lines on what was assumed).

    Raises:
        IpxError: nothing was written.
    """
    reporter = reporter or Reporter()
    others.check()
    if request.settings.tiled:
        row = solve_tiled(
            request, source, output, truth=truth, reporter=reporter, expect=expect,
            observers=observers, shown=others.shown,
        )  # fmt: skip
        if row is not None:
            return row
    assumed, actual = assumptions(request, source), for_measured(request, source)
    picture = _data(request, source, reporter, expect)
    clean = None if truth is None else read_truth(truth, picture, request)
    like = _like(request, picture)
    dtype = depth_of(output, like, request.settings.sample_type)
    with others.folders(output, like, dtype):
        chain = checkpoint_of(output) if request.settings.sampled else None
        done = _solved(actual, picture, clean, reporter, observers, chain)
        done.warnings.extend(assumed + scaled(actual, picture) + of_other_size(actual, picture))
        done.warnings.extend(cut_off(output, like, dtype, done.pictures[MAIN]))
        where = places(output, done.how.outputs, force, others.named, whole)
        row = done.row(str(source), where)
        record = _record(request, picture, reporter, done, row, [source], output, truth, others)
        record["truth"] = None if clean is None else clean.describe()
        record["config"]["std"] = absolute(others.std)
        files = contents(done.pictures, where, like, dtype)
        commit(output, files | _further(others, done, clean, record, output), record)
        _clear(chain)
    return row


def _data(request: Request, source: Path, reporter: Reporter, expect: str | None) -> Picture:
    """The input; a note tells where it is another than that of the record."""
    reporter.enter("reading")
    picture = read_data(request, source)
    if expect is not None and picture.sha256 != expect:
        reporter.note(f"{source} has changed since the record was written")
    return picture


def _solved(
    request: Request,
    picture: Picture,
    clean: Picture | None,
    reporter: Reporter,
    observers: Sequence[AnyObserver],
    chain: str | None,
) -> Restored:
    """The restoration of an image, or of each image of a stack."""
    if picture.stacked:
        return restored_stack(request, picture, clean, reporter, observers)
    y = torch.from_numpy(picture.pixels)
    return restored(request, y, clean, reporter, observers, picture, chain)


def _clear(chain: str | None) -> None:
    """Remove the draws that were kept while they were made."""
    if chain is not None:
        Path(chain).unlink(missing_ok=True)
        shutil.rmtree(kept_in(chain), ignore_errors=True)


def checkpoint_of(output: Path) -> str:
    """The file beside ``output`` that holds the draws while they are made."""
    return str(output.with_name(f".{output.name}.draws"))


def _like(request: Request, picture: Picture) -> Picture:
    """The input as far as the output is like it: complex data have twice the channels."""
    if not request.tree("op").facts.traits.complex:
        return picture
    return replace(picture, pixels=picture.pixels[: picture.shape[0] // 2])


def _complex(request: Request) -> bool:
    return request.tree("op").facts.traits.complex


def solve_bundled(
    request: Request,
    folder: Path,
    *,
    others: Outputs = Outputs(),
    reporter: Reporter | None = None,
    observers: Sequence[AnyObserver] = (),
    force: bool = False,
) -> Table:
    """Degrade a bundled image that suits the prior, restore it, and write to a folder.

    Writes truth.png, degraded.tif (the data, float32; degraded.npy if they are complex),
    restored.png with its record, panel.png, and outputs of observers as restored-NAME.tif.

    Args:
        request: the degradation and the restoration.
        folder: the folder; it is made if it is missing.
        others: further files; another one for the panel.
        reporter: receives reports and notes.
        observers: see `ipx.solve`.
        force: as for `solve_file`.

    Returns:
        The row of `solve_file`, and ``panel``.
    """
    reporter, s = reporter or Reporter(), request.settings
    picture, output = images.bundled(request.subject), folder / "restored.png"
    written = replace(others, panel=others.panel or folder / "panel.png")
    written.check()
    clean = torch.from_numpy(picture.pixels)
    y = degrade(clean, op=request.op, noise=request.noise, seed=s.seed, device=s.device)
    with written.folders(output, picture, s.sample_type):
        done = restored(request, y, picture, reporter, observers)
        where = places(output, done.how.outputs, force, others.named)
        row = done.row(f"bundled:{picture.path.name}", where)
        record = _record(request, picture, reporter, done, row, [], folder, None, others)
        files = contents(done.pictures, where, picture, s.sample_type)
        truth = folder / "truth.png"
        files[truth] = images.encoded(truth, picture.pixels, picture)
        if _complex(request):
            data = folder / "degraded.npy"
            files[data] = encoded_complex(data, done.data)
        elif is_image(done.data.shape[0]):
            data = folder / "degraded.tif"
            files[data] = images.encoded(data, done.data, dtype="float32")
        commit(output, files | _further(written, done, picture, record, output), record)
    return row | {"panel": str(written.panel)}


def _record(
    request: Request,
    picture: Picture,
    reporter: Reporter,
    done: Restored,
    row: Table,
    inputs: list[Path],
    output: Path,
    truth: Path | None,
    others: Outputs,
) -> Table:
    """The record; its config reproduces the result."""
    config = done.chosen() | {
        "inputs": [absolute(path) for path in inputs],
        "output": absolute(output),
        "truth": absolute(truth),
        "panel": absolute(others.panel),
        "report": absolute(others.report),
    }
    return make_record(
        "solve", request, picture, reporter.command, row, config, done.how.trace, done.history
    )


def _further(
    others: Outputs, done: Restored, clean: Picture | None, record: Table, output: Path
) -> dict[Path, bytes]:
    """The contents of panel and report, if they are asked for."""
    files = {}
    if others.panel is not None:
        files[others.panel] = done.drawn(others.panel, clean)
    if others.report is not None:
        files[others.report] = _page(done, clean, record, output)
    return files


def _page(done: Restored, clean: Picture | None, record: Table, output: Path) -> bytes:
    """The report of a run that is not yet written."""
    files = Files(request_of(record), *done.shown(clean))
    return reported(record, files, record_path(output))
