"""The contract kit over the whole registry, whatever is in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipx.declare import capabilities as cap
from ipx.declare.registry import registry
from ipx.declare.specs import KINDS
from ipx.testing import checks, run_checks

VARIANTS = {
    "operator blur": [{"boundary": b} for b in ("circular", "zero", "replicate", "valid")]
    + [{"kind": k} for k in ("uniform", "disk", "motion", "random-motion", "airy")],
    "operator super-resolution": [{"factor": 4}, {"filter": "gaussian"}, {"filter": "bicubic"}],
    "operator inpaint": [{"kind": k} for k in ("values", "box", "scratches", "text")],
    "prior tv": [{"isotropic": False}, {"coupled": False}, {"boundary": "circular"}],
    "prior wavelet": [
        {"invariant": False},
        {"invariant": False, "wavelet": "haar"},
        {"wavelet": "bior2.2"},
    ],
    "prior range": [{"upper": None}],
    "prior smooth": [{"boundary": "circular"}],
}


def every() -> list:
    cases = []
    for kind in KINDS:
        for spec in registry().all(kind):
            for values in [{}, *VARIANTS.get(f"{kind} {spec.name}", [])]:
                options = spec.options.from_mapping(values)
                told = "-".join(f"{k}={v}" for k, v in values.items())
                cases += [
                    pytest.param(check, id=f"{kind}-{spec.name}-{told}-{name}")
                    for name, check in checks(spec, options)
                ]
    return cases


@pytest.mark.parametrize("check", every())
def test_contract(check) -> None:
    check()


def test_a_fault_is_reported_not_raised() -> None:
    """A component that is not what it declares, and one that is not there."""
    told = replace(registry().get("prior", "l1"), provides=(cap.Value, cap.Prox))
    results = {r.name: r for r in run_checks(told)}
    assert not results["declaration"].ok
    assert "ProxConjugate" in results["declaration"].message
    gone = replace(told, target="ipx_plugins.l1.prior:Nothing")
    assert [r.ok for r in run_checks(gone)] == [False]


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("prior", "l1", {"pixelwise": False}),
        ("noise", "poisson", {"counts": False}),
        ("operator", "fourier", {"signed": False}),
        ("solver", "lista", {"own_prior": False}),
    ],
)
def test_a_hint_that_class_and_declaration_disagree_on_is_found(
    kind: str, name: str, told: dict
) -> None:
    results = {r.name: r for r in run_checks(replace(registry().get(kind, name), **told))}
    assert not results["declaration"].ok
    assert next(iter(told)) in results["declaration"].message
    assert all(r.ok for n, r in results.items() if n != "declaration")


def test_data_that_may_be_negative_must_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = registry().get("operator", "fourier")
    monkeypatch.setattr(spec.load(), "signed", False)
    results = {r.name: r for r in run_checks(replace(spec, signed=False))}
    assert [n for n, r in results.items() if not r.ok] == ["sign"]
