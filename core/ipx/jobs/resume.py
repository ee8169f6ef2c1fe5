"""Whether an earlier run has done the work already: what ``--resume`` asks."""

from __future__ import annotations

from pathlib import Path

from ipx.errors import InputError
from ipx.files import images
from ipx.files.record import drew, read_record, record_path
from ipx.jobs.records import file_hashes
from ipx.planning.request import Request, Table
from ipx.planning.settings import SolveSettings


def finished(
    command: str,
    request: Request,
    source: Path,
    output: Path,
    truth: Path | None = None,
    panel: Path | None = None,
) -> Table | None:
    """The row of an earlier run of the same request on the same input; None to do it again.

    It is done again too where a truth or a panel is asked for that it did not have, and where
    one of its outputs is gone.

    Args:
        command: ``solve`` or ``degrade``.
        request: what is asked for now.
        source: the input.
        output: where the result would go.
        truth: the clean picture that is given now.
        panel: where a panel is asked for.
    """
    target = record_path(output)
    if not (output.is_file() and target.is_file()):
        return None
    try:
        record = read_record(target)
        row = record["result"]
        asked = request.to_mapping(command)
        # a setting that an older record does not name had what is its default
        usual = {k: v for k, v in SolveSettings().to_mapping().items() if k in asked}
        named = [output.with_name(Path(path).name) for path in row.get("outputs", {}).values()]
        same = (
            record["command"] == command
            and {**usual, **record["requested"]} == asked
            and record["files"] == file_hashes(request, command)
            and record["input"]["sha256"] == images.sha256(source)
            and (truth is None or record["truth"]["sha256"] == images.sha256(truth))
            and (panel is None or (panel.is_file() and drew(output, panel)))
            and all(path.is_file() for path in named)
            and row["status"] != "diverged"
        )
    except (InputError, KeyError, TypeError, AttributeError):
        return None
    return dict(row) if same else None
