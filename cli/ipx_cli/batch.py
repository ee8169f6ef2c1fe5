"""Images one after the other: a failure does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ipx_cli import output

Row = dict[str, Any]

REASONS = {
    "diverged": "the iteration diverged; {} is its last good state",
    "doubtful": "{} is surely wrong: much of it lies far outside the range of the data",
    "unmixed": "the chains have not mixed, so that {} has no bounds",
}
"""Why a row of this status counts as failed."""


def run(
    pairs: Iterable[tuple[Path, Path]],
    work: Callable[[Path, Path], Row],
    show: Callable[[Row], None],
    blank: Row,
    done: str,
    note: Callable[[str], None],
) -> int:
    """Work on each image and show its row.

    Args:
        pairs: inputs and outputs.
        work: makes the row of one image.
        show: prints a row.
        blank: the keys of the row of a failed image.
        done: what was done to an image, such as ``restored``.
        note: prints the last line, if some of several images failed.

    Returns:
        The exit status: 0 if none failed, the status of the error if all failed with the same
        one, else 1. An image counts as failed for the `REASONS`.
    """
    codes = []
    for source, target in pairs:
        try:
            row = work(source, target)
        except (KeyboardInterrupt, BrokenPipeError):
            raise
        except BaseException as e:  # a plugin may even call sys.exit
            line, code = output.describe(e)
            if not line.startswith(str(source)):
                line = f"{source}: {line}"
            output.error(line)
            row = {**blank, "input": str(source), "status": "failed", "error": line}
        else:
            why = REASONS.get(row["status"])
            code = 0 if why is None else output.FAILED
            if why is not None:
                output.error(f"{source}: {why.format(row['output'])}")
        codes.append(code)
        show(row)
    failed = sum(code != 0 for code in codes)
    if failed and len(codes) > 1:
        note(f"{len(codes) - failed} of {len(codes)} {done}, {failed} failed")
    return codes[0] if len(set(codes)) == 1 else output.FAILED
