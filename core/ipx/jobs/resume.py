"""Finding the result of an earlier run, for ``--resume``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ipx.errors import InputError
from ipx.files import images
from ipx.files.atomic import sweep
from ipx.files.record import read_record, record_path
from ipx.files.written import unchanged
from ipx.jobs.records import file_hashes
from ipx.planning.request import Request, Table
from ipx.planning.settings import SolveSettings


def finished(
    command: str,
    request: Request,
    source: Path,
    output: Path,
    truth: Path | None = None,
    others: Iterable[Path] = (),
) -> Table | None:
    """The row of an earlier run of the same request on the same input; None if it must be redone.

    It must be redone if it diverged or was interrupted, if one of its outputs is missing or has
    changed, if it had another truth, panel or report than is asked for now, or components from
    another version of a third party's package.

    Args:
        command: ``solve`` or ``degrade``.
        request: the request.
        source: the input.
        output: the file of the result.
        truth: the clean image, if there is one.
        others: further files that are asked for, such as a panel.
    """
    target = record_path(output)
    sweep(output.parent)
    if not (output.is_file() and target.is_file()):
        return None
    try:
        record = read_record(target)
        row = record["result"]
        asked = request.to_mapping(command)
        # a setting missing in an older record had its default
        usual = {k: v for k, v in SolveSettings().to_mapping().items() if k in asked}
        named = [_beside(output, row, Path(path)) for path in row.get("outputs", {}).values()]
        needed = [output, *named, *others]
        same = (
            record["command"] == command
            and {**usual, **record["requested"]} == asked
            and record["files"] == file_hashes(request, command)
            and record["environment"].items() >= request.packages(command).items()
            and record["input"]["sha256"] == images.sha256(source)
            and (truth is None or record["truth"]["sha256"] == images.sha256(truth))
            and unchanged(record, output, needed)
            and row["status"] != "diverged"
        )
    except (InputError, KeyError, TypeError, AttributeError):
        return None
    return dict(row) if same else None


def _beside(output: Path, row: Table, path: Path) -> Path:
    """An output of a row, also after its folder was moved."""
    return output.with_name(path.name) if path.parent == Path(row["output"]).parent else path
