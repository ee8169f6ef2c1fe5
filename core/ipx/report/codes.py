"""The code of a restored image on the page of its run: how usual it is, and what is near it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipx.files.format import Array
from ipx.report import html, viewer
from ipx.report.html import number
from ipx.report.pictures import Shown, drawn
from ipx.report.plots import Line, plot

BINS = 31
"""Of the histogram of the numbers of a code."""


@dataclass(frozen=True, eq=False)
class Codes:
    """What a generative model says of a restored image.

    Attributes:
        code: E(x) of the restored image x, ``(n,)``.
        residual: root mean square of x - D(E(x)).
        views: grids of decoded codes.
    """

    code: Array
    residual: float
    views: tuple[Shown, ...]

    @property
    def length(self) -> float:
        """|z| / sqrt(n), about 1 for codes of N(0, I)."""
        return float(np.sqrt(np.mean(np.square(self.code))))


def section(found: Codes | None) -> str:
    """The section of the page; empty without codes."""
    if found is None:
        return ""
    expected = f"{number(1.0)} ± {number((2 * found.code.size) ** -0.5, 2)} for N(0, I)"
    figures = [
        ("Numbers of the code", number(int(found.code.size), 6), ""),
        ("Length |z| / √n", number(found.length, 3), expected),
        ("x \N{MINUS SIGN} D(E(x))", number(found.residual, 3), "root mean square"),
    ]
    tiles = viewer.grid(drawn(found.views))
    return html.section("codes", "Codes", html.cards(figures), _numbers(found.code), tiles)


def _numbers(code: Array) -> str:
    """The distribution of the numbers of a code over the normal density."""
    reach = max(4.0, float(np.abs(code).max()))
    count, edges = np.histogram(code, BINS, (-reach, reach))
    middle = (edges[:-1] + edges[1:]) / 2
    share = count / (code.size * (edges[1] - edges[0]))
    bell = np.exp(-0.5 * middle**2) / (2 * np.pi) ** 0.5
    lines = [
        Line(middle.tolist(), share.tolist(), "code of the restored image"),
        Line(middle.tolist(), bell.tolist(), "N(0, 1)", dashed=True),
    ]
    told = (
        "Narrower than N(0, 1): smoother than images of the training. "
        "Wider: noise, or an image of another kind."
    )
    inside = plot("Distribution of the code", lines, "number of the code", "density", note=told)
    return f'<div class="plots">{inside}</div>'
