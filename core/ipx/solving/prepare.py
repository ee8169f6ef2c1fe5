"""From the arguments of `ipx.solve` to a prepared problem; bad ones are refused here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ipx.declare.capabilities import Shape
from ipx.errors import InputError, OptionError, UsageError
from ipx.files.arrays import check_channels, rounding, to_tensor
from ipx.files.storage import Storage
from ipx.parts.noise import Noise
from ipx.parts.operator import Operator
from ipx.parts.prior import Prior
from ipx.parts.sum import Sum
from ipx.planning.choice import Candidate, usual_prior
from ipx.planning.plan import Plan, make_plan
from ipx.planning.request import check_drawn, check_weights, picks, weight_rule
from ipx.planning.settings import SolveSettings, bytes_in
from ipx.planning.tree import Description, Tree, tree
from ipx.solving.adjointness import unequal
from ipx.solving.build import build, image_shape_of, operator_from
from ipx.solving.claims import claims
from ipx.solving.cost import weighed
from ipx.solving.levels import estimated
from ipx.solving.observers import AnyObserver, announce
from ipx.solving.prepared import Prepared
from ipx.solving.problem import Problem, Term
from ipx.solving.solver import Solver
from ipx.solving.starts import check_start
from ipx.solving.units import Units, units_of, units_told
from ipx.solving.unknowns import Settled, settled

SMALLEST, LARGEST = 1e-9, 1e15
"""Bounds of the largest value of data that are restored."""

LONE = 16
"""Known values up to which it may be chance that they are equal."""

_NONE: tuple[None, None] = (None, None)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The arguments of `ipx.solve`, with all settings.

    Attributes:
        made: the operator on the data, where ``op`` describes one of which it is a part.
        unit: of the data, where it is not to be told from them, see `ipx.solving.units`.
        picked: the prior in place of ``auto``, where the data have decided.
    """

    image: Any
    op: Description
    noise: Description
    prior: Description | None
    solver: Description
    lam: Any
    tuner: Description
    sampler: Description
    truth: Any
    image_shape: Shape | None
    x0: Any
    storage: Storage | None
    observers: Sequence[AnyObserver]
    settings: SolveSettings
    checkpoint: str | None = None
    made: Operator[Any] | None = None
    unit: float | None = None
    picked: Candidate | None = None

    def like(self, image: Any, y: Tensor) -> Tensor:
        """The truth, or a start: its axes are those of the data if it has as many."""
        axes = self.settings.axes
        same = axes is not None and getattr(image, "ndim", 0) == len(axes)
        return to_tensor(image, y.device, y.dtype, axes if same else None)[0]


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A prepared problem, and the way back to what the user gave.

    Attributes:
        prepared: in units near 1.
        units: the way to the units of the data.
        back: gives an image the type of the data.
        found: the operator, with values found from the data in place of ``auto``.
        prior: the prior, chosen in place of ``auto``.
        doubts: about the data as they are given, those of `ipx.Noise.untold` among them.
    """

    prepared: Prepared
    units: Units
    back: Callable[[Tensor], Any]
    found: Settled
    prior: Tree
    doubts: tuple[str, ...] = ()


def prepare(asked: Asked) -> Ready:
    """Check all that was asked for, estimate what is unknown, and attach the problem to its plan.

    Raises:
        IpxError: one line; see `ipx.errors`.
    """
    s = asked.settings
    if s.restarts > 1 and (s.start != "random" or asked.x0 is not None):
        raise OptionError("restarts above 1 goes with start random, and no x0")
    precision = None if s.precision is None else getattr(torch, s.precision)
    y, back = to_tensor(asked.image, s.device, precision, s.axes, s.sample_type)
    _check_magnitude(y)
    found = settled(asked.op, y)
    prior, plan, algorithm = _chosen(asked, found.op, y)
    check_weights(asked.lam, prior)
    parts = (found.op, asked.noise, prior)
    claims(s.claim)
    chain = tree("sampler", asked.sampler)
    check_drawn(chain, s)
    drawing, sampler = _planned(*parts, chain, s, y) if s.sampled else _NONE
    if s.sampled and any(bridge.weightless for bridge in plan.bridges):
        raise UsageError(
            f"draws need a weight of the prior, and solver {plan.solver.name} takes prior "
            f"{prior.title} as a constraint without one; name another solver"
        )
    tuner = tree("tuner", asked.tuner)
    rule = weight_rule(*parts, plan, asked.lam, tuner, asked.truth is not None)
    operator = _operator(asked, found.op, y)
    y = y.flatten(1) if len(operator.data_shape) == 1 else y
    noise, model = build("noise", asked.noise), build("prior", prior)
    _check(model, algorithm, operator, s.start)
    if s.memory == "check":
        most = None if s.max_memory is None else bytes_in(s.max_memory)
        weighed(plan, operator, noise, model, algorithm, rule, y, sampler).check(most)
    announce(asked.observers, "noise level")
    scalable = model.traits.weighted or algorithm.traits.own_prior
    if asked.unit is not None:
        units = units_told(asked.unit, y, operator, noise, scalable)
    else:
        units = units_of(y, operator, noise, scalable)
    told = (
        *noise.untold(y), *operator.doubts(), *_swapped(operator, y), *unequal(operator, y),
    )  # fmt: skip
    problem = _problem(asked, y, operator, noise, _terms(model, prior), units)
    ready = Prepared.of(
        problem, plan, algorithm=algorithm, lam=asked.lam, tuner=tuner, rule=rule, settings=s,
        observers=asked.observers, truth=_truth(asked, operator, units, y), sampler=sampler,
        drawing=drawing, checkpoint=asked.checkpoint,
    )  # fmt: skip
    return Ready(prepared=ready, units=units, back=back, found=found, prior=prior, doubts=told)


def changed_settings(settings: SolveSettings | None, changed: dict[str, Any]) -> SolveSettings:
    """The settings with some of them changed."""
    if not changed:
        return settings or SolveSettings()
    base = {} if settings is None else {n: getattr(settings, n) for n in SolveSettings.infos()}
    if isinstance(changed.get("device"), torch.device):
        changed = {**changed, "device": str(changed["device"])}
    if isinstance(changed.get("dtype"), torch.dtype):
        changed = {**changed, "dtype": str(changed["dtype"]).removeprefix("torch.")}
    return SolveSettings(**{**base, **changed})


def _truth(asked: Asked, operator: Operator[Any], units: Units, y: Tensor) -> Tensor | None:
    """The clean images in the unit of the problem, ``(B, C, H, W)``.

    Raises:
        InputError: their shape is not that of the result.
    """
    if asked.truth is None:
        return None
    truth = units.divided(asked.like(asked.truth, y))
    shape = operator.view(y.new_empty(1, *operator.image_shape)).shape[1:]
    if truth.shape[1:] != shape or len(truth) not in (1, len(y)):
        raise InputError(f"the truth has shape {tuple(truth.shape)}, the result {(len(y), *shape)}")
    return truth.expand(len(y), *shape)


def _chosen(asked: Asked, op: Description, y: Tensor) -> tuple[Tree, Plan, Any]:
    """The prior that was asked for, or chosen for ``auto``, the plan and its solver."""
    found = [asked.picked] if asked.picked is not None else rivals_of(asked, op, y)
    if not found:
        solver = tree("solver", asked.solver)
        prior = _prior(asked)
        return prior, *_planned(op, asked.noise, prior, solver, asked.settings, y)
    algorithm = build("solver", found[0].solver.chosen(found[0].plan.solver))
    return found[0].prior, found[0].plan, algorithm


def rivals_of(asked: Asked, op: Description, y: Tensor) -> list[Candidate]:
    """The priors that may stand for ``auto``, the best first; none if another was asked for."""
    solver, tuner = tree("solver", asked.solver), tree("tuner", asked.tuner)
    return picks(
        op, asked.noise, _prior(asked), solver, asked.lam, tuner, asked.settings, y.shape[1],
        _dims(y),
    )  # fmt: skip


def _prior(asked: Asked) -> Tree:
    """The prior, ``auto`` included."""
    return tree("prior", usual_prior(asked.solver) if asked.prior is None else asked.prior)


def _dims(y: Tensor) -> int:
    """The axes of an image, 3 for volumes."""
    return 3 if y.ndim == 5 else 2


def _planned(
    op: Description, noise: Description, prior: Tree, asked: Tree, s: SolveSettings, y: Tensor
) -> tuple[Plan, Any]:
    """The plan of a request, and its solver or sampler."""
    parts = tree("operator", op), tree("noise", noise), prior, asked
    plan = make_plan(*parts, s.exact, dims=_dims(y))
    return plan, build(asked.kind, asked.chosen(plan.solver))


def _operator(asked: Asked, op: Description, y: Tensor) -> Operator[Any]:
    """The operator, whose image shape is given or follows from that of the data."""
    if asked.made is not None:
        return asked.made
    shape = asked.image_shape or image_shape_of(op, tuple(y.shape[1:]))
    if (
        asked.image_shape is None
        and asked.settings.axes is None
        and tree("operator", op).instance is None
    ):
        check_channels(asked.image, shape[0])
    return operator_from(op, shape)


def _check_magnitude(y: Tensor) -> None:
    """Refuse data whose squares overflow or vanish in float32."""
    largest = float(y.detach().abs().amax()) if y.numel() else 0.0
    if largest > LARGEST or 0 < largest < SMALLEST:
        raise InputError(
            f"the largest value of the data is {largest:.3g}; images are nominally in [0, 1]: "
            "divide the data by it"
        )


def _swapped(operator: Operator[Any], y: Tensor) -> Iterator[str]:
    """A doubt where all pixels that are known are equal, and those that are missing are not."""
    known = operator.known(y)
    if known is None:
        return
    size = (len(y), y.shape[1] if y.ndim > 2 else 1, -1)
    values, known = y.detach().reshape(size), known.expand_as(y).reshape(size)
    ranges = []
    for of in (known, ~known):
        high, low = values.masked_fill(~of, -torch.inf), values.masked_fill(~of, torch.inf)
        ranges.append(high.amax(2) - low.amin(2))
    alike = (ranges[0] <= 0).all(1) & (known.sum((1, 2)) > LONE)
    if bool((alike & (ranges[1] > 0).any(1)).any()):
        yield (
            "all pixels that count as known are equal, and those that count as missing are not: "
            "the mask may be inverted (0 is missing)"
        )


def _check(
    prior: Prior[Any], algorithm: Solver[Any, Any], operator: Operator[Any], start: str
) -> None:
    """Raise what can be found before anything is computed."""
    for part in (prior, algorithm):
        part.check(operator.image_shape)
    check_start(prior, start)


def _terms(prior: Prior[Any], described: Tree) -> tuple[Term, ...]:
    """A sum that is described by its parts has a weight for each, an instance one for all."""
    parts = prior.parts if isinstance(prior, Sum) and described.parts else (prior,)
    return tuple(Term(part, 0.0) for part in parts)


def _problem(
    asked: Asked,
    y: Tensor,
    operator: Operator[Any],
    noise: Noise[Any],
    terms: tuple[Term, ...],
    units: Units,
) -> Problem:
    """The problem without a weight, in units near 1; an unknown noise level is estimated from y.

    The error of the operator counts as noise.
    """
    told = asked.storage
    storage = units.storage(Storage(rounding(asked.image)) if told is None else told)
    y, noise = units.divided(y), units.noise(noise)
    untold = noise.level is None
    if untold:
        noise = estimated(noise, y, operator.known(y), storage)
        quiet = operator.quiet(y)
        noise = noise if quiet is None else noise.bounded(quiet)
    if operator.error > 0:  # the weight is chosen for the level as it is then
        noise, untold = noise.widened(operator.error / units.by), False
    hard = noise.silent
    x0 = asked.x0
    start = None if x0 is None else units.divided(asked.like(x0, y))
    unit = units.by if units.other else 1.0
    return Problem(y, operator, noise, None, None, start, hard, untold, terms=terms, unit=unit)
