"""The contract kit: what every component must satisfy, for ours and for third parties'.

``run_checks(spec)`` runs every check that applies to a declared component and reports each;
``contract_tests("my-plugin")`` makes one pytest test of each check of each component::

    from ipx.testing import contract_tests

    test_contract = contract_tests("my-plugin")

All in float64, on several shapes and random draws.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from ipx.declare.kinds import KINDS
from ipx.declare.options import Options
from ipx.declare.registry import registry
from ipx.declare.specs import Spec
from ipx.errors import IpxError, OptionError, PluginError

Check = Callable[[], None]

HEAVY = {"numpy", "scipy", "skimage", "torch"}
"""What the module of an entry point must not import."""


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check; ``message`` says what is wrong, ``trace`` where."""

    name: str
    ok: bool
    message: str = ""
    trace: str = ""


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
        try:
            options = spec.options.from_mapping(values)
        except OptionError as e:
            raise PluginError(f"the example {told} of {spec.kind} {spec.name}: {e}") from None
        yield f"{spec.name}[{told}]" if told else spec.name, options


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


def check_instance(component: Any) -> list[CheckResult]:
    """Run the checks of its kind on an operator or a prior made in code, such as `ipx.linear`.

    Args:
        component: an instance; its class need not be declared.
    """
    kind = KINDS[component.kind]
    cls = type(component)
    told: dict[str, Any] = {
        "name": "instance",
        "target": f"{cls.__module__}:{cls.__qualname__}",
        "summary": "Made in code.",
        "provides": tuple(component.capabilities),
        "traits": component.traits,
    }
    case = importlib.import_module(kind.contract).checks.__self__
    known = {"made": component, "every": [component]}
    found = []
    for name, check in case.of(kind.spec(**told), component.options):
        if name != "shapes":  # that of images from that of data, for operators made by name
            vars(check.func.__self__).update(known)
            found.append(_result(name, check))
    return found


def _result(name: str, check: Check) -> CheckResult:
    try:
        check()
    except Exception as e:
        line = " ".join("; ".join([str(e), *getattr(e, "__notes__", ())]).split())
        if not isinstance(e, AssertionError | IpxError):  # of the component's own code
            last = traceback.extract_tb(e.__traceback__)[-1]
            line = f"{type(e).__name__} at {last.filename}:{last.lineno}: {line}"
        return CheckResult(name, False, line or type(e).__name__, traceback.format_exc())
    return CheckResult(name, True)


def light_module(plugin: str) -> None:
    """Check that the module of a plugin's entry point imports nothing heavy.

    Raises:
        AssertionError: it does; ``ipx list`` and ``ipx --help`` would wait for it.
    """
    (target,) = [p.target for p in registry().plugins if p.name == plugin]
    code = f"import sys, {target}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = ", ".join(run.stdout.split())
    assert not found, f"{target} imports {found}; import it in the module of the class"


def contract_tests(plugin: str) -> Any:
    """A pytest test function, parametrised over the checks of all components of a plugin."""
    import pytest

    cases = [
        pytest.param(check, id=f"{variant}-{name}")
        for spec in registry().of_plugin(plugin)
        for variant, options in variants(spec)
        for name, check in checks(spec, options)
    ]
    cases.append(pytest.param(partial(light_module, plugin), id=f"{plugin}-light-module"))

    @pytest.mark.parametrize("check", cases)
    def test_contract(check: Check) -> None:
        check()

    return test_contract


__all__ = [
    "CheckResult",
    "check_instance",
    "checks",
    "contract_tests",
    "light_module",
    "run_checks",
    "variants",
]
