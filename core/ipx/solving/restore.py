"""`restore` and `solve` on arrays and tensors."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ipx.declare.capabilities import Shape
from ipx.errors import InputError, OptionError
from ipx.files.arrays import check_channels, rounding, to_tensor
from ipx.numerics.memory import keep_freed, memory_errors
from ipx.parts.noise import Noise
from ipx.parts.operator import Operator
from ipx.parts.prior import Prior
from ipx.parts.sum import Sum
from ipx.planning.plan import Plan, make_plan
from ipx.planning.request import check_weights, usual_prior
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO, Description, Tree, tree
from ipx.solving.attach import attach, best_for
from ipx.solving.build import build, image_shape_of, operator_from
from ipx.solving.choose_lam import Weighed, weigh
from ipx.solving.choose_lams import is_several, weigh_sum
from ipx.solving.cost import weighed
from ipx.solving.degrade import Image
from ipx.solving.doubts import doubts
from ipx.solving.fallback import numbers, safer
from ipx.solving.observers import AnyObserver, announce
from ipx.solving.problem import Problem, Term
from ipx.solving.progress import Result, Status
from ipx.solving.solver import Solver
from ipx.solving.starts import check_start, first_guess, lowest
from ipx.solving.units import Units, units_of
from ipx.solving.unknowns import Settled, settled
from ipx.solving.windows import window_of

SMALLEST, LARGEST = 1e-9, 1e15
"""Bounds of the largest value of data that are restored."""


@dataclass(frozen=True, repr=False)
class Restoration:
    """A restored image and how it was obtained.

    Attributes:
        image: the restored image, of the type and layout of the input.
        outputs: all images by name, ``(B, C, H, W)``: ``restored`` always, others from observers
            (``mean``, ``std``).
        before: the data as an image, `ipx.Problem.preview`, ``(B, C, H, W)``.
        status: per image, see `ipx.Result`.
        plan: the solver and its bridges.
        lam: weight of the prior per image; of a sum of several priors with a weight such a list
            for each; None for a prior without weight. `solve` takes the same as ``lam``.
        level: noise level per image, given or estimated, in the unit of the noise model: standard
            deviation in image units (gaussian), photons at intensity 1 (poisson), share of wrong
            values (impulse).
        result: the final run of the solver, in the unit of its problem: data far from [0, 1] are
            divided by their largest value, which ``warnings`` tell. ``lam`` is for that unit, too.
        trace: the trials of the tuner, in order: ``lam`` and a criterion, each a list of one number
            per image. The criterion is ``log_ratio``, log of the data term over its target
            (discrepancy), or ``score``, log |A x - y|^2 - 2 log(m - df) (gcv), beside ``noise``,
            |A x - y| / sqrt(m - df). For a sum ``prior``
            tells the one that is tried alone; the trials of all have a list for each in ``lam``.
        op: the operator, with what was found in place of ``auto``.
        seconds: wall-clock time of the whole call.
        warnings: reasons to doubt the result, one line each.
        wrong: per image, true if it is surely wrong: far outside the range of the data.
    """

    image: Any
    outputs: dict[str, Tensor]
    before: Tensor
    status: list[Status]
    plan: Plan
    lam: list[Any] | None
    level: list[float]
    result: Result
    trace: list[dict[str, Any]] = field(default_factory=list)
    op: Description = None
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)
    wrong: list[bool] = field(default_factory=list)

    @property
    def x(self) -> Tensor:
        """The restored image as a tensor ``(B, C, H, W)``."""
        return self.outputs["restored"]

    @property
    def iterations(self) -> list[int]:
        """Iterations of the final run, per image."""
        return [int(n) for n in self.result.iterations]

    def __repr__(self) -> str:
        size = " x ".join(str(n) for n in self.x.shape)
        weight = "" if self.lam is None else f", lam {numbers(self.lam)}"
        return (
            f"<Restoration {size} by {self.plan.solver.name} with prior {self.plan.prior}: "
            f"{', '.join(self.status)} after {', '.join(map(str, self.iterations))} iterations"
            f"{weight}, {self.seconds:.2f} s>"
        )

    def _repr_png_(self) -> bytes | None:
        """The images side by side, for notebooks; None unless they are grey or colour."""
        if self.x.shape[1] not in (1, 3):
            return None
        from PIL import Image as Pillow

        row = torch.cat(list(self.x.detach().cpu()), -1).clamp(0, 1).permute(1, 2, 0)
        pixels = (row * 255).round().to(torch.uint8).numpy()
        file = io.BytesIO()
        Pillow.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
        return file.getvalue()


def solve(
    image: Any,
    *,
    op: Description = "identity",
    noise: Description = "gaussian",
    prior: Description | None = None,
    solver: Description = "auto",
    lam: float | Sequence[Any] | Tensor | str = "auto",
    tuner: Description = "discrepancy",
    image_shape: Shape | None = None,
    x0: Any = None,
    floor: Sequence[float] | None = None,
    axes: str | None = None,
    observers: Sequence[AnyObserver] = (),
    settings: SolveSettings | None = None,
    **changed: Any,
) -> Restoration:
    """Restore a degraded image.

    Args:
        image: the data y: NumPy ``(H, W)`` or ``(H, W, C)``, or a tensor ``(H, W)``,
            ``(C, H, W)`` or ``(B, C, H, W)``, nominally in [0, 1] (integers in their range);
            nested lists and Pillow images count as arrays. Data all below 0.05, or of which 1 %
            exceed 3, are divided by the largest value, and the result is multiplied by it.
        op: forward operator: a name, a table ``{"name": "blur", "sigma": 2}``, or an instance.
        noise: noise model, likewise; its level is estimated from y unless it is given.
        prior: prior, likewise; by default ``"tv"``, or ``"none"`` for a solver that is a trained
            network. A list of priors is their sum.
        solver: solver, likewise; ``"auto"`` takes the best one that fits.
        lam: weight of the prior, >= 0, one or per image; ``"auto"`` derives it from the noise or
            lets the tuner choose it. With a sum of several priors that have a weight it is a list
            of as many, each one or per image, in their order.
        tuner: the rule for ``lam="auto"``.
        image_shape: ``(C, H, W)`` of the result, where the data do not determine it.
        x0: start of the iterations, an image like the result.
        floor: standard deviation of the errors of storage in details of octave 1 (the finest), 2,
            ..., for [0, 1]; by default that of rounding for integers, and none for floats.
        axes: the axes of ``image`` where they are others, or more than 4 channels: ``"BHW"`` is a
            stack of grey images, ``"HWC"`` and ``"CHW"`` have channels.
        observers: called with an `ipx.Progress` after each step, also of the tuner's trials.
        settings: the rest, an `ipx.SolveSettings`.
        **changed: single settings, as in ``solve(y, iterations=50)``.

    Returns:
        A `Restoration`; its ``image`` has the type and layout of ``image``.

    Raises:
        IpxError: one line; see `ipx.errors`.
    """
    began = time.perf_counter()
    keep_freed()
    s = _settings(settings, changed)
    if s.restarts > 1 and (s.start != "random" or x0 is not None):
        raise OptionError("restarts above 1 goes with start random, and no x0")
    build("tuner", tuner)
    precision = None if s.precision is None else getattr(torch, s.precision)
    y, back = to_tensor(image, s.device, precision, axes, s.samples)
    _check_magnitude(y)
    with memory_errors():
        found = settled(op, y)
        op = found.op
        named = tree("prior", usual_prior(solver) if prior is None else prior)
        check_weights(lam, named)
        plan, algorithm = _planned(op, noise, named, solver, s)
        shape = image_shape or image_shape_of(op, tuple(y.shape[1:]))
        if image_shape is None and axes is None and tree("operator", op).instance is None:
            check_channels(image, shape[0])
        operator, model = operator_from(op, shape), build("prior", named)
        y = y.flatten(1) if len(operator.data_shape) == 1 else y
        _check(model, algorithm, operator, s.start)
        if s.memory == "check":
            weighed(plan, operator, build("noise", noise), model, algorithm, tuner, lam, y).check()
        announce(observers, "noise level")
        floor = rounding(image) if floor is None else floor
        made, scalable = build("noise", noise), model.traits.weighted or algorithm.traits.own_prior
        units = units_of(y, operator, made, scalable)
        problem = _problem(y, operator, made, model, named, x0, floor, units)
        solve_with = partial(_restarted, problem, plan, algorithm)
        done = solve_with(lam, tuner, s, observers)
        if isinstance(lam, str):
            before = problem.preview()
            done = safer(done, before, lambda v: solve_with(v, tuner, s, observers))
        return _restoration(done, problem, units, back, began, found)


def _planned(
    op: Description, noise: Description, prior: Tree, solver: Description, s: SolveSettings
) -> tuple[Plan, Solver[Any, Any]]:
    """The plan of a request, and its solver."""
    asked = tree("solver", solver)
    plan = make_plan(tree("operator", op), tree("noise", noise), prior, asked, s.exact)
    return plan, build("solver", _chosen(asked, plan))


def _check_magnitude(y: Tensor) -> None:
    """Refuse data whose squares overflow or vanish in float32."""
    largest = float(y.detach().abs().amax()) if y.numel() else 0.0
    if largest > LARGEST or 0 < largest < SMALLEST:
        raise InputError(
            f"the largest value of the data is {largest:.3g}; images are nominally in [0, 1]: "
            "divide the data by it"
        )


def _check(
    prior: Prior[Any], algorithm: Solver[Any, Any], operator: Operator[Any], start: str
) -> None:
    """Raise what can be found before anything is computed."""
    for part in (prior, algorithm):
        part.check(operator.image_shape)
    check_start(prior, start)


def _restoration(
    done: Weighed,
    problem: Problem,
    units: Units,
    back: Callable[[Tensor], Any],
    began: float,
    operator: Settled,
) -> Restoration:
    """The solution, with what led to it; ``back`` gives it the type of the data."""
    result, noise, view = done.result, problem.noise, problem.operator.view
    before = view(problem.preview())
    outputs = {name: view(x) for name, x in {"restored": result.x, **result.outputs}.items()}
    seconds = time.perf_counter() - began
    found, wrong = doubts(result, outputs["restored"], before)
    outputs = {name: units.restored(x) for name, x in outputs.items()}
    return Restoration(
        image=back(outputs["restored"]),
        outputs={**outputs, **operator.outputs},
        before=units.restored(before),
        status=result.status,
        plan=result.plan,
        lam=done.lam,
        level=_level(units.level(noise), before.shape[0]),
        result=result,
        trace=done.trace,
        op=operator.op,
        seconds=seconds,
        warnings=[*operator.remarks, *units.remarks, *noise.remarks, *done.remarks, *found],
        wrong=wrong,
    )


def _problem(
    y: Tensor,
    operator: Operator[Any],
    noise: Noise[Any],
    prior: Prior[Any],
    described: Tree,
    x0: Any,
    floor: Sequence[float],
    units: Units,
) -> Problem:
    """The problem without a weight, in units near 1; an unknown noise level is estimated from y.

    The error of the operator counts as noise.

    A sum that is ``described`` by its parts has a weight for each, an instance one for all.
    """
    y, noise, floor = units.divided(y), units.noise(noise), units.floor(floor)
    untold = noise.level is None
    if untold:
        noise, quiet = noise.estimated(y, operator.known(y), floor), operator.quiet(y)
        noise = noise if quiet is None else noise.bounded(quiet)
    if operator.error > 0:  # the weight is chosen for the level as it is then
        noise, untold = noise.widened(operator.error / units.by), False
    hard = noise.silent
    start = None if x0 is None else units.divided(to_tensor(x0, y.device, y.dtype)[0])
    parts = prior.parts if isinstance(prior, Sum) and described.parts else (prior,)
    terms = tuple(Term(part, 0.0) for part in parts)
    return Problem(y, operator, noise, None, None, start, hard, untold, terms=terms)


def _settings(settings: SolveSettings | None, changed: dict[str, Any]) -> SolveSettings:
    """The settings with some of them changed."""
    if not changed:
        return settings or SolveSettings()
    base = {} if settings is None else {n: getattr(settings, n) for n in SolveSettings.infos()}
    if isinstance(changed.get("device"), torch.device):
        changed = {**changed, "device": str(changed["device"])}
    if isinstance(changed.get("dtype"), torch.dtype):
        changed = {**changed, "dtype": str(changed["dtype"]).removeprefix("torch.")}
    return SolveSettings(**{**base, **changed})


def _chosen(described: Tree, plan: Plan) -> Tree:
    """The requested solver, or that of the plan for ``auto``."""
    return replace(described, spec=plan.solver) if described.name == AUTO else described


def _restarted(
    problem: Problem,
    plan: Plan,
    algorithm: Solver[Any, Any],
    lam: float | Sequence[Any] | Tensor | str,
    tuner: Description,
    settings: SolveSettings,
    observers: Sequence[AnyObserver],
) -> Weighed:
    """Solve from each start and keep the lowest objective per image."""
    whole, several = problem, is_several(problem)
    window, problem = _windowed(problem, plan)
    runs: list[Weighed] = []
    classical = partial(_classical, iterations=settings.iterations)
    for number in range(settings.restarts):
        begun = problem
        announce(observers, "start")
        if problem.x0 is None:
            guess = first_guess(problem, settings.start, settings.seed + number, classical)
            begun = problem if guess is None else problem.with_lam(0.0, guess)
        if several:
            whole = whole.changed(x0=begun.x0)
            found = weigh_sum(whole, plan, algorithm, lam, tuner, settings, observers)
        else:
            found = weigh(begun, algorithm, lam, tuner, settings, observers, window)
        runs.append(found)
        lam = lam if runs[0].lam is None else runs[0].lam  # objectives compare at one lam only
    return replace(runs[0], result=lowest([run.result for run in runs]))


def _classical(problem: Problem, iterations: int | None) -> Tensor:
    """The restoration with another prior, by the best solver that fits, with its weight chosen.

    Each solve, also of the tuner, has at most as many iterations as the main one.
    """
    plan, algorithm = best_for(problem)
    settings = SolveSettings(tol=1e-3, iterations=iterations)
    window, problem = _windowed(problem, plan)

    def solved(lam: Any) -> Weighed:
        return weigh(problem, algorithm, lam, "discrepancy", settings, window=window)

    return safer(solved("auto"), problem.preview(), solved).result.x


def _windowed(problem: Problem, plan: Plan) -> tuple[Problem | None, Problem]:
    """The problem on a window, if there is one, and the problem, both attached to the plan."""
    window = window_of(problem)
    return None if window is None else attach(window, plan), attach(problem, plan)


def _level(noise: Noise[Any], count: int) -> list[float]:
    """The noise level per image; NaN if there is none."""
    level = noise.level
    if isinstance(level, Tensor):
        flat = level.reshape(-1).tolist()
        return [float(v) for v in (flat if len(flat) == count else flat * count)]
    return [float("nan") if level is None else float(level)] * count


def restore(image: Image, **how: Any) -> Image:
    """Restore a degraded image: the ``image`` of `solve`.

    >>> import numpy as np, ipx
    >>> y = np.clip(np.eye(32), 0.2, 0.8)
    >>> ipx.restore(y, op="blur", prior="tv", lam=0.01).shape
    (32, 32)

    Args:
        image: the degraded image, see `solve`.
        **how: the arguments of `solve`.

    Returns:
        The restored image, of the type and layout of ``image``.
    """
    image_back: Image = solve(image, **how).image
    return image_back
