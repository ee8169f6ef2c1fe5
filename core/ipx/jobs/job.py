"""One picture from file to file: read, solve, write the picture, its record, its panel.

What the command line does to each input, usable from code too. A row of results is a plain
dictionary; nothing is left behind when a step fails.
"""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ipx.errors import InputError, IpxError
from ipx.files import images
from ipx.files.images import Picture
from ipx.files.panel import check_kind
from ipx.files.panel import panel as draw_panel
from ipx.files.record import (
    drew,
    environment,
    folder_for,
    read_record,
    record_path,
    write_record,
)
from ipx.numerics.devices import open_device
from ipx.numerics.metrics import psnr, ssim
from ipx.planning.request import ROLES, Request, Table, files_of, resolved
from ipx.solving.build import image_shape_of
from ipx.solving.loop import Callback, Progress
from ipx.solving.restore import Restoration, degrade, solve

Array: TypeAlias = npt.NDArray[Any]
METRICS = ("psnr_before", "psnr_after", "ssim_before", "ssim_after")
INTERVAL = 0.1  # seconds between two reports of progress


@dataclass(frozen=True)
class Step:
    """Progress as plain numbers; ``psnr`` is None without a truth."""

    iteration: int
    budget: int
    seconds: float
    objective: float | None
    psnr: float | None
    trial: int  # while lam is chosen: the trial, from 1; 0 in the final solve


@dataclass(frozen=True)
class Watch:
    """Where a job reports to."""

    step: Callable[[Step], None] | None = None  # now and then while a solve runs
    note: Callable[[str], None] = lambda line: None  # lines that the user should see
    command: Sequence[str] = ()  # the command line, for the record


@dataclass
class _Run:
    """A restoration with all that a row, a record and a panel need."""

    how: Restoration
    data: Array
    x: Array
    metrics: Table = field(default_factory=lambda: dict.fromkeys(METRICS))


def solve_file(
    request: Request,
    source: Path,
    output: Path,
    *,
    truth: Path | None = None,
    panel: Path | None = None,
    watch: Watch | None = None,
    expect: str | None = None,
) -> Table:
    """Restore one picture; write it, its record and, when asked, a panel.

    Args:
        request: how.
        source: the degraded picture.
        output: where the restored one goes; missing folders are made.
        truth: the clean picture, for the metrics.
        panel: where to draw degraded, restored and truth side by side.
        watch: whom to report to.
        expect: sha256 that the input should have; another one is noted.

    Returns:
        The row: input, output, status, plan, lam, sigma, iterations, seconds, metrics.

    Raises:
        IpxError: one clear line; nothing was written.
    """
    watch = watch or Watch()
    if panel is not None:
        check_kind(panel)
    picture = images.read(source)
    if expect is not None and picture.sha256 != expect:
        watch.note(f"{source} has changed since the record was written")
    clean = None if truth is None else images.read(truth)
    if clean is not None:
        _same_shape(clean, image_shape_of(request.op, picture.shape))
    with folder_for(output), folder_for(panel):
        images.output_type(output, picture)
        run = _solve(request, torch.from_numpy(picture.pixels), clean, watch)
        row = _row(str(source), output, run)
        record = _record("solve", request, picture, watch, row, run)
        record["config"] |= {
            "inputs": [str(source.absolute())],
            "output": str(output.absolute()),
            "truth": None if truth is None else str(truth.absolute()),
            "panel": None if panel is None else str(panel.absolute()),
        }
        record["truth"] = None if clean is None else clean.describe()
        _write(output, run.x, record, picture)
        if panel is not None:
            _draw(panel, run, clean)
    return row


