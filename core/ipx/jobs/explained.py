"""What was found in an image, in numbers and in words; see `ipx.jobs.explain`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

SOME = 0.02
"""Share of outliers or of holes from which on they count."""

ALIKE = 0.5
"""Correlation of the jumps of both halves of the lines that tells stripes, see `marks.stripes`."""


@dataclass(frozen=True)
class Level:
    """The estimate of one noise model.

    Attributes:
        noise: its name.
        level: the noise level, in the unit of the model.
        deviation: standard deviation of the noise that follows, mean over the picture, for [0, 1].
        uneven: see `ipx.numerics.marks.uneven`.
        unit: of ``level``; empty for a standard deviation.
        options: further options of the model that the data show, such as an offset.
        remarks: reasons to doubt the level, one line each.
    """

    noise: str
    level: float
    deviation: float
    uneven: float
    unit: str = ""
    options: dict[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The estimate in words."""
        more = "".join(f", {name} {value:g}" for name, value in self.options.items())
        same = not self.unit or math.isclose(self.level, self.deviation, rel_tol=0.05)
        own = "" if same else f"{self.level:.3g} {self.unit}, mean "
        return (
            f"{self.noise}{more}: {own}standard deviation {self.deviation:.2g}, "
            f"misfit {self.uneven:.2g}"
        )


@dataclass(frozen=True)
class Explained:
    """What an image looks like.

    Attributes:
        path: the file.
        format: as in ``ipx list io``; empty for an array.
        shape: ``(C, H, W)``, of a volume or stack those of its middle picture, which is what the
            rest is about, except for ``low``, ``high`` and ``clipped``.
        depth: planes of a volume, 0 for pictures.
        count: pictures or volumes of a stack, else 1.
        spacing: size of a pixel or voxel in micrometres, depth first; empty if the file does not
            tell.
        dtype: type of the samples.
        low: smallest value, in the units of the file.
        high: largest value.
        bits: bits that the samples use; None for floats.
        clipped: share of the values at the lower and at the upper end of the range.
        missing: share of values that are NaN.
        flat: share of the picture in areas of one value, and that value for [0, 1].
        quality: of JPEG, by the tables in the file; None for other files.
        levels: the noise by each model that can tell it, the most even fit first.
        taken: the noise model of the commands, and why.
        agree: True if the deviations are within `SPREAD` of each other.
        outliers: share of values that stand out from their neighbours.
        stripes: alikeness of the jumps along columns and rows, see `ipx.numerics.marks.stripes`.
        found: what operators found of themselves in the data, one line each.
        marks: names of the marks that were seen, strongest first: see `Spec.explains`.
        commands: two or three to try, best first.
        remarks: what to know before, one line each.
    """

    path: str
    format: str
    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    bits: int | None
    clipped: tuple[float, float]
    depth: int = 0
    count: int = 1
    spacing: tuple[float, ...] = ()
    missing: float = 0.0
    flat: tuple[float, float] = (0.0, math.nan)
    quality: int | None = None
    levels: tuple[Level, ...] = ()
    taken: tuple[str, str] = ("", "")
    agree: bool = True
    outliers: float = 0.0
    stripes: tuple[float, float] = (0.0, 0.0)
    found: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    remarks: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Plain values; NaN becomes None."""
        plain = asdict(self)
        plain["flat"] = [None if v != v else v for v in self.flat]
        return plain

    def lines(self) -> list[tuple[str, str]]:
        """What it looks like, in rows of a name and a text."""
        channels, height, width = self.shape
        kind = {1: "grey", 3: "colour"}.get(channels, f"{channels} bands")
        bits = "" if self.bits is None else f", {self.bits} bits used"
        rows = [
            ("picture", f"{width} x {height} pixels, {kind}, {self.format or 'array'}"),
            *self._whole(),
            ("values", f"{self.dtype}, {self.low:g} to {self.high:g}{bits}"),
            ("clipped", " below, ".join(f"{100 * v:.2g} %" for v in self.clipped) + " above"),
        ]
        if self.missing:
            rows.append(("missing", f"{100 * self.missing:.2g} % are NaN"))
        if self.flat[0] > SOME:
            rows.append(("flat", f"{100 * self.flat[0]:.2g} % are areas of {self.flat[1]:.3g}"))
        if self.quality is not None:
            rows.append(("jpeg", f"quality about {self.quality}, by the tables in the file"))
        rows += self._noise()
        rows.append(("outliers", f"{100 * self.outliers:.2g} %"))
        rows += [("stripes", f"along {w}") for w in self._striped()]
        rows += [("found", line) for line in self.found]
        return rows

    def _noise(self) -> list[tuple[str, str]]:
        """The estimates of the noise, and which is taken and why."""
        if not self.levels:
            return []
        rows = [each.line for each in self.levels]
        rows.append(
            "(deviations for values from 0 to 1; misfit: how far the model is off from dark to "
            "bright parts, 0 is best)"
        )
        if not self.agree:
            rows.append("the deviations differ: some models take texture of the scene for noise")
        rows.append(f"taken: {self.taken[0]}, {self.taken[1]}")
        return [("" if i else "noise", row) for i, row in enumerate(rows)]

    def _whole(self) -> list[tuple[str, str]]:
        """What the picture that is looked at is a part of, and the size of its pixels."""
        rows = []
        if self.count > 1:
            what = "volumes" if self.depth else "pictures"
            rows.append(("stack", f"{self.count} {what}; the middle one is looked at"))
        if self.depth:
            rows.append(
                ("volume", f"{self.depth} planes; noise and marks are those of the middle one")
            )
        if self.spacing:
            size = " x ".join(f"{v:.3g}" for v in self.spacing)
            rows.append(("voxel" if self.depth else "pixel", f"{size} micrometres"))
        return rows

    def _striped(self) -> list[str]:
        names = ("columns", "rows")
        return [n for n, v in zip(names, self.stripes, strict=True) if v > ALIKE]
