"""The contract kit over the whole registry, whatever is in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipx.declare import capabilities as cap
from ipx.declare.kinds import KINDS
from ipx.declare.registry import registry
from ipx.declare.traits import Traits
from ipx.testing import checks, run_checks, variants


def every() -> list:
    return [
        pytest.param(check, id=f"{kind}-{variant}-{name}")
        for kind in KINDS
        for spec in registry().all(kind)
        for variant, options in variants(spec)
        for name, check in checks(spec, options)
    ]


@pytest.mark.parametrize("check", every())
def test_contract(check) -> None:
    check()


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
    spec = replace(registry().get("operator", "fourier"), traits=Traits(basis="fft"))
    assert [r.name for r in run_checks(spec) if not r.ok] == ["sign"]


def test_the_transform_that_is_told_is_checked() -> None:
    spec = replace(registry().get("operator", "fourier"), traits=Traits(signed=True, basis="dct"))
    assert [r.name for r in run_checks(spec) if not r.ok] == ["spectrum"]
    spec = replace(registry().get("prior", "tv"), traits=Traits(basis="any"), examples=())
    assert [r.name for r in run_checks(spec) if not r.ok] == ["basis-of-K"]
