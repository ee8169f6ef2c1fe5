"""The interface of file formats: bytes to a raster, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ipx.declare.options import NoOptions, Options
from ipx.errors import InputError

Array: TypeAlias = npt.NDArray[Any]

MOST, MOST_PER_BYTE = 1 << 26, 10_000  # deflate reaches 1032, times 8 for single bits


@dataclass(frozen=True, eq=False)
class Raster:
    """The samples of one picture as a file stores them: not scaled, not turned.

    Attributes:
        samples: ``(H, W, S)``: one sample a pixel for grey or three for RGB and, last, alpha if
            there is one. Real numbers of at most 64 bits; booleans are black and white.
        alpha: the last sample is alpha.
        premultiplied: the colours are stored multiplied by alpha.
        icc: the colour profile.
        orientation: EXIF orientation, 1 to 8; all other values mean upright, as 1 does.
    """

    samples: Array
    alpha: bool = False
    premultiplied: bool = False
    icc: bytes | None = None
    orientation: int = 1

    @property
    def layout(self) -> str:
        """As in `IOSpec.layouts`: ``L``, ``RGB``, ``LA``, ``RGBA``, ``La`` or ``RGBa``."""
        return layout_of(self.samples.shape[2] - self.alpha, self.alpha, self.premultiplied)

    @property
    def packed(self) -> Array:
        """The samples as most encoders take them: contiguous, ``(H, W)`` where S is 1."""
        flat = self.samples[..., 0] if self.samples.shape[2] == 1 else self.samples
        return np.ascontiguousarray(flat)


class Format:
    """Base class of file formats; a subclass declares itself with an `IOSpec`.

    A format turns bytes to samples and samples to bytes. Everything else is done around it:
    files are read and written whole, samples are scaled to [0, 1] and back, pictures are turned
    upright, and what the declaration does not list is refused before `encode` is called.

    Errors: `decode` raises `InputError` with the reason and what would work, such as ``"is an
    animation; save one frame of it"``; the caller puts the name of the file before it. Any other
    exception means that the file is damaged. Nothing is printed or logged.

    A format keeps no state between calls.

    Attributes:
        options: the options.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options if options is not None else NoOptions()

    def decode(self, data: bytes) -> Raster:
        """The one picture in a file.

        Args:
            data: the whole file.

        Raises:
            InputError: the file is damaged, or is of a variant that cannot be used.
        """
        raise NotImplementedError

    def encode(self, raster: Raster) -> bytes:
        """A whole file; `decode` of it gives ``raster`` again, without loss where so declared.

        A format that has no place for the colour profile leaves it out. One that is only read
        does not implement this.

        Args:
            raster: of a dtype and a layout that the declaration lists, native byte order,
                upright.

        Raises:
            InputError: the picture is too large for the format.
        """
        raise NotImplementedError

    def numbers(self, data: bytes) -> Array:
        """The array in a file that is no picture (a PSF, a mask), as stored, of any shape.

        Args:
            data: the whole file.

        Raises:
            InputError: as for `decode`.
        """
        return self.decode(data).packed


def layout_of(colours: int, alpha: bool, premultiplied: bool = False) -> str:
    """The layout of so many colours, see `IOSpec.layouts`."""
    return ("L" if colours == 1 else "RGB") + ("a" if alpha and premultiplied else "A" * alpha)


def check_size(width: int, height: int, depth: int, size: int) -> None:
    """Check the size that a header claims before memory is taken for it.

    Args:
        width: in pixels.
        height: in pixels.
        depth: bytes a pixel.
        size: bytes of the whole file.

    Raises:
        InputError: no pixels, or more than so many bytes can hold.
    """
    if not width or not height:
        raise InputError("has no pixels, its width or height is 0")
    if width * height * depth > MOST + MOST_PER_BYTE * size:
        raise InputError(
            f"claims {width} x {height} pixels in {size} bytes, so it is damaged; get a whole copy"
        )


def wrong_channels(count: int) -> str:
    """Why so many samples a pixel are no picture."""
    return f"{count} channels; an image has 1 (grey) or 3 (RGB), and alpha or not"
