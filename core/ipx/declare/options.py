"""Options of components: declared once, used by Python, the command line, TOML and the docs.

A component declares a subclass of `Options`, which becomes a frozen, keyword-only dataclass.
`opt` gives a field its default, help, range and unit::

    class TVOptions(Options):
        isotropic: bool = opt(default=True, help="Couple the two directions of the gradient.")

This module imports nothing heavy, so that a plugin's declaring module stays light.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import os
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from ipx.errors import OptionError, did_you_mean

_O = TypeVar("_O", bound="Options")
AUTO = "auto"
"""The value of an option that is found from the data."""
_SCALARS: tuple[type, ...] = (bool, int, float, str, Path)


def weight(value: Any) -> float | str | None:
    """lam as it is typed: ``"auto"``, or a finite number >= 0; None if it is neither."""
    if value == AUTO:
        return AUTO
    try:
        number = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < math.inf else None


def opt(
    *,
    default: Any = dataclasses.MISSING,
    help: str,  # the name used by click and argparse
    min: float | None = None,
    max: float | None = None,
    above: float | None = None,
    unit: str = "",
    weights: bool = False,
) -> Any:
    """Declare one option.

    Args:
        default: value when none is given; an option without default is required.
        help: one sentence, shown by ``--help``, ``ipx info`` and the reference.
        min: smallest allowed value (inclusive).
        max: largest allowed value (inclusive).
        above: value that must be exceeded (exclusive lower bound).
        unit: ``"pixels"``, ``"degrees"``, ...; shown, never converted.
        weights: its value names trained weights, shipped or imported, or is a file of them.
    """
    told = {"help": help, "min": min, "max": max, "above": above, "unit": unit, "weights": weights}
    return dataclasses.field(default=default, metadata=told)


@dataclasses.dataclass(frozen=True)
class OptionInfo:
    """One declared option, as a click option or a line of documentation needs it."""

    name: str
    kind: type  # bool, int, float, str or Path: the type of one element
    default: Any  # dataclasses.MISSING if required
    help: str
    min: float | None = None
    max: float | None = None
    above: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    optional: bool = False  # None is allowed
    length: int | None = None  # of a tuple; 0 for any length; None for other types
    auto: bool = False  # the word auto is allowed: found from the data
    weights: bool = False  # names trained weights, or a file of them

    @property
    def required(self) -> bool:
        """True when the option has no default."""
        return self.default is dataclasses.MISSING

    @property
    def range_text(self) -> str:
        """The allowed range in words, for help texts and error lines."""
        if self.choices:
            several = "one of " if len(self.choices) > 2 else ""
            return several + (", " if several else " or ").join(self.choices)
        parts = []
        if self.above is not None:
            parts.append(f"> {self.above:g}")
        if self.min is not None:
            parts.append(f">= {self.min:g}")
        if self.max is not None:
            parts.append(f"<= {self.max:g}")
        return " and ".join(parts)

    def check(self, value: Any) -> Any:
        """Return ``value`` as the option's type, or raise `OptionError`."""
        if value is None:
            if self.optional:
                return None
            raise OptionError(f"option {self.name} needs a value")
        if self.auto and isinstance(value, str) and value == AUTO:
            return AUTO
        if self.length is None:
            return self._check_one(value)
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            value = (value,)
        items = tuple(self._check_one(v) for v in value)
        if self.length and len(items) != self.length:
            raise OptionError(f"option {self.name} takes {self.length} values, not {len(items)}")
        return items

    def parse(self, text: str) -> Any:
        """Read a value from text (command line, environment)."""
        if self.optional and text.strip().lower() in ("none", ""):
            return None
        if self.length is not None:
            return self.check([t.strip() for t in text.split(",") if t.strip()])
        return self.check(text)

    def _check_one(self, value: Any) -> Any:
        kind = self.kind
        try:
            if kind is bool:
                typed: Any = _as_bool(value)
            elif kind is int:
                if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
                    raise ValueError
                typed = int(value)
            elif kind is float:
                if isinstance(value, bool):
                    raise ValueError
                typed = float(value)
            elif kind is Path:
                typed = as_path(value)
            else:
                if not isinstance(value, str):
                    raise ValueError
                typed = value
        except (TypeError, ValueError, OverflowError):
            raise OptionError(
                f"option {self.name} must be {_KIND_WORDS[kind]}, not {shortened(value)}"
            ) from None
        if self.choices and str(typed) not in self.choices:
            raise OptionError(
                f"option {self.name} must be {self.range_text}, not {shortened(typed)}"
                + did_you_mean(str(typed), self.choices)
            )
        if isinstance(typed, (int, float)) and not isinstance(typed, bool):
            bad = (
                not -math.inf < typed < math.inf  # nor NaN
                or (kind is int and abs(typed) >= 1 << 63)  # what random generators take
                or (self.min is not None and typed < self.min)
                or (self.max is not None and typed > self.max)
                or (self.above is not None and typed <= self.above)
            )
            if bad:
                wanted = self.range_text or "a number"
                if abs(typed) == math.inf:
                    wanted = "finite"
                elif kind is int and abs(typed) >= 1 << 63:
                    wanted = "below 2^63 in size"
                raise OptionError(f"option {self.name} must be {wanted}, not {shortened(typed)}")
        return typed


