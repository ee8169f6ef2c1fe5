"""The index of several runs: a table with thumbnails that sorts by any column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ipx.report import html
from ipx.report.html import DASH, Cell, number, text
from ipx.report.page import STATUS

HEAD = {
    "": False, "image": False, "before": True, "PSNR": True, "SSIM": True, "λ": True,
    "noise": True, "steps": True, "seconds": True, "status": False, "plan": False, "notes": True,
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A line of the index.

    Attributes:
        row: the result of the run; of a run that failed ``input``, ``status`` and ``error``.
        page: where its page is, relative to the index; empty if there is none.
        thumbnail: of `ipx.report.pictures.thumbnail`; empty without one.
        missing: what could not be shown, one line each.
    """

    row: Mapping[str, Any]
    page: str = ""
    thumbnail: str = ""
    missing: Sequence[str] = ()


def index(title: str, entries: Sequence[Entry]) -> bytes:
    """The page as the bytes of an HTML file."""
    rows = [_row(entry) for entry in entries]
    search = (
        '<p class="search" hidden><label>Search <input type="search" data-filter></label>'
        '<output aria-live="polite"></output></p>'
    )
    body = html.section("runs", "Runs", _means(entries), search, html.sortable(HEAD, rows, "Runs"))
    count = f"{len(entries)} image{'' if len(entries) == 1 else 's'}"
    return html.document(title, count, body)


def _means(entries: Sequence[Entry]) -> str:
    out = []
    for key, name, digits in (("psnr_after", "Mean PSNR", 2), ("ssim_after", "Mean SSIM", 3)):
        known = [e.row for e in entries if e.row.get(key) is not None]
        first = [row.get(key.replace("after", "before")) for row in known]
        if known:
            after = sum(row[key] for row in known) / len(known)
            told = [value for value in first if value is not None]
            whole = len(told) == len(known)  # tiles have no value before
            before = f"from {sum(told) / len(told):.{digits}f}" if whole else ""
            out.append((name, f"{after:.{digits}f}", before))
    seconds = [e.row["seconds"] for e in entries if e.row.get("seconds") is not None]
    out += [("Time", f"{sum(seconds):.1f} s", "in all")] if seconds else []
    failed = sum(e.row.get("status") == "failed" for e in entries)
    out += [("Failed", str(failed), f"of {len(entries)}")] if failed else []
    return html.cards(out)


def _row(entry: Entry) -> list[Cell]:
    row = entry.row
    name = str(row["input"]).replace("\\", "/").rsplit("/", 1)[-1]
    link = f'<a href="{text(quote(entry.page))}">{text(name)}</a>' if entry.page else text(name)
    picture = f'<img src="{entry.thumbnail}" alt="" class="thumb">' if entry.thumbnail else ""
    status = str(row.get("status") or "")
    plan = row.get("plan") or {}
    said = " · ".join(str(plan[k]) for k in ("operator", "prior", "solver") if k in plan)
    warned = [*(row.get("warnings") or []), *entry.missing]
    warned += [str(row["error"])] if row.get("error") else []
    lam = row.get("lam")
    return [
        (picture, name),
        (link, name),
        _figure(row.get("psnr_before"), ".2f"),
        _figure(row.get("psnr_after"), ".2f"),
        _figure(row.get("ssim_after"), ".3f"),
        (number(lam, 3), lam[0] if isinstance(lam, list) else lam),
        (number(row.get("sigma"), 3), row.get("sigma")),
        (number(row.get("iterations")), row.get("iterations")),
        _figure(row.get("seconds"), ".1f"),
        (f'<span class="status {text(status)}">{text(STATUS.get(status, status))}</span>', status),
        (text(said), said),
        (_warned(warned), len(warned)),
    ]


def _figure(value: float | None, form: str) -> Cell:
    return (DASH if value is None else format(value, form), value)


def _warned(lines: Sequence[str]) -> str:
    if not lines:
        return "0"
    return f"<details><summary>{len(lines)}</summary>{html.notes(lines)}</details>"
