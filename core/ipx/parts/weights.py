"""Trained weights: a safetensors file and a JSON card beside it. Pickle is never loaded."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from ipx.declare.options import Options
from ipx.declare.registry import registry
from ipx.errors import InputError, ShapeError, UsageError
from ipx.files.atomic import one_line, write_atomic
from ipx.files.cards import find_weights
from ipx.files.record import dumps, read_record, record_path, write_record
from ipx.parts.generative import Generative
from ipx.parts.model import Model

SMALL = 2**24
"""Bytes of a file whose network stays in memory when it is asked for again."""


@dataclass(frozen=True)
class Weights:
    """Loaded weights.

    Attributes:
        model: the model with the architecture options of the card.
        trained: its network with the weights, which nobody changes.
        card: model, options, data, licence, score, sha256, ...
    """

    model: Model[Any]
    trained: nn.Module
    card: dict[str, Any]

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The state of the network, on the CPU, in float32; not to be changed."""
        return dict(self.trained.state_dict())

    def network(self, like: Tensor | None = None) -> nn.Module:
        """A new network with these weights, in evaluation mode.

        With ``like`` it has the dtype and device of ``like`` and is channels last, which makes
        convolutions a quarter faster.
        """
        net = copy.deepcopy(self.trained)
        if like is None:
            return net
        net = net.to(device=like.device, dtype=like.dtype)
        made: nn.Module = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in its stubs
        return made


def save_weights(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Tensor],
    card: Mapping[str, Any],
    half: bool = False,
) -> None:
    """Write ``path`` (safetensors) and its card ``path.json``, which gets the sha256.

    Args:
        path: the weights file.
        tensors: the state of the network.
        card: at least ``model`` and ``options``.
        half: store floating-point tensors as float16.

    Raises:
        InputError: ``path`` cannot be written, or a tensor is not finite (after ``half``).
    """
    kept: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        if half and value.is_floating_point():
            value = value.half()
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise InputError(f"{path}: {name} is not finite; not saved")
        kept[name] = value.clone()
    data = safetensors.torch.save(kept)
    write_atomic(path, data)
    write_record(record_path(path), {**card, "sha256": hashlib.sha256(data).hexdigest()})


def load_weights(name: str | os.PathLike[str], model: str, channels: int | None = None) -> Weights:
    """Load weights that come with a plugin, or weights from a file.

    Args:
        name: a name of shipped or of imported weights, or a path. ``auto`` means ``color`` for 3
            channels if it is shipped, else ``grey`` (applied channel by channel); where neither is
            shipped, the first that is.
        model: the name of the model.
        channels: of the image; None if any will do.

    Raises:
        MissingExtraError: no such weights come with this model; says how to train some.
        UsageError: the name is neither shipped, nor imported, nor a file.
        InputError: a file is missing, damaged (sha256), of another model, or does not fit.
        ShapeError: the weights are for 3 channels and the image has another number.
    """
    path = find_weights(name, model, channels)
    card = read_record(record_path(path))
    try:
        seen = path.stat()
    except OSError as e:
        raise InputError(f"{path}: cannot be read: {one_line(e)}") from e
    stamp = seen.st_ino, seen.st_size, seen.st_mtime_ns
    load = _load if seen.st_size <= SMALL else _load.__wrapped__
    loaded = load(path, path.resolve(), stamp, registry().get("model", model).id, dumps(card))
    if channels not in (None, 3) and loaded.model.colors == 3:
        raise ShapeError(f"these weights are for 3 channels; the image has {channels}")
    return loaded


@lru_cache(maxsize=4)
def _load(path: Path, place: Path, stamp: tuple[int, ...], model: str, card: str) -> Weights:
    """The weights in a file; ``place`` and ``stamp`` tell one content of it from another."""
    told = json.loads(card)
    try:
        data = place.read_bytes()
    except OSError as e:
        raise InputError(f"{path}: cannot be read: {one_line(e)}") from e
    if hashlib.sha256(data).hexdigest() != told.get("sha256"):
        raise InputError(f"{path}: is damaged: its sha256 is not that of its card")
    if told.get("model") != model:
        raise InputError(f"{path}: holds weights of {told.get('model')}, not of {model}")
    spec = registry().get("model", model)
    try:
        tensors = safetensors.torch.load(data)
        options: Options = spec.options.from_mapping(told.get("options") or {})
    except (UsageError, safetensors.SafetensorError) as e:
        raise InputError(f"{path}: cannot be used: {one_line(e)}") from e
    made: Model[Any] = registry().create(spec, options=options)
    try:
        return Weights(made, made.trained(tensors), told)
    except InputError as e:
        raise InputError(f"{path}: {e}") from None


def load_generative(
    name: str | os.PathLike[str], model: str, channels: int | None = None
) -> tuple[Generative[Any], Weights]:
    """As `load_weights`, for a model that generates images; returns it and its weights.

    Raises:
        UsageError: the model generates no images; says which do.
        IpxError: those of `load_weights`.
    """
    if not _generates(registry().get("model", model)):
        known = ", ".join(spec.name for spec in registry().all("model") if _generates(spec))
        raise UsageError(f"model {model} generates no pictures; take {known}")
    loaded = load_weights(name, model, channels)
    assert isinstance(loaded.model, Generative)
    return loaded.model, loaded


def _generates(spec: Any) -> bool:
    return issubclass(spec.load(), Generative)
