"""A plugin whose author has not read the page: each component has one mistake."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import (
    Adjoint,
    DataGrad,
    Denoise,
    GeneratorSpec,
    Grad,
    ModelSpec,
    Need,
    NoiseGrad,
    NoiseSpec,
    OperatorSpec,
    PriorSpec,
    Prox,
    SolverSpec,
    Traits,
    TunerSpec,
    Value,
    hookimpl,
)
from ipx.declare.specs import Spec

DENOISERS = (
    *("one-image", "unpacks", "array", "nothing", "no-sigma", "misspelt", "no-self", "no-argument"),
    *("foreign", "function"),
)
PRIORS = ("one-value", "one-gradient", "one-prox", "no-prox")
OPERATORS = ("one-forward", "one-adjoint", "no-adjoint", "no-data-shape")
SOLVERS = ("no-state", "one-step", "no-init")


@hookimpl
def ipx_components() -> Iterable[Spec]:
    """Declare them all."""

    def target(name: str) -> str:
        return "mistaken.parts:" + name.title().replace("-", "")

    for name in DENOISERS:
        yield PriorSpec(
            name=name, target=target(name), summary="Wrong.", provides=(Denoise,),
            traits=Traits(lam_per_variance=0.2),
        )  # fmt: skip
    for name in PRIORS:
        can = (Prox,) if "prox" in name else (Value, Grad)
        yield PriorSpec(name=name, target=target(name), summary="Wrong.", provides=can)
    for name in OPERATORS:
        yield OperatorSpec(name=name, target=target(name), summary="Wrong.", provides=(Adjoint,))
    for name in SOLVERS:
        need = Need((DataGrad,), (Grad,))
        yield SolverSpec(name=name, target=target(name), summary="Wrong.", needs=(need,))
    for kind, names in (
        (GeneratorSpec, ("one-picture", "no-make")),
        (ModelSpec, ("losses", "no-network", "no-rng")),
        (TunerSpec, ("number",)),
    ):
        for name in names:
            yield kind(name=name, target=target(name), summary="Wrong.")
    yield NoiseSpec(name="total", target=target("total"), summary="Wrong.", provides=(NoiseGrad,))
