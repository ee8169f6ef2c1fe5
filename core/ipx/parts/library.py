"""Other libraries: their objects as components of ipx, and ours as theirs."""

from __future__ import annotations

import importlib
from typing import Any

from ipx.declare.capabilities import Shape
from ipx.declare.foreign import LibrarySpec
from ipx.declare.registry import registry
from ipx.errors import InputError, MissingExtraError
from ipx.parts.component import Component, O
from ipx.planning.tree import library_of


class Library(Component[O]):
    """Base of the adapters to another library, which is imported on first use."""

    kind = "library"

    def adapt(self, thing: Any, image_shape: Shape | None) -> Component[Any]:
        """An object of the library as a component of ipx.

        Args:
            thing: the object.
            image_shape: ``(C, H, W)`` of images, for operators that do not tell it.

        Raises:
            InputError: it is nothing that ipx has, or ``image_shape`` is missing.
        """
        raise InputError(f"{type(self).__name__} adapts nothing")

    def export(self, thing: Any, **how: Any) -> Any:
        """A component of ipx, or a table of arguments of `ipx.solve`, as an object of the library.

        Raises:
            InputError: the library has nothing like it.
        """
        raise InputError(f"{type(self).__name__} exports nothing")


def adapt(thing: Any, image_shape: Shape | None = None) -> Any:
    """An object of another library as an operator or a prior.

    Args:
        thing: such as a physics or a denoiser of deepinv, or an operator of PyLops; a component
            is returned as it is.
        image_shape: ``(C, H, W)`` of images, for operators that do not tell it.

    Raises:
        InputError: no library that ipx knows has such objects.
    """
    if isinstance(thing, Component):
        return thing
    spec = library_of(thing)
    if spec is None:
        known = ", ".join(s.name for s in registry().all("library"))
        raise InputError(f"{type(thing).__name__} is of no library that is known ({known})")
    library: Library[Any] = registry().create(spec)
    return library.adapt(thing, image_shape)


def export(thing: Any, to: str, **how: Any) -> Any:
    """A component, or a whole restoration, as an object of another library.

    Args:
        thing: an operator or a prior; or a table of arguments of `ipx.solve`.
        to: name of the library, ``ipx list library``.
        **how: what the library may be told.

    Raises:
        UnknownNameError: there is no such library.
        MissingExtraError: it is not installed.
        InputError: it has nothing like that.
    """
    spec = registry().get("library", to)
    assert isinstance(spec, LibrarySpec)
    for module in spec.modules:
        try:
            importlib.import_module(module)
        except ImportError as e:
            raise _missing(spec, module, e) from e
    library: Library[Any] = registry().create(spec)
    return library.export(thing, **how)


def _missing(spec: LibrarySpec, module: str, error: ImportError) -> MissingExtraError:
    """The error of a library that cannot be imported."""
    if error.name not in (None, module):
        return MissingExtraError(
            f"{module} cannot be imported, since {error.name} is missing; install that"
        )
    return MissingExtraError.of(f"the library {spec.name}", module, extra=spec.extra)
