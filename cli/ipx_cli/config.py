"""``--config FILE``: TOML, or the record of an earlier run."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipx.errors import InputError, UsageError, did_you_mean
from ipx.files.record import one_line, read_record
from ipx.planning.request import ALGEBRA, ROLES, checked, named, operator_capabilities

PATHS = ("inputs", "output", "truth", "panel")
SCALARS = ("lam", "iterations", "tol", "start", "restarts", "keep", "exact", "seed", "device")


@dataclass(frozen=True)
class Config:
    """What a file says.

    Attributes:
        path: the file.
        components: the table of each role that the file names.
        values: the other keys.
        sha256: of the input that a record is of; None for TOML.
    """

    path: Path
    components: dict[str, dict[str, Any]]
    values: dict[str, Any]
    sha256: str | None = None

    @property
    def inputs(self) -> list[Path]:
        """The pictures that the file names."""
        return [Path(p) for p in self.values.get("inputs", [])]


def read(path: Path, roles: Collection[str]) -> Config:
    """Read and check a configuration.

    Args:
        path: the file, ``.json`` for a record, else TOML.
        roles: the roles that the command has; others are unknown keys.

    Raises:
        InputError: it cannot be read, or has an unknown key, component or option.
    """
    sha256 = None
    if path.suffix.lower() == ".json":
        record = read_record(path)
        values = record.get("config")
        if not isinstance(values, dict):
            raise InputError(f"{path}: is no record of ipx: it has no config")
        source = record.get("input")
        sha256 = source.get("sha256") if isinstance(source, Mapping) else None
        values = {k: v for k, v in values.items() if v is not None}
    else:
        try:
            values = tomllib.loads(path.read_bytes().decode())
        except OSError as e:
            raise InputError(f"{path}: cannot be read: {one_line(e)}") from e
        except ValueError as e:  # not TOML, or not UTF-8
            raise InputError(f"{path}: is not TOML: {one_line(e)}") from e
    scalars = SCALARS if "prior" in roles else ("seed", "device")
    paths = PATHS if "prior" in roles else ("inputs", "output")
    known = (*roles, *scalars, *paths)
    for key in values:
        if key not in known:
            raise InputError(
                f"{path}: unknown key {key}{did_you_mean(key, known)} (known: {', '.join(known)})"
            )
    components = {}
    for role in roles:
        if role in values:
            try:
                components[role] = _component(role, values.pop(role))
            except (UsageError, InputError) as e:
                raise InputError(f"{path}: {e}") from e
    inputs = values.get("inputs", [])
    if isinstance(inputs, str):
        values["inputs"] = [inputs]
    elif not (isinstance(inputs, list) and all(isinstance(i, str) for i in inputs)):
        raise InputError(f"{path}: inputs is a list of file names")
    return Config(path, components, values, sha256)


def _component(role: str, value: Any) -> dict[str, Any]:
    """A checked table of one component."""
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict):
        raise InputError(f"{role} is a name, or a table with a name and options")
    name, values = named(value)
    if role == "op" and name in ALGEBRA:
        operator_capabilities(value)
    elif not (role == "solver" and name == "auto" and not values):
        checked(ROLES[role], value)
    return {"name": name, **{k.replace("-", "_"): v for k, v in values.items()}}
