"""Out of memory in one line; and freed memory kept for the next picture, where glibc gives it back.

Each step of a solver frees and asks again for arrays of the picture's size. glibc gives such
blocks back to the system, or not, as its dynamic thresholds happen to fall, and fetching them
again, page by page, can cost ten times the arithmetic (a soft threshold of 2.6 MB: 11 ms against
0.3 ms). With fixed thresholds at most `KEPT` bytes of free memory stay with the process.
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

KEPT = 512 << 20
_LARGEST = 32 << 20  # glibc takes no higher threshold for blocks of their own
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


@cache
def keep_freed() -> bool:
    """Set the thresholds, once in the process; ``IPX_KEEP_MEMORY=0`` leaves them alone.

    Returns:
        True if they were set; False elsewhere than on Linux with glibc.
    """
    if os.environ.get("IPX_KEEP_MEMORY") == "0" or not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    wanted = ((_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, KEPT), (_TOP_PAD, _LARGEST))
    done = [mallopt(name, value) == 1 for name, value in wanted]
    return all(done)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Out of memory, on any device, becomes one clear line.

    Raises:
        MemoryExhaustedError: the body ran out of memory.
    """
    told = "out of memory; restore a smaller picture, or fewer at a time"
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as e:
        raise MemoryExhaustedError(told) from e
    except RuntimeError as e:
        if "can't allocate memory" in str(e) or "not enough memory" in str(e):
            raise MemoryExhaustedError(told) from e
        raise
