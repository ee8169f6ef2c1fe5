"""What operators, noises, priors, solvers and tuners have in common: options, capabilities."""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import reduce
from operator import mul
from typing import Any, ClassVar, Generic, TypeVar, get_args

import torch
from torch import Tensor

from ipx.declare import capabilities as cap
from ipx.declare.capabilities import Scalar
from ipx.declare.options import NoOptions, Options

O = TypeVar("O", bound=Options)  # noqa: E741  # reads as the options of Solver[O]

_PROTOCOLS: tuple[type, ...] = (
    cap.Adjoint,
    cap.Diagonal,
    cap.Spectrum,
    cap.NormalSolve,
    cap.Norm,
    cap.NoiseGrad,
    cap.NoiseProx,
    cap.Quadratic,
    cap.Value,
    cap.Grad,
    cap.Prox,
    cap.ProxConjugate,
    cap.QuadraticPrior,
    cap.Denoise,
    cap.Matching,
    cap.Latent,
    cap.CodePenalty,
    cap.SoftRange,
    cap.StochasticGrad,
    cap.LogProb,
    cap.Sample,
)


class Component(Generic[O]):
    """Base of every plugin class.

    ``class TV(Prior[TVOptions])`` gives ``TV(isotropic=False)`` and ``TV(TVOptions(...))``; the
    options are checked and immutable. A component keeps no state between calls; what it caches
    is a function of its options only.
    """

    options_type: ClassVar[type[Options]] = NoOptions
    options: O

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
        self._capabilities: frozenset[type] | None = None

    def provides(self) -> frozenset[type]:
        """The capabilities of this instance; narrowed where they depend on the options."""
        if self._capabilities is None:  # such a check is slow, and asked for at every step
            self._capabilities = frozenset(c for c in _protocols() if isinstance(self, c))
        return self._capabilities

    def buffer(self, name: str, like: Tensor, make: Callable[[], Tensor]) -> Tensor:
        """``make()`` in the dtype and device of ``like``, made once for each (a pure cache).

        ``make`` works in float64 or complex128 on the CPU, so that every precision starts
        from the same numbers.
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


def _protocols() -> tuple[type, ...]:
    return _PROTOCOLS


def has(component: object, capability: type) -> bool:
    """True if ``component`` has ``capability`` with its present options."""
    if isinstance(component, Component):
        return capability in component.provides()
    return isinstance(component, capability)


def per_image(value: Scalar, like: Tensor) -> Scalar:
    """Shape a per-image scalar ``(B,)`` so that it broadcasts against ``like`` ``(B, ...)``.

    A float and a tensor of shape ``()`` pass through; a tensor that already has the number of
    dimensions of ``like`` (one value per pixel) does too.
    """
    if isinstance(value, Tensor):
        if value.dtype is not torch.bool:
            value = value.to(dtype=like.dtype, device=like.device)
        if value.ndim == 1:
            return value.view(-1, *([1] * (like.ndim - 1)))
    return value


def image_sum(x: Tensor) -> Tensor:
    """Sum over everything but the batch: ``(B,)``."""
    return x.flatten(1).sum(1)


def image_dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner products image by image: ``(B,)``."""
    return image_sum(a * b)


def image_norm(x: Tensor) -> Tensor:
    """Euclidean norms image by image: ``(B,)``."""
    norm: Tensor = torch.linalg.vector_norm(x.flatten(1), dim=1)
    return norm


def count(shape: tuple[int, ...]) -> int:
    """Number of values of one image of this shape."""
    return reduce(mul, shape, 1)


def mirrored(n: int, length: int, device: torch.device, first: int = 0) -> Tensor:
    """``length`` indices from ``first`` on into n values continued by mirroring, ``(length,)``.

    The value at the border is repeated: 0 .. n-1, n-1 .. 0, 0 .. n-1, and so on both ways.
    """
    i = torch.arange(first, first + length, device=device) % (2 * n)
    return torch.minimum(i, 2 * n - 1 - i)


def normal_like(x: Tensor, rng: torch.Generator) -> Tensor:
    """Standard normal numbers of the shape, type and device of ``x``; ``rng`` is on that device."""
    return torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
