"""The contract kit over the whole registry, whatever is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

import ipx
from ipx.declare import capabilities as cap
from ipx.declare.kinds import KINDS
from ipx.declare.registry import PluginInfo, registry
from ipx.declare.traits import Traits
from ipx.testing import Check, checks, light_module, run_checks, variants

HEAVY = ("solver-pixelcnn-",)
"""Draws pixel after pixel, seconds a check."""


LIGHT = ("unknown-option", "options-round-trip", "help", "preferred-solvers")
"""Checks of declarations, which take a millisecond: those of a kind are one test."""


def named(kind: str) -> Iterator[tuple[str, str, Check]]:
    """Component with its options, name of the check, and the check."""
    for spec in registry().all(kind):
        for variant, options in variants(spec):
            yield from ((variant, name, check) for name, check in checks(spec, options))


def every() -> list:
    return [
        pytest.param(check, id=told, marks=[pytest.mark.slow] if told.startswith(HEAVY) else [])
        for kind in KINDS
        for variant, name, check in named(kind)
        if name not in LIGHT
        for told in (f"{kind}-{variant}-{name}",)
    ]


@pytest.mark.parametrize("check", every())
def test_contract(check) -> None:
    check()


@pytest.mark.parametrize("kind", KINDS)
def test_declarations(kind: str) -> None:
    wrong = {}
    for variant, name, check in named(kind):
        if name in LIGHT:
            try:
                check()
            except Exception as e:
                wrong[f"{variant}-{name}"] = repr(e)
    assert not wrong


def test_a_fault_is_reported_not_raised() -> None:
    """A component that is not what it declares, and one that is not there."""
    told = replace(registry().get("prior", "l1"), provides=(cap.Value, cap.Prox, cap.Grad))
    results = {r.name: r for r in run_checks(told)}
    assert not results["declaration"].ok
    assert "Grad" in results["declaration"].message
    gone = replace(told, target="ipx_plugins.l1.prior:Nothing")
    assert not {r.name: r for r in run_checks(gone)}["declaration"].ok


def test_a_capability_of_another_kind_is_refused() -> None:
    told = replace(registry().get("prior", "l1"), provides=(cap.Value, cap.NoiseGrad))
    assert not {r.name: r for r in run_checks(told)}["declaration"].ok


def test_data_that_may_be_negative_must_say_so() -> None:
    spec = replace(registry().get("operator", "fourier"), traits=Traits(basis="fft"), examples=())
    assert [r.name for r in run_checks(spec) if not r.ok] == ["sign"]


def test_the_transform_that_is_told_is_checked() -> None:
    wrong = Traits(signed=True, basis="dct")
    spec = replace(registry().get("operator", "fourier"), traits=wrong, examples=())
    assert [r.name for r in run_checks(spec) if not r.ok] == ["spectrum"]
    spec = replace(registry().get("prior", "tv"), traits=Traits(basis="any"), examples=())
    assert [r.name for r in run_checks(spec) if not r.ok] == ["basis-of-K"]


class Edges(ipx.OuterProx[ipx.NoOptions]):
    """Total variation, as a base of faulty priors."""

    def value(self, x):
        return (self.linear_part(x.shape[1:]).forward(x) ** 2).sum(2).sqrt().flatten(1).sum(1)

    def linear_part(self, image_shape):
        return ipx.Gradient(image_shape)

    def prox_outer(self, u, t):
        """Shrinks to twice the threshold where little is left: not monotone."""
        length = u.square().sum(2, keepdim=True).sqrt()
        step = ipx.per_image(t, u)
        kept = (1 - step / length.clamp_min(1e-9)).clamp_min(0)
        return u * torch.where(kept < 0.5, kept / 2, kept)


class OneStep(Edges):
    """A step for the whole batch only."""

    def prox_outer(self, u, t):
        length = u.square().sum(2, keepdim=True).sqrt()
        return u * (1 - t / length.clamp_min(1e-9)).clamp_min(0)


class Loose(ipx.Gradient):
    """The gradient with a norm that is too small."""

    def norm(self):
        return 1.0


class WrongNorm(OneStep):
    """Total variation with the linear part `Loose`."""

    def prox_outer(self, u, t):
        return super().prox_outer(u, ipx.per_image(t, u))

    def linear_part(self, image_shape):
        return Loose(image_shape)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Edges, "another step"),
        (OneStep, "The size of tensor a"),
        (WrongNorm, "norm() says 1"),
    ],
)
def test_a_wrong_prox_or_norm_is_found(cls: type, message: str) -> None:
    spec = ipx.PriorSpec(
        name="edges",
        target=f"{__name__}:{cls.__name__}",
        provides=(cap.Value, cap.ProxConjugate),
        traits=Traits(basis="dct"),
        summary="Total variation with a fault.",
    )
    told = {r.name: r.message for r in run_checks(spec) if not r.ok}
    assert message in told["prox-conjugate"]


class Shrunk(ipx.Prior[ipx.NoOptions]):
    """|K x|_1 with the prox of an orthogonal K, which the scaled gradient is not."""

    def value(self, x):
        return self.k(x).forward(x).abs().flatten(1).sum(1) / 3

    def prox(self, u, t):
        k = self.k(u)
        told = k.forward(u) / 3
        step = ipx.per_image(t, told)
        return u + k.adjoint(told.sign() * (told.abs() - step).clamp_min(0) - told) / 3

    def k(self, x):
        return ipx.Gradient(x.shape[1:])


def test_the_prox_of_an_orthogonal_transform_is_none_of_another() -> None:
    """Near the point that it gives all values are greater, on the way to the mean they fall."""
    spec = ipx.PriorSpec(
        name="shrunk",
        target=f"{__name__}:Shrunk",
        provides=(cap.Value, cap.Prox),
        summary="A prior with a fault.",
    )
    told = {r.name: r.message for r in run_checks(spec) if not r.ok}
    assert "is no minimiser" in told["prox"]


class Flat(ipx.Operator[ipx.NoOptions]):
    """Takes pictures only, and says so by an exception of Python."""

    def __init__(self, image_shape, options=None, **values):
        super().__init__(image_shape, options, **values)
        _, self.height, _ = self.image_shape

    def forward(self, x):
        return x


def test_an_exception_in_a_constructor_tells_what_would_do() -> None:
    spec = ipx.OperatorSpec(name="flat", target=f"{__name__}:Flat", summary="For pictures.")
    told = {r.name: r for r in run_checks(spec)}["shapes"]
    assert "ValueError: too many values to unpack" in told.message
    assert "(1, 6, 10, 12); raise ShapeError" in told.message
    assert "self.height, _ = self.image_shape" in told.trace


def test_an_exception_in_a_component_tells_its_place() -> None:
    spec = replace(
        registry().get("prior", "l1"), target=f"{__name__}:Scalar", provides=(cap.Value,)
    )
    told = {r.name: r.message for r in run_checks(spec)}
    assert "value of prior l1 of plugin l1 gives shape (), not (2,)" in told["value"]
    spec = replace(spec, target=f"{__name__}:Raises")
    told = {r.name: r.message for r in run_checks(spec)}
    assert "ZeroDivisionError at " in told["value"]
    assert "test_contracts.py:" in told["value"]


class Scalar(ipx.Prior[ipx.NoOptions]):
    """One value for the batch."""

    def value(self, x):
        return x.sum()


class Raises(ipx.Prior[ipx.NoOptions]):
    """An error of Python."""

    def value(self, x):
        return x / (1 // 0)


def test_a_preference_for_no_solver_is_found() -> None:
    spec = replace(registry().get("prior", "l1"), prefers=("lbgfs",))
    told = {r.name: r.message for r in run_checks(spec)}["preferred-solvers"]
    assert "did you mean lbfgs" in told


def test_an_example_that_is_wrong_is_named() -> None:
    spec = replace(registry().get("prior", "l1"), examples=({"delat": 1},))
    with pytest.raises(ipx.PluginError, match="the example delat=1 of prior l1: unknown option"):
        run_checks(spec)


def test_an_entry_point_that_imports_numpy_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    light_module("tv")
    plugins = [PluginInfo("heavy", "ipx.files.samples", "", "", "ok")]
    monkeypatch.setattr(registry(), "plugins", plugins)
    with pytest.raises(AssertionError, match=r"ipx\.files\.samples imports numpy; "):
        light_module("heavy")
