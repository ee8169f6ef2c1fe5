"""What the checks of all kinds share: their base class, and comparisons."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from types import FunctionType
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ipx.declare.capabilities import Capability
from ipx.declare.kinds import KINDS
from ipx.declare.options import Options
from ipx.declare.registry import registry
from ipx.declare.specs import PriorSpec
from ipx.errors import OptionError, UnknownNameError
from ipx.numerics.tensors import image_dot, image_norm, image_sum

Named: TypeAlias = Iterator[tuple[str, Callable[..., None]]]


def needs(*capabilities: type) -> Callable[[Any], Any]:
    """Mark a check of components with these capabilities."""

    def mark(check: Any) -> Any:
        check.needs = capabilities
        return check

    return mark


class Checks:
    """The checks of a component with certain options; those of a kind are in a subclass.

    Each public method is a check: ``options_round_trip`` is reported as ``options-round-trip``.
    """

    def __init__(self, spec: Any, options: Options) -> None:
        self.spec, self.options, self.traits = spec, options, spec.traits_for(options)
        self.provided = spec.capabilities(options)

    @cached_property
    def made(self) -> Any:
        """The component, made on first use: inside a check, which then fails alone."""
        return registry().create(self.spec, options=self.options)

    @classmethod
    def of(cls, spec: Any, options: Options) -> Named:
        """Name and function of each check that applies; a function cannot be made."""
        case, known = cls(spec, options), [m for c in cls.__mro__[-2::-1] for m in vars(c).items()]
        for name, check in known:
            if not isinstance(check, FunctionType) or name.startswith("_"):
                continue
            applies = case.provided.issuperset(getattr(check, "needs", ()))
            if applies and (KINDS[spec.kind].base or name != "declaration"):
                yield name.replace("_", "-"), partial(case._run, check)

    def _run(self, check: Callable[..., None], *args: Any) -> None:
        check(self, *args)

    def unknown_option(self) -> None:
        """A name that is no option is refused with an OptionError."""
        with contextlib.suppress(OptionError):
            self.spec.options.from_mapping({"surely-no-option": 1})
            raise AssertionError("an unknown option is accepted")

    def options_round_trip(self) -> None:
        """Options that go through JSON, as in a record, stay equal."""
        told = self.options
        again = type(told).from_mapping(json.loads(json.dumps(told.to_mapping())))
        require(again == told, f"options do not survive a record: {told} became {again}")

    def help(self) -> None:
        """Each option has a help text, the component a summary of one line."""
        for info in type(self.options).infos().values():
            require(info.help.strip(), f"option {info.name} has no help")
        short = re.fullmatch(".{1,80}", self.spec.summary)
        require(short, "the summary must be one line of at most 80 characters")

    def preferred_solvers(self) -> None:
        """The solvers that a prior prefers exist."""
        for name in self.spec.preferred(self.options) if isinstance(self.spec, PriorSpec) else ():
            try:
                registry().get("solver", name)
            except UnknownNameError as e:
                raise AssertionError(f"prefers: {e}") from None

    def declaration(self) -> None:
        """It can be made and implements what it declares, which is for its kind."""
        kind = KINDS[self.spec.kind]
        require(isinstance(self.made, kind.base_class()), f"it is no instance of {kind.base}")
        for c in self.provided:
            require(isinstance(c, type) and issubclass(c, Capability), f"{c!r} is no capability")
            require(c.of == kind.name, f"{c.__name__} is for a {c.of}")


checks = Checks.of


def require(condition: object, message: str) -> None:
    """Raise AssertionError unless a condition holds, under ``python -O`` too."""
    if not condition:
        raise AssertionError(message)


def draw(seed: int, *shape: int) -> Tensor:
    """Uniform numbers in [0, 1], float64."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(a: Tensor, b: Tensor, tol: float, what: str) -> None:
    """max|a - b| <= tol (1 + max|b|) over finite values; infinite ones must be equal."""
    if not torch.equal(a, b):
        gap = float(torch.where(a == b, 0.0, (a - b).abs()).max())
        allowed = tol * (1.0 + float(torch.where(b.isfinite(), b.abs(), 0.0).max()))
        require(gap <= allowed, f"{what}: off by {gap:.3g}, allowed {allowed:.3g}")


