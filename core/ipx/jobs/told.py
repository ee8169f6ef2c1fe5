"""What is told of an error: a line and an exit status. Imports nothing heavy."""

from __future__ import annotations

import errno
import os
import traceback

from ipx.declare.registry import registry
from ipx.errors import InputError, IpxError, PluginError
from ipx.files.atomic import one_line

FAILED = 1
"""The exit status of a bug, and of a batch of which a part failed."""

LASTING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of the system that the next file meets as well: the disk is full, or read only."""


def told(error: BaseException) -> tuple[str, int]:
    """The message and the exit status of an error; prints its traceback if IPX_DEBUG is set."""
    if os.environ.get("IPX_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, IpxError):
        return str(error), error.exit_code
    if isinstance(error, MemoryError):
        return "out of memory; restore in tiles (--tile auto), or fewer at a time", 5
    if isinstance(error, OSError) and error.filename is not None:  # the state of the system
        return f"{error.filename}: {one_line(error)}", InputError.exit_code
    notes = [str(error), *getattr(error, "__notes__", ())]
    what = f"{type(error).__name__}: {'; '.join(notes)}".rstrip(": ")
    plugin = registry().culprit(error)
    if plugin is not None and not plugin.builtin:
        whose = f"{plugin.name} ({plugin.distribution} {plugin.version})"
        line = f"plugin {whose} failed: {what} (IPX_DEBUG=1 adds the traceback)"
        return line, PluginError.exit_code
    return f"unexpected {what} (a bug: please report it, with what IPX_DEBUG=1 adds)", FAILED


def lasting(error: BaseException) -> bool:
    """True if the error would come again with every file that is written."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and cause.errno in LASTING
