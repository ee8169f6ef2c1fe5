"""The contract kit over the whole registry, whatever is in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipx import capabilities as cap
from ipx.registry import registry
from ipx.specs import KINDS
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
