"""How precisely a file stores the values of an image. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

Table: TypeAlias = tuple[tuple[float, ...], ...]

_TURNED = (5, 6, 7, 8)
_ROWS_REVERSED, _COLUMNS_REVERSED = (3, 4, 7, 8), (2, 3, 6, 7)


@dataclass(frozen=True)
class Storage:
    """The facts of a file that tell how precisely it stores. All empty: nothing is lost.

    A reader of a format makes it, and `ipx.Noise.estimated` uses what it knows of.

    Attributes:
        errors: standard deviation of the errors of storage, in the units of the values, in details
            of octave 1 (the finest), 2, ...; empty if they are negligible.
        steps: the steps to which the cosine transform of blocks is rounded, a table of rows for
            each plane (grey, or luma and two chromas of ITU-R BT.601), in the units of the values
            and for an orthonormal transform; empty if the file has none.
        thinned: for each plane of ``steps`` how many rows and columns of pixels share a value.
        reversed: the blocks begin at the last row, at the last column.
    """

    errors: tuple[float, ...] = ()
    steps: tuple[Table, ...] = ()
    thinned: tuple[tuple[int, int], ...] = ()
    reversed: tuple[bool, bool] = (False, False)

    def divided(self, by: float) -> Storage:
        """The storage of the values divided by ``by``."""
        return replace(
            self,
            errors=tuple(error / by for error in self.errors),
            steps=tuple(
                tuple(tuple(step / by for step in row) for row in table) for table in self.steps
            ),
        )

    def upright(self, orientation: int) -> Storage:
        """The storage of the image turned upright (EXIF 2.32, tag 0x0112; 1 is upright)."""
        turned = orientation in _TURNED
        steps = tuple(tuple(zip(*table, strict=True)) for table in self.steps)
        return replace(
            self,
            steps=steps if turned else self.steps,
            thinned=tuple((w, h) for h, w in self.thinned) if turned else self.thinned,
            reversed=(orientation in _ROWS_REVERSED, orientation in _COLUMNS_REVERSED),
        )
