"""The base of all capabilities, and questions about them. Nothing here imports torch."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeAlias, TypeGuard, TypeVar

from ipx.errors import PlanError

Returns: TypeAlias = Literal["like", "each", "data", "image"]
"""What a method returns for its first argument, of B images or data: a tensor of its shape, one
number for each ``(B,)``, or ``(B, *data_shape)`` and ``(B, *image_shape)`` of an operator."""


class Capability:
    """Base of all capabilities.

    ``of`` names what can have it: a kind of component (``operator``, ``noise``, ``prior``), the
    ``data`` term, which gets it from a bridge, or the whole ``problem``. A component implements
    all public methods of its capabilities. A capability without methods, such as `Quadratic`, is
    known from the declaration only. ``returns`` has what a method returns, where it is checked
    when it is called.
    """

    of: ClassVar[str] = ""
    returns: ClassVar[Mapping[str, Returns]] = {}

    def __init_subclass__(
        cls, of: str = "", returns: Mapping[str, Returns] | None = None, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.of, cls.returns = of or cls.of, returns or {}
        implemented.cache_clear()


C = TypeVar("C")


def has(component: object, capability: type[C]) -> TypeGuard[C]:
    """True if ``component`` has ``capability`` with its present options."""
    return capability in getattr(component, "capabilities", ())


def using(component: object, capability: type[C]) -> C:
    """``component``, typed as having ``capability``.

    Raises:
        PlanError: the component lacks it; the problem is not attached to a plan for the solver.
    """
    if has(component, capability):
        return component
    raise PlanError(f"{type(component).__name__} does not provide {capability.__name__}")


def methods(capability: type) -> tuple[str, ...]:
    """The names of the methods that a capability requires."""
    return tuple(n for n, v in vars(capability).items() if callable(v) and not n.startswith("_"))


def capabilities_of(kind: str) -> tuple[type[Capability], ...]:
    """The capabilities of one kind of component, including those of plugins imported so far."""
    found: list[type[Capability]] = []
    todo = [Capability]
    while todo:
        more = todo.pop(0).__subclasses__()
        found += [c for c in more if c.of == kind]
        todo += more
    return tuple(found)


@functools.cache
def implemented(cls: type, kind: str) -> frozenset[type]:
    """The capabilities of a kind for which a class has every method."""
    return frozenset(
        c
        for c in capabilities_of(kind)
        if methods(c) and all(callable(getattr(cls, m, None)) for m in methods(c))
    )
