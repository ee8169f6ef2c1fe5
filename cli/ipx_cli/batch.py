"""Images one after the other: a failure does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ipx_cli import output

Row = dict[str, Any]


def run(
    pairs: Iterable[tuple[Path, Path]],
    work: Callable[[Path, Path], Row],
    show: Callable[[Row], None],
    blank: Row,
) -> int:
    """Work on each image and show its row.

    Args:
        pairs: inputs and outputs.
        work: makes the row of one image.
        show: prints a row.
        blank: the keys of the row of a failed image.

    Returns:
        The exit status: 0 if none failed, the status of the error if all failed with the same
        one, else 1. An image whose iteration diverged counts as failed.
    """
    codes = []
    for source, target in pairs:
        try:
            row = work(source, target)
        except (KeyboardInterrupt, BrokenPipeError):
            raise
        except Exception as e:
            line, code = output.describe(e)
            if not line.startswith(str(source)):
                line = f"{source}: {line}"
            output.error(line)
            row = {**blank, "input": str(source), "status": "failed", "error": line}
        else:
            code = output.FAILED if row["status"] == "diverged" else 0
            if code:
                output.error(
                    f"{source}: the iteration diverged; {row['output']} is its last good state"
                )
        codes.append(code)
        show(row)
    return codes[0] if len(set(codes)) == 1 else output.FAILED
