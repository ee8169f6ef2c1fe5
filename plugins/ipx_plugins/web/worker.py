"""A process for tasks, one after the other: ``python -P -m ipx_plugins.web.worker FOLDER``.

It imports what is heavy, waits for lines of JSON on stdin, and answers with lines of JSON on
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
from queue import SimpleQueue
from typing import Any

from ipx import IpxError
from ipx.declare.registry import registry


def main(folder: str) -> None:
    """Do the tasks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what plugins print is no answer
    lines: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_read, args=(lines, folder), daemon=True).start()
    from ipx_plugins.web import tasks

    def tell(kind: str, value: Any) -> None:
        out.write(json.dumps([kind, value]) + "\n")
        out.flush()

    while True:
        task = json.loads(lines.get())
        try:
            tell("done", tasks.TASKS[task["do"]](task, tell))
        except IpxError as e:
            tell("refused", str(e))
        except BaseException as e:  # a plugin may raise anything
            tell("failed", told(e))


def _read(lines: SimpleQueue[str], folder: str) -> None:
    """Take the tasks; end when the server has ended, in the midst of one too."""
    for line in sys.stdin:
        lines.put(line)
    shutil.rmtree(Path(folder), ignore_errors=True)
    os._exit(1)


def told(e: BaseException) -> str:
    """An error that is nobody's intention, in a line."""
    if isinstance(e, MemoryError):
        return "out of memory; restore a smaller image"
    what = " ".join(f"{type(e).__name__}: {e}".split())
    plugin = registry().culprit(e)
    if plugin is not None and not plugin.builtin:
        return f"plugin {plugin.name} ({plugin.distribution} {plugin.version}) failed: {what}"
    return f"unexpected {what} (a bug: please report it)"


if __name__ == "__main__":
    main(sys.argv[1])
