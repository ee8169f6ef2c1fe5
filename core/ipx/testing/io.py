"""Checks of file formats."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ipx.declare.options import Options
from ipx.declare.registry import registry
from ipx.declare.specs import IOSpec
from ipx.errors import InputError
from ipx.files.format import Array, Format, Raster
from ipx.files.images import read, write
from ipx.files.lookup import by_content, by_suffix

if TYPE_CHECKING:
    from ipx.testing import Check

LAYOUTS = {"L": 1, "LA": 2, "La": 2, "RGB": 3, "RGBA": 4, "RGBa": 4}
"""Kinds of picture, and their samples a pixel."""

SIZES = ((13, 17), (1, 1), (1, 6), (6, 1))
PROFILE = bytes(range(256)) * 2
LOSS = 0.02
"""Mean error that a format with loss may make on a smooth picture, as a share of its range."""


def checks(spec: IOSpec, options: Options) -> Iterator[tuple[str, Check]]:
    """Round trip of every type of sample, refusal of other and damaged files, files on disk."""
    made: Format = registry().create(spec, options=options)
    yield "suffixes-and-types", partial(_suffixes_and_types, spec, made)
    yield "unknown-data", partial(_unknown_data, made)
    for dtype in spec.dtypes:
        yield f"round-trip-{dtype}", partial(_round_trip, spec, made, dtype)
    if spec.dtypes:
        yield "profile", partial(_profile, spec, made)
        yield "found-by-content", partial(_found_by_content, spec, made)
        yield "damaged", partial(_damaged, spec, made)
        yield "files", partial(_files, spec)


def _suffixes_and_types(spec: IOSpec, made: Format) -> None:
    if not isinstance(made, Format):
        raise AssertionError(f"{type(made).__name__} does not extend ipx.Format")
    for suffix in spec.suffixes:
        if not re.fullmatch(r"\.[a-z0-9_-]+", suffix):
            raise AssertionError(f"{suffix!r} is no suffix: use lower case, with the dot")
        owner = by_suffix("a" + suffix)
        if owner is not None and owner.id != spec.id:
            raise AssertionError(f"{suffix} belongs to {owner.id} already")
    for dtype in spec.dtypes:
        if np.dtype(dtype).kind not in "uif" or np.dtype(dtype).name != dtype:
            raise AssertionError(f"{dtype} is no type of real numbers, as NumPy names it")
    if not spec.layouts or not set(spec.layouts) <= set(LAYOUTS):
        raise AssertionError(f"layouts are {', '.join(LAYOUTS)}, not {', '.join(spec.layouts)}")


def _unknown_data(made: Format) -> None:
    for data in (b"", b"this is no picture\n" * 20, bytes(1000)):
        _refuses(made, data, f"{data[:18]!r}...")


def _damaged(spec: IOSpec, made: Format) -> None:
    for layout in spec.layouts:
        whole = made.encode(_raster(layout, spec.dtypes[0], (64, 48)))
        _refuses(made, whole[: len(whole) // 2], "the first half of a file")


def _refuses(made: Format, data: bytes, what: str) -> None:
    try:
        made.decode(data)
    except Exception:  # what the decoder raises becomes an InputError around it
        return
    raise AssertionError(f"it reads {what} as a picture")


def _round_trip(spec: IOSpec, made: Format, dtype: str) -> None:
    for layout in spec.layouts:
        for size in SIZES:
            raster = _raster(layout, dtype, size)
            kept = raster.samples.copy()
            again = made.decode(made.encode(raster))
            if not np.array_equal(raster.samples, kept):
                raise AssertionError("encode changes the samples that it is given")
            _same(spec, raster, again, f"{layout} of {size[0]} x {size[1]}")


def _profile(spec: IOSpec, made: Format) -> None:
    for layout in spec.layouts:
        plain = _raster(layout, spec.dtypes[0], SIZES[0])
        again = made.decode(made.encode(Raster(plain.samples, plain.alpha, icc=PROFILE)))
        if again.icc not in (None, PROFILE):
            raise AssertionError("the colour profile comes back changed")
        if made.decode(made.encode(plain)).icc is not None:
            raise AssertionError("a colour profile comes back that was never given")


def _found_by_content(spec: IOSpec, made: Format) -> None:
    for layout in spec.layouts:
        data = made.encode(_raster(layout, spec.dtypes[0], SIZES[0]))
        if not re.match(spec.magic, data, re.DOTALL):
            raise AssertionError(f"what it writes starts with {data[:12]!r}, not as declared")
        found = by_content(data, "a" + spec.suffixes[0])
        if found.id != spec.id:
            raise AssertionError(f"what it writes is read as {found.id}")


def _files(spec: IOSpec) -> None:
    """Through `ipx.files.images`, as everything in ipx reads and writes pictures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("a" + spec.suffixes[0])
        for layout in [name for name in ("L", "RGB") if name in spec.layouts]:
            pixels = _smooth(LAYOUTS[layout], (24, 32))
            for dtype in [name for name in spec.dtypes if np.dtype(name).itemsize <= 4]:
                write(path, pixels, dtype=dtype)
                picture = read(path)
                found = (picture.format, picture.shape, picture.dtype)
                if found != (spec.name, pixels.shape, dtype):
                    raise AssertionError(f"{dtype} {pixels.shape} comes back as {found}")
                error = float(np.abs(picture.pixels - pixels).mean())
                if not error <= LOSS:
                    raise AssertionError(f"a smooth {dtype} picture changes by {error:.2g}")
        path.write_bytes(path.read_bytes()[:40])
        try:
            read(path)
        except InputError as told:
            if "\n" in str(told) or not str(told).startswith(str(path)):
                raise AssertionError(f"not one line with the name of the file: {told}") from None
        else:
            raise AssertionError("the first 40 bytes of a file are read as a picture")


def _raster(layout: str, dtype: str, size: tuple[int, int]) -> Raster:
    """Random samples over the range of their type, both ends included; floats go beyond it."""
    shape = (*size, LAYOUTS[layout])
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        samples: Array = (1.5 * rng.random(shape) - 0.25).astype(dtype)
    else:
        limits = np.iinfo(dtype)
        samples = rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
        samples.flat[:2] = (limits.min, limits.max)[: samples.size]
    return Raster(samples, LAYOUTS[layout] in (2, 4), layout.endswith("a"))


def _smooth(channels: int, size: tuple[int, int]) -> Array:
    """A ramp ``(C, H, W)`` in [0, 1]."""
    rows, columns = (np.linspace(0, 1, n) for n in size)
    ramp: Array = (rows[:, None] + columns) / 2
    return np.repeat(ramp[None], channels, 0)


def _same(spec: IOSpec, told: Raster, again: Raster, what: str) -> None:
    if (again.samples.shape, again.layout) != (told.samples.shape, told.layout):
        raise AssertionError(f"{what} comes back as {again.layout} {again.samples.shape}")
    if again.samples.dtype.name != told.samples.dtype.name:
        raise AssertionError(f"{told.samples.dtype} comes back as {again.samples.dtype}")
    if again.orientation in range(2, 9):
        raise AssertionError(f"{what} comes back turned: orientation {again.orientation}")
    if spec.lossless and not np.array_equal(again.samples, told.samples):
        raise AssertionError(f"{what} comes back with other samples")
