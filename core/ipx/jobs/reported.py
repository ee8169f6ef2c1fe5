"""Reports of runs: at the end of a run, and later from its record and the files that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from ipx.declare.capabilities import Quadratic
from ipx.errors import InputError, IpxError, UsageError
from ipx.files import images
from ipx.files.contents import is_one
from ipx.files.format import Array, drawable
from ipx.files.images import Picture
from ipx.files.planes import middle, sections, single
from ipx.files.record import read_record, sha256
from ipx.jobs.coded import codes
from ipx.jobs.records import MAIN, read_data
from ipx.jobs.residual import Residual, residual
from ipx.jobs.restored import read_truth
from ipx.planning.request import Request, Table
from ipx.report.codes import Codes
from ipx.report.html import MARK
from ipx.report.page import Run, page
from ipx.report.pictures import Shown
from ipx.report.spectra import power
from ipx.report.words import request_of
from ipx.solving.build import build, image_shape_of, operator_from

SUFFIXES = (".html", ".htm")

T = TypeVar("T")

MOST = 24
"""Largest number of outputs besides the restored image on a page, such as draws."""

IMAGES = ("mean", "median", "lower", "upper", "sample")
"""Names of outputs that look like the image itself; a number may follow."""


def check_report(path: Path) -> None:
    """Check the name of a report.

    Raises:
        UsageError: its extension is not that of HTML.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: a report is written as .html")


def is_report(path: Path) -> bool:
    """True for a page that ipx has written."""
    try:
        with path.open("rb") as file:
            return MARK in file.read(2000)
    except OSError:
        return False


@dataclass
class Files:
    """What a page is made of.

    Attributes:
        request: what was solved, with all that was chosen.
        data: y, ``(C, H, W)``; None if it cannot be read.
        outputs: the images of the result by name, ``(C, H, W)``.
        clean: the truth.
        missing: what is missing or has changed, one line each.
    """

    request: Request
    data: Array | None = None
    outputs: Mapping[str, Array] = field(default_factory=dict)
    clean: Array | None = None
    missing: list[str] = field(default_factory=list)


def reported(record: Table, files: Files, at: Path) -> bytes:
    """The page of a run.

    Args:
        record: the record.
        files: the images.
        at: the path of the record, for the command that repeats the run.
    """
    missing = list(files.missing)
    left = _left(files, missing)
    count = len(files.outputs) - 1
    if count > MOST:
        missing.append(f"{MOST} of {count} further outputs are shown")
    shown = _shown(record["result"], files, left)
    coded = _coded(files, shown, missing)
    noise = files.request.tree("noise").facts
    return page(
        Run(
            record,
            [replace(s, pixels=sections(s.pixels)) for s in shown],
            None if left is None else middle(left.values),
            Quadratic in noise.capabilities,
            str(at),
            missing,
            coded,
        )
    )


def _left(files: Files, missing: list[str]) -> Residual | None:
    """The residual; where there is none that can be shown, ``missing`` gets the reason."""
    if files.data is None or MAIN not in files.outputs:
        return None
    try:
        left = residual(files.request.op, files.data, files.outputs[MAIN], files.request.noise)
    except IpxError as why:
        missing.append(f"the residual is not shown: {why}")
        return None
    if np.isfinite(left.values).any():
        return left
    missing.append("the residual is not shown: every value depends on pixels beyond the image")
    return None


def _coded(files: Files, shown: Sequence[Shown], missing: list[str]) -> Codes | None:
    """The codes of a generative prior; where they fail, ``missing`` gets the reason."""
    named = {s.name: s.pixels for s in shown}
    if MAIN not in named:
        return None
    ends = {"truth": "the truth", "degraded": "the degraded image"}
    others = {told: named[name] for name, told in ends.items() if name in named}
    try:
        return codes(files.request, named[MAIN], others)
    except IpxError as why:
        missing.append(f"the codes are not shown: {why}")
        return None


