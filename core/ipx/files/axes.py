"""The axes of stacks and volumes in files, by the letters of microscopes.

T are pictures (or volumes) that are restored one by one, Z is the depth of a volume, Y rows, X
columns, C channels, S samples of a colour, which count as channels.
"""

from __future__ import annotations

import numpy as np

from ipx.errors import InputError, OptionError
from ipx.files.format import Array, Raster

LETTERS = "TZCYXS"
SYNONYMS = str.maketrans("BDHW", "TZYX")
"""The letters of `ipx.files.arrays.AXES`."""

HELP = "say --axes TYX (pictures, one by one), ZYX (a volume) or CYX (channels)"


def checked(axes: str, name: str = "axes") -> str:
    """Axes as told by a user, in the letters of files.

    Raises:
        OptionError: other letters, one of them twice, or no Y and X.
    """
    told = axes.upper().translate(SYNONYMS)
    if not set("YX") <= set(told) <= set(LETTERS) or len(set(told)) != len(told):
        raise OptionError(
            f"{name} are Y, X and perhaps T, Z and C, in their order, such as ZYX; not {axes!r}"
        )
    return told


def is_known(axes: str) -> bool:
    """True if a file tells the meaning of all its axes."""
    return set("YX") <= set(axes) <= set(LETTERS) and len(set(axes)) == len(axes)


def raster_of(array: Array, axes: str, **more: object) -> Raster:
    """The samples of a file, ``([T,] [Z,] Y, X, S)``.

    Args:
        array: as stored; axes of length 1 that ``axes`` does not name are dropped.
        axes: the meaning of each axis.
        **more: the other attributes of the raster.

    Raises:
        InputError: the array has more or fewer axes.
    """
    if array.ndim > len(axes):
        array = array.reshape([n for n in array.shape if n > 1] or [1])
    if array.ndim != len(axes):
        raise InputError(
            f"has shape {array.shape}, and axes {axes} name {len(axes)}; give a letter for each"
        )
    if "C" in axes and "S" in axes:  # colours of channels: all are channels
        array = np.moveaxis(array, axes.index("C"), -1)
        axes = axes.replace("C", "") + "C"
        s = axes.index("S")
        array = np.moveaxis(array, s, -1)
        array = array.reshape(*array.shape[:-2], -1)
        axes = axes.replace("S", "").replace("C", "") + "C"
    order = axes
    channel = next((a for a in "CS" if a in axes), "")
    lead = "".join(a for a in "TZ" if a in axes)
    samples = array.transpose([axes.index(a) for a in f"{lead}YX{channel}"])
    samples = samples if channel else samples[..., None]
    return Raster(samples, axes=lead, order=order, **more)  # type: ignore[arg-type]


def usual(array: Array, axes: str = "") -> Raster:
    """The samples of a file: of axes that are known, else one picture ``(H, W)`` or ``(H, W, 3)``.

    Raises:
        InputError: it is none, and nobody tells what its axes mean.
    """
    if axes:
        return raster_of(array, axes)
    if array.ndim == 2:
        return Raster(array[..., None])
    if array.ndim == 3 and array.shape[2] in (1, 3):
        return Raster(array)
    raise InputError(f"has shape {array.shape}; {HELP}")


def as_stored(raster: Raster, order: str = "") -> tuple[Array, str]:
    """The samples in the order of a file, and their axes; a single channel without a letter goes.

    Args:
        raster: its ``order`` is used by default; else the axes that it has, as TZCYX.
        order: another order.
    """
    own = f"{raster.axes}YXC"
    samples = raster.samples
    if samples.shape[-1] == 1 and not set("CS") & set(order or raster.order):
        own, samples = own[:-1], samples[..., 0]
    wanted = (order or raster.order).replace("S", "C")
    if set(wanted) != set(own):
        wanted = "".join(a for a in "TZCYX" if a in own)
    out = samples.transpose([own.index(a) for a in wanted])
    return np.ascontiguousarray(out), wanted
