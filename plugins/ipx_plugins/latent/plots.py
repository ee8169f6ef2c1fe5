"""Plots of codes as arrays ``(3, H, W)`` in [0, 1]: dots, pictures at places, histograms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Array = NDArray[np.float32]

COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7f7f7f", "#b8a800",
    "#332288", "#8c564b",
)  # fmt: skip
"""Colours of folders, which people with colour blindness tell apart; then they repeat."""

SIDE = 720
MARGIN = 46
LEGEND = 130


class Frame:
    """A white picture with a box, and the map from coordinates to pixels in it."""

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        names: tuple[str, str],
        side: int = SIDE,
        extra: int = 0,
    ) -> None:
        self.image = Image.new("RGB", (side + extra, side), "white")
        self.draw = ImageDraw.Draw(self.image)
        self.side, self.x, self.y = side, _wide(*x), _wide(*y)
        box = (MARGIN, 14, side - 14, side - MARGIN)
        self.box = box
        self.draw.rectangle(box, outline="black")
        self.draw.text((side / 2, side - 14), names[0], "black", anchor="mm")
        label = Image.new("RGB", (side, 24), "white")
        ImageDraw.Draw(label).text((side / 2, 12), names[1], "black", anchor="mm")
        self.image.paste(label.rotate(90, expand=True).crop((0, 0, 22, side)), (0, 0))
        self.draw.rectangle(box, outline="black")
        for share in (0.0, 0.5, 1.0):
            a = self.x[0] + share * (self.x[1] - self.x[0])
            b = self.y[0] + share * (self.y[1] - self.y[0])
            across, up = self.at(a, b)
            self.draw.text((across, side - MARGIN + 10), f"{a:.2g}", "black", anchor="mm")
            self.draw.text((MARGIN - 4, up), f"{b:.2g}", "black", anchor="rm")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of coordinates."""
        left, top, right, bottom = self.box
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return left + across * (right - left), bottom - up * (bottom - top)

    def array(self) -> Array:
        """The picture."""
        pixels = np.asarray(self.image, np.float32) / 255
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def scatter(places: Array, labels: Sequence[str], names: tuple[str, str]) -> Array:
    """Dots at ``(N, 2)`` coloured by label, with an ellipse of two deviations for each label."""
    frame = Frame(_range(places[:, 0]), _range(places[:, 1]), names, extra=LEGEND)
    known = sorted(set(labels))
    colour = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(known)}
    for (x, y), label in zip(places.tolist(), labels, strict=True):
        a, b = frame.at(x, y)
        frame.draw.ellipse((a - 2, b - 2, a + 2, b + 2), fill=colour[label])
    told = np.array(labels)
    for i, label in enumerate(known):
        own = places[told == label]
        if len(own) > 2:
            path = [frame.at(*point) for point in _ellipse(own).tolist()]
            frame.draw.line([*path, path[0]], fill=colour[label], width=2)
        row = 24 + 18 * i
        frame.draw.rectangle((SIDE + 6, row - 5, SIDE + 16, row + 5), fill=colour[label])
        frame.draw.text((SIDE + 22, row), label[:16], "black", anchor="lm")
    return frame.array()


def population(
    places: Array, pictures: Array, names: tuple[str, str], side: int
) -> tuple[Array, int]:
    """Pictures ``(N, C, h, w)`` at ``(N, 2)``, without overlaps; and how many are shown."""
    frame = Frame(_range(places[:, 0]), _range(places[:, 1]), names, side)
    h, w = pictures.shape[2:]
    taken = np.zeros((side, side), bool)
    shown = 0
    for (x, y), picture in zip(places.tolist(), pictures, strict=True):
        a, b = frame.at(x, y)
        left, top = int(a - w / 2), int(b - h / 2)
        spot = np.s_[max(top, 0) : top + h, max(left, 0) : left + w]
        if taken[spot].any():
            continue
        taken[spot] = True
        pixels = (picture.clip(0, 1) * 255).round().astype(np.uint8)
        rgb = np.broadcast_to(pixels, (3, h, w)).transpose(1, 2, 0)
        frame.image.paste(Image.fromarray(np.ascontiguousarray(rgb)), (left, top))
        shown += 1
    return frame.array(), shown


def histograms(usual: Array, asked: Array, titles: Sequence[str]) -> Array:
    """Histograms ``(K, N)`` of usual pictures in grey, marks ``(K, M)`` of others in orange."""
    drawn = []
    for known, new, title in zip(usual, asked, titles, strict=True):
        both = np.concatenate([known, new])
        low, high = _wide(float(both.min()), float(both.max()))
        edges = np.linspace(low, high, 41)
        grey, _ = np.histogram(known, edges)
        orange, _ = np.histogram(new, edges)
        heights = (grey / max(len(known), 1), orange / max(len(new), 1))
        top = float(max(h.max() for h in heights))
        frame = Frame((low, high), (0.0, top), (title, "share (grey: usual, orange: asked)"), 480)
        for h, fill, outline in ((heights[0], "#b0b0b0", None), (heights[1], None, COLOURS[5])):
            for value, left, right in zip(h, edges[:-1], edges[1:], strict=True):
                if value > 0:
                    (a, b), (c, d) = frame.at(left, value), frame.at(right, 0.0)
                    frame.draw.rectangle((a, b, c, d), fill=fill, outline=outline, width=2)
        drawn.append(frame.array())
    return np.concatenate(drawn, 2)


def _ellipse(points: Array) -> Array:
    """Two standard deviations about the mean, ``(60, 2)``."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    sizes, axes = np.linalg.eigh(np.cov(points.T))
    circle = np.stack([np.cos(turn), np.sin(turn)])
    out: Array = (points.mean(0) + 2 * (axes * np.sqrt(sizes.clip(0)) @ circle).T).astype(
        np.float32
    )
    return out


def _range(values: Array) -> tuple[float, float]:
    """Least and largest, with a twentieth on either side."""
    low, high = float(values.min()), float(values.max())
    more = 0.05 * (high - low)
    return low - more, high + more


def _wide(low: float, high: float) -> tuple[float, float]:
    """A range that is not empty."""
    return (low, high) if high > low else (low - 0.5, high + 0.5)
