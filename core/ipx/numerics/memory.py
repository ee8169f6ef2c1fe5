"""Out-of-memory errors in one line, and malloc settings that keep freed memory.

Each step of a solver frees and allocates arrays of the size of the image. glibc returns such
blocks to the system depending on its dynamic thresholds, or maps those above 32 MB one by one, and
new pages can cost ten times the arithmetic (a soft threshold of 2.6 MB: 11 ms against 0.3 ms; the
difference of two images of 36 MB: 36 ms against 7). So nothing is mapped, and the process keeps
free memory. At the end of the heap glibc gives back what exceeds `KEPT` bytes; what lies between
arrays that are held, `trim` does: for volumes it would double the memory. Doing so in each step
costs new pages again (a third of the time for 12 million colours in tiles of 37 MB), so it is for
arrays above `TRIMMED`, and for ends of work such as tiles.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

from ipx.errors import MemoryExhaustedError
from ipx.numerics.free import resident

KEPT = 1 << 30
LEFT = 384 << 20  # what the process may hold beyond arrays in use: libraries, and freed memory
LARGE = 16 << 20  # arrays of more bytes are worked on in parts
TRIMMED = 64 << 20  # between arrays of up to so many bytes steps keep what is freed
GROWTH = 32 << 20  # by which the heap grows at least
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


@cache
def keep_freed() -> bool:
    """Make the settings once per process, unless ``IPX_KEEP_MEMORY=0``.

    Returns:
        True if they were made, which needs Linux with glibc.
    """
    if os.environ.get("IPX_KEEP_MEMORY") == "0" or not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    wanted = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, KEPT), (_TOP_PAD, GROWTH))
    done = [mallopt(name, value) == 1 for name, value in wanted]
    return all(done)


class _Heap(ctypes.Structure):
    """``struct mallinfo2`` of glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
            "fordblks", "keepcost",
        )
    ]  # fmt: skip


def trim(bytes_of_array: int = TRIMMED + 1, left: int | None = None) -> bool:
    """Give freed memory back where the process holds so much more than its arrays.

    Args:
        bytes_of_array: of the arrays that are worked on; up to `TRIMMED` nothing is done.
        left: bytes beyond the arrays that may stay; `LEFT` for None.

    Returns:
        True if it was given back; False without glibc 2.33 or if freed memory is not kept.
    """
    if bytes_of_array <= TRIMMED:
        return False
    if not keep_freed():
        return False
    libc = ctypes.CDLL(None)
    try:
        told = libc.mallinfo2
    except AttributeError:
        return False
    told.restype = _Heap
    most = told().uordblks + (LEFT if left is None else left)
    return bool(resident() > most and libc.malloc_trim(0))


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn out-of-memory errors of any device into `MemoryExhaustedError`."""
    told = "out of memory; restore in tiles (--tile auto), a smaller image, or fewer at a time"
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as e:
        raise MemoryExhaustedError(told) from e
    except RuntimeError as e:
        if "can't allocate memory" in str(e) or "not enough memory" in str(e):
            raise MemoryExhaustedError(told) from e
        raise
