"""Floats in formats that hold integers only: the type they get, and what is cut off."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ipx.files.affine import top
from ipx.files.format import Array
from ipx.files.images import Picture, written_format
from ipx.files.lookup import others


def depth_of(path: Path, like: Picture, asked: str | None) -> str | None:
    """The sample type to ask for, so that the format of ``path`` holds the values of ``like``.

    Args:
        path: the output.
        like: the input.
        asked: the type that the user chose.

    Returns:
        ``asked``, if there is one. For floats in a format without floats its widest unsigned
        integers, else None: the type of the input.

    Raises:
        InputError: no format of this extension is written.
    """
    held = [np.dtype(name) for name in written_format(path).dtypes]
    if asked or np.dtype(like.dtype).kind != "f" or any(kind.kind == "f" for kind in held):
        return asked
    unsigned = sorted((kind for kind in held if kind.kind == "u"), key=lambda kind: kind.itemsize)
    return unsigned[-1].name if unsigned else None


@dataclass
class Cut:
    """What is cut off where float values are stored as integers, added up.

    Attributes:
        path: the output.
        like: the input.
        dtype: the type of the samples, from `depth_of`.
        count: values so far.
        outside: those that are cut, by more than rounding.
        most: the largest excess over [0, 1]; NaN has none.
    """

    path: Path
    like: Picture
    dtype: str | None
    count: int = 0
    outside: int = 0
    most: float = 0.0

    @property
    def applies(self) -> bool:
        """True if floats are stored as integers."""
        whole = self.dtype is not None and np.dtype(self.dtype).kind == "u"
        return whole and np.dtype(self.like.dtype).kind == "f"

    def add(self, pixels: Array) -> None:
        """Further values, in nominal [0, 1]."""
        if self.applies and self.dtype is not None:
            excess = np.maximum(-pixels, pixels - 1.0)
            self.count += pixels.size
            self.outside += int((excess > 0.5 / top(self.dtype)).sum())
            self.most = max(self.most, float(np.fmax.reduce(excess, axis=None, initial=0.0)))

    def lines(self) -> list[str]:
        """What was done, for the user; nothing where no floats became integers."""
        if not self.applies or self.dtype is None:
            return []
        scale, offset = self.like.scale, self.like.offset
        span = f"{offset:g} to {offset + scale:g}"
        said = [f"float values are stored as {self.dtype}: {span} as 0 to {top(self.dtype):g}"]
        if self.outside:
            share = f"{100 * self.outside / self.count:.3g} % of the values"
            said.append(
                f"{self.path}: {share} lie outside of {span}, by up to {self.most * scale:.2g}, "
                f"and were cut off; write {others(self.like.dtype)} to keep them"
            )
        return said


def cut_off(path: Path, like: Picture, dtype: str | None, pixels: Array) -> list[str]:
    """`Cut.lines` of a whole image, in nominal [0, 1]."""
    cut = Cut(path, like, dtype)
    cut.add(pixels)
    return cut.lines()
