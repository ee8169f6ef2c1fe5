"""The library's face: `restore`, `solve` and `degrade` on arrays and tensors."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from ipx.declare.capabilities import Shape
from ipx.declare.registry import registry
from ipx.declare.specs import SolverSpec
from ipx.errors import MemoryExhaustedError, OptionError
from ipx.files.arrays import to_tensor
from ipx.numerics.memory import keep_freed
from ipx.parts.noise import Noise
from ipx.parts.operator import Operator
from ipx.parts.prior import Prior
from ipx.planning.plan import Plan, make_plan
from ipx.planning.request import PRIOR, prior_for
from ipx.solving.build import Description, build, image_shape_of, operator_from, split
from ipx.solving.choose_lam import weigh
from ipx.solving.loop import (
    Callback,
    Result,
    Status,
    attach,
    parts_of,
    plan_for,
)
from ipx.solving.problem import Problem
from ipx.solving.solver import Solver
from ipx.solving.starts import first_guess, lowest

Image = TypeVar("Image", "np.ndarray[Any, Any]", Tensor)


@dataclass(frozen=True)
class Restoration:
    """A restored picture, and everything that led to it.

    Attributes:
        image: the restored picture, of the kind and layout of the input.
        x: the same as a tensor ``(B, C, H, W)``.
        before: what could be seen before, `Operator.preview` of the data, ``(B, C, H, W)``.
        status: per image, see `ipx.iterate.Result`.
        plan: how operator, noise, prior and solver were made to fit.
        lam: weight of the prior per image; None for a prior without weight.
        level: noise level per image, given or estimated.
        result: the last run of the loop.
        trace: what the tuner tried.
        seconds: wall-clock time of everything.
    """

    image: Any
    x: Tensor
    before: Tensor
    status: list[Status]
    plan: Plan
    lam: list[float] | None
    level: list[float]
    result: Result
    trace: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def iterations(self) -> list[int]:
        """Steps of the final solve, per image."""
        return [int(n) for n in self.result.iterations]


def _level(noise: Noise[Any], count: int) -> list[float]:
    level = noise.level
    if isinstance(level, Tensor):
        flat = level.reshape(-1).tolist()
        return [float(v) for v in (flat if len(flat) == count else flat * count)]
    return [float("nan") if level is None else float(level)] * count


def _solver(
    description: Description, problem: Problem, exact: bool, names: tuple[str, str, str]
) -> tuple[Solver[Any, Any], Plan]:
    """The solver and the plan, by name, by instance or automatically."""
    if isinstance(description, Solver):
        return description, plan_for(problem, description, exact)
    name, values = split(description, "solver")
    reg = registry()
    specs = [s for s in reg.all("solver") if isinstance(s, SolverSpec)]
    parts = parts_of(problem)
    parts = type(parts)(
        **{**parts.__dict__, **dict(zip(("operator", "noise", "prior"), names, strict=True))}
    )
    if name == "auto":
        if values:
            raise OptionError("solver auto has no options; name a solver to set its options")
    else:
        chosen = reg.get("solver", name)
        specs = [s for s in specs if s.name != chosen.name or s is chosen]
        name = chosen.name
    plan = make_plan(parts, specs, name, reg.all("adapter"), exact)
    spec = next(s for s in specs if s.name == plan.solver)
    made: Solver[Any, Any] = reg.create(spec, options=reg.options("solver", spec.id, values))
    return made, plan


def usual_prior(solver: Description) -> str:
    """The prior where none was named."""
    if isinstance(solver, Solver):
        return "none" if solver.own_prior else PRIOR
    return prior_for(split(solver, "solver")[0])


def _name(description: Description, kind: str) -> str:
    if isinstance(description, (str, dict)):
        return split(description, kind)[0]
    return type(description).__name__


@contextmanager
def _memory() -> Iterator[None]:
    """Out of memory, on any device, becomes one clear line."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as e:
        raise MemoryExhaustedError(_MEMORY) from e
    except RuntimeError as e:
        if "can't allocate memory" in str(e) or "not enough memory" in str(e):
            raise MemoryExhaustedError(_MEMORY) from e
        raise


_MEMORY = "out of memory; restore a smaller picture, or fewer at a time"


