"""What a dry run tells of the inputs: memory and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipx.files.limits import pixel_limit
from ipx.numerics.text import size_text
from ipx.planning.request import Request
from ipx_cli import progress
from ipx_cli.output import duration

if TYPE_CHECKING:
    from ipx.jobs.foresee import Foreseen
    from ipx.jobs.reporter import Report

KEYS = ("memory", "free", "seconds", "at_most", "refused", "tiles")

PATIENCE = 2.0
"""Seconds after which a dry run looks at no further inputs."""


def each(
    request: Request,
    pairs: Iterable[tuple[Path, Path]],
    most: int | None,
    note: Callable[[str], None],
    quiet: bool,
) -> Iterator[tuple[Path, Path, Foreseen | None]]:
    """Input, output, and what the restoration takes; None once `PATIENCE` is used up.

    Args:
        request: the restoration.
        pairs: inputs and outputs.
        most: the largest number of pixels, see `pixel_limit`.
        note: prints what is refused, and how many inputs were not looked at.
        quiet: show no line of progress.
    """
    began, missing = time.perf_counter(), 0
    for source, target in pairs:
        if time.perf_counter() - began > PATIENCE:
            missing += 1
            yield source, target, None
            continue
        with pixel_limit(most), progress.line(source.name, quiet) as show:
            found = _foreseen(request, source, show)
        if found.refused is not None:
            note(f"{source}: {found.refused}")
        yield source, target, found
    if missing:
        note(f"memory and time of {missing} more inputs are not estimated")


def _foreseen(request: Request, source: Path, show: Callable[[Report], None] | None) -> Foreseen:
    """As a whole, or in tiles."""
    from ipx.jobs.reporter import Reporter
    from ipx.jobs.tiled import foresee_file

    Reporter(show).enter("estimating memory and time")
    return foresee_file(request, source)


def text(found: Foreseen | None) -> str:
    """``: about 850 MB of memory (21.0 GB free), about 40 s (a third to three times that)``."""
    if found is None:
        return ""
    free = "" if found.free is None else f" ({size_text(found.free)} free)"
    if found.seconds is None:
        took = "time unknown"
    elif found.at_most:
        took = f"at most about {duration(found.seconds)}"
    else:
        took = f"about {duration(found.seconds)} (a third to three times that)"
    if found.tiles is not None:
        return f": {found.tiles.line()} of memory{free}, {took}; the overlap is measured first"
    return f": about {size_text(found.memory)} of memory{free}, {took}"


def plain(found: Foreseen | None) -> dict[str, Any]:
    """Plain values, null where nothing was estimated."""
    return dict.fromkeys(KEYS) if found is None else found.to_json()
