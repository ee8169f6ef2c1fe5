"""What the page asks for: a request with its files, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ipx import OptionError, SolveSettings, UsageError
from ipx.declare.options import AUTO, weight
from ipx.declare.registry import registry
from ipx.files.lookup import formats
from ipx.planning.request import Request
from ipx_plugins.web.forms import ROLES, given
from ipx_plugins.web.store import Store, Upload

OFFERED = tuple(name for name in SolveSettings.infos() if name != "memory")
"""Settings of the page; the check of memory stays on."""

Form = Mapping[str, list[str]]


@dataclass
class Asked:
    """A restoration that the page asks for.

    Attributes:
        parts: the table of each role, with the options that were given.
        settings: those that were given.
        lam: a number, or auto.
        picture: the data.
        truth: the clean image.
        suffix: of the output, with the dot.
        uploads: every file that it needs.
    """

    parts: dict[str, dict[str, Any]]
    settings: dict[str, Any]
    lam: float | str = AUTO
    picture: Upload | None = None
    truth: Upload | None = None
    suffix: str = ""
    uploads: list[Upload] = field(default_factory=list)

    def request(self) -> Request:
        """The request.

        Raises:
            UsageError: an option is wrong.
        """
        tables: Any = {role: dict(table) for role, table in self.parts.items()}
        return Request(**tables, lam=self.lam, settings=SolveSettings(**self.settings))

    def to_task(self) -> dict[str, Any]:
        """Plain values for another process."""
        assert self.picture is not None
        tables = {
            role: {k: str(v) if isinstance(v, Path) else v for k, v in table.items()}
            for role, table in self.parts.items()
        }
        return {
            "source": str(self.picture.path),
            "truth": None if self.truth is None else str(self.truth.path),
            "parts": tables,
            "settings": self.settings,
            "lam": self.lam,
        }

    @property
    def names(self) -> dict[str, str]:
        """Names to show, by the path of each upload."""
        return {str(upload.path): upload.name for upload in self.uploads}

    @property
    def output(self) -> str:
        """The name of the result, as the command line would choose it."""
        assert self.picture is not None
        name = Path(self.picture.name)
        return f"{name.stem}-restored{self.suffix or name.suffix}"


def from_task(task: Mapping[str, Any]) -> Request:
    """The request of `Asked.to_task`."""
    return Asked(task["parts"], task["settings"], task["lam"]).request()


def read_form(form: Form, store: Store) -> Asked:
    """What a form asks for.

    Raises:
        UsageError: a name or a value is wrong, or a file is gone.
    """
    used: list[Upload] = []

    def upload(key: str) -> Path:
        used.append(store.get(key))
        return used[-1].path

    def one(name: str) -> str:
        return form.get(name, [""])[-1].strip()

    def file(name: str) -> Upload | None:
        key = one(name).removeprefix("file:")
        if not key:
            return None
        upload(key)
        return used[-1]

    parts: dict[str, dict[str, Any]] = {}
    for role, kind in ROLES.items():
        name = one(role)
        if not name:
            continue
        parts[role] = {"name": name}
        if name == AUTO:
            continue
        infos = registry().get(kind, name).options.infos()
        try:
            parts[role] |= given(form, f"{role}.{name}", infos, upload)
        except OptionError as e:
            raise OptionError(f"{kind} {name}: {e}") from None
    infos = {name: SolveSettings.infos()[name] for name in OFFERED}
    settings = given(form, "settings", infos, upload, free=True)
    picture, truth = file("picture"), file("truth")
    return Asked(parts, settings, _weight(one("lam")), picture, truth, _suffix(one("suffix")), used)


def _weight(text: str) -> float | str:
    found = weight(text or AUTO)
    if found is None:
        raise UsageError(f"lam is auto or a number >= 0, not {text[:60]!r}")
    return found


def writable() -> list[str]:
    """The suffixes of the formats that can be written."""
    return [spec.suffixes[0] for spec in formats() if spec.dtypes]


def _suffix(text: str) -> str:
    if text and text not in writable():
        raise UsageError(f"the output is written as {', '.join(writable())}, not {text[:20]!r}")
    return text
