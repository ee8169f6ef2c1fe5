"""Checks of file formats."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ipx.declare.options import Options
from ipx.errors import InputError, MissingExtraError
from ipx.files.format import Array, Header, Raster
from ipx.files.images import read, write
from ipx.files.lookup import by_content, by_suffix
from ipx.testing.common import Checks, Named, require

LAYOUTS = {"L": 1, "LA": 2, "La": 2, "RGB": 3, "RGBA": 4, "RGBa": 4, "bands": 5}
"""Kinds of picture, and their samples a pixel."""

SIZES = ((13, 17), (1, 1), (1, 6), (6, 1))
PROFILE = bytes(range(256)) * 2
LOSS = 0.02
"""Mean error that a format with loss may make on a smooth picture, as a share of its range."""


class FormatChecks(Checks):
    """Checks of formats that are only read; what needs a missing library is left out."""

    def _run(self, check: Callable[..., None], *args: Any) -> None:
        with contextlib.suppress(MissingExtraError):
            check(self, *args)

    def suffixes_and_types(self) -> None:
        """Suffixes, types and layouts are as `IOSpec` says; no other format has the suffixes."""
        spec = self.spec
        for suffix in spec.suffixes:
            good, owner = re.fullmatch(r"\.[a-z0-9_-]+", suffix), by_suffix("a" + suffix) or spec
            require(good, f"{suffix!r} is no suffix: use lower case, with the dot")
            require(owner.id == spec.id, f"{suffix} belongs to {owner.id} already")
        for told, dtype in ((name, np.dtype(name)) for name in spec.dtypes):
            real = dtype.kind in "uif" and dtype.name == told
            require(real, f"{told} is no type of real numbers, as NumPy names it")
        known = spec.layouts and set(spec.layouts) <= set(LAYOUTS)
        require(known, f"layouts are {', '.join(LAYOUTS)}, not {', '.join(spec.layouts)}")

    def unknown_data(self) -> None:
        """Data that are no picture are refused."""
        for data in (b"", b"this is no picture\n" * 20, bytes(1000)):
            refusal(f"{data[:18]!r}...", self.made.decode, data)


class WrittenChecks(FormatChecks):
    """Checks of formats that are written too, on a raster r of each layout."""

    def _rasters(self, size: tuple[int, int] = SIZES[0], dtype: str = "") -> list[Raster]:
        return [raster(name, dtype or self.spec.dtypes[0], size) for name in self.spec.layouts]

    def round_trip(self, dtype: str) -> None:
        """decode(encode(r)) has the layout and type of r, and its samples if there is no loss."""
        for told in (r for size in SIZES for r in self._rasters(size, dtype)):
            kept, what = told.samples.copy(), f"{told.layout} {told.samples.shape}"
            again = self.made.decode(self.made.encode(told))
            found = (again.samples.shape, again.layout, again.samples.dtype.name)
            same = not self.spec.lossless or np.array_equal(again.samples, kept)
            require(np.array_equal(told.samples, kept), "encode changes the samples it is given")
            require(found == (kept.shape, told.layout, dtype), f"{what} comes back as {found}")
            require(again.orientation not in range(2, 9), f"{what} comes back turned")
            require(same, f"{what} comes back with other samples")

    def profile(self) -> None:
        """A colour profile comes back as it was given, or not at all."""
        for told, icc in product(self._rasters(), (None, PROFILE)):
            again = self.made.decode(self.made.encode(replace(told, icc=icc)))
            require(again.icc in (None, icc), "a colour profile comes back that was not given")

    def rows(self) -> None:
        """What `streamed` writes is what `encode` does, and `opened` reads its rows."""
        for told in self._rasters((64, 48)):
            header = Header.of(told)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / ("a" + self.spec.suffixes[0])
                self.made.streamed(path, header, (told.samples[i : i + 24] for i in (0, 24, 48)))
                again = self.made.decode(path.read_bytes())
                exact = self.made.decode(self.made.encode(told))
                same = np.array_equal(again.samples, exact.samples)
                require(same and again.layout == told.layout, "rows are written differently")
                with self.made.opened(path) as found:
                    if found is not None:
                        part = found.read(10, 40)
                        require(np.array_equal(part, exact.samples[10:40]), "other rows are read")
                        shape = found.header.shape
                        require(shape == header.shape, f"the header says {shape}")

    def found_by_content(self) -> None:
        """What it writes begins as declared, and is taken for a file of this format."""
        for data in map(self.made.encode, self._rasters()):
            good = re.match(self.spec.magic, data, re.DOTALL)
            require(good, f"what it writes starts with {data[:12]!r}, not as declared")
            found = by_content(data, "a" + self.spec.suffixes[0])
            require(found.id == self.spec.id, f"what it writes is read as {found.id}")

    def damaged(self) -> None:
        """The first half of a file is refused."""
        for data in map(self.made.encode, self._rasters((64, 48))):
            refusal("the first half of a file", self.made.decode, data[: len(data) // 2])

    def files(self) -> None:
        """Through `ipx.files.images`: written, read, and refused in one line when cut off."""
        layouts = [LAYOUTS[name] for name in ("L", "RGB", "bands") if name in self.spec.layouts]
        dtypes = [name for name in self.spec.dtypes if np.dtype(name).itemsize <= 4]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / ("a" + self.spec.suffixes[0])
            for channels, dtype in product(layouts, dtypes):
                pixels = np.repeat(RAMP, channels, 0)
                write(path, pixels, dtype=dtype)
                picture = read(path)
                found = (picture.format, picture.shape, picture.dtype)
                same = found == (self.spec.name, pixels.shape, dtype)
                require(same, f"{dtype} {pixels.shape} comes back as {found}")
                error = float(np.abs(picture.pixels - pixels).mean())
                require(error <= LOSS, f"a smooth {dtype} picture changes by {error:.2g}")
            if path.exists():
                path.write_bytes(path.read_bytes()[:40])
                told = refusal("the first 40 bytes of a file", read, path)
                named = isinstance(told, InputError) and str(told).startswith(str(path))
                require(named and "\n" not in str(told), f"no line with the file's name: {told}")


RAMP: Array = (np.linspace(0, 1, 24)[None, :, None] + np.linspace(0, 1, 32)) / 2


def raster(layout: str, dtype: str, size: tuple[int, int]) -> Raster:
    """Random samples over the range of their type, both ends included; floats go beyond it."""
    shape, rng = (*size, LAYOUTS[layout]), np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        samples: Array = (1.5 * rng.random(shape) - 0.25).astype(dtype)
    else:
        ends = np.iinfo(dtype).min, np.iinfo(dtype).max
        samples = rng.integers(*ends, shape, dtype, endpoint=True)
        samples.flat[:2] = ends[: samples.size]
    return Raster(samples, LAYOUTS[layout] in (2, 4), layout.endswith("a"))


def refusal(what: str, function: Any, *args: Any) -> Exception:
    """What a function raises; an AssertionError where it takes damaged data for a picture."""
    try:
        function(*args)
    except Exception as refused:  # what a decoder raises becomes an InputError around it
        return refused
    raise AssertionError(f"it reads {what} as a picture")


def checks(spec: Any, options: Options) -> Named:
    """Of reading and, where the format writes, of each type of sample."""
    for name, check in (WrittenChecks if spec.dtypes else FormatChecks).of(spec, options):
        if name != "round-trip":
            yield name, check
        else:
            yield from ((f"{name}-{dtype}", partial(check, dtype)) for dtype in spec.dtypes)
