"""What an image looks like: its file, its noise, marks of a degradation, and what to try."""

from __future__ import annotations

import math
import os
import shlex
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ipx.declare.foreign import IOSpec
from ipx.declare.options import AUTO
from ipx.declare.registry import registry
from ipx.declare.specs import OperatorSpec, Spec
from ipx.errors import InputError, IpxError
from ipx.files import images
from ipx.files.format import Array
from ipx.files.images import Picture
from ipx.files.lookup import by_content
from ipx.files.planes import middle, single
from ipx.files.storage import Storage
from ipx.numerics import marks
from ipx.planning.choice import Situation, chosen, short
from ipx.planning.tree import tree
from ipx.solving.build import build

SIDE = 512
"""Side of the middle of the picture that is looked at, in pixels."""

BASE_TABLE = 3688
"""Sum of the luminance table of JPEG at quality 50 (ITU-T T.81, table K.1)."""

SOME = 0.02
"""Share of outliers or of holes from which on they count."""

ALIKE = 0.5
"""Correlation of the jumps of both halves of the lines that tells stripes, see `marks.stripes`."""

UNEVEN = 0.2
"""Unevenness of the usual noise model from which on another one may fit better."""

GROWING = "growing noise"
"""The mark of noise that is stronger where the picture is brighter."""

SPREAD = 1.5
"""Factor within which estimates of the noise agree."""


@dataclass(frozen=True)
class Level:
    """The estimate of one noise model.

    Attributes:
        noise: its name.
        level: the noise level, in the unit of the model.
        deviation: standard deviation of the noise that follows, mean over the picture, for [0, 1].
        uneven: see `ipx.numerics.marks.uneven`.
    """

    noise: str
    level: float
    deviation: float
    uneven: float


