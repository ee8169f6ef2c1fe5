"""ipx: restore images. Given y = noise(A x), find x.

Importing this package is cheap: a public name is imported on first use. ``__init__.pyi`` lists the
public names with the modules that define them.
"""

import ast
import importlib
from pathlib import Path
from typing import Any

_WHERE = {
    alias.name: str(node.module)
    for node in ast.parse(Path(__file__).with_suffix(".pyi").read_text("utf-8")).body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}

__all__ = sorted(_WHERE)  # listed in the stub only


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'ipx' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_WHERE[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