def solve(
    image: Any,
    *,
    op: Description = "identity",
    noise: Description = "gaussian",
    prior: Description | None = None,
    solver: Description = "auto",
    lam: float | Sequence[float] | Tensor | str = "auto",
    tuner: Description = "discrepancy",
    image_shape: Shape | None = None,
    x0: Any = None,
    start: str = "auto",
    restarts: int = 1,
    seed: int = 0,
    iterations: int | None = None,
    tol: float = 1e-4,
    keep: Literal["last", "best"] = "last",
    exact: bool = False,
    callbacks: Sequence[Callback] = (),
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Restoration:
    """Restore a degraded image, and tell how.

    Args:
        image: the data y: NumPy ``(H, W)`` or ``(H, W, C)``, or a tensor ``(H, W)``,
            ``(C, H, W)`` or ``(B, C, H, W)``, nominally in [0, 1] (integers in their range).
        op: forward operator: a name, a table ``{"name": "blur", "sigma": 2}``, or an instance.
        noise: noise model, likewise; its level is estimated from y when it is not given.
        prior: prior, likewise; by default ``"tv"``, and ``"none"`` for a solver that is a trained
            network.
        solver: solver, likewise; ``"auto"`` takes the best one that fits.
        lam: weight of the prior, >= 0, one or per image; ``"auto"`` lets the tuner choose.
        tuner: the rule for ``lam="auto"``.
        image_shape: ``(C, H, W)`` of the result where the data do not tell it.
        x0: start of the iterations, an image like the result.
        start: where to begin without ``x0``: ``auto``, ``preview``, ``mean``, ``random`` or the
            name of another prior, see `ipx.starts`.
        restarts: solve so often, each time from another random start, and keep what ends with
            the lowest objective; for ``start="random"``.
        seed: of the random starts.
        iterations: budget of steps; the solver's usual one by default.
        tol: stop at this fixed-point residual.
        keep: the last iterate, or the best one by the objective, looked at every ten steps.
        exact: refuse approximate bridges.
        callbacks: called after each step, those of the tuner's trials included.
        device: where to work.
        dtype: precision of the work.

    Returns:
        A `Restoration`; ``.image`` is of the kind of ``image``.

    Raises:
        IpxError: one clear line; see `ipx.errors`.
    """
    began = time.perf_counter()
    keep_freed()
    _check(start, tol, keep)
    _whole("seed", seed, 0)
    _whole("iterations", 1 if iterations is None else iterations, 1)
    _whole("restarts", restarts, 1)
    build("tuner", tuner)
    if prior is None:
        prior = usual_prior(solver)
    y, back = to_tensor(image, device, dtype)
    with _memory():
        operator = operator_from(op, image_shape or image_shape_of(op, tuple(y.shape[1:])))
        if len(operator.data_shape) == 1:
            y = y.flatten(1)
        model: Noise[Any] = build("noise", noise)
        regulariser: Prior[Any] = build("prior", prior)
        given = None if x0 is None else to_tensor(x0, y.device, y.dtype)[0]
        if restarts > 1 and (start != "random" or x0 is not None):
            raise OptionError("restarts above 1 goes with start random, and no x0")
        hard = isinstance(model.level, (int, float)) and model.level == 0
        untold = model.level is None
        if untold:
            model = model.estimated(y, operator.known(y))
        problem = Problem(y, operator, model, regulariser, 0.0, given, hard, untold)
        names = (_name(op, "operator"), _name(noise, "noise"), _name(prior, "prior"))
        algorithm, plan = _solver(solver, problem, exact, names)
        problem = attach(problem, plan)
        results = []
        for number in range(restarts):
            begun = problem
            if given is None:
                guess = first_guess(problem, start, seed + number, _classical)
                begun = problem if guess is None else problem.with_lam(0.0, guess)
            weights, trace, result = weigh(
                begun, algorithm, plan, lam, tuner, iterations, tol, callbacks, keep
            )
            results.append(result)
        result = lowest(results)
        return Restoration(
            image=back(result.x),
            x=result.x,
            before=operator.preview(y),
            status=result.status,
            plan=plan,
            lam=weights,
            level=_level(model, y.shape[0]),
            result=result,
            trace=trace,
            seconds=time.perf_counter() - began,
        )


def _whole(name: str, value: object, least: int) -> None:
    """Refuse what is no whole number that counters and random generators take."""
    if isinstance(value, bool) or not (isinstance(value, Integral) and least <= int(value) < 2**63):
        raise OptionError(f"{name} must be a whole number >= {least}, not {value!r}")


def _check(start: object, tol: object, keep: object) -> None:
    """Plain arguments of `solve`, before anything is computed."""
    if not isinstance(start, str):
        raise OptionError(f"start must be the name of a start, not {start!r}")
    if not isinstance(tol, Real) or not 0 <= float(tol) < math.inf:
        raise OptionError(f"tol must be a number >= 0, not {tol!r}")
    if keep not in ("last", "best"):
        raise OptionError(f"keep must be last or best, not {keep!r}")


def _classical(problem: Problem) -> Tensor:
    """What another prior restores: with the solver that fits best, its weight chosen."""
    names = (type(problem.operator).__name__, "noise", type(problem.prior).__name__)
    algorithm, plan = _solver("auto", problem, False, names)
    problem = attach(problem, plan)
    return weigh(problem, algorithm, plan, "auto", "discrepancy", None, 1e-3, [])[2].x


def restore(image: Image, **how: Any) -> Image:
    """Restore a degraded image: `solve`, and only the picture.

    >>> import numpy as np, ipx
    >>> y = np.clip(np.eye(32), 0.2, 0.8)
    >>> ipx.restore(y, op="blur", prior="tv", lam=0.01).shape
    (32, 32)

    Args:
        image: the degraded image, see `solve`.
        **how: the arguments of `solve`.

    Returns:
        The restored image, of the kind, layout and type of ``image``.
    """
    image_back: Image = solve(image, **how).image
    return image_back


def degrade(
    image: Image,
    *,
    op: Description = "identity",
    noise: Description = "gaussian",
    seed: int = 0,
    device: torch.device | str | None = None,
) -> Image:
    """Simulate a measurement, y = noise(A x).

    Args:
        image: the clean image, see `solve`.
        op: forward operator.
        noise: noise model; without a level it uses its documented one for simulations.
        seed: of the random numbers; the same seed gives the same data.
        device: where to work.

    Returns:
        The data, of the kind and layout of ``image``; nothing is clipped unless the type is
        an integer one.
    """
    _whole("seed", seed, 0)
    x, back = to_tensor(image, device)
    with _memory():
        operator: Operator[Any] = operator_from(op, tuple(x.shape[1:]))
        model: Noise[Any] = build("noise", noise)
        generator = torch.Generator().manual_seed(seed)
        y = model.sample(operator(x), generator)
        known = operator.known(y)
        if known is not None:
            y = torch.where(known, y, torch.zeros_like(y))
    degraded: Image = back(y if y.ndim == 4 else y.reshape(y.shape[0], 1, 1, -1))
    return degraded


__all__ = ["Restoration", "degrade", "restore", "solve", "to_tensor"]
