"""The page of a comparison: a table that sorts, and all results with one zoom and one slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipx.report import html, viewer
from ipx.report.html import Cell, number, text
from ipx.report.page import STATUS
from ipx.report.pictures import Shown, drawn, gain_of

COLUMNS: dict[str, tuple[str, bool]] = {
    "prior": ("prior", False),
    "solver": ("solver", False),
    "psnr": ("PSNR", True),
    "ssim": ("SSIM", True),
    "misfit": ("residual / noise", True),
    "score": ("cross-validation", True),
    "lam": ("λ", True),
    "iterations": ("steps", True),
    "seconds": ("seconds", True),
    "status": ("status", False),
}
"""Keys of a row with their names, and whether they are numbers."""

FORMS = {"psnr": ".2f", "ssim": ".3f", "misfit": ".3f", "score": ".4f", "seconds": ".1f"}
"""How numbers are written; others have three significant digits."""


def written(row: Mapping[str, Any], key: str, none: str = "-") -> str:
    """A value of a row as plain text."""
    value = row.get(key)
    if value is None:
        return none
    if key in FORMS:
        return format(value, FORMS[key])
    return number(value, 3) if key == "lam" else str(value)


def told(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns in which a row has a value."""
    return [key for key in COLUMNS if any(row.get(key) is not None for row in rows)]


def warned(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The warnings of the results, each once, with the priors that it is about unless all are."""
    done = [row for row in rows if not row.get("error")]
    about: dict[str, list[str]] = {}
    for row in done:
        name = row["prior"]
        if sum(other["prior"] == name for other in done) > 1:
            name = f"{name} with {row['solver']}"
        for line in row.get("warnings") or []:
            about.setdefault(line, []).append(name)
    return [
        line if len(names) == len(done) > 1 else f"{', '.join(names)}: {line}"
        for line, names in about.items()
    ]


def comparison_page(
    title: str,
    subtitle: str,
    rows: Sequence[Mapping[str, Any]],
    images: Sequence[Shown],
    best: int | None,
) -> bytes:
    """The page as the bytes of an HTML file.

    Args:
        title: the heading.
        subtitle: below it, plain text.
        rows: the results, see `ipx.jobs.comparison.Compared.row`.
        images: the data, the truth, and the image of each row that has one.
        best: the number of the best row, which is marked; None without one.
    """
    keys = told(rows)
    head = {COLUMNS[key][0]: COLUMNS[key][1] for key in keys}
    table = html.sortable(head, [_cells(row, keys) for row in rows], "Results")
    if best is not None:
        table = _marked(table, best)
    ready = drawn(images)
    names = [image.name for image in images]
    first = names[0] if best is None else f"result-{best}"
    gain = gain_of(images)
    dim = f'<p class="note">Images are shown {gain:.3g} times brighter.</p>' if gain > 1 else ""
    body = "\n".join(
        [
            html.notes(warned(rows)),
            html.section("table", "Results", table),
            html.section(
                "images",
                "Images",
                viewer.viewer(ready, "degraded", first),
                dim,
                viewer.grid(ready),
            ),
        ]
    )
    return html.document(title, text(subtitle), body, {"table": "Results", "images": "Images"})


def _cells(row: Mapping[str, Any], keys: Sequence[str]) -> list[Cell]:
    cells: list[Cell] = []
    for key in keys:
        value = row.get(key)
        shown = text(written(row, key, html.DASH))
        if key == "status":
            reason = f"<br>{text(row['error'])}" if row.get("error") else ""
            word = text(STATUS.get(str(value), str(value)))
            shown = f'<span class="status {text(value)}">{word}</span>{reason}'
        cells.append((shown, value[0] if isinstance(value, list) else value))
    return cells


def _marked(table: str, best: int) -> str:
    """The table with the class ``best`` on a row of its body."""
    before, body = table.split("<tbody>\n", 1)
    lines = body.split("\n")
    lines[best] = lines[best].replace("<tr>", '<tr class="best">', 1)
    return before + "<tbody>\n" + "\n".join(lines)
