"""Cards of trained weights: where they lie, and what they say. Imports nothing heavy."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import get_args

from ipx.declare.registry import registry
from ipx.declare.specs import ModelSpec
from ipx.declare.traits import Subject, Traits
from ipx.errors import InputError, IpxError, MissingExtraError, UsageError, did_you_mean
from ipx.files.record import read_record, record_path

SUFFIX = ".safetensors"


def trained_traits(name: str | os.PathLike[str], model: str) -> Traits:
    """The traits of a model with the options of trained weights, from their card.

    Those with its defaults where there is no such card; `load_weights` says why.
    """
    try:
        spec = registry().get("model", model)
    except IpxError:
        return Traits()
    try:
        card = read_record(record_path(find_weights(name, model)))
        return spec.traits_for(spec.options.from_mapping(card.get("options") or {}))
    except IpxError:
        return spec.traits_for()


def trained_for(name: str | os.PathLike[str], model: str) -> Subject | None:
    """The kind of image that trained weights describe by their card; None where it does not say."""
    try:
        told = read_record(record_path(find_weights(name, model))).get("suits")
    except IpxError:
        return None
    return told if told in get_args(Subject) else None


def find_weights(name: str | os.PathLike[str], model: str, channels: int | None = None) -> Path:
    """The file that `load_weights` would load; nothing is read.

    Raises:
        MissingExtraError: no such weights come with this model; says how to train some.
        UsageError: the name is neither shipped, nor imported, nor a file.
        InputError: the file has no card.
    """
    spec = registry().get("model", model)
    assert isinstance(spec, ModelSpec)
    path = _find(spec, str(name), channels)
    if not record_path(path).is_file():
        raise InputError(f"{path}: is not a weights file: no card {record_path(path).name}")
    return path


def _find(spec: ModelSpec, name: str, channels: int | None) -> Path:
    """The file of shipped weights, or the path."""
    if name == "auto" and spec.weights and not {"color", "grey"} & set(spec.weights):
        name = spec.weights[0]
    if name == "auto":
        name = "color" if channels == 3 and "color" in spec.weights else "grey"
        if name not in spec.weights:
            raise MissingExtraError(
                f"no {name} weights come with {spec.name}; train some (ipx train {spec.name} "
                f"--data FOLDER -o FILE.safetensors) and give the file as the option weights"
            )
    if name in spec.weights:
        package = importlib.util.find_spec(spec.target.partition(":")[0])
        assert package is not None
        assert package.origin is not None
        return Path(package.origin).parent / "weights" / f"{spec.name}-{name}.safetensors"
    path, own = Path(name), user_weights(name)
    if not path.is_file() and path.name == name and os.path.isfile(own):
        return own
    if not path.is_file():
        known = ("auto", *spec.weights)
        yours = [p.name.removesuffix(SUFFIX) for p in imported_weights()]
        raise UsageError(
            f"weights {name} of {spec.name} are neither shipped nor a file nor imported"
            + did_you_mean(name, (*known, *yours))
            + f" (shipped: {', '.join(spec.weights) or 'none'}; imported for any model: "
            + f"{', '.join(yours) or 'none'})"
        )
    return path


def user_folder() -> Path:
    """The folder of imported weights: ``IPX_WEIGHTS_DIR``, else one among the user's data."""
    told = os.environ.get("IPX_WEIGHTS_DIR")
    if told:
        return Path(told)
    home = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "ipx" / "weights"


def user_weights(name: str) -> Path:
    """The file of imported weights of this name, which need not exist."""
    return user_folder() / f"{Path(name).name}{SUFFIX}"


def imported_weights() -> list[Path]:
    """The files of all imported weights, sorted."""
    try:
        return sorted(p for p in user_folder().glob(f"*{SUFFIX}") if p.is_file())
    except OSError:
        return []


def shipped_weights() -> list[tuple[str, str, Path]]:
    """Model, name and file of all weights that come with plugins."""
    return [
        (spec.name, name, _find(spec, name, None))
        for spec in registry().all("model")
        if isinstance(spec, ModelSpec)
        for name in spec.weights
    ]
