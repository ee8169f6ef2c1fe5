"""Methods: restore the pictures of a task and report the cost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

import ipx
from ipx import LEAST_SIGMA, Generative, LinearOperator, ModelSpec, UnknownNameError, load_weights
from ipx.declare.registry import registry
from ipx.errors import did_you_mean
from ipx.files.record import environment
from ipx_plugins.seeds import METHODS, Method
from ipx_plugins.seeds.pca import PCA, posterior_mean
from ipx_plugins.seeds.tasks import Case

CHUNK = 16
"""Pictures per batch."""


@dataclass(frozen=True)
class How:
    """Settings shared by all methods.

    Attributes:
        lam: the weight; None for the automatic one.
        start, keep, iterations: as in `ipx.solve`, for methods with a generative model.
        weights: weights by model.
        pca: returns the Gaussian prior; None without training pictures.
    """

    lam: float | None = None
    start: str = "auto"
    keep: Literal["last", "best"] = "last"
    iterations: int | None = None
    weights: dict[str, str] = field(default_factory=dict)
    pca: Callable[[], PCA] | None = None


@dataclass(frozen=True)
class Outcome:
    """Restored pictures ``(N, 3, H, W)`` and their cost; numbers are means per picture.

    ``lam`` is the weight of each picture, None for a method without one. ``evaluations`` counts
    calls of encoder, decoder and density, None for a method without a model. ``objective`` is f +
    lam R of each picture, given for methods with a model only: it compares rows that share one
    function, such as synthesis and analysis of a flow.
    """

    x: Tensor
    lam: list[float] | None
    status: dict[str, int]
    iterations: float
    seconds: float
    evaluations: float | None
    solver: str
    objective: list[float] | None = None


def method_of(name: str) -> Method:
    """The method of this name: a row, or any prior.

    Raises:
        UnknownNameError: the name is neither a row nor a prior.
    """
    if name in METHODS:
        return METHODS[name]
    priors = registry().names("prior")
    if name in priors:
        options = registry().get("prior", name).options.infos()
        generative = {"model", "weights"} <= set(options)
        return Method(name, name, model=str(options["model"].default) if generative else "")
    near = did_you_mean(name, [*METHODS, *priors])
    raise UnknownNameError(
        f"no method is called {name}{near} (there are: {', '.join(METHODS)}, and any prior)"
    )


def available(method: Method, how: How) -> str:
    """Why a method cannot be used here; empty if it can."""
    if method.name == "pca" and how.pca is None:
        return "it needs training pictures (--train)"
    if method.model:
        spec = registry().get("model", method.model)
        assert isinstance(spec, ModelSpec)
        if not spec.weights and method.model not in how.weights:
            return f"there are no weights of {method.model} (--model.weights {method.model}=FILE)"
    return ""


def weights_for(method: Method, how: How) -> str:
    """The weights to use: those given, else those of faces, else the first shipped."""
    spec = registry().get("model", method.model)
    assert isinstance(spec, ModelSpec)
    return how.weights.get(method.model, "faces" if "faces" in spec.weights else "auto")


def identity(method: Method, how: How) -> dict[str, Any]:
    """Plain values on which the result of a method depends, for resuming."""
    found: dict[str, Any] = {"name": method.name, "lam": how.lam}
    found |= {name: environment()[name] for name in ("ipx", "torch")}
    if method.model:
        card = load_weights(weights_for(method, how), method.model, 3).card
        found |= {"weights": card["sha256"], "start": how.start, "keep": how.keep}
        found["iterations"] = how.iterations
    elif (network := method.solver or method.name) in registry().names("model"):
        found["weights"] = load_weights("auto", network, 3).card["sha256"]
    return found


def restore(method: Method, case: Case, how: How, lam: list[float] | None = None) -> Outcome:
    """Restore all pictures of a case, in batches.

    Args:
        method: the row.
        case: data and operator.
        how: settings shared by all methods.
        lam: weight of each picture instead of the automatic one.
    """
    began, count = time.perf_counter(), len(case.y)
    parts: list[tuple[Outcome, int]] = []
    for first in range(0, count, CHUNK):
        chunk = slice(first, first + CHUNK)
        some = case.part(chunk)
        weights = None if lam is None else lam[chunk]
        if method.function:
            made = _pca(some, how, weights) if method.name == "pca" else _degraded(some)
        else:
            made = _solved(method, some, how, weights)
        parts.append((made, len(some.y)))
    outcomes = [o for o, _ in parts]
    status: Counter[str] = Counter()
    for o in outcomes:
        status.update(o.status)
    lams = [v for o in outcomes for v in o.lam or []]
    calls = [o.evaluations * n for o, n in parts if o.evaluations is not None]
    return Outcome(
        x=torch.cat([o.x for o in outcomes]),
        lam=lams or None,
        status=dict(status),
        iterations=sum(o.iterations * n for o, n in parts) / count,
        seconds=(time.perf_counter() - began) / count,
        evaluations=sum(calls) / count if calls else None,
        solver=outcomes[0].solver,
        objective=[v for o in outcomes for v in o.objective or []] or None,
    )


def _solved(method: Method, case: Case, how: How, lam: list[float] | None) -> Outcome:
    """Restore with `ipx.solve`."""
    values: dict[str, Any] = {}
    if method.model:
        weights = weights_for(method, how)
        prior = ipx.prior(method.name, weights=weights)
        values = {"start": how.start, "keep": how.keep, "iterations": how.iterations}
    else:
        prior = ipx.prior(method.name)
    generator = getattr(prior, "generator", None) if method.model else None
    weight: Any = lam if lam is not None else "auto" if how.lam is None else how.lam
    with counted(generator) as calls:
        r = ipx.solve(
            case.y, op=case.operator, noise=case.noise, prior=prior, lam=weight,
            solver=method.solver or "auto", doubtful="keep", **values,
        )  # fmt: skip
    return Outcome(
        x=r.x,
        lam=r.lam,
        status=dict(Counter(r.status)),
        iterations=sum(r.iterations) / len(r.iterations),
        seconds=r.seconds,
        evaluations=calls["n"] / len(case.y) if generator is not None else None,
        solver=r.plan.solver.name,
        objective=r.result.objective.tolist() if generator is not None else None,
    )


@contextmanager
def counted(generator: Generative[Any] | None) -> Iterator[Counter[str]]:
    """Count the pictures passed to encode, decode and log_prob, without nested calls."""
    calls: Counter[str] = Counter()
    names = ("encode", "decode", "log_prob")
    if generator is None:
        yield calls
        return

    def counting(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def run(*args: Any) -> Tensor:
            calls["n"] += len(args[1]) if calls["inside"] == 0 else 0
            calls["inside"] += 1
            try:
                return function(*args)
            finally:
                calls["inside"] -= 1

        return run

    for name in names:
        generator.__dict__[name] = counting(getattr(generator, name))
    try:
        yield calls
    finally:
        for name in names:
            del generator.__dict__[name]


def _plain(x: Tensor, solver: str, lam: list[float] | None = None) -> Outcome:
    return Outcome(x, lam, {"converged": len(x)}, 1, 0.0, None, solver)


def _degraded(case: Case) -> Outcome:
    """The data as a picture: coarse pixels are repeated, missing ones are zero."""
    size = tuple(case.truth.shape[2:])
    return _plain(functional.interpolate(case.y, size=size, mode="nearest"), "none")


def _pca(case: Case, how: How, lam: list[float] | None) -> Outcome:
    """Posterior mean under the Gaussian prior; lam is the variance of the noise."""
    assert how.pca is not None
    variance = max(case.level, LEAST_SIGMA) ** 2 if how.lam is None else how.lam
    weights = lam if lam is not None else [variance] * len(case.y)
    pca, y = how.pca(), case.y.cpu()
    operator = case.operator
    assert isinstance(operator, LinearOperator)  # true for all tasks
    x = torch.empty(len(y), *operator.image_shape)
    for value in sorted(set(weights)):
        those = [i for i, w in enumerate(weights) if w == value]
        x[those] = posterior_mean(pca, operator, y[those], value).float()
    known = operator.known(y)
    if case.level == 0 and known is not None:
        x = torch.where(known, y, x)
    return _plain(x.to(case.y), "direct", list(weights))
