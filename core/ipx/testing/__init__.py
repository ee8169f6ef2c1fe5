"""The contract kit: what every component must satisfy, for ours and for third parties'.

``run_checks(spec)`` runs every check that applies to a declared component and reports each;
``contract_tests("my-plugin")`` makes one pytest test of each check of each component::

    from ipx.testing import contract_tests

    test_contract = contract_tests("my-plugin")

All in float64, on several shapes and random draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ipx.declare.options import Options
from ipx.declare.specs import ModelSpec, NoiseSpec, OperatorSpec, PriorSpec, SolverSpec, Spec

Check = Callable[[], None]


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check; ``message`` says what is wrong."""

    name: str
    ok: bool
    message: str = ""


def checks(spec: Spec, options: Options | None = None) -> Iterator[tuple[str, Check]]:
    """Name and function of every check that applies to a component.

    Args:
        spec: its declaration, from `ipx.registry`.
        options: with these options; the defaults when None.
    """
    from ipx.testing import common, model, noise, operator, prior, solver

    chosen = options if options is not None else spec.options()
    yield from common.checks(spec, chosen)
    if isinstance(spec, OperatorSpec):
        yield from operator.checks(spec, chosen)
    elif isinstance(spec, NoiseSpec):
        yield from noise.checks(spec, chosen)
    elif isinstance(spec, PriorSpec):
        yield from prior.checks(spec, chosen)
    elif isinstance(spec, SolverSpec):
        yield from solver.checks(spec, chosen)
    elif isinstance(spec, ModelSpec):
        yield from model.checks(spec, chosen)


def run_checks(spec: Spec, options: Options | None = None) -> list[CheckResult]:
    """Run every check that applies, and report; never raises for a component's fault."""
    results = []
    try:
        todo = list(checks(spec, options))
    except Exception as e:  # a component that cannot even be made is its own fault
        return [CheckResult("construction", False, f"{type(e).__name__}: {e}")]
    for name, check in todo:
        try:
            check()
        except Exception as e:
            line = " ".join(str(e).split()) or type(e).__name__
            results.append(CheckResult(name, False, line))
        else:
            results.append(CheckResult(name, True))
    return results


def contract_tests(plugin: str) -> Any:
    """A pytest test function, parametrised over the checks of all components of a plugin."""
    import pytest

    from ipx.declare.registry import registry
    from ipx.declare.specs import KINDS

    specs = [s for kind in KINDS for s in registry().all(kind) if s.plugin == plugin]
    cases = [
        pytest.param(check, id=f"{spec.name}-{name}")
        for spec in specs
        for name, check in checks(spec)
    ]

    @pytest.mark.parametrize("check", cases)
    def test_contract(check: Check) -> None:
        check()

    return test_contract


__all__ = ["CheckResult", "checks", "contract_tests", "run_checks"]
