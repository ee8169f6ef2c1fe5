"""What an image looks like: its file, its noise, marks of a degradation, and what to try."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ipx.declare.capabilities import Quadratic
from ipx.declare.foreign import IOSpec
from ipx.declare.options import AUTO
from ipx.declare.registry import registry
from ipx.declare.specs import OperatorSpec, Spec
from ipx.errors import InputError, IpxError
from ipx.files import images
from ipx.files.contents import contents, is_one
from ipx.files.format import Array
from ipx.files.images import Picture
from ipx.files.lookup import by_content
from ipx.files.planes import middle, single
from ipx.files.storage import Storage
from ipx.jobs.explained import ALIKE, SOME, Explained, Level
from ipx.jobs.proposed import Given, fits, proposed
from ipx.numerics import marks
from ipx.planning.choice import short
from ipx.planning.request import Table
from ipx.planning.tree import tree
from ipx.solving.build import build
from ipx.solving.doubts import cut_noise

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


def explain(
    image: Any, axes: str | None = None, *, op: Table | None = None, noise: Table | None = None
) -> Explained:
    """What an image looks like to ipx, and three commands to try.

    Args:
        image: a file, or an array ``(H, W)`` or ``(H, W, C)``. Of a stack or a volume its middle
            picture is looked at.
        axes: of a file, as in ``ipx solve --axes``; by default what the file tells.
        op: the operator, if it is known: a table with its name and options. The commands have it,
            with options that are found in the image and that it does not tell.
        noise: likewise.

    Raises:
        InputError: the file cannot be read.
        UsageError: a component or an option is unknown.
    """
    given = Given(op, noise)
    for kind, table in (("operator", op), ("noise", noise)):
        if table is not None:
            tree(kind, table)  # refuses what is unknown
    if isinstance(image, str | os.PathLike):
        return explained(_read(Path(image), axes), axes or "", given)
    array = np.asarray(image)
    pixels = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    if pixels.ndim != 3 or not pixels.size:
        raise InputError(f"an image is (H, W) or (H, W, C), not of shape {array.shape}")
    scale = float(np.iinfo(array.dtype).max) if array.dtype.kind in "iu" else 1.0
    made = (pixels / scale).astype(np.float32)
    name = str(array.dtype)
    picture = Picture(made, None, name, scale, 0.0, None, "", "", Path("FILE"))
    return explained(picture, given=given)


def _read(path: Path, axes: str | None) -> Picture:
    """The picture in a file, which may have NaN here."""
    try:
        return images.read(path, axes=axes, stacks=True)
    except InputError as error:
        data = contents(path) if is_one(path) else b""
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
def explained(picture: Picture, axes: str = "", given: Given | None = None) -> Explained:
    """What a picture that was read looks like; the commands tell ``axes`` and what is given.

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
    volume = torch.from_numpy(np.nan_to_num(whole))[None].float()
    levels = _levels(y, volume, picture.storage)
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
    advised = _advised(looked, options, axes, given or Given())
    known = torch.from_numpy(np.isfinite(whole))[None]
    remarks = [*_untold(looked, volume), *_doubted(advised, volume, known)]
    return replace(advised, remarks=(*advised.remarks, *remarks))


