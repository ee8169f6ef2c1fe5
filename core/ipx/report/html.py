"""Pieces of an HTML page as text, and the whole page with its style and script inside."""

from __future__ import annotations

import html as escaping
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from ipx import __version__

MARK = b'<meta name="generator" content="ipx '
"""Begins the tag by which ipx knows a page that it has written."""

DASH = "\N{EN DASH}"
"""Stands for a value that there is not."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""What a browser may load for a page: nothing that is not inside."""


def text(value: object) -> str:
    """A value as text of a page, or of an attribute in double quotes."""
    return escaping.escape(str(value))


def number(value: object, digits: int = 4) -> str:
    """A number with so many significant digits; a list of them with ``+``; a dash for None."""
    if isinstance(value, list | tuple):
        return " + ".join(number(v, digits) for v in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return DASH if value is None else text(value)
    return f"{value:.{digits}g}"


def section(name: str, title: str, *content: str) -> str:
    """A section with a heading; empty without content."""
    inside = "\n".join(c for c in content if c)
    if not inside:
        return ""
    return f'<section id="{name}"><h2>{text(title)}</h2>\n{inside}\n</section>'


def cards(values: Iterable[tuple[str, str, str]]) -> str:
    """Figures: ``(name, value, remark)`` each, as text of a page."""
    rows = (
        f'<div class="card"><dt>{name}</dt><dd>{value}</dd>'
        + (f"<dd class=remark>{remark}</dd>" if remark else "")
        + "</div>"
        for name, value, remark in values
    )
    inside = "".join(rows)
    return f'<dl class="cards">{inside}</dl>' if inside else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """A plain table; cells are text of a page."""
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    if not body:
        return ""
    top = "".join(f'<th scope="col">{text(h)}</th>' for h in head)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}"><table>'
        f"<caption>{text(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody>"
        "</table></div>"
    )


Cell = tuple[str, float | str | None]
"""What a cell of a sortable table shows, and the value by which it is sorted."""


def sortable(head: Mapping[str, bool], rows: Iterable[Sequence[Cell]], caption: str) -> str:
    """A table that sorts by any column; ``head`` tells which columns hold numbers."""
    tops = []
    for name, numeric in head.items():
        kind = ' class="n"' if numeric else ""
        button = f'<button type="button">{text(name)}</button>' if name else ""
        tops.append(f'<th scope="col"{kind}>{button or "<span class=hidden>image</span>"}</th>')
    body = []
    for row in rows:
        cells = []
        for (shown, key), numeric in zip(row, head.values(), strict=True):
            kind = ' class="n"' if numeric else ""
            cells.append(f'<td{kind} data-key="{text("" if key is None else key)}">{shown}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}">'
        f'<table class="sortable"><caption>{text(caption)}</caption>'
        f"<thead><tr>{''.join(tops)}</tr></thead><tbody>\n{chr(10).join(body)}\n</tbody></table></div>"
    )


def code(name: str, content: str) -> str:
    """A block of code with a button that copies it."""
    return (
        f'<figure class="code"><figcaption>{text(name)}'
        f'<button type="button" data-copy aria-label="Copy: {text(name)}">Copy</button>'
        f'</figcaption><pre tabindex="0"><code>{text(content)}</code></pre></figure>'
    )


def folded(title: str, *content: str) -> str:
    """Content that is shown on demand; empty without content."""
    inside = "\n".join(c for c in content if c)
    return f"<details><summary>{text(title)}</summary>\n{inside}\n</details>" if inside else ""


def notes(lines: Sequence[str], kind: str = "warning") -> str:
    """Lines that the reader must not miss."""
    if not lines:
        return ""
    items = "".join(f"<li>{text(line)}</li>" for line in lines)
    return f'<ul class="notes {kind}" role="note">{items}</ul>'


def document(title: str, subtitle: str, body: str, sections: Mapping[str, str] = {}) -> bytes:
    """The whole page: one file that loads nothing.

    Args:
        title: the heading, plain text.
        subtitle: below it, text of a page.
        body: the sections.
        sections: id and name of those that the bar at the top leads to.
    """
    links = "".join(
        f'<a href="#{name}">{text(word)}</a>' for name, word in sections.items()
        if f'<section id="{name}">' in body
    )  # fmt: skip
    nav = f'<nav aria-label="Sections">{links}</nav>' if links else ""
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{MARK.decode()}{__version__}">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{text(title)} &ndash; ipx</title>
<style>
{asset("report.css")}</style>
</head>
<body>
<header>
<div class="title"><h1>{text(title)}</h1><p>{subtitle}</p></div>
{nav}
<button type="button" id="theme" aria-label="Dark or light" title="Dark or light">◐</button>
</header>
<main>
{body}
</main>
<footer>Made by ipx {__version__}.</footer>
<script>
{asset("report.js")}</script>
</body>
</html>
"""
    return page.encode("utf-8", "replace")


@cache
def asset(name: str) -> str:
    """The text of a file of this package."""
    return (Path(__file__).parent / "assets" / name).read_text("utf-8")
