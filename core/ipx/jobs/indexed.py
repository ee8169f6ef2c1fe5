"""The index of several runs, and reports made again from records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipx.errors import InputError, UsageError
from ipx.files import images
from ipx.files.atomic import check_folder, folder_for, move, staged, write_atomic
from ipx.files.format import Array
from ipx.files.planes import sections, single
from ipx.jobs.records import MAIN
from ipx.jobs.reported import check_report, from_record, is_report, reported
from ipx.report.index import Entry, index
from ipx.report.pictures import thumbnail

INDEX = "index.html"
"""The name of the index in a folder."""


def check_replaced(path: Path, force: bool = False) -> None:
    """Check that a page may be written here: nothing is lost but a page of ipx.

    Raises:
        UsageError: the file is something else, and ``force`` is not given.
    """
    check_report(path)
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, not a file")
    if path.exists() and not force and not is_report(path):
        raise UsageError(f"{path} exists and was not written by ipx; --force replaces it")


def write_index(
    path: Path, rows: Sequence[Mapping[str, Any]], pages: Sequence[Path | None]
) -> None:
    """Write the index of the runs of a command.

    Args:
        path: the file.
        rows: of each run, as `ipx.jobs.solve.solve_file` gives it, or with an ``error``.
        pages: the report of each, in the folder of the index; None without one.

    Raises:
        InputError: it cannot be written.
    """
    entries = []
    for row, page in zip(rows, pages, strict=True):
        link = ""
        if page is not None and page.is_file():
            link = page.relative_to(path.parent).as_posix()
        seen = "" if row.get("status") == "failed" else _thumbnail_of(Path(row["output"]))
        entries.append(Entry(row, link, seen))
    write_atomic(path, index(_title(path), entries))


def _thumbnail_of(output: Path) -> str:
    try:
        found = images.read(output, stacks=True)
    except InputError:
        return ""
    return thumbnail(sections(single(found.pixels, found.axes)))


def _title(path: Path) -> str:
    return path.absolute().parent.name or "Runs"


def report_again(
    records: Sequence[Path], output: Path | None, force: bool = False
) -> tuple[Path, list[str]]:
    """Make reports from records and the files that these name.

    One record gives one page. Several give an index, and a page for each in the same folder.

    Args:
        records: the records.
        output: the file of the page or of the index; by default ``STEM-report.html`` beside one
            output, ``index.html`` beside the first of several.
        force: replace files that are no reports.

    Returns:
        The page or the index, and what is missing or has changed, one line each.

    Raises:
        InputError: a record cannot be read.
        UsageError: a file would be lost.
    """
    target = output if output is not None else _usual(records)
    several = len(records) > 1
    places = [target.with_name(page_name(r)) if several else target for r in records]
    places = _distinct(places)
    for place in {target, *places}:
        check_replaced(place, force)
    files: list[tuple[Path, bytes]] = []
    entries, missing = [], []
    for at, place in zip(records, places, strict=True):
        record, found = from_record(at)
        files.append((place, reported(record, found, at)))
        main = found.outputs.get(MAIN)
        entries.append(_entry(record["result"], place, main, found.missing))
        missing += found.missing
    if several:
        files.append((target, index(_title(target), entries)))
    with folder_for(target):
        check_folder(target)
        with staged(files) as parts:
            move(parts)
    return target, missing


def _entry(
    row: Mapping[str, Any], place: Path, main: Array | None, missing: Sequence[str]
) -> Entry:
    picture = "" if main is None else thumbnail(sections(main))
    return Entry(row, place.name, picture, missing)


def _usual(records: Sequence[Path]) -> Path:
    first = records[0]
    return first.with_name(INDEX if len(records) > 1 else page_name(first))


def page_name(record: Path) -> str:
    """The name of the page of a record: ``a.png-report.html`` for ``a.png.json``."""
    return f"{record.name.removesuffix('.json')}-report.html"


def _distinct(places: Sequence[Path]) -> list[Path]:
    """The same, with a number where records of several folders have one name."""
    seen: dict[Path, int] = {}
    out = []
    for place in places:
        seen[place] = seen.get(place, 0) + 1
        more = f"-{seen[place]}" if seen[place] > 1 else ""
        out.append(place.with_name(place.stem + more + place.suffix))
    return out
