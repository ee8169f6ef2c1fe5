"""The learning curve of a run as a picture: the held-out score and the loss over the steps."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from ipx.report.plots import Axis

WIDTH, HEIGHT = 720, 300
"""Size of one of the two plots in pixels."""

LEFT, RIGHT, TOP, BOTTOM = 84, 20, 34, 36
INK, FAINT, GRID = (24, 24, 27), (98, 98, 105), (228, 228, 231)
COLOUR, MARK = (0, 114, 178), (213, 94, 0)

DECADES = 20.0
"""Largest over smallest loss from which its axis is logarithmic."""


def learning_curve(history: Sequence[Mapping[str, Any]], score: str, best_step: int) -> bytes:
    """A PNG with two plots: held-out score above, loss of the step below, at each validation.

    Args:
        history: entries of `TrainingProgress.history`; values that are not finite are left out.
        score: name of the score.
        best_step: the step of the kept weights, which is marked.
    """
    image = Image.new("RGB", (WIDTH, 2 * HEIGHT), "white")
    rows = [row for row in history if "finished" not in row]
    for number, (key, title) in enumerate(((score, f"{score}, held out"), ("loss_now", "loss"))):
        known = [r for r in rows if r[key] is not None and math.isfinite(r[key])]  # None: resumed
        points = [(int(r["step"]), float(r[key])) for r in known]
        if points:
            _plot(image, number * HEIGHT, title, points, best_step, key == "loss_now")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _plot(
    image: Image.Image,
    top: int,
    title: str,
    points: Sequence[tuple[int, float]],
    best_step: int,
    may_be_log: bool,
) -> None:
    """One plot whose upper edge is at ``top``."""
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    values = [value for _, value in points]
    log = may_be_log and min(values) > 0 and max(values) > DECADES * min(values)
    across = Axis.over("step", False, [0.0, *(float(step) for step, _ in points)])
    upwards = Axis.over(title, log, values)

    def at(step: float, value: float) -> tuple[float, float]:
        return _right(across.place(step)), _down(top, upwards.place(value))

    for place, name in across.ticks():
        draw.line([(_right(place), top + TOP), (_right(place), top + HEIGHT - BOTTOM)], GRID)
        draw.text((_right(place), top + HEIGHT - BOTTOM + 6), name, FAINT, font, anchor="ma")
    for place, name in upwards.ticks():
        draw.line([(LEFT, _down(top, place)), (WIDTH - RIGHT, _down(top, place))], GRID)
        draw.text((LEFT - 6, _down(top, place)), name, FAINT, font, anchor="rm")
    draw.text((LEFT, top + 10), title, INK, font, anchor="la")
    draw.text((WIDTH - RIGHT, top + 10), "step", FAINT, font, anchor="ra")
    places = [at(*point) for point in points]
    if len(places) > 1:
        draw.line(places, COLOUR, 2)
    for (step, _), (x, y) in zip(points, places, strict=True):
        kept = step == best_step
        size = 5 if kept else 2
        draw.ellipse((x - size, y - size, x + size, y + size), MARK if kept else COLOUR)


def _right(place: float) -> float:
    return LEFT + place * (WIDTH - LEFT - RIGHT)


def _down(top: int, place: float) -> float:
    return top + HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM)