def shortened(value: Any) -> str:
    """A value as shown in an error line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def as_path(value: Any) -> Path:
    """A path that the system can have.

    Raises:
        ValueError: it cannot be encoded, has a null character or a name of more than 255 bytes.
        TypeError: it is neither text nor a path.
    """
    path = Path(value)
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError("a path has no null character")
    if any(len(name) > LONGEST_NAME for name in encoded.split(os.fsencode(os.sep))):
        raise ValueError(f"a name in a path has at most {LONGEST_NAME} bytes")
    return path


LONGEST_NAME = 255
"""Bytes of the name of a file, on all usual file systems."""

_KIND_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
}


def _as_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        low = value.strip().lower()
        if low in ("true", "yes", "on", "1"):
            return True
        if low in ("false", "no", "off", "0"):
            return False
    raise ValueError


@typing.dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(opt,))
class Options:
    """Base of all option classes; subclasses become frozen keyword-only dataclasses.

    Values are checked and converted when an instance is made, so an `Options` object is
    always valid. Raises `OptionError` on a wrong type, a value out of range, or an
    unknown name.

    A subclass may change defaults of its base; help, range and unit stay::

        class SmallOptions(TVOptions, defaults={"isotropic": False}):
            ...
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __init_subclass__(cls, defaults: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, value in (defaults or {}).items():
            _change_default(cls, name, value)
        dataclasses.dataclass(frozen=True, kw_only=True, repr=True)(cls)
        made: Callable[..., None] = cls.__init__

        def checked(self: Options, **values: Any) -> None:
            infos = cls.infos()
            for name in values:
                if name not in infos:
                    raise OptionError(
                        f"unknown option {name}{did_you_mean(name, infos)}"
                        + (f" (known: {', '.join(infos)})" if infos else " (it has no options)")
                    )
            missing = [n for n, i in infos.items() if i.required and n not in values]
            if missing:
                raise OptionError(f"option {missing[0]} is required")
            made(self, **{n: infos[n].check(v) for n, v in values.items()})

        cls.__init__ = checked  # type: ignore[assignment]  # the point of this class

    @classmethod
    def infos(cls) -> dict[str, OptionInfo]:
        """The options of this class by name, in order of declaration."""
        cached = cls.__dict__.get("_infos")
        if cached is None:
            hints = typing.get_type_hints(cls)
            cached = {
                f.name: _info(f, hints[f.name])
                for f in getattr(cls, "__dataclass_fields__", {}).values()
            }
            cls._infos = cached  # type: ignore[attr-defined]
        return typing.cast("dict[str, OptionInfo]", cached)

    @classmethod
    def from_mapping(cls: type[_O], values: Mapping[str, Any]) -> _O:
        """Make options from a mapping (TOML, JSON); dashes in names may replace underscores."""
        return cls(**{str(k).replace("-", "_"): v for k, v in values.items()})

    def to_mapping(self) -> dict[str, Any]:
        """The options as plain JSON values; `from_mapping` gives the same options back."""
        out: dict[str, Any] = {}
        for name in type(self).infos():
            value = getattr(self, name)
            out[name] = (
                str(value)
                if isinstance(value, Path)
                else list(value)
                if isinstance(value, tuple)
                else value
            )
        return out


def _change_default(cls: type[Options], name: str, value: Any) -> None:
    """Declare an option of a base anew, before ``cls`` becomes a dataclass."""
    for base in cls.__mro__[1:]:
        field = vars(base).get("__dataclass_fields__", {}).get(name)
        if field is not None:
            setattr(cls, name, dataclasses.field(default=value, metadata=field.metadata))
            kind = typing.get_type_hints(base)[name]
            cls.__annotations__ = {**inspect.get_annotations(cls), name: kind}
            return
    raise TypeError(f"{cls.__name__}: its bases have no option {name}")


class NoOptions(Options):
    """A component without options."""


class OneSizeOptions(Options):
    """A network for square images of one size."""

    colors: Literal[1, 3] = opt(default=1, help="Channels: grey or colour.")
    size: int = opt(
        default=32, min=8, max=512, help="Side of the pictures, a power of two.", unit="pixels"
    )


def _info(field: dataclasses.Field[Any], hint: Any) -> OptionInfo:
    """Read one dataclass field; raises `OptionError` if its type is not supported."""
    optional = auto = False
    if get_origin(hint) in (Union, types.UnionType):
        optional, auto = type(None) in get_args(hint), Literal["auto"] in get_args(hint)
        rest = [a for a in get_args(hint) if a not in (type(None), Literal["auto"])]
        if len(rest) != 1:
            raise OptionError(f"option {field.name}: a union of types is not supported")
        hint = rest[0]
    length: int | None = None
    if get_origin(hint) is tuple:
        args = get_args(hint)
        length = 0 if args[-1] is Ellipsis else len(args)
        hint = args[0]
    choices: tuple[str, ...] = ()
    if get_origin(hint) is Literal:
        kinds = {type(a) for a in get_args(hint)}
        choices, hint = tuple(str(a) for a in get_args(hint)), kinds.pop()
        if kinds or hint not in (str, int):
            raise OptionError(f"option {field.name}: choices are all text or all whole numbers")
    if hint not in _SCALARS:
        raise OptionError(
            f"option {field.name} has the unsupported type {hint!r}; use bool, int, float, str, "
            "Path, Literal[...], tuple[...] of these, or one of these | None or | Literal['auto']"
        )
    meta = field.metadata
    if "help" not in meta:
        raise OptionError(f"option {field.name} is not declared with opt(help=...)")
    default = field.default
    return OptionInfo(
        field.name,
        hint,
        default,
        meta["help"],
        meta["min"],
        meta["max"],
        meta["above"],
        meta["unit"],
        choices,
        optional,
        length,
        auto,
        meta["weights"],
    )
