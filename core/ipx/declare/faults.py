"""What is wrong with the class of a component, found before it is made. Imports nothing heavy."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from types import FunctionType
from typing import Any

from ipx.declare.capability import methods
from ipx.declare.kinds import KINDS
from ipx.errors import did_you_mean


@functools.cache
def fault(cls: type[Any], kind: str, promised: frozenset[type]) -> str:
    """What keeps a class from being a component of a kind; empty if nothing is found.

    Args:
        cls: the class.
        kind: of the component.
        promised: the capabilities that the declaration lists.
    """
    base = KINDS[kind].base_class()
    name = getattr(cls, "__name__", repr(cls))
    if not isinstance(cls, type):
        return f"{name} is no class but a {type(cls).__name__}; give a subclass of {base.__name__}"
    if not issubclass(cls, base):
        return f"{name} is no subclass of {base.__name__}"
    for capability in sorted(promised, key=lambda c: c.__name__):
        for method in methods(capability):
            if not callable(getattr(cls, method, None)):
                near = did_you_mean(method, _own(cls))
                return (
                    f"{capability.__name__} is declared, but {name} does not implement it: it has "
                    f"no method {method}{near}"
                )
    if missing := sorted(getattr(cls, "__abstractmethods__", ())):
        near = did_you_mean(missing[0], _own(cls)) if len(missing) == 1 else ""
        return f"{name} has no method {' and '.join(missing)}{near}"
    wanted = [(c, m) for c in promised for m in methods(c)]
    wanted += [(base, n) for n, m in vars(base).items() if isinstance(m, FunctionType)]
    for owner, method in sorted(wanted, key=lambda pair: pair[1]):
        if not method.startswith("_") and (found := _misfit(cls, owner, method)):
            return found
    return ""


def fault_of_init(cls: type[Any], kind: str, arguments: int) -> str:
    """What keeps a class from being made with so many arguments; empty if nothing is found."""
    own = inspect.signature(cls.__init__)
    if _takes(own, 1 + arguments):
        return ""
    usual = [*inspect.signature(KINDS[kind].base_class().__init__).parameters][: 1 + arguments]
    return f"__init__ of {cls.__name__} takes {_listed(own)}, not ({', '.join(usual)})"


def _own(cls: type[Any]) -> Iterable[str]:
    return [n for n, v in vars(cls).items() if callable(v) and not n.startswith("_")]


def _misfit(cls: type[Any], owner: type[Any], method: str) -> str:
    """Where a method takes other arguments than that of ``owner``, in words."""
    made = inspect.getattr_static(cls, method)
    if not isinstance(made, FunctionType):
        return ""
    usual, own = (inspect.signature(getattr(each, method)) for each in (owner, cls))
    several = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    if _takes(own, sum(each.kind in several for each in usual.parameters.values())):
        return ""
    return f"{method} of {cls.__name__} takes {_listed(own)}, not {_listed(usual)}"


def _takes(signature: inspect.Signature, count: int) -> bool:
    """True if a function can be called with so many arguments."""
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _listed(signature: inspect.Signature) -> str:
    return f"({', '.join(signature.parameters)})"
