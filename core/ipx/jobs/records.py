"""Outputs and records: their paths and their content."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ipx.errors import UsageError
from ipx.files import images
from ipx.files.complex import read_complex
from ipx.files.format import Array
from ipx.files.images import Picture
from ipx.files.record import environment
from ipx.files.written import Content, wrote
from ipx.planning.request import Request, Table

MAIN = "restored"
"""The output that is written to the path given by the user."""


def make_record(
    command: str,
    request: Request,
    picture: Picture,
    argv: Sequence[str],
    row: Table,
    config: Mapping[str, Any],
    trace: Iterable[Table] = (),
    history: Iterable[Table] = (),
) -> Table:
    """The record of an output: plain values.

    Args:
        command: ``solve`` or ``degrade``.
        request: as it was made.
        picture: the input.
        argv: the command line.
        row: the result.
        config: for ``--config``, entries added to the request or replacing its entries: the files,
            and what was chosen.
        trace: the trials of the tuner, see `ipx.Restoration`.
        history: the course of the last solve, see `ipx.jobs.curve.Curve`.
    """
    asked = request.to_mapping(command)
    return {
        "command": command,
        "argv": list(argv),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "config": {**asked, **config},
        "requested": asked,
        "input": picture.describe(),
        "files": file_hashes(request, command),
        "seed": request.settings.seed,
        "result": row,
        "trace": list(trace),
        "history": list(history),
        "environment": environment() | request.packages(command),
    }


def read_data(request: Request, source: Path) -> Picture:
    """The data of a file: an image, or complex numbers if the operator gives such.

    Raises:
        InputError: see `ipx.files.images.read` and `ipx.files.complex.read_complex`.
    """
    traits = request.tree("op").facts.traits
    if traits.complex:
        return read_complex(source)
    return images.read(source, absolute=traits.absolute, axes=request.settings.axes, stacks=True)


def file_hashes(request: Request, command: str) -> dict[str, str]:
    """sha256 of the files named by options of the components, such as a PSF or a mask.

    Raises:
        InputError: one of them cannot be read.
    """
    return {str(f.absolute()): images.sha256(f) for f in request.files(command)}


def absolute(path: Path | None) -> str | None:
    """A path in a record."""
    return None if path is None else str(path.absolute())


def places(
    output: Path,
    names: Iterable[str],
    force: bool = False,
    named: Mapping[str, Path] | None = None,
    whole: bool = False,
) -> dict[str, Path]:
    """The file of each output: ``output`` for ``restored``, STEM-NAME.tif beside it for others.

    Args:
        output: the file given by the user.
        names: the names of the outputs.
        force: replace files that were not written with ``output``.
        named: other files for some of the outputs.
        whole: NAME.EXT-OUTPUT.tif in place of STEM-OUTPUT.tif, where another output has the stem.

    Raises:
        UsageError: such a file exists.
    """
    start = output.name if whole else output.stem
    own = output.with_name
    found = {name: output if name == MAIN else own(f"{start}-{name}.tif") for name in names}
    found |= {name: path for name, path in (named or {}).items() if name in found}
    for name, path in found.items():
        if name != MAIN and path.exists() and not force and not wrote(output, path):
            raise UsageError(f"{path} exists and was not written with {output}; move it away")
    return found


def contents(
    pictures: Mapping[str, Array],
    where: Mapping[str, Path],
    like: Picture,
    samples: str | None = None,
) -> dict[Path, Content]:
    """The content of the file of each output; that of others than ``restored`` is made on use.

    Args:
        pictures: ``(C, H, W)`` each, in nominal [0, 1], by name.
        where: the file of each. ``restored`` takes depth, range, alpha and profile of ``like``,
            the others hold float32 in nominal units.
        like: the input.
        samples: the type of the samples of ``restored``, if it is not that of ``like``.

    Raises:
        InputError: see `ipx.files.images.encoded`.
    """
    frame = like if like.order else None  # axes and pixel size of stacks and volumes
    return {
        path: images.encoded(path, pictures[name], like, samples)
        if name == MAIN
        else partial(images.encoded, path, pictures[name], frame, "float32")
        for name, path in where.items()
    }
