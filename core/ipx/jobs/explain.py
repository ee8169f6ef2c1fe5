"""What an image looks like: its file, its noise, marks of a degradation, and what to try."""

from __future__ import annotations

import math
import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ipx.declare.foreign import IOSpec
from ipx.declare.options import AUTO
from ipx.declare.registry import registry
from ipx.declare.specs import OperatorSpec, Spec
from ipx.errors import InputError, IpxError, PlanError
from ipx.files import images
from ipx.files.format import Array
from ipx.files.images import Picture
from ipx.files.lookup import by_content
from ipx.files.planes import middle, single
from ipx.files.storage import Storage
from ipx.jobs.explained import ALIKE, SOME, Explained, Level
from ipx.numerics import marks
from ipx.planning.choice import Situation, chosen, short
from ipx.planning.plan import make_plan
from ipx.planning.tree import Tree, tree
from ipx.solving.build import build

SIDE = 512
"""Side of the middle of the picture that is looked at, in pixels."""

BASE_TABLE = 3688
"""Sum of the luminance table of JPEG at quality 50 (ITU-T T.81, table K.1)."""

UNEVEN = 0.2
"""Unevenness of the usual noise model from which on another one may fit better."""

GROWING = "growing noise"
"""The mark of noise that is stronger where the picture is brighter."""

SPREAD = 1.5
"""Factor within which estimates of the noise agree."""


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
    """The picture in a file, which may have NaN here."""
    try:
        return images.read(path, axes=axes, stacks=True)
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
    """What a picture that was read looks like; the commands tell ``axes``.

    Of a stack or a volume the middle picture is looked at.
    """
    whole = single(picture.pixels, picture.axes)
    ends = [float(f(picture.pixels)) for f in (np.nanmin, np.nanmax)]
    low, high = (v * picture.scale + picture.offset for v in ends)
    count, clipped = len(picture), _clipped(picture.pixels)
    picture = replace(picture, pixels=middle(whole), axes="CYX")
    values = picture.pixels.astype(np.float64) * picture.scale + picture.offset
    finite = np.isfinite(picture.pixels)
    y = torch.from_numpy(np.nan_to_num(_middle(picture.pixels)).astype(np.float32))
    base = Explained(
        path=str(picture.path),
        format=picture.format,
        shape=tuple(picture.shape),
        dtype=picture.dtype,
        low=low,
        high=high,
        bits=_bits(values) if np.dtype(picture.dtype).kind in "iu" else None,
        clipped=clipped,
        depth=whole.shape[1] if whole.ndim == 4 else 0,
        count=count,
        spacing=picture.spacing,
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
    advised = _advised(looked, options, axes)
    remarks = _untold(looked, torch.from_numpy(np.nan_to_num(whole))[None].float())
    return replace(advised, remarks=(*advised.remarks, *remarks))


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


def _untold(looked: Explained, y: Tensor) -> list[str]:
    """What noise models find in the data that their options have to tell, each once."""
    models = (build("noise", level.noise) for level in looked.levels)
    return [*dict.fromkeys(line for noise in models for line in noise.untold(y))]


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
    """With the marks that were seen, and two or three commands."""
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
    op = next((name for name, told in operators.items() if _fits(name, told, looked)), None)
    words = [] if op is None else _operator_words(op, operators[op])
    words += [] if noise is None else [f"--noise {short(noise)}"]
    asked = Situation(
        tree("operator", op or "identity"),
        tree("noise", "gaussian" if noise is None else short(noise)),
        tree("solver", AUTO),
        explicit="it is compared",
        dims=3 if looked.depth else 2,
    )
    reference = chosen(asked).prior
    more = [*words, f"--prior {reference.name}"]
    tried = [words, more]
    plainer = words[1:] if op is None else [w for w in words if not w.startswith("--op")]
    if plainer != words:
        tried.append(plainer)
    elif _drawn(asked, reference):
        tried.append([*more, "--interval 90"])
    start = f"ipx solve {shlex.quote(looked.path)}" + (f" --axes {axes}" if axes else "")
    commands = tuple(" ".join([start, *each]) for each in tried)
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


def _fits(op: str, options: dict[str, Any], looked: Explained) -> bool:
    """True if an operator takes images with as many axes."""
    dims = tree("operator", {"name": op, **options}).facts.traits.dims or (2,)
    return (3 if looked.depth else 2) in dims


def _drawn(asked: Situation, prior: Tree) -> bool:
    """True if a sampler draws from this posterior."""
    try:
        make_plan(asked.op, asked.noise, prior, tree("sampler", AUTO), dims=asked.dims)
    except PlanError:
        return False
    return True


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
