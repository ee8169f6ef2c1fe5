"""Checks of every component: options, declaration, construction."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ipx.declare.capabilities import Capability
from ipx.declare.kinds import KINDS
from ipx.declare.options import Options
from ipx.declare.registry import registry
from ipx.declare.specs import OperatorSpec, Spec
from ipx.errors import OptionError

if TYPE_CHECKING:
    from ipx.testing import Check

IMAGE = (2, 24, 32)


def make(spec: Spec, options: Options, image_shape: tuple[int, ...] = IMAGE) -> Any:
    """An instance of a component; an operator on images of this shape."""
    if isinstance(spec, OperatorSpec):
        return registry().create(spec, image_shape, options=options)
    return registry().create(spec, options=options)


class Lazy:
    """A component that is made when it is first used: inside a check, which then fails alone."""

    def __init__(self, *how: Any) -> None:
        self._how = how

    @cached_property
    def made(self) -> Any:
        """The component."""
        return make(*self._how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.made, name)


def draw(seed: int, *shape: int) -> Tensor:
    """Uniform numbers in [0, 1], float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def close(a: Tensor, b: Tensor, tol: float, what: str) -> None:
    """|a - b| <= tol (1 + |b|), else an AssertionError that says ``what``."""
    if torch.equal(a, b):  # also two infinite values of a constraint
        return
    gap = float((a - b).abs().max()) if a.numel() else 0.0
    scale = 1.0 + float(b.abs().max()) if b.numel() else 1.0
    if not gap <= tol * scale:
        raise AssertionError(f"{what}: off by {gap:.3g}, allowed {tol * scale:.3g}")


def pure(function: Any, *args: Tensor, what: str) -> Tensor:
    """The value of a function that must not change its arguments, and gives the same twice."""
    kept = [a.clone() for a in args]
    first = function(*args)
    second = function(*args)
    for a, k in zip(args, kept, strict=True):
        if not torch.equal(a, k):
            raise AssertionError(f"{what} changes its argument")
    if not torch.equal(first, second):
        raise AssertionError(f"{what} gives another result the second time")
    return torch.as_tensor(first)


def batched(function: Any, x: Tensor, *more: Tensor, what: str) -> None:
    """A batch gives what its images give alone."""
    whole = function(x, *more)
    for i in range(x.shape[0]):
        alone = function(x[i : i + 1], *(m[i : i + 1] for m in more))
        close(whole[i : i + 1], alone, 1e-10, f"{what} of image {i} depends on the rest of batch")


def kept_dtype(function: Any, *args: Tensor, what: str) -> None:
    """float32 in, float32 out, near the float64 result."""
    single = function(*(a.float() for a in args))
    if single.dtype != torch.float32:
        raise AssertionError(f"{what} turns float32 into {single.dtype}")
    close(single.double(), function(*args), 2e-3, f"{what} in float32")


def checks(spec: Spec, options: Options) -> Iterator[tuple[str, Check]]:
    """Options and declaration."""

    def unknown_option() -> None:
        try:
            spec.options.from_mapping({"surely-no-option": 1})
        except OptionError:
            return
        raise AssertionError("an unknown option is accepted")

    def round_trip() -> None:
        again = type(options).from_mapping(options.to_mapping())
        if again != options:
            raise AssertionError(f"options do not survive a record: {options} became {again}")

    def help_texts() -> None:
        for info in type(options).infos().values():
            if not info.help.strip():
                raise AssertionError(f"option {info.name} has no help")
        if not spec.summary or len(spec.summary) > 80:
            raise AssertionError("the summary must be one line of at most 80 characters")

    def declaration() -> None:
        """Made with these options; what is declared and not implemented is refused there."""
        made = make(spec, options)
        base = KINDS[spec.kind].base
        if base and not isinstance(made, KINDS[spec.kind].base_class()):
            raise AssertionError(f"{type(made).__name__} is no subclass of {base}")
        for capability in spec.capabilities(options):
            if not (isinstance(capability, type) and issubclass(capability, Capability)):
                raise AssertionError(f"{capability!r} is no capability")
            if capability.of != spec.kind:
                raise AssertionError(f"{capability.__name__} is for a {capability.of}")

    yield "unknown-option", unknown_option
    yield "options-round-trip", round_trip
    yield "help", help_texts
    if KINDS[spec.kind].base:
        yield "declaration", declaration