def solve_bundled(
    request: Request, folder: Path, *, panel: Path | None = None, watch: Watch | None = None
) -> Table:
    """Degrade a bundled picture that suits the prior, restore it, and write to a folder.

    truth.png, degraded.tif (float32, what was really restored), restored.png, record, panel.png.
    """
    watch = watch or Watch()
    picture = images.bundled(request.subject)
    sheet = panel if panel is not None else folder / "panel.png"
    check_kind(sheet)
    output = folder / "restored.png"
    device = open_device(request.device)
    y = degrade(
        torch.from_numpy(picture.pixels),
        op=request.op,
        noise=request.noise,
        seed=request.seed,
        device=device,
    )
    with folder_for(output), folder_for(sheet):
        images.output_type(output, picture)
        run = _solve(request, y, picture, watch)
        row = _row(f"bundled:{picture.path.name}", output, run)
        record = _record("solve", request, picture, watch, row, run)
        record["config"] |= {
            "inputs": [],
            "output": str(folder.absolute()),
            "truth": None,
            "panel": None if panel is None else str(panel.absolute()),
        }
        images.write(folder / "truth.png", picture.pixels, picture)
        if run.data.shape[0] in (1, 3):
            images.write(folder / "degraded.tif", run.data, dtype="float32")
        _write(output, run.x, record, picture)
        _draw(sheet, run, picture)
    return row | {"panel": str(sheet)}


def degrade_file(
    request: Request, source: Path, output: Path, *, watch: Watch | None = None
) -> Table:
    """Simulate a measurement of one picture; write it and its record.

    TIFF and NPY get float32, so that the noise is neither rounded nor clipped; PNG and JPEG
    keep the input's 8 or 16 bits, and what had to be clipped is noted.

    Returns:
        The row: input, output, status, seed, seconds, clipped (share of values), psnr, ssim
        (None where the data have another size than the picture).
    """
    watch = watch or Watch()
    picture = images.read(source)
    with folder_for(output):
        wanted = images.SUFFIXES.get(output.suffix.lower())
        whole = np.dtype(picture.dtype).kind != "f"
        dtype = "float32" if wanted in ("tiff", "npy") and whole else None
        _, kept = images.output_type(output, picture, dtype)
        began = time.perf_counter()
        clean = torch.from_numpy(picture.pixels)
        device = open_device(request.device)
        y = degrade(
            clean, op=request.op, noise=request.noise, seed=request.seed, device=device
        ).cpu()
        seconds = time.perf_counter() - began
        data = y.numpy()
        clipped = 0.0
        if np.dtype(kept).kind != "f":
            clipped = float(((data < 0) | (data > 1)).mean())
            watch.note(
                f"{output}: {kept} rounds the noise and clips {100 * clipped:.2g} % of the "
                "values; write .tif to keep them"
            )
        alike = y.shape == clean.shape
        row = {
            "input": str(source),
            "output": str(output),
            "status": "ok",
            "seed": request.seed,
            "seconds": seconds,
            "clipped": clipped,
            "psnr": float(psnr(y[None], clean[None])[0]) if alike else None,
            "ssim": float(ssim(y[None], clean[None])[0]) if alike else None,
        }
        record = _record("degrade", request, picture, watch, row)
        full = record["config"]
        record["config"] = {k: full[k] for k in ("op", "noise", "seed", "device")} | {
            "inputs": [str(source.absolute())],
            "output": str(output.absolute()),
        }
        record["requested"] = {k: record["requested"][k] for k in ("op", "noise", "seed", "device")}
        _write(output, data, record, picture, dtype)
    return row


def finished(
    command: str,
    request: Request,
    source: Path,
    output: Path,
    truth: Path | None = None,
    panel: Path | None = None,
) -> Table | None:
    """The row of an earlier run of the same request on the same input; None to do it again.

    It is done again too where a truth or a panel is asked for that it did not have.
    """
    target = record_path(output)
    if not (output.is_file() and target.is_file()):
        return None
    try:
        record = read_record(target)
        asked = request.to_mapping()
        if command == "degrade":
            asked = {k: asked[k] for k in ("op", "noise", "seed", "device")}
        same = (
            record.get("command") == command
            and record.get("requested") == asked
            and record.get("files") == _files(request, command)
            and record["input"]["sha256"] == images.sha256(source)
            and (truth is None or record["truth"]["sha256"] == images.sha256(truth))
            and (panel is None or (panel.is_file() and drew(output, panel)))
        )
    except (InputError, KeyError, TypeError):
        return None
    row = record.get("result")
    good = same and isinstance(row, dict) and row.get("status") != "diverged"
    return dict(row) if good and isinstance(row, dict) else None


