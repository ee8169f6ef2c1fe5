"""How much memory is free: of the machine, of the control groups of the process, of a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

UNLIMITED = 1 << 60
"""Limits of version 1 from here on stand for none."""

_share: ContextVar[int | None] = ContextVar("ipx_share", default=None)


@contextmanager
def sharing(most: int | None) -> Iterator[None]:
    """Within the body `free_memory` of the CPU is at most this: others take the rest.

    Args:
        most: bytes; None for all that is free.
    """
    before = _share.set(most)
    try:
        yield
    finally:
        _share.reset(before)


def shared() -> bool:
    """True within `sharing`."""
    return _share.get() is not None


def free_memory(device: torch.device | None = None, root: Path = Path("/")) -> int | None:
    """Bytes that the process may still take; None where the system does not tell.

    On the CPU the smallest of what the machine has available and of what each control group of the
    process, version 1 or 2, leaves, and the share of `sharing`. On a CUDA device what it has free,
    and what torch holds unused.

    Args:
        device: the CPU by default; other devices than CUDA share the memory of the machine.
        root: of the file system with ``proc`` and ``sys``.
    """
    if device is not None and device.type == "cuda":
        import torch

        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    found, share = [*_available(root), *_left(root)], _share.get()
    if share is not None:
        # what this process has freed, and keeps for its next image, is part of its share
        return min([share, *(n + resident(root) for n in found)])
    return max(0, min(found)) if found else None


def resident(root: Path = Path("/")) -> int:
    """Bytes of memory that the process holds now; 0 where the system does not tell."""
    return next((n for n in _lines(root / "proc/self/status", "VmRSS:")), 0)


def _available(root: Path) -> Iterator[int]:
    yield from _lines(root / "proc/meminfo", "MemAvailable:")


def _lines(path: Path, key: str) -> Iterator[int]:
    """The value in bytes of a line ``key  123 kB``."""
    for line in _text(path).splitlines():
        if line.startswith(key):
            yield int(line.split()[1]) << 10


def _left(root: Path) -> Iterator[int]:
    """Limit minus use of each control group of the process and of the groups around it."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            mount, names = root / "sys/fs/cgroup", ("memory.max", "memory.current")
            cache = "inactive_file"
        elif "memory" in controllers.split(","):
            mount = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            cache = "total_inactive_file"
        else:
            continue
        inner = PurePosixPath(path.lstrip("/"))
        # in a container the path may be that of the host, and only the root is mounted
        for group in (inner, *inner.parents):
            limit, use = (_number(mount / group / name) for name in names)
            if limit is not None and use is not None and limit < UNLIMITED:
                yield limit - use + _reclaimed(mount / group / "memory.stat", cache)


def _reclaimed(path: Path, key: str) -> int:
    """Cached files, which count as use and are dropped when memory is needed."""
    for line in _text(path).splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
