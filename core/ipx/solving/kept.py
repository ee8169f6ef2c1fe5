"""Components that are kept from one restoration of a batch to the next: weights are loaded once."""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

from ipx.planning.tree import Tree

T = TypeVar("T")

MOST = {"operator": 2}
"""How many components of a kind are kept; operators hold arrays of the size of images."""

USUAL = 6

_token: ContextVar[str] = ContextVar("ipx_kept", default="")
_kept: dict[str, dict[str, OrderedDict[str, object]]] = {}


@contextmanager
def keeping(token: str) -> Iterator[None]:
    """Within the body, components are kept for the next body with the same token.

    Components keep no state between calls, so a kept one gives the same bits as a new one. What
    another token has kept is dropped.

    Args:
        token: of the batch; empty keeps nothing.
    """
    if token not in _kept:
        _kept.clear()
        _kept[token] = {}
    before = _token.set(token)
    try:
        yield
    finally:
        _token.reset(before)


def kept(described: Tree, make: Callable[[], T], *more: object) -> T:
    """The component of a description: a kept one, or ``make()``.

    Args:
        described: no instance.
        make: makes it.
        more: what it depends on besides, such as the shape of images.
    """
    token = _token.get()
    if not token:
        return make()
    stamps = [_stamp(path) for path in described.files()]
    key = json.dumps([described.to_mapping(), more, stamps], default=str)
    shelf = _kept[token].setdefault(described.kind, OrderedDict())
    if key not in shelf:
        shelf[key] = make()
        while len(shelf) > MOST.get(described.kind, USUAL):
            shelf.popitem(last=False)
    shelf.move_to_end(key)
    return shelf[key]  # type: ignore[return-value]  # the key tells what it is


def _stamp(path: Path) -> tuple[int, int] | None:
    """Tells a file from one that has replaced it."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