def _solve(request: Request, y: Tensor, clean: Picture | None, watch: Watch) -> _Run:
    device = open_device(request.device)
    reference = None if clean is None else torch.from_numpy(clean.pixels)[None]
    how = solve(
        y,
        op=request.op,
        noise=request.noise,
        prior=request.prior,
        solver=request.solver,
        tuner=request.tuner,
        lam=request.lam,
        iterations=request.iterations,
        tol=request.tol,
        start=request.start,
        restarts=request.restarts,
        keep=request.keep,
        seed=request.seed,
        exact=request.exact,
        callbacks=[] if watch.step is None else [_callback(watch.step, reference)],
        device=device,
    )
    run = _Run(how, y.detach().cpu().numpy(), how.x[0].detach().cpu().numpy())
    if reference is not None:
        before, after = how.before.cpu(), how.x.cpu()
        for name, measure in (("psnr", psnr), ("ssim", ssim)):
            run.metrics[f"{name}_before"] = float(measure(before, reference)[0])
            run.metrics[f"{name}_after"] = float(measure(after, reference)[0])
    return run


def _callback(step: Callable[[Step], None], reference: Tensor | None) -> Callback:
    last = 0.0

    def report(p: Progress) -> None:
        nonlocal last
        if time.perf_counter() - last < INTERVAL:
            return
        last = time.perf_counter()
        quality = None if reference is None else float(psnr(p.x.cpu(), reference)[0])
        value = float(p.objective[0])
        objective = None if math.isnan(value) else value
        step(Step(p.iteration, p.budget, p.seconds, objective, quality, p.trial))

    return report


def _same_shape(clean: Picture, shape: tuple[int, ...]) -> None:
    if clean.shape != shape:
        raise InputError(f"{clean.path}: the truth has shape {clean.shape}, the result {shape}")


def _row(source: str, output: Path, run: _Run) -> Table:
    how = run.how
    level = how.level[0]
    return {
        "input": source,
        "output": str(output),
        "status": how.status[0],
        "plan": how.plan.to_json(),
        "lam": None if how.lam is None else how.lam[0],
        "sigma": None if level != level else level,
        "iterations": how.iterations[0],
        "seconds": how.seconds,
        **run.metrics,
    }


def _record(
    command: str,
    request: Request,
    picture: Picture,
    watch: Watch,
    row: Table,
    run: _Run | None = None,
) -> Table:
    asked = request.to_mapping()
    config = dict(asked)
    if run is not None:
        config["lam"] = row["lam"] if row["lam"] is not None else "auto"
        if request.solver["name"] == "auto":
            config["solver"] = resolved("solver", {"name": run.how.plan.solver})
    return {
        "command": command,
        "argv": list(watch.command),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "config": config,
        "requested": asked,
        "input": picture.describe(),
        "files": _files(request, command),
        "seed": request.seed,
        "result": row,
        "trace": [] if run is None else run.how.trace,
        "environment": environment(),
    }


def _files(request: Request, command: str) -> dict[str, str]:
    """sha256 of the files that the options name: a PSF, a mask."""
    roles = ("op", "noise") if command == "degrade" else tuple(ROLES)
    named = (f for role in roles for f in files_of(ROLES[role], getattr(request, role)))
    return {str(f.absolute()): images.sha256(f) for f in named}


def _write(
    output: Path, pixels: Array, record: Table, like: Picture, dtype: str | None = None
) -> None:
    fresh = not output.exists()  # the picture and its record, both or none
    images.write(output, pixels, like, dtype)
    try:
        write_record(record_path(output), record)
    except IpxError:
        if fresh:
            output.unlink(missing_ok=True)
        raise


def _draw(path: Path, run: _Run, clean: Picture | None) -> None:
    def figures(when: str) -> str:
        quality, likeness = run.metrics[f"psnr_{when}"], run.metrics[f"ssim_{when}"]
        return "" if quality is None else f"{quality:.2f} dB, SSIM {likeness:.3f}"

    shown = run.data if run.data.shape[0] in (1, 3) else run.how.before[0].cpu().numpy()
    columns = [("degraded", shown, figures("before")), ("restored", run.x, figures("after"))]
    if clean is not None:
        columns.append(("truth", clean.pixels, ""))
    draw_panel(path, columns)
