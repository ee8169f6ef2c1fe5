"""The base class of all components: options, capabilities, traits, buffers."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar, get_args

import torch
from torch import Tensor

from ipx.declare.capabilities import implemented
from ipx.declare.options import NoOptions, Options
from ipx.declare.registry import registry
from ipx.declare.specs import Spec
from ipx.declare.traits import Traits

O = TypeVar("O", bound=Options)  # noqa: E741  # the options, as in Solver[O]


class Component(Generic[O]):
    """Base of every plugin class.

    ``class TV(Prior[TVOptions])`` gives ``TV(isotropic=False)`` and ``TV(TVOptions(...))``; the
    options are checked and immutable. A component keeps no state between calls; a cache depends
    on its options only.

    Capabilities and traits are those of the declaration, with these options. A class that no
    plugin declares may set ``provides`` and ``traits`` itself; without ``provides`` it has the
    capabilities of its kind whose methods it defines.
    """

    kind: ClassVar[str] = ""
    options_type: ClassVar[type[Options]] = NoOptions
    provides: ClassVar[tuple[type, ...] | None] = None
    traits: Traits = Traits()
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

    def __init__(self, options: O | None = None, **values: Any) -> None:
        if options is not None and values:
            raise TypeError("give either an options object or single values, not both")
        self.options = options if options is not None else self.options_type(**values)  # type: ignore[assignment]  # options_type is O's class
        self._buffers: dict[tuple[Any, ...], Tensor] = {}
        spec = self._declaration()
        if spec is not None:
            self.capabilities = spec.capabilities(self.options)
            self.traits = spec.facts(self.options)
        elif self.provides is not None:
            self.capabilities = frozenset(self.provides)
        else:
            self.capabilities = implemented(type(self), self.kind)

    def _declaration(self) -> Spec | None:
        """The declaration of the class, or of the nearest base that has one."""
        for cls in type(self).__mro__:
            if "provides" in vars(cls) and cls is not Component:
                return None
            if cls.__module__.startswith("ipx."):  # base classes have no declaration
                continue
            spec = registry().declared(cls, self.options)
            if spec is not None:
                return spec
        return None

    def buffer(self, name: str, like: Tensor, make: Callable[[], Tensor]) -> Tensor:
        """``make()`` in the dtype and on the device of ``like``, cached.

        ``make`` returns float64 or complex128 on the CPU, so that every precision starts from
        the same numbers.
        """
        key = (name, like.dtype, like.device)
        if key not in self._buffers:
            if (name,) not in self._buffers:
                self._buffers[(name,)] = make()
            master = self._buffers[(name,)]
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