def _middle(pixels: Array) -> Array:
    """The middle of a large picture."""
    tops = [max(0, (n - SIDE) // 2) for n in pixels.shape[-2:]]
    rows, columns = (slice(top, top + SIDE) for top in tops)
    return pixels[:, rows, columns]


def _bits(values: Array) -> int:
    """The bits that whole numbers from 0, or from the least, use.

    Steps between them that never occur do not count.
    """
    whole = np.unique(np.round(values[np.isfinite(values)]).astype(np.int64))
    step = int(np.gcd.reduce(np.diff(whole))) if whole.size > 1 else 1
    span = int(whole[-1]) - min(int(whole[0]), 0)
    return max(1, int(np.ceil(np.log2(span // max(step, 1) + 1))))


def _clipped(pixels: Array) -> tuple[float, float]:
    """Share of the values at 0 or below, and at 1 or above."""
    return float((pixels <= 0).mean()), float((pixels >= 1).mean())


def _quality(storage: Storage) -> int | None:
    """The quality of the Independent JPEG Group whose luminance table has the same sum."""
    if not storage.steps:
        return None
    scale = 100 * 255 * sum(map(sum, storage.steps[0])) / BASE_TABLE
    return round(min(100.0, (200 - scale) / 2 if scale <= 100 else 5000 / scale))


def _levels(y: Tensor, whole: Tensor, storage: Storage) -> tuple[Level, ...]:
    """The noise by each model that finds its level in the data, the most even fit first.

    Options that ``whole`` shows are taken where the model then fits better.
    """
    out = []
    for spec in registry().all("noise"):
        if spec.explains not in ("noise", GROWING):
            continue
        more = build("noise", short(spec)).shown(whole)
        known = [e for e in [_level(short(spec), {}, y, storage)] if e is not None]
        if more:
            known += [e for e in [_level(short(spec), more, y, storage)] if e is not None]
        out += [min(known, key=lambda each: each.uneven)] if known else []
    return tuple(sorted(out, key=lambda each: (round(each.uneven, 2), each.noise)))


def _level(name: str, options: dict[str, float], y: Tensor, storage: Storage) -> Level | None:
    """The noise by a model; None if it does not find its level in the data."""
    try:
        noise = build("noise", {"name": name, **options}).estimated(y[None], None, storage)
        if noise.level is None:
            return None
        deviation = torch.as_tensor(noise.deviation(y[None]))[0]
        level = float(torch.as_tensor(noise.level).flatten()[0])
    except (IpxError, NotImplementedError):
        return None
    mean = float(deviation.mean())
    if not (math.isfinite(level) and math.isfinite(mean)):
        return None
    unit = type(noise.options).infos()[noise.traits.level].unit if noise.traits.level else ""
    return Level(name, level, mean, marks.uneven(y, deviation), unit, options, noise.remarks)


def _doubted(looked: Explained, y: Tensor, known: Tensor) -> list[str]:
    """What ``ipx solve`` warns of with the noise model of the commands."""
    taken = looked.taken[0]
    lines = [line for e in looked.levels if e.noise == taken for line in e.remarks]
    white = Quadratic in tree("noise", taken).facts.capabilities
    return lines + (cut_noise(y, known) if white else [])


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


def _advised(
    looked: Explained, operators: dict[str, dict[str, Any]], axes: str, given: Given
) -> Explained:
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
    op = next((name for name, told in operators.items() if fits(name, told, looked)), None)
    remarks = []
    if looked.depth and op is not None and given.op is None:
        remarks.append(
            f"{op} is found in the middle plane alone, and is taken to be as wide along z: tell "
            f"what it is there (ipx info {op})"
        )
    taken = "gaussian" if noise is None else short(noise)
    taken = taken if given.noise is None else str(given.noise["name"])
    level = next((e for e in looked.levels if e.noise == taken), None)
    found = Given(
        None if op is None else {"name": op, **operators[op]},
        None if noise is None else {"name": taken, **({} if level is None else level.options)},
    )
    commands = proposed(looked, axes, found, given)
    holes = _explaining("operator", ["holes"]) if "holes" in seen else None
    remarks += [] if holes is None else [_about_holes(looked, holes)]
    return replace(
        looked, marks=tuple(seen), commands=commands, remarks=tuple(remarks),
        taken=(taken, _why(noise) if given.noise is None else "as given"),
    )  # fmt: skip


def _why(noise: Spec | None) -> str:
    """Why a noise model is taken; None is the usual one."""
    if noise is None:
        return "the usual model: none of growing noise has a clearly smaller misfit"
    if noise.explains == GROWING:
        return "the best fit of the models whose noise grows with the brightness"
    return f"for the {noise.explains}, which the models above do not describe"


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
