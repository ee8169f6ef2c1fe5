"""Weights of other projects, recognised by their keys and kept in the user's folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ipx.declare.foreign import LayoutSpec
from ipx.declare.registry import registry
from ipx.declare.specs import ModelSpec
from ipx.errors import InputError, OptionError, UsageError
from ipx.files.atomic import folder_for
from ipx.files.cards import user_weights
from ipx.files.checkpoints import read_tensors
from ipx.files.record import sha256
from ipx.parts.layout import Imported, Layout
from ipx.parts.model import Model, check_state
from ipx.parts.weights import save_weights

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def import_weights(
    file: str | os.PathLike[str],
    *,
    name: str = "",
    source: str = "",
    licence: str = "",
    options: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> tuple[Path, list[str]]:
    """Write the weights of another project to the user's folder, with a card.

    Args:
        file: a file of PyTorch, safetensors or MATLAB 7.3, in a layout of ``ipx list layout``.
        name: what ``weights=...`` of a prior will be; by default that of the file.
        source: where the weights come from, for the card.
        licence: their licence, for the card.
        options: options of the model that the file does not tell, such as ``sigma_max``.
        replace: replace weights of this name.

    Returns:
        The safetensors file, and remarks on what was assumed.

    Raises:
        InputError: the file cannot be read, or is of no known layout.
        UsageError: the name is taken or no name, or the options are none of the model.
    """
    path = Path(file)
    name = name or path.stem
    target = user_weights(name)
    if not _NAME.fullmatch(name) or name in _shipped():
        raise UsageError(f"{name!r} cannot be the name of imported weights; choose another name")
    if target.exists() and not replace:
        raise UsageError(f"weights {name} are there already ({target}); --force replaces them")
    tensors = read_tensors(path)
    layout, found = recognised(tensors, path)
    spec = registry().get("model", found.model)
    assert isinstance(spec, ModelSpec)
    try:
        told = spec.options.from_mapping({**found.options, **_parsed(spec, options or {})})
    except OptionError as e:
        raise OptionError(f"model {spec.name}: {e}") from None
    made: Model[Any] = registry().create(spec, options=told)
    try:
        with torch.device("meta"):
            check_state(made.network(), found.tensors)
    except InputError as e:
        raise InputError(f"{path}: in the layout {layout.name}: {e}") from None
    card = {
        "model": spec.id,
        "options": told.to_mapping(),
        "source": source or None,
        "licence": licence or None,
        "imported": {"file": path.name, "sha256": sha256(path), "layout": layout.id},
        "parameters": sum(t.numel() for t in found.tensors.values()),
    }
    with folder_for(target):
        save_weights(target, found.tensors, card)
    given = {key.replace("-", "_") for key in options or {}}
    return target, [line for line in found.remarks if not any(key in line for key in given)]


def _parsed(spec: ModelSpec, values: Mapping[str, Any]) -> dict[str, Any]:
    """Options with text, as from the command line, in their types."""
    infos, out = spec.options.infos(), {}
    for key, value in values.items():
        name = key.replace("-", "_")
        out[name] = infos[name].parse(value) if name in infos and isinstance(value, str) else value
    return out


def recognised(tensors: Mapping[str, Tensor], file: Path) -> tuple[LayoutSpec, Imported]:
    """The layout of some tensors, and what it makes of them.

    Raises:
        InputError: no layout fits.
    """
    specs = [s for s in registry().all("layout") if isinstance(s, LayoutSpec)]
    for spec in sorted(specs, key=lambda s: -sum(map(len, s.keys))):
        for part in _under(tensors, spec.keys):
            layout: Layout[Any] = registry().create(spec)
            found = layout.read(part, file.stem)
            if found is not None:
                return spec, found
    shown = ", ".join(list(tensors)[:3])
    raise InputError(
        f"{file}: is of no known layout (its tensors: {shown}, ...); ipx list layout shows those "
        "that are known"
    )


def _under(tensors: Mapping[str, Tensor], keys: tuple[str, ...]) -> Iterator[dict[str, Tensor]]:
    """The tensors whose names begin with a prefix under which all keys exist, without it."""
    first, *rest = keys
    for name in tensors:
        if name == first or name.endswith(f".{first}"):
            prefix = name.removesuffix(first)
            if all(prefix + key in tensors for key in rest):
                yield {
                    n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)
                }


def _shipped() -> set[str]:
    """Names that mean weights that come with a model."""
    specs = registry().all("model")
    return {"auto", *(n for s in specs if isinstance(s, ModelSpec) for n in s.weights)}
