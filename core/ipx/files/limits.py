"""How large an image may be: against the data of its file, and at all. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from ipx.errors import InputError

MAX_PIXELS = 100_000_000
"""The largest number of pixels of an image that is read, unless `pixel_limit` changes it."""

UNLIMITED = 1 << 60

MOST, MOST_PER_BYTE = 1 << 26, 10_000  # deflate compresses up to 1032 times, bits to bytes 8 times

_limit: ContextVar[int | None] = ContextVar("ipx_max_pixels", default=None)


@contextmanager
def pixel_limit(most: int | None) -> Iterator[None]:
    """Within the body, images may have this number of pixels; None changes nothing."""
    token = _limit.set(_limit.get() if most is None else most)
    try:
        yield
    finally:
        _limit.reset(token)


@contextmanager
def unlimited() -> Iterator[None]:
    """Within the body only a limit that was asked for holds: images are read by parts."""
    asked = _limit.get()
    with pixel_limit(UNLIMITED if asked is None else asked):
        yield


def check_size(width: int, height: int, depth: int, size: int, ratio: float | None = None) -> None:
    """Check the size that a header claims before memory is allocated.

    Args:
        width: in pixels.
        height: in pixels.
        depth: bytes per pixel.
        size: bytes of the file.
        ratio: the largest number of bytes of pixels that a byte of the file can hold; by default
            that of deflate, for files that are not small.

    Raises:
        InputError: no pixels, more than a file of this size can hold, or more than the limit.
    """
    if not width or not height:
        raise InputError("has no pixels, its width or height is 0")
    most = MOST + MOST_PER_BYTE * size if ratio is None else ratio * size
    if width * height * depth > most:
        raise InputError(
            f"claims {width} x {height} pixels in {size} bytes, so it is damaged; get a whole copy"
        )
    check_pixels(width, height)


def check_array(shape: Sequence[int]) -> None:
    """Check the size of an array before it is unpacked; its two longest axes count as the image.

    Raises:
        InputError: they have more pixels than the limit.
    """
    longest = sorted((1, 1, *shape))[-2:]
    check_pixels(longest[1], longest[0])


def check_pixels(width: int, height: int) -> None:
    """Check a size against the limit.

    Raises:
        InputError: the image has more pixels.
    """
    asked = _limit.get()
    most = MAX_PIXELS if asked is None else asked
    if width * height > most:
        raise InputError(
            f"has {width} x {height} pixels, and the limit is {most}; "
            "--max-pixels raises it (in code, ipx.files.limits.pixel_limit)"
        )
