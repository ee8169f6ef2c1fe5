"""deepinv where it is installed, also without torchvision.

deepinv imports torchvision at its start, for datasets, transforms and plots. Physics, models and
optimisation do without. Where torchvision is missing, modules without content stand in for it.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from typing import Any

import pytest

TOP = "torchvision"


class _Nothing:
    """A name of torchvision, which nobody calls."""

    def __init__(self, *args: Any, **values: Any) -> None:
        raise NotImplementedError("torchvision is not installed")


class _Empty(types.ModuleType):
    __path__: list[str] = []  # noqa: RUF012  # a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Nothing,), {"BILINEAR": 0, "NEAREST": 1})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname.split(".")[0] != TOP:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: Any) -> Any:
        return _Empty(spec.name)

    def exec_module(self, module: Any) -> None:
        """Nothing."""


def deepinv() -> Any:
    """The module; the test is skipped where it is missing."""
    if importlib.util.find_spec("deepinv") is None:
        pytest.skip("deepinv (the extra deepinv) is not installed")
    if importlib.util.find_spec(TOP) is None and not any(
        isinstance(f, _Finder) for f in sys.meta_path
    ):
        sys.meta_path.append(_Finder())
    import deepinv

    return deepinv
