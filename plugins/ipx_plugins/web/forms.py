"""Fields of the page from the declarations of options, and values back from its forms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipx import KINDS, OperatorSpec, OptionError, Options
from ipx.declare.options import AUTO, OptionInfo
from ipx.declare.registry import registry

FILE = "file:"
"""Before the id of an upload, as the value of an option that takes a file."""

ROLES = {kind.role: kind.name for kind in KINDS.values() if kind.role}
"""Role in a request to kind of component."""


@dataclass(frozen=True)
class Field:
    """An option as the page shows it.

    Attributes:
        name: of the entry in the form.
        label: the name of the option in words.
        kind: ``check``, ``choice``, ``number``, ``file`` or ``text``.
        help: one sentence.
        usual: the value that holds if none is given; empty if there is none.
        remark: unit and range.
        choices: the values of a choice besides the usual one.
        least: the smallest number, as HTML has it.
        most: the largest.
        step: ``1`` for whole numbers, else ``any``.
        on: a check is set.
        auto: the word auto is a value.
        required: a value must be given.
    """

    name: str
    label: str
    kind: str
    help: str
    usual: str = ""
    remark: str = ""
    choices: tuple[str, ...] = ()
    least: str = ""
    most: str = ""
    step: str = "any"
    on: bool = False
    auto: bool = False
    required: bool = False


def component_fields(role: str, name: str) -> list[Field]:
    """The fields of a component; none for ``auto``."""
    if name == AUTO and KINDS[ROLES[role]].auto:
        return []
    spec = registry().get(ROLES[role], name)
    usual = spec.measured if isinstance(spec, OperatorSpec) else {}
    return fields(f"{role}.{name}", spec.options, usual)


def fields(
    prefix: str, options: type[Options], usual: Mapping[str, Any] | None = None
) -> list[Field]:
    """The fields of a class of options.

    Args:
        prefix: of the names of the entries.
        options: the class.
        usual: defaults that differ from the declared ones.
    """
    infos = options.infos().values()
    usual = usual or {}
    return [_field(prefix, i, usual.get(i.name, i.default)) for i in infos if _has_field(i)]


def _has_field(info: OptionInfo) -> bool:
    """False for lists of files."""
    return info.kind is not Path or info.length is None


def _field(prefix: str, info: OptionInfo, default: Any) -> Field:
    remarks = [info.unit, "" if info.choices else info.range_text]
    low = info.min if info.min is not None else info.above
    whole = info.kind is int
    return Field(
        name=f"{prefix}.{info.name}",
        label=info.name.replace("_", " "),
        kind=_kind(info),
        help=info.help,
        usual="" if info.required else _shown(default),
        remark=", ".join(r for r in remarks if r),
        choices=(*(("auto",) if info.auto else ()), *info.choices),
        least="" if low is None else f"{low:g}",
        most="" if info.max is None else f"{info.max:g}",
        step="1" if whole else "any",
        on=default is True,
        auto=info.auto,
        required=info.required,
    )


def _kind(info: OptionInfo) -> str:
    if info.length is not None:
        return "text"
    if info.kind is Path:
        return "file"
    if info.kind is bool and not info.optional:
        return "check"
    if info.choices:
        return "choice"
    return "number" if info.kind in (int, float) and not info.auto else "text"


def _shown(default: Any) -> str:
    if default is None or default == ():
        return ""
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def given(
    form: Mapping[str, Iterable[str]],
    prefix: str,
    infos: Mapping[str, OptionInfo],
    upload: Callable[[str], Path],
    free: bool = False,
) -> dict[str, Any]:
    """The values that a form states: what is empty or the usual value is left out.

    Args:
        form: the values of each entry.
        prefix: of the names of the entries.
        infos: the options.
        upload: the file of an upload by its id.
        free: no text among these options is ever a path.

    Raises:
        OptionError: a value is wrong, or a text that might be a path.
    """
    found: dict[str, Any] = {}
    for name, info in infos.items():
        text = next(reversed([*form.get(f"{prefix}.{name}", ())]), "")  # a check after its "no"
        if not text.strip():
            continue
        if info.kind is Path:
            value: Any = _file(info, text, upload)
        elif info.kind is str and not (info.choices or free) and _like_path(text):
            raise OptionError(f"option {name} cannot be a path on this page: {text[:60]!r}")
        else:
            value = info.parse(text)
        if not (_is_check(info) and value == info.default):
            found[name] = value
    return found


def _is_check(info: OptionInfo) -> bool:
    return _kind(info) == "check"


def _file(info: OptionInfo, text: str, upload: Callable[[str], Path]) -> Any:
    """The path of an upload, or auto: a path of the client is never one."""
    if info.auto and text == AUTO:
        return AUTO
    if not text.startswith(FILE):
        raise OptionError(f"option {info.name} takes a file: choose one")
    return upload(text.removeprefix(FILE))


def _like_path(text: str) -> bool:
    """True for a text that leads out of the current folder, which is the server's own."""
    return any(c in text for c in "/\\\0") or text.startswith((".", "~")) or text[1:2] == ":"
