"""The base class of all components: options, capabilities, traits, buffers."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar, get_args

import torch
from torch import Tensor

from ipx.declare.capabilities import Shape, implemented, methods
from ipx.declare.capability import Returns
from ipx.declare.declared import Declared
from ipx.declare.options import NoOptions, Options
from ipx.declare.registry import registry
from ipx.declare.specs import Spec
from ipx.declare.traits import Traits
from ipx.parts.results import check_results

O = TypeVar("O", bound=Options)  # noqa: E741  # the options, as in Solver[O]


BUFFERS = {
    "operator": 4.0, "noise": 12.0, "prior": 10.0, "solver": 12.0, "sampler": 12.0, "tuner": 16.0,
}  # fmt: skip
"""Arrays of the size of the image that a component of a kind holds unless its traits tell."""

MASTER = 1 << 20
"""Largest size in bytes of a buffer in double precision that is kept beside the one in use."""


def bytes_of(traits: Traits, kind: str, image_shape: Shape, itemsize: int) -> float:
    """Memory by the traits ``buffers`` and ``maps``; 0 for bridges that declare none."""
    usual = BUFFERS.get(kind, 0.0)
    arrays = usual if traits.buffers is None else traits.buffers
    channels, pixels = image_shape[0], math.prod(image_shape[1:])
    return itemsize * pixels * (arrays * channels + traits.maps)


class Component(Declared, Generic[O]):
    """Base of every plugin class.

    ``class TV(Prior[TVOptions])`` gives ``TV(isotropic=False)`` and ``TV(TVOptions(...))``; the
    options are checked and immutable. A component keeps no state between calls; a cache depends
    on its options only.

    Capabilities and traits are those of the declaration of the class, or of the nearest base that
    has one, with these options. A class that no plugin declares may set ``provides`` and
    ``traits`` itself, which come first; without any ``provides`` it has the capabilities of its
    kind whose methods it defines, beside those of a declared base.
    """

    returns: ClassVar[Mapping[str, Returns]] = {}
    """What methods of the kind return, besides those of its capabilities."""
    options_type: ClassVar[type[Options]] = NoOptions
    provides: ClassVar[tuple[type, ...] | None] = None
    traits: Traits = Traits()
    ready: bool = False
    """True after its constructor, where `Registry.create` has made it."""
    options: O
    capabilities: frozenset[type]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in (
            types.get_original_bases(cls)
            if hasattr(types, "get_original_bases")
            else (cls.__dict__.get("__orig_bases__", ()))
        ):
            for arg in get_args(base):
                if isinstance(arg, type) and issubclass(arg, Options):
                    cls.options_type = arg
        check_results(cls, cls.returns)

    def __init__(self, options: O | None = None, **values: Any) -> None:
        if options is not None and values:
            raise TypeError("give either an options object or single values, not both")
        self.options = options if options is not None else self.options_type(**values)  # type: ignore[assignment]  # options_type is O's class
        self._buffers: dict[tuple[Any, ...], Tensor] = {}
        spec, self._own = self._declaration()
        self.declaration = spec
        if spec is not None and "traits" not in self._own:
            self.traits = spec.traits_for(self.options)
        found = implemented(type(self), self.kind)  # type: ignore[arg-type]  # a class
        if self.provides is not None and (spec is None or "provides" in self._own):
            self.capabilities = frozenset(self.provides)
        elif spec is not None:
            more = frozenset(c for c in found if self._own.intersection(methods(c)))
            self.capabilities = spec.capabilities(self.options) | more
        else:
            self.capabilities = found

    def _declaration(self) -> tuple[Spec | None, set[str]]:
        """The nearest declaration of the class or a base, and what the classes before it define."""
        own: set[str] = set()
        if self.declaration is not None:
            return self.declaration, own
        for cls in type(self).__mro__:
            if not cls.__module__.startswith("ipx."):  # base classes have no declaration
                spec = registry().declared(cls, self.options)
                if spec is not None:
                    return spec, own
            own |= set(vars(cls))
        return None, own

    def check(self, image_shape: Shape) -> None:
        """Raise what would fail later and can be found at once, such as missing weights.

        Called before anything is computed; the default finds nothing.

        Args:
            image_shape: ``(C, H, W)`` of the restored image.
        """

    def memory(self, image_shape: Shape, itemsize: int = 4) -> float:
        """Memory that it needs at its peak for one image, in bytes; weighed before the work.

        The default follows the traits ``buffers`` and ``maps``. A component whose need does not
        grow with the image overrides it.

        Args:
            image_shape: ``(C, H, W)`` of the restored image.
            itemsize: bytes of a number, 4 or 8.
        """
        return bytes_of(self.traits, self.kind, image_shape, itemsize)

    def buffer(self, name: str, like: Tensor, make: Callable[[], Tensor]) -> Tensor:
        """``make()`` in the dtype and on the device of ``like``, cached.

        ``make`` returns float64 or complex128 on the CPU, so that every precision starts from
        the same numbers. What it returns is kept, too, up to `MASTER` bytes.
        """
        key = (name, like.dtype, like.device)
        if key not in self._buffers:
            master = self._buffers.get((name,))
            if master is None:
                master = make()
                if master.nbytes <= MASTER:
                    self._buffers[(name,)] = master
            dtype = like.dtype
            if master.is_complex():
                dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
            elif not master.is_floating_point():
                dtype = master.dtype
            self._buffers[key] = master.to(device=like.device, dtype=dtype)
        return self._buffers[key]

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v!r}" for k, v in self.options.to_mapping().items())
        return f"{type(self).__name__}({shown})"
