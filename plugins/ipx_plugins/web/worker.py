"""A process that does one task: ``python -P -m ipx_plugins.web.worker FOLDER``.

It imports what is heavy, waits for a line of JSON on stdin, and answers with lines of JSON on
stdout. It ends with the server: stdin is then closed, and the folder of the server is removed,
which a server that was killed has not done.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from ipx import IpxError
from ipx.declare.registry import registry


def main(folder: str) -> None:
    """Do the task."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)  # what plugins print is no answer
        from ipx_plugins.web import tasks

        line = sys.stdin.readline()
        if not line:
            abandon(folder)
        threading.Thread(target=_watch, args=(folder,), daemon=True).start()

        def tell(kind: str, value: Any) -> None:
            out.write(json.dumps([kind, value]) + "\n")
            out.flush()

        task = json.loads(line)
        try:
            tell("done", tasks.TASKS[task["do"]](task, tell))
        except BaseException as e:  # a plugin may raise anything
            tell("failed", told(e))


def _watch(folder: str) -> None:
    """End when the server has ended."""
    sys.stdin.read()
    abandon(folder)


def abandon(folder: str) -> None:
    """Remove the folder of a server that is gone, and end."""
    shutil.rmtree(Path(folder), ignore_errors=True)
    os._exit(1)


def told(e: BaseException) -> str:
    """An error in a line."""
    if isinstance(e, IpxError):
        return str(e)
    if isinstance(e, MemoryError):
        return "out of memory; restore a smaller image"
    what = " ".join(f"{type(e).__name__}: {e}".split())
    plugin = registry().culprit(e)
    if plugin is not None and not plugin.builtin:
        return f"plugin {plugin.name} ({plugin.distribution} {plugin.version}) failed: {what}"
    return f"unexpected {what} (a bug: please report it)"


if __name__ == "__main__":
    main(sys.argv[1])
