"""Tensors out of files of other projects: PyTorch, safetensors, MATLAB 7.3. No class is loaded."""

from __future__ import annotations

import argparse
import os
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ipx.errors import InputError, MissingExtraError
from ipx.files.atomic import one_line

HARMLESS = (argparse.Namespace,)
"""Classes that a file may hold: a namespace of settings only stores its values."""

_DEEPEST = 32
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors in a file, in float32 on the CPU, by name.

    Names of nested tables and lists are joined by dots: ``state_dict.conv1.weight``. Arrays of
    MATLAB have the axes that MATLAB shows.

    Raises:
        InputError: the file is missing, damaged, of another kind, or holds a pickled class.
        MissingExtraError: a MATLAB file, and h5py is not installed.
    """
    file = Path(path)
    try:
        with file.open("rb") as opened:
            head = opened.read(520)
    except OSError as e:
        raise InputError(f"{file}: cannot be read: {one_line(e)}") from e
    if b"\x89HDF" in (head[:4], head[512:516]):
        found: Any = _hdf5(file)
    elif head[:2] == b"PK" or head[:1] == b"\x80":
        found = _torch(file, head)
    elif head[8:9] == b"{":
        found = _safetensors(file)
    else:
        raise InputError(
            f"{file}: is no file of weights: ipx reads those of PyTorch (.pth, .pt, .ckpt), "
            "safetensors and MATLAB 7.3"
        )
    tensors = {name: _plain(file, name, value) for name, value in _flat(found, "", file)}
    if not tensors:
        raise InputError(f"{file}: holds no tensors")
    return tensors


def _flat(value: Any, name: str, file: Path, depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """All floating-point tensors in nested tables and lists."""
    if depth > _DEEPEST:
        raise InputError(f"{file}: is nested too deeply to be a file of weights")
    if isinstance(value, Tensor):
        if value.dtype in _FLOATS and value.layout == torch.strided:
            yield name, value
    elif isinstance(value, Mapping | list | tuple):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in items:
            yield from _flat(item, f"{name}.{key}" if name else str(key), file, depth + 1)


def _plain(file: Path, name: str, value: Tensor) -> Tensor:
    """The tensor in float32; one that repeats a short storage without end is refused."""
    if value.numel() > value.untyped_storage().nbytes() // value.element_size():
        raise InputError(f"{file}: is damaged: {name} is larger than its data")
    return value.detach().float().contiguous()


def _torch(file: Path, head: bytes) -> Any:
    if head[:2] == b"PK" and not zipfile.is_zipfile(file):
        raise InputError(f"{file}: is truncated or damaged; fetch it again")
    try:
        with torch.serialization.safe_globals([*HARMLESS]):
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as e:
        named = re.search(r"(?:GLOBAL |class )([\w.]+)", str(e))
        if named is None:
            raise InputError(f"{file}: is damaged, or no file of weights: {_short(e)}") from e
        raise InputError(
            f"{file}: holds a pickled class ({named[1]}), which could run any code and is never "
            "loaded; where the file was made, save only the tensors: torch.save(net.state_dict())"
        ) from e
    except Exception as e:  # torch raises many kinds
        raise InputError(f"{file}: is truncated or damaged: {_short(e)}") from e


def _short(error: Exception) -> str:
    """The first sentence of an error."""
    return re.split(r"[.:;] ", one_line(error))[0][:120]


def _safetensors(file: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(file.read_bytes())
    except safetensors.SafetensorError as e:
        raise InputError(f"{file}: is truncated or damaged: {_short(e)}") from e


def _hdf5(file: Path) -> Any:
    try:
        import h5py
    except ImportError as e:
        what = f"{file}: is a MATLAB 7.3 (HDF5) file, which"
        raise MissingExtraError.of(what, "h5py", extra="hdf5") from e
    try:
        with h5py.File(file, "r") as opened:
            return {k: _node(opened, v) for k, v in opened.items() if not k.startswith("#")}
    except (OSError, KeyError, RuntimeError, ValueError) as e:
        raise InputError(f"{file}: is truncated or damaged: {_short(e)}") from e


def _node(file: Any, node: Any, depth: int = 0) -> Any:
    """A struct as a table, a cell array as a list, numbers as a tensor; None for the rest."""
    import h5py
    import numpy as np

    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(node, h5py.Group):
        return {k: _node(file, v, depth + 1) for k, v in node.items()}
    if h5py.check_ref_dtype(node.dtype) is not None:
        return [_node(file, file[ref], depth + 1) for ref in np.ravel(node[()]) if ref]
    if node.dtype.kind == "f" and not node.attrs.get("MATLAB_empty"):
        values = np.asarray(node[()])
        matlab = "MATLAB_class" in node.attrs  # column-major: HDF5 has the axes reversed
        return torch.from_numpy(np.array(values.T if matlab else values, order="C"))
    return None
