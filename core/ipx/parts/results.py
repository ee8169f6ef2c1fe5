"""Checks of what the methods of components return, each with a line that names the method."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any

from torch import Tensor

from ipx.declare.capabilities import capabilities_of
from ipx.declare.capability import Returns
from ipx.errors import IpxError, PluginError


def check_results(cls: type[Any], returns: Mapping[str, Returns]) -> None:
    """Let methods that a class of component defines check the shape of what they return.

    Args:
        cls: the class; only methods in its own body are changed.
        returns: what methods return besides those of the capabilities of its kind.
    """
    told = {n: r for c in capabilities_of(cls.kind) for n, r in c.returns.items()} | {**returns}
    for name, method in list(vars(cls).items()):
        if name in told and isinstance(method, FunctionType):
            setattr(cls, name, _checked(method, told[name]))


def _checked(method: Callable[..., Any], returns: Returns) -> Callable[..., Any]:
    """The method of a component, which raises a PluginError where it returns another shape."""
    name = method.__name__

    @functools.wraps(method)
    def checked(component: Any, *args: Any, **more: Any) -> Any:
        x = args[0] if args else _by_name(method, more)
        if not isinstance(x, Tensor):
            return method(component, *args, **more)
        try:
            made = method(component, *args, **more)
        except IpxError:
            raise
        except Exception as error:
            if not hasattr(error, "__notes__"):
                error.add_note(f"{name} of {component.origin} was given shape {tuple(x.shape)}")
            raise
        if isinstance(made, Tensor):
            if component.kind == "noise" and _repeats(x, [*args, *more.values()]):
                return made
            wanted = x.shape if returns == "like" else _shape(component, x, returns)
            if made.is_complex() and not x.is_complex():
                told = "complex values; the imaginary parts are channels that follow the real ones"
            elif wanted is None or made.shape == wanted:
                return made
            else:
                what = {"each": "one number per image", "like": "that of its argument"}
                told = f"shape {tuple(made.shape)}, not {tuple(wanted)}, "
                told += what.get(returns, f"images of its {returns}_shape")
        else:
            told = f"{type(made).__name__}, not a tensor"
        raise PluginError(f"{name} of {component.origin} gives {told}")

    return checked


def _by_name(method: Callable[..., Any], named: Mapping[str, Any]) -> Any:
    """The first argument after ``self``, given by its name; None if it is not."""
    _, *names = inspect.signature(method).parameters or [""]
    return named.get(names[0]) if names else None


def _repeats(x: Tensor, arguments: Iterable[Any]) -> bool:
    """True if one of the tensors has another batch size than ``x``: one is then repeated."""
    tensors = [a for a in arguments if isinstance(a, Tensor) and a.ndim == x.ndim]
    return any(a.shape[:1] != x.shape[:1] for a in tensors)


def _shape(component: Any, x: Tensor, returns: Returns) -> tuple[int, ...] | None:
    """The shape of what a method returns for ``x``, if it is not that of x; None if unknown."""
    if returns == "each":
        return (len(x),) if x.ndim else None
    if returns == "data" and not component.ready:  # a constructor may ask for its data_shape
        return None
    shapes = {name: getattr(component, f"{name}_shape", None) for name in ("image", "data")}
    given = shapes["data" if returns == "image" else "image"]
    wanted = shapes[returns]
    if wanted is None or given is None or tuple(x.shape[1:]) != tuple(given):
        return None
    return (len(x), *wanted)
