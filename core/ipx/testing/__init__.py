"""The contract kit: what every component must satisfy, for ours and for third parties'.

``run_checks(spec)`` runs every check that applies to a declared component and reports each;
``contract_tests("my-plugin")`` makes one pytest test of each check of each component::

    from ipx.testing import contract_tests

    test_contract = contract_tests("my-plugin")

All in float64, on several shapes and random draws.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ipx.declare.kinds import KINDS
from ipx.declare.options import Options
from ipx.declare.registry import registry
from ipx.declare.specs import Spec

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
    module = importlib.import_module(KINDS[spec.kind].contract or "ipx.testing.common")
    yield from module.checks(spec, options if options is not None else spec.options())


def variants(spec: Spec) -> Iterator[tuple[str, Options]]:
    """Options to check a component with: its examples, after the defaults where there are some."""
    required = any(info.required for info in spec.options.infos().values())
    for values in spec.examples if required and spec.examples else ({}, *spec.examples):
        told = ",".join(f"{k}={v}" for k, v in values.items())
        yield f"{spec.name}[{told}]" if told else spec.name, spec.options.from_mapping(values)


def run_checks(spec: Spec, options: Options | None = None) -> list[CheckResult]:
    """Run every check that applies, and report; never raises for a component's fault.

    Args:
        spec: the declaration.
        options: check with these; without them the defaults, and each example of the declaration.
    """
    chosen = variants(spec) if options is None else [(spec.name, options)]
    return [
        _result(name + variant.removeprefix(spec.name), check)
        for variant, values in chosen
        for name, check in checks(spec, values)
    ]


def _result(name: str, check: Check) -> CheckResult:
    try:
        check()
    except Exception as e:
        return CheckResult(name, False, " ".join(str(e).split()) or type(e).__name__)
    return CheckResult(name, True)


def contract_tests(plugin: str) -> Any:
    """A pytest test function, parametrised over the checks of all components of a plugin."""
    import pytest

    cases = [
        pytest.param(check, id=f"{variant}-{name}")
        for spec in (s for kind in KINDS for s in registry().all(kind) if s.plugin == plugin)
        for variant, options in variants(spec)
        for name, check in checks(spec, options)
    ]

    @pytest.mark.parametrize("check", cases)
    def test_contract(check: Check) -> None:
        check()

    return test_contract


__all__ = ["CheckResult", "checks", "contract_tests", "run_checks", "variants"]
