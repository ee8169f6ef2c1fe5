"""States of solvers in safetensors files, with their structure in the header. No pickle."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ipx.errors import InputError
from ipx.files.atomic import one_line, write_atomic
from ipx.solving.solver import State

_KEY = "ipx-state"
_NUMBERS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
# the exceptions of a file whose structure is not that of `_plain`
_JUNK = (
    OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError,
    safetensors.SafetensorError,
)  # fmt: skip


def save_state(path: str | os.PathLike[str], state: State) -> None:
    """Write a state, whole or not at all.

    Raises:
        TypeError: it holds other values than tensors, numbers, text, None, and frozen
            dataclasses, tuples or lists of these; the message names the value.
        InputError: the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    structure = json.dumps(_plain(state, type(state).__name__, tensors))
    write_atomic(path, safetensors.torch.save(tensors, {_KEY: structure}))


def load_state(path: str | os.PathLike[str], device: str | torch.device = "cpu") -> State:
    """Read a state written by `save_state`, for ``ipx.iterate(..., state=...)``.

    Its classes must be imported: make the solver and the prior that it belongs to first.

    Raises:
        InputError: the file cannot be read, or holds no state of an imported solver.
    """
    try:
        with safetensors.safe_open(path, "pt", device=str(device)) as file:
            structure = json.loads((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        state = _made(structure, tensors)
    except _JUNK as e:
        raise InputError(f"{path}: holds no state of a solver: {one_line(e)}") from e
    if not (isinstance(state, State) and isinstance(state.x, Tensor)):
        raise InputError(f"{path}: holds no state of a solver")
    return state


def _plain(value: Any, where: str, tensors: dict[str, Tensor]) -> Any:
    """A JSON value; tensors go into ``tensors`` under their path ``where``."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, Tensor):
        tensors[where] = value.detach().contiguous().clone()
        return {"tensor": where}
    if isinstance(value, tuple | list):
        return {"tuple": [_plain(v, f"{where}.{i}", tensors) for i, v in enumerate(value)]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {
            "class": f"{type(value).__module__}:{type(value).__qualname__}",
            "fields": {
                f.name: _plain(getattr(value, f.name), f"{where}.{f.name}", tensors) for f in fields
            },
        }
    raise TypeError(f"{where} is a {type(value).__name__}, which no state can hold")


def _made(plain: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `_plain`; makes only dataclasses of imported modules."""
    if not isinstance(plain, dict):
        return plain
    if "float" in plain:
        return _NUMBERS[plain["float"]]
    if "tensor" in plain:
        return tensors[plain["tensor"]]
    if "tuple" in plain:
        return tuple(_made(v, tensors) for v in plain["tuple"])
    module, _, name = plain["class"].partition(":")
    cls = getattr(sys.modules.get(module), name, None)
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise ValueError(f"{plain['class']} is not loaded")
    return cls(**{k: _made(v, tensors) for k, v in plain["fields"].items()})