def _shown(row: Mapping[str, Any], files: Files, left: Residual | None) -> list[Shown]:
    """All images of a run, the data first."""
    found = _data(row, files)
    main = files.outputs.get(MAIN)
    if main is not None:
        found.append(Shown(MAIN, "Restored", main, note=_quality(row, "after")))
    if files.clean is not None:
        found.append(Shown("truth", "Truth", files.clean))
    others = [name for name in files.outputs if name != MAIN]
    found += [output_shown(name, files.outputs[name]) for name in others[:MOST]]
    if files.clean is not None and main is not None and files.clean.shape == main.shape:
        error = main - files.clean
        told = f"root mean square {float(np.sqrt(np.mean(np.square(error)))):.3g}"
        found.append(Shown("error", "Error: restored \N{MINUS SIGN} truth", error, "signed", told))
    if left is not None and left.values.ndim in (3, 4):
        title = "Residual y \N{MINUS SIGN} Ax"
        found.append(Shown("residual", title, left.values, "signed", _unseen(left)))
        strength = np.log10(np.maximum(power(middle(left.values)), 1e-16))
        told = "log10 of the power, frequency zero in the middle"
        found.append(Shown("spectrum", "Spectrum of the residual", strength[None], "map", told))
    return found


def _unseen(left: Residual) -> str:
    """What grey means in the residual."""
    if not np.isnan(left.values).any():
        return ""
    if not left.share:
        return "grey: not measured"
    return f"grey: not measured, or more than {100 * left.share:g} % from beyond the image"


def _data(row: Mapping[str, Any], files: Files) -> list[Shown]:
    """The data as an image; as they were measured too if that is another image."""
    y, request = files.data, files.request
    if y is None:
        return []
    found: list[Shown] = []
    try:
        with torch.no_grad():
            operator = operator_from(request.op, image_shape_of(request.op, tuple(y.shape)))
            data = torch.from_numpy(np.ascontiguousarray(y))[None].float()
            data = build("noise", request.noise).centred(data.reshape(1, *operator.data_shape))
            before = operator.view(operator.preview(data))[0].numpy()
        found.append(Shown("degraded", "Degraded", before, note=_quality(row, "before")))
    except IpxError:
        before = None
    same = before is not None and before.shape == y.shape
    if not same and drawable(y):
        near = y.min() >= -0.5 and y.max() <= 1.5
        found.append(Shown("data", "Data as measured", y, "image" if near else "map"))
    return found


def output_shown(name: str, pixels: Array) -> Shown:
    """An output by its name: one that is like the image, or a map of values."""
    title = name.replace("-", " ").capitalize()
    title = {"std": "Standard deviation"}.get(name, title)
    alike = name.rstrip("0123456789").rstrip("-") in IMAGES
    return Shown(name, title, pixels, "image" if alike else "map")


def _quality(row: Mapping[str, Any], when: str) -> str:
    quality, likeness = row.get(f"psnr_{when}"), row.get(f"ssim_{when}")
    return "" if quality is None else f"{quality:.2f} dB, SSIM {likeness:.3f}"


def from_record(at: Path) -> tuple[Table, Files]:
    """The record at ``at`` and the files that it names; what is missing or changed is said.

    Outputs are looked for beside the record, so that a folder can be moved.

    Raises:
        InputError: it is no record of ``ipx solve``, or of components that are unknown here.
    """
    record = read_record(at)
    parts = [record.get(key) for key in ("config", "result", "input", "environment")]
    if record.get("command") != "solve" or not all(isinstance(part, dict) for part in parts):
        raise InputError(f"{at}: is not a record of ipx solve")
    try:
        request = request_of(record)
        files = Files(request)
        output = at.with_name(at.name.removesuffix(".json"))
        picture = _picture(record, request, output, files)
        files.data = None if picture is None else single(picture.pixels, picture.axes)
        files.outputs = _outputs(record, output, files)
        files.clean = _truth(record, request, output, picture, files)
    except (KeyError, TypeError, AttributeError, UsageError) as why:
        raise InputError(f"{at}: is not a record that can be shown: {why}") from why
    return record, files


