"""The table of the kinds of component. Imports nothing heavy."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from ipx.declare.foreign import ExecutorSpec, IOSpec, LayoutSpec, LibrarySpec
from ipx.declare.specs import (
    AdapterSpec,
    GeneratorSpec,
    ModelSpec,
    NoiseSpec,
    OperatorSpec,
    PriorSpec,
    SamplerSpec,
    SolverSpec,
    Spec,
    TunerSpec,
)


@dataclass(frozen=True)
class Kind:
    """A kind of component.

    Attributes:
        name: as in ``ipx list NAME``.
        spec: the class of its declarations.
        base: the class that its components extend, ``"module:Class"``; empty where they are
            functions.
        contract: the module of its contract checks, with a function ``checks``; empty for none.
        role: its entry in a request, and its option on the command line; empty for none.
        auto: the name ``auto`` stands for the best one that fits.
    """

    name: str
    spec: type[Spec]
    base: str = ""
    contract: str = ""
    role: str = ""
    auto: bool = False

    def base_class(self) -> type[Any]:
        """``base``, imported."""
        module, _, name = self.base.partition(":")
        cls: type[Any] = getattr(importlib.import_module(module), name)
        return cls


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("operator", OperatorSpec, "ipx.parts.operator:Operator", "ipx.testing.operator", "op"),
        Kind("noise", NoiseSpec, "ipx.parts.noise:Noise", "ipx.testing.noise", "noise"),
        Kind("prior", PriorSpec, "ipx.parts.prior:Prior", "ipx.testing.prior", "prior", True),
        Kind(
            "solver", SolverSpec, "ipx.solving.solver:Solver", "ipx.testing.solver", "solver", True
        ),
        Kind(
            "sampler",
            SamplerSpec,
            "ipx.solving.sampler:Sampler",
            "ipx.testing.sampler",
            "sampler",
            True,
        ),
        Kind("tuner", TunerSpec, "ipx.solving.tuner:Tuner", role="tuner", auto=True),
        Kind("model", ModelSpec, "ipx.parts.model:Model", "ipx.testing.model"),
        Kind("generator", GeneratorSpec, "ipx.parts.generator:Generator", "ipx.testing.generator"),
        Kind("adapter", AdapterSpec),
        Kind("io", IOSpec, "ipx.files.format:Format", "ipx.testing.io"),
        Kind("layout", LayoutSpec, "ipx.parts.layout:Layout", "ipx.testing.layout"),
        Kind("library", LibrarySpec, "ipx.parts.library:Library"),
        Kind("executor", ExecutorSpec, "ipx.jobs.executor:Executor"),
    )
}

ROLES: dict[str, str] = {kind.role: kind.name for kind in KINDS.values() if kind.role}
"""Role in a request to kind of component."""
