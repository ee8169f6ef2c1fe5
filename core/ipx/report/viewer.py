"""Images of a page: a comparison with a slider, and all of them with a common zoom."""

from __future__ import annotations

from collections.abc import Sequence

from ipx.report.html import number, text
from ipx.report.pictures import RISING, SIGNED, Drawn


def viewer(images: Sequence[Drawn], left: str, right: str) -> str:
    """A comparison of two images with a slider; the reader chooses which.

    The images themselves are those of `grid` on the same page: the script shows them again.

    Args:
        images: those to choose from, in the grid too.
        left: name of the one on the left at first.
        right: name of the one on the right at first.
    """
    if len(images) < 2:
        return ""
    first = next((i for i in images if i.shown.name == left), images[0])
    width, height = first.size

    def choices(which: str) -> str:
        return "".join(
            f'<option value="{text(i.shown.name)}"{" selected" if i.shown.name == which else ""}>'
            f"{text(i.shown.title)}</option>"
            for i in images
        )

    return f"""<div class="viewer" style="--w:{width};--h:{height}" hidden>
<div class="bar">
<label>Left <select data-side="left">{choices(left)}</select></label>
{tools()}
<label>Right <select data-side="right">{choices(right)}</select></label>
</div>
<div class="stage">
<img class="left" alt="" draggable="false"><img class="right" alt="" draggable="false">
<span class="tag left" aria-hidden="true"></span><span class="tag right" aria-hidden="true"></span>
<span class="handle" aria-hidden="true"></span>
<input type="range" min="0" max="100" step="1" value="50" aria-label="Share of the left image">
</div>
<p class="hint">Drag the line, or use the arrow keys. One zoom for all images: the buttons, a
double-click, or the keys + &minus; 0. To move: drag an image below, or the arrow keys on it.</p>
</div>"""


def tools() -> str:
    """The buttons of the zoom that all images share."""
    return (
        '<div class="zoom" role="group" aria-label="Zoom of all images" hidden>'
        '<button type="button" data-zoom="out" aria-label="Zoom out">&minus;</button>'
        '<output aria-live="polite">1&times;</output>'
        '<button type="button" data-zoom="in" aria-label="Zoom in">+</button>'
        '<button type="button" data-zoom="fit">Fit</button></div>'
    )


def grid(images: Sequence[Drawn]) -> str:
    """All images, each with its title, its colours and its note."""
    if not images:
        return ""
    return f'<div class="grid">{"".join(map(_tile, images))}</div>'


def _tile(drawn: Drawn) -> str:
    shown = drawn.shown
    width, height = drawn.size
    size = f"{width} &times; {height}" + (", shown smaller" if drawn.shrunk else "")
    note = f"<p>{text(shown.note)}</p>" if shown.note else ""
    return (
        f'<figure class="tile"><div class="frame" tabindex="0" role="group" '
        f'aria-label="{text(shown.title)}, zoomed with the others">'
        f'<img src="{drawn.uri}" alt="{text(shown.title)}" '
        f'data-name="{text(shown.name)}" data-title="{text(shown.title)}" width="{width}" '
        f'height="{height}" draggable="false"></div>'
        f"<figcaption><b>{text(shown.title)}</b> <span>{size}</span>{_bar(drawn)}{note}"
        "</figcaption></figure>"
    )


def _bar(drawn: Drawn) -> str:
    """The colours of a false-colour image with the values at their ends."""
    if drawn.scale is None:
        return ""
    low, high, kind = drawn.scale
    stops = SIGNED if kind == "signed" else RISING
    colours = ", ".join(f"rgb({r},{g},{b})" for r, g, b in stops.astype(int).tolist())
    return (
        f'<span class="scale"><span>{number(low, 3)}</span>'
        f'<span class="colours" style="background:linear-gradient(90deg,{colours})"></span>'
        f"<span>{number(high, 3)}</span></span>"
    )