def _picture(record: Table, request: Request, output: Path, files: Files) -> Picture | None:
    """The data: the input, or what a run without files has simulated."""
    given = record["config"].get("inputs") or []
    if given:
        path, known = Path(given[0]), record["input"]["sha256"]
    else:
        name = "degraded.npy" if request.tree("op").facts.traits.complex else "degraded.tif"
        path, known = output.with_name(name), record.get("written", {}).get(name)
    if not _there(path, known, files):
        return None
    return _read(files, partial(read_data, request, path))


def _outputs(record: Table, output: Path, files: Files) -> dict[str, Array]:
    """The images of the result, read as they were written."""
    named = record["result"].get("outputs") or {MAIN: str(output)}
    found: dict[str, Array] = {}
    given = record["input"]
    for name, told in named.items():
        path = output if name == MAIN else output.with_name(Path(str(told)).name)
        if name != MAIN and not path.is_file():  # it may have been given another place
            path = Path(str(told))
        written = record.get("written", {})
        if not _there(path, written.get(path.name, written.get(str(path.absolute()))), files):
            continue
        made = _read(files, partial(_as_written, path, name, given))
        if made is not None:
            found[name] = made
    return found


def _as_written(path: Path, name: str, given: Mapping[str, Any]) -> Array:
    """An output in nominal values: those of the data for the image, if it has their type.

    Of a stack its middle picture.
    """
    extent: tuple[float, float] | None = (0.0, 1.0)
    axes = given.get("axes")
    if name == MAIN:
        same = images.read(path, axes=axes, stacks=True).dtype == given["dtype"]
        extent = (given["offset"], given["offset"] + given["scale"]) if same else None
    found = images.read(path, extent, axes=axes, stacks=True)
    return single(found.pixels, found.axes)


def _truth(
    record: Table, request: Request, output: Path, picture: Picture | None, files: Files
) -> Array | None:
    told = record.get("truth")
    if told is not None:
        path, known = Path(record["config"]["truth"]), told["sha256"]
    elif not record["config"].get("inputs"):
        path = output.with_name("truth.png")
        known = record.get("written", {}).get(path.name)
    else:
        return None
    if picture is None or not _there(path, known, files):
        return None
    if told is None:
        clean = _read(files, partial(images.read, path))
    else:
        clean = _read(files, partial(read_truth, path, picture, request))
    return None if clean is None else single(clean.pixels, clean.axes)


def _there(path: Path, known: object, files: Files) -> bool:
    """True if the file is there; says so if it is not, or is another than the record knows."""
    if not is_one(path):
        files.missing.append(f"{path}: is missing")
        return False
    if known is not None and sha256(path) != known:
        files.missing.append(f"{path}: has changed since the run, and is shown as it is now")
    return True


def _read(files: Files, read: Callable[[], T]) -> T | None:
    """What ``read`` gives; None, said in a line, if it cannot be read."""
    try:
        return read()
    except InputError as why:
        files.missing.append(str(why))
        return None


def records_in(paths: Sequence[Path]) -> list[Path]:
    """The records of ``ipx solve`` among files and in folders, sorted in each folder.

    A path may be a record, an output with a record beside it, or a folder.

    Raises:
        InputError: there is no such record.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            own = [p for p in sorted(path.glob("*.json")) if _is_record(p)]
            if not own:
                raise InputError(f"{path}: is a folder without records of ipx solve")
            found += own
        else:
            beside = path.with_name(path.name + ".json")
            found.append(beside if path.suffix != ".json" and beside.is_file() else path)
    return list(dict.fromkeys(found))


def _is_record(path: Path) -> bool:
    try:
        return read_record(path).get("command") == "solve"
    except InputError:
        return False