def pure(what: str, f: Any, *args: Tensor, batch: bool = True, dtype: bool = False) -> Tensor:
    """f(x), the same again, x unchanged; batch: f(x)[i] = f(x[i]); dtype: float32 is kept."""
    kept, value = [a.clone() for a in args], f(*args)
    told, count = tuple(getattr(value, "shape", ())), len(args[0])
    require(not batch or told[:1] == (count,), f"{what} of {count} images has shape {told}")
    once, first = value, args
    for i in reversed(range(count if batch else 0)):
        first = tuple(a[i : i + 1] for a in args)
        once = f(*first)
        close(value[i : i + 1], once, 1e-10, f"{what} of image {i} depends on the rest of batch")
    # of a batch the first image only: an evaluation may take long
    require(torch.equal(once, f(*first)), f"{what} gives another result the second time")
    require(all(map(torch.equal, args, kept)), f"{what} changes its argument")
    if dtype:
        single = f(*(a.float() for a in args))
        require(single.dtype == torch.float32, f"{what} turns float32 into {single.dtype}")
        close(single.double(), value, 2e-3, f"{what} in float32")
    return torch.as_tensor(value)


def gradient(what: str, f: Any, grad: Any, *args: Tensor, h: float = 1e-6, **how: bool) -> Tensor:
    """<grad f(x), d> = (f(x + h d) - f(x - h d)) / (2 h), d random; `pure` without an f."""
    (x, *more), found = args, pure(what, grad, *args, **how)
    if f:
        d = draw(1, *x.shape) - 0.5
        slope = (f(x + h * d, *more) - f(x - h * d, *more)) / (2 * h)
        close(image_dot(found, d), slope, 1e-5, what)
    return found


def proximal(f: Any, prox: Any, *args: Tensor, steps: Any, tol: float, same: float) -> None:
    """F(u) = f(u) + |u - x|^2 / (2 t) at p = prox(x, t): F(q) >= F(p) - tol (1 + |F(p)|).

    q is near p, or on the way to x, to its mean, and to the proximal points of other steps t.
    """
    x, *more = args
    points = [prox(*args, t) for t in steps if f]
    ends = [x, x.flatten(1).mean(1).view(-1, *[1] * (x.ndim - 1)).expand_as(x), *points]
    for t, p in zip(steps, points, strict=False):
        best = f(p, *more) + image_sum((p - x) ** 2) / (2 * t)
        require(best.isfinite().all(), f"prox at t = {t:g} has no finite value")
        near = [p + 10.0**-i * (draw(10 + i, *x.shape) - 0.5) for i in range(6)]
        for end in ends:
            near += [p.lerp(end, share) for share in (0.1, 1.0)]
        for q in near:
            reached = f(q, *more) + image_sum((q - x) ** 2) / (2 * t)
            lower = (reached < best - tol * (1 + best.abs())).any()
            require(not lower, f"prox at t = {t:g} is no minimiser")
        pure("prox", lambda *a, t=t: prox(*a, t), *args, batch=False, dtype=t == steps[1])
    each = torch.tensor([1e-3, 0.5], dtype=x.dtype)
    alone = [prox(*(a[i : i + 1] for a in args), float(each[i])) for i in range(2)]
    close(prox(*args, each), torch.cat(alone), same, "prox with one t per image")


def norm(a: Any, x: Tensor, what: str = "") -> None:
    """|A| <= ``norm()`` <= 1.02 |A|, by power iteration on A^T A from the first image of x."""
    v, length, last = x[:1], float(image_norm(x[:1])), -1.0
    for _ in range(301):
        v = a.adjoint(a.forward(v / max(length, 1e-300)))
        length, last = float(image_norm(v)), length
        if abs(length - last) <= 1e-9 * length:  # 300 more would not change it by 1e-6
            break
    found, said = length**0.5, a.norm()
    good = found <= said * (1 + 1e-6) and said <= 1.02 * found + 1e-9
    told = f"|A| {what}".strip()
    require(good, f"{told} is {found:.6g} by power iteration, norm() says {said:.6g}")


def spectral(k: Any, x: Tensor) -> str:
    """F K^T K x = gram F x with gram >= 0; the name of the transform F."""
    s, what = k.spectrum(x), "transform of A^T A x against gram * transform of x"
    require((s.gram >= 0).all(), "an eigenvalue of A^T A is negative")
    gap = s.forward(k.adjoint(k.forward(x))) - s.gram * s.forward(x)
    close(gap.abs(), torch.zeros(1, dtype=x.dtype), 1e-10, what)
    return str(s.basis)
