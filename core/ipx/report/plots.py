"""Plots of lines and points as SVG, drawn in the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ipx.report.html import text

WIDTH, HEIGHT = 380, 250
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 14, 46


@dataclass(frozen=True)
class Line:
    """A line, or a number of points.

    Attributes:
        x: abscissas.
        y: ordinates; points that are not finite are left out.
        name: in the legend; no entry if it is empty.
        points: mark the points: ``""`` no, ``"dots"``, ``"numbers"`` from 1, in order.
        dashed: for lines that are there for comparison.
        framed: the axes show all of it; one that is not is cut off at their ends.
    """

    x: Sequence[float]
    y: Sequence[float | None]
    name: str = ""
    points: str = ""
    dashed: bool = False
    framed: bool = True

    def pairs(self, log_x: bool, log_y: bool) -> list[tuple[float, float]]:
        """The points that a plot with these axes can show."""
        return [
            (float(x), float(y))
            for x, y in zip(self.x, self.y, strict=True)
            if y is not None
            and math.isfinite(x)
            and math.isfinite(y)
            and (x > 0 or not log_x)
            and (y > 0 or not log_y)
        ]


@dataclass(frozen=True)
class Axis:
    """An axis: its name, whether it is logarithmic, and what it shows."""

    name: str
    log: bool
    low: float
    high: float

    @classmethod
    def over(cls, name: str, log: bool, values: Sequence[float]) -> Axis:
        """The axis that shows all values, with a little room."""
        low, high = min(values), max(values)
        if log:
            low, high = math.log10(low), math.log10(high)
        room = 0.04 * (high - low) or (0.5 if log else 0.5 * abs(high) or 0.5)
        return cls(name, log, low - room, high + room)

    def place(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        at = math.log10(value) if self.log else value
        return (at - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and names of the marks."""
        step = _step((self.high - self.low) / 4)
        if self.log:
            step = max(1.0, round(step))
        first = math.ceil(self.low / step - 1e-9)
        marks = [i * step for i in range(first, first + 12) if i * step <= self.high + 1e-9]
        if self.log and len(marks) < 2:  # within a decade: the marks are numbers, not powers
            return self._within()
        values = [10.0**m if self.log else m for m in marks]
        return [
            ((m - self.low) / (self.high - self.low), _named(v, self.log))
            for m, v in zip(marks, values, strict=True)
        ]

    def _within(self) -> list[tuple[float, str]]:
        low, high = 10.0**self.low, 10.0**self.high
        step = _step((high - low) / 4)
        first = math.ceil(low / step)
        values = [i * step for i in range(max(first, 1), first + 8) if i * step <= high]
        return [(self.place(v), f"{v:.4g}") for v in values]


def _step(rough: float) -> float:
    """1, 2 or 5 times a power of ten, near ``rough``."""
    size = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    return next((m * size for m in (1, 2, 5, 10) if m * size >= rough * 0.999), 10 * size)


def _named(value: float, log: bool) -> str:
    if log:
        power = round(math.log10(value))
        return f"{value:g}" if -3 < power < 4 else f"1e{power}"
    return f"{0.0 if abs(value) < 1e-12 else value:.4g}"


def plot(
    title: str,
    lines: Sequence[Line],
    x: str,
    y: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    note: str = "",
) -> str:
    """A figure with a plot; empty if there are fewer than two points.

    Args:
        title: the caption; the description for those who do not see it is made of it too.
        lines: the first has the strongest colour.
        x: name of the horizontal axis.
        y: name of the vertical axis.
        log_x: the horizontal axis is logarithmic.
        log_y: the vertical axis is logarithmic.
        note: a sentence below the plot, plain text.
    """
    found = [(line, line.pairs(log_x, log_y)) for line in lines]
    found = [(line, pairs) for line, pairs in found if pairs]
    points = [p for line, pairs in found if line.framed for p in pairs]
    if len(points) < 2:
        return ""
    across = Axis.over(x, log_x, [p[0] for p in points])
    upwards = Axis.over(y, log_y, [p[1] for p in points])
    inside = [_frame(across, upwards)]
    drawn = [_line(i, line, pairs, across, upwards) for i, (line, pairs) in enumerate(found)]
    inside += [
        curve if line.framed else _cut(curve) for curve, (line, _) in zip(drawn, found, strict=True)
    ]
    named = [(i, line) for i, (line, _) in enumerate(found) if line.name]
    legend = "".join(
        f'<span class="key s{i}{" dashed" if line.dashed else ""}">{text(line.name)}</span>'
        for i, line in named
    )
    last = found[0][1][-1]
    told = f"{title}: {y} over {x}, ending at {last[1]:.4g}"
    return (
        f'<figure class="plot"><figcaption>{text(title)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(told)}">'
        f"{''.join(inside)}</svg>"
        + (f'<p class="legend">{legend}</p>' if legend else "")
        + (f"<p class=note>{text(note)}</p>" if note else "")
        + "</figure>"
    )


def _cut(curve: str) -> str:
    """A line as far as it lies within the axes."""
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    box = f'x="{LEFT}" y="{TOP}" width="{width}" height="{height}"'
    return f'<svg {box} viewBox="{LEFT} {TOP} {width} {height}" overflow="hidden">{curve}</svg>'


def _at(place: float, across: bool) -> float:
    if across:
        return LEFT + place * (WIDTH - LEFT - RIGHT)
    return HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM)


def _frame(across: Axis, upwards: Axis) -> str:
    """Grid, marks and names of the axes."""
    out = []
    for place, name in across.ticks():
        at = _at(place, True)
        out.append(
            f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        )
        out.append(
            f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{name}</text>'
        )
    for place, name in upwards.ticks():
        at = _at(place, False)
        out.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        )
        out.append(f'<text x="{LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{name}</text>')
    middle, half = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    out.append(
        f'<text class="axis" x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{text(across.name)}</text>"
    )
    out.append(
        f'<text class="axis" x="14" y="{half}" text-anchor="middle" '
        f'transform="rotate(-90 14 {half})">{text(upwards.name)}</text>'
    )
    return "".join(out)


def _line(
    number: int, line: Line, pairs: Sequence[tuple[float, float]], across: Axis, upwards: Axis
) -> str:
    places = [(_at(across.place(a), True), _at(upwards.place(b), False)) for a, b in pairs]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    kind = f"s{number}{' dashed' if line.dashed else ''}"
    out = [] if line.points == "numbers" else [f'<polyline class="{kind}" points="{path}"/>']
    if line.points:
        out += [f'<circle class="{kind}" cx="{a:.1f}" cy="{b:.1f}" r="3.5"/>' for a, b in places]
    if line.points == "numbers":
        out += [
            f'<text x="{a + 6:.1f}" y="{b - 6:.1f}">{i}</text>'
            for i, (a, b) in enumerate(places, 1)
        ]
    return "".join(out)
