"""Errors of ipx, each with the exit status that the command line gives it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class IpxError(Exception):
    """Base of all errors a user can cause; the message is one line."""

    exit_code = 3


class UsageError(IpxError):
    """A request is wrong: unknown name, unknown option, impossible combination."""

    exit_code = 2


class OptionError(UsageError, ValueError):
    """An option is unknown, of the wrong type or out of its range."""


class UnknownNameError(UsageError, LookupError):
    """No component, or more than one, has this name."""


class PlanError(UsageError):
    """Operator, noise, prior and solver do not fit together."""


class InputError(IpxError, ValueError):
    """A file, an array or a configuration cannot be used."""


class ShapeError(InputError):
    """A tensor does not have the shape that an operator, a model or a problem requires."""


class PluginError(IpxError):
    """A plugin is missing, broken, or not what it declares."""

    exit_code = 4


class MissingExtraError(PluginError):
    """An optional dependency is not installed."""

    @classmethod
    def of(cls, what: str, *packages: str, extra: str = "") -> MissingExtraError:
        """The error of a part that cannot work without packages.

        Args:
            what: the part.
            *packages: those that are missing, as pip names them.
            extra: the extra of ipx-toolbox that has them; empty if none has.
        """
        also = f", or the extra {extra} of ipx-toolbox" if extra else ""
        return cls(f"{what} needs {', '.join(packages)}: pip install {' '.join(packages)}{also}")


class MemoryExhaustedError(IpxError):
    """The machine ran out of memory."""

    exit_code = 5


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``'; did you mean blur?'`` for the nearest known word, or the empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