@dataclass(frozen=True)
class Explained:
    """What an image looks like.

    Attributes:
        path: the file.
        format: as in ``ipx list io``; empty for an array.
        shape: ``(C, H, W)``.
        dtype: type of the samples.
        low: smallest value, in the units of the file.
        high: largest value.
        bits: bits that the samples use; None for floats.
        clipped: share of the values at the lower and at the upper end of the range.
        missing: share of values that are NaN.
        flat: share of the picture in areas of one value, and that value for [0, 1].
        quality: of JPEG, by the tables in the file; None for other files.
        levels: the noise by each model that can tell it, the most even fit first.
        agree: True if the deviations are within `SPREAD` of each other.
        outliers: share of values that stand out from their neighbours.
        stripes: alikeness of the jumps along columns and rows, see `ipx.numerics.marks.stripes`.
        found: what operators found of themselves in the data, one line each.
        marks: names of the marks that were seen, strongest first: see `Spec.explains`.
        commands: three to try, best first.
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
    missing: float = 0.0
    flat: tuple[float, float] = (0.0, math.nan)
    quality: int | None = None
    levels: tuple[Level, ...] = ()
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
        depth = "" if self.bits is None else f", {self.bits} bits used"
        rows = [
            ("picture", f"{width} x {height} pixels, {kind}, {self.format or 'array'}"),
            ("values", f"{self.dtype}, {self.low:g} to {self.high:g}{depth}"),
            ("clipped", " below, ".join(f"{100 * v:.2g} %" for v in self.clipped) + " above"),
        ]
        if self.missing:
            rows.append(("missing", f"{100 * self.missing:.2g} % are NaN"))
        if self.flat[0] > SOME:
            rows.append(("flat", f"{100 * self.flat[0]:.2g} % are areas of {self.flat[1]:.3g}"))
        if self.quality is not None:
            rows.append(("jpeg", f"quality about {self.quality}, by the tables in the file"))
        for each in self.levels:
            more = f"deviation {each.deviation:.2g}, unevenness {each.uneven:.2g}"
            rows.append(("noise", f"{each.noise} {each.level:.3g} ({more})"))
        if len(self.levels) > 1:
            word = "agree" if self.agree else "do not agree: textures count as noise in some"
            rows.append(("", f"these {word}"))
        rows.append(("outliers", f"{100 * self.outliers:.2g} %"))
        rows += [("stripes", f"along {w}") for w in self._striped()]
        rows += [("found", line) for line in self.found]
        return rows

    def _striped(self) -> list[str]:
        names = ("columns", "rows")
        return [n for n, v in zip(names, self.stripes, strict=True) if v > ALIKE]


def explain(image: Any, axes: str | None = None) -> Explained:
    """What an image looks like to ipx, and three commands to try.

    Args:
        image: a file, or an array ``(H, W)`` or ``(H, W, C)``. Of a stack or a volume its middle
            picture is looked at.
        axes: of a file, as in ``ipx solve --axes``; by default what the file tells.

    Raises:
        InputError: the file cannot be read.
    """
    if isinstance(image, str | os.PathLike):
        return explained(_read(Path(image), axes), axes or "")
    array = np.asarray(image)
    pixels = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    if pixels.ndim != 3 or not pixels.size:
        raise InputError(f"an image is (H, W) or (H, W, C), not of shape {array.shape}")
    scale = float(np.iinfo(array.dtype).max) if array.dtype.kind in "iu" else 1.0
    made = (pixels / scale).astype(np.float32)
    name = str(array.dtype)
    return explained(Picture(made, None, name, scale, 0.0, None, "", "", Path("FILE")))


def _read(path: Path, axes: str | None) -> Picture:
    """The picture in a file, which may have NaN here; of a stack or a volume the middle one."""
    try:
        picture = images.read(path, axes=axes, stacks=True)
        whole = single(picture.pixels, picture.axes)
        return replace(picture, pixels=middle(whole), axes="CYX")
    except InputError as error:
        data = path.read_bytes() if path.is_file() else b""
        spec = by_content(data, path) if data else None
        if not isinstance(spec, IOSpec):
            raise
        try:
            raster = registry().create(spec).decode(data)
        except InputError:
            raise error from None
        if np.isfinite(raster.samples).all():
            raise
        pixels = np.moveaxis(raster.samples, -1, 0).astype(np.float32)
        name = str(raster.samples.dtype)
        return Picture(pixels, None, name, 1.0, 0.0, None, spec.name, "", path)


@torch.no_grad()
def explained(picture: Picture, axes: str = "") -> Explained:
    """What a picture that was read looks like; the commands tell ``axes``."""
    values = picture.pixels.astype(np.float64) * picture.scale + picture.offset
    finite = np.isfinite(picture.pixels)
    y = torch.from_numpy(np.nan_to_num(_middle(picture.pixels)).astype(np.float32))
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    base = Explained(
        path=str(picture.path),
        format=picture.format,
        shape=tuple(picture.shape),
        dtype=picture.dtype,
        low=low,
        high=high,
        bits=_bits(values) if np.dtype(picture.dtype).kind in "iu" else None,
        clipped=_clipped(picture.pixels),
        missing=1 - float(finite.mean()),
        quality=_quality(picture.storage),
    )
    if min(y.shape[1:]) < 8:
        return replace(base, remarks=("too small to tell more",))
    levels = _levels(y, picture.storage)
    found, options = _operators(y)
    spread = [each.deviation for each in levels if each.deviation > 0]
    looked = replace(
        base,
        flat=marks.flat(y),
        levels=levels,
        agree=not spread or max(spread) <= SPREAD * min(spread),
        outliers=marks.outliers(y),
        stripes=marks.stripes(y),
        found=found,
    )
    return _advised(looked, options, axes)


def _middle(pixels: Array) -> Array:
    """The middle of a large picture."""
    tops = [max(0, (n - SIDE) // 2) for n in pixels.shape[-2:]]
    rows, columns = (slice(top, top + SIDE) for top in tops)
    return pixels[:, rows, columns]


def _bits(values: Array) -> int:
    """The bits that whole numbers use: steps between them that never occur do not count."""
    whole = np.unique(np.round(values[np.isfinite(values)]).astype(np.int64))
    step = int(np.gcd.reduce(np.diff(whole))) if whole.size > 1 else 1
    return max(1, int(np.ceil(np.log2(int(whole[-1]) // max(step, 1) + 1))))


def _clipped(pixels: Array) -> tuple[float, float]:
    """Share of the values at 0 or below, and at 1 or above."""
    return float((pixels <= 0).mean()), float((pixels >= 1).mean())


def _quality(storage: Storage) -> int | None:
    """The quality of the Independent JPEG Group whose luminance table has the same sum."""
    if not storage.steps:
        return None
    scale = 100 * 255 * sum(map(sum, storage.steps[0])) / BASE_TABLE
    return round(min(100.0, (200 - scale) / 2 if scale <= 100 else 5000 / scale))


def _levels(y: Tensor, storage: Storage) -> tuple[Level, ...]:
    """The noise by each model that finds its level in the data, the most even fit first."""
    out = []
    for spec in registry().all("noise"):
        if spec.explains not in ("noise", GROWING):
            continue
        try:
            noise = build("noise", short(spec)).estimated(y[None], None, storage)
            if noise.level is None:
                continue
            deviation = torch.as_tensor(noise.deviation(y[None]))[0]
            level = float(torch.as_tensor(noise.level).flatten()[0])
        except (IpxError, NotImplementedError):
            continue
        mean = float(deviation.mean())
        if not (math.isfinite(level) and math.isfinite(mean)):
            continue
        out.append(Level(short(spec), level, mean, marks.uneven(y, deviation)))
    return tuple(sorted(out, key=lambda each: (round(each.uneven, 2), each.noise)))


def _operators(y: Tensor) -> tuple[tuple[str, ...], dict[str, dict[str, Any]]]:
    """What operators find of themselves in the data, in words; and those that are sure."""
    lines: list[str] = []
    sure: dict[str, dict[str, Any]] = {}
    for spec in registry().all("operator"):
        if not isinstance(spec, OperatorSpec) or not spec.estimate or not spec.explains:
            continue
        for name in [i.name for i in spec.options.infos().values() if i.auto]:
            try:
                options = spec.options(**{name: AUTO})
                found = spec.load_estimate()(y[None], options)
            except IpxError:
                continue
            lines += found.remarks
            if len(found.remarks) == 1:  # a second one says what is doubtful
                told = {k: v for k, v in found.options.items() if v is not None}
                sure.setdefault(short(spec), told)
    return tuple(dict.fromkeys(lines)), sure


def _advised(looked: Explained, operators: dict[str, dict[str, Any]], axes: str) -> Explained:
    """With the marks that were seen, and three commands."""
    seen = []
    if max(looked.stripes) > ALIKE:
        seen.append("stripes")
    if looked.outliers > SOME:
        seen.append("outliers")
    if looked.quality is not None and looked.quality < 90:
        seen.append("blocks")
    if operators:
        seen.append("blur")
    if looked.missing or looked.flat[0] > SOME:
        seen.append("holes")
    seen += _grown(looked)
    noise = _explaining("noise", seen)
    if noise is not None and noise.explains == GROWING:  # of several the one that fits best
        best = next(e.noise for e in looked.levels if _explains(e.noise) == GROWING)
        noise = registry().get("noise", best)
    op = next(iter(operators), None)
    words = [] if op is None else _operator_words(op, operators[op])
    words += [] if noise is None else [f"--noise {short(noise)}"]
    reference = _reference(op or "identity", "gaussian" if noise is None else short(noise))
    more = [*words, f"--prior {reference}"]
    third = words[1:] if op is None else [w for w in words if not w.startswith("--op")]
    if third == words:
        third = [*more, "--interval 90"]
    start = f"ipx solve {shlex.quote(looked.path)}" + (f" --axes {axes}" if axes else "")
    commands = tuple(" ".join([start, *each]) for each in (words, more, third))
    holes = _explaining("operator", ["holes"]) if "holes" in seen else None
    remarks = [] if holes is None else [_about_holes(looked, holes)]
    return replace(looked, marks=tuple(seen), commands=commands, remarks=tuple(remarks))


def _grown(looked: Explained) -> list[str]:
    """The mark of noise that grows with the signal, if a model of it fits better."""
    usual = [e for e in looked.levels if _explains(e.noise) == "noise"]
    other = [e for e in looked.levels if _explains(e.noise) == GROWING]
    if not usual or not other:
        return []
    least = min(e.uneven for e in other)
    better = usual[0].uneven > UNEVEN and least < 0.6 * usual[0].uneven
    return [GROWING] if better else []


def _explains(noise: str) -> str:
    return registry().get("noise", noise).explains


def _explaining(kind: str, seen: list[str]) -> Spec | None:
    """The component of a kind that explains the first of these marks."""
    every = registry().all(kind)
    return next((s for mark in seen for s in every if s.explains == mark), None)


def _operator_words(op: str, options: dict[str, Any]) -> list[str]:
    """The operator on the command line."""
    values = [(k.replace("_", "-"), v) for k, v in options.items() if not isinstance(v, tuple)]
    return [f"--op {op}", *(f"--op.{name} {value}" for name, value in values)]


def _reference(op: str, noise: str) -> str:
    """The prior of reference for these."""
    asked = Situation(
        tree("operator", op), tree("noise", noise), tree("solver", AUTO), explicit="it is compared"
    )
    return chosen(asked).prior.name


def _about_holes(looked: Explained, op: Spec) -> str:
    """What to do about them: a mask has to be made first."""
    share = looked.missing or looked.flat[0]
    what = "NaN" if looked.missing else f"areas of {looked.flat[1]:.3g}"
    ask = op.asks(op.options()) if isinstance(op, OperatorSpec) else None
    told = f" --op.{ask.files[0]} FILE" if ask is not None and ask.files else ""
    return (
        f"{100 * share:.2g} % of the picture are {what}: if these are missing, give --op "
        f"{short(op)}{told}"
    )
