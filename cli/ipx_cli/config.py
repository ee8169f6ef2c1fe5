"""``--config FILE``: TOML, or the record of an earlier run."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipx.declare.kinds import ROLES
from ipx.declare.options import as_path, shortened
from ipx.errors import InputError, UsageError, did_you_mean
from ipx.files.atomic import one_line
from ipx.files.record import read_record, sha256 as file_hash
from ipx.planning.rules import SUM
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import tree


@dataclass(frozen=True)
class Config:
    """The content of a configuration file.

    Attributes:
        path: the file.
        components: the table of each role that the file names.
        values: the other keys.
        sha256: of the input of a record; None for TOML.
    """

    path: Path
    components: dict[str, dict[str, Any]]
    values: dict[str, Any]
    sha256: str | None = None

    @property
    def inputs(self) -> list[Path]:
        """The input images that the file names."""
        return [Path(p) for p in self.values.get("inputs", [])]


def read(
    path: Path, roles: Collection[str], settings: Collection[str], keys: Collection[str]
) -> Config:
    """Read and check a configuration.

    Args:
        path: the file, ``.json`` for a record, else TOML.
        roles: the roles of the command.
        settings: the names of its settings.
        keys: further keys; all others are unknown.

    Raises:
        InputError: it cannot be read, or has an unknown key, component or option.
    """
    sha256 = None
    if path.suffix.lower() == ".json":
        record = read_record(path)
        values = record.get("config")
        if not isinstance(values, dict):
            raise InputError(f"{path}: is not a record of ipx: it has no config")
        source = record.get("input")
        sha256 = source.get("sha256") if isinstance(source, Mapping) else None
        values = {k: v for k, v in values.items() if v is not None}
        values = _found_beside(path, record, values)
    else:
        try:
            values = tomllib.loads(path.read_bytes().decode())
        except OSError as e:
            raise InputError(f"{path}: cannot be read: {one_line(e)}") from e
        except (ValueError, RecursionError) as e:  # not TOML, not UTF-8, or nested too deeply
            raise InputError(f"{path}: is not TOML: {one_line(e)}") from e
    known = (*roles, *settings, *keys)
    for key in values:
        if key not in known:
            raise InputError(
                f"{path}: unknown key {key}{did_you_mean(key, known)} (known: {', '.join(known)})"
            )
    infos = SolveSettings.infos()
    components = {}
    for role in roles:
        if role in values:
            with _told_of(path):
                components[role] = _component(role, values.pop(role))
    for name in settings:
        if name in values:
            with _told_of(path):
                values[name] = infos[name].check(values[name])
    inputs = values.get("inputs", [])
    if isinstance(inputs, str):
        values["inputs"] = [inputs]
    elif not (isinstance(inputs, list) and all(isinstance(i, str) for i in inputs)):
        raise InputError(f"{path}: inputs must be a list of file names")
    for name in values.get("inputs", []):
        try:
            as_path(name)
        except ValueError as e:
            raise InputError(f"{path}: inputs: {shortened(name)}: {e}") from e
    return Config(path, components, values, sha256)


def _found_beside(path: Path, record: Mapping[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The values of a record whose files have moved with it: those with the same name and content.

    A file that is missing, and not beside the record with the content that it had, keeps its path.
    Outputs whose folder is missing are written beside the record.
    """
    known = dict(record.get("files") or {})
    source, given = record.get("input"), values.get("inputs")
    if isinstance(source, Mapping) and isinstance(given, list) and len(given) == 1:
        known[str(given[0])] = source.get("sha256")
    truth = record.get("truth")
    if isinstance(truth, Mapping) and values.get("truth"):
        known[str(values["truth"])] = truth.get("sha256")

    def moved(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: moved(each) for key, each in value.items()}
        if isinstance(value, list):
            return [moved(each) for each in value]
        if not isinstance(value, str) or value not in known or Path(value).exists():
            return value
        beside = _beside(path, value)
        same = beside.is_file() and file_hash(beside) == known[value]
        return str(beside) if same else value

    made = {key: moved(value) for key, value in values.items()}
    for name in ("output", "panel", "report", "std"):
        told = made.get(name)
        if isinstance(told, str) and not Path(told).parent.is_dir():
            made[name] = str(_beside(path, told))
    return made


def _beside(path: Path, told: str) -> Path:
    """The file of this name beside the record, also where the path is of another system."""
    return path.with_name(told.replace("\\", "/").rsplit("/", 1)[-1])


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Prefix errors with the name of the file."""
    try:
        yield
    except (UsageError, InputError) as e:
        raise InputError(f"{path}: {e}") from e
    except RecursionError as e:
        raise InputError(f"{path}: is nested too deeply") from e


def _component(role: str, value: Any) -> dict[str, Any]:
    """The checked table of a component."""
    several = role == "prior"
    if several and isinstance(value, list) and value:
        value = {"name": SUM, "parts": value} if len(value) > 1 else value[0]
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict):
        more = ", or a list of these" if several else ""
        raise InputError(f"{role} must be a name, or a table with a name and options{more}")
    described = tree(ROLES[role], value)
    if described.parts:
        _ = described.facts  # raises if the parts cannot be composed
    if several and described.parts:
        return described.to_mapping()
    return {k.replace("-", "_"): v for k, v in value.items()}
