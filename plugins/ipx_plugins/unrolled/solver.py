"""The unrolled solvers: each step is that of a classical solver, with learned parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

import ipx
from ipx import (
    LEAST_SIGMA,
    LinearOperator,
    Problem,
    Shape,
    Solver,
    State,
    find_weights,
    known_count,
    load_weights,
)
from ipx.toolkit import column, is_identity
from ipx_plugins.unrolled import PROXED, TrainedOptions
from ipx_plugins.unrolled.network import Stages

_BASE: dict[str, dict[str, Any]] = {
    "admm": {"rho": 1.0, "relaxation": 1.0},
    "hqs": {},
    "pdhg": {"sigma": 1.0, "relaxation": 1.0},
    "fista": {"restart": False, "backtracking": False},
}

DOUBLINGS, MIXED = 16, 5
"""Steps towards the data at most, each twice as long as the one before; of data that mix pixels.

Longer ones are near the inverse of the operator: where the noise was told 20 % too low, all of it
would be amplified, to 11.7 dB for 27.6 behind a blur of 1.6 pixels.
"""

KEPT = 0.5
"""Share of the shrinkage of James and Stein that is kept.

On text and line art with noise 0.004 to 0.05 results are at most 0.5 dB below the data with it, and
2.6 with all of it.
"""


@dataclass(frozen=True)
class UnrolledState(State):
    """The state of the base algorithm, and the number of stages done."""

    inner: Any
    steps: int = 0


class Unrolled(Solver[TrainedOptions, UnrolledState]):
    """K steps of ADMM, half-quadratic splitting, FISTA or PDHG whose prox is a network.

    The data term keeps its exact prox or gradient, and the multipliers are kept. The learned prox
    replaces the prior of the problem. Before training this is the base algorithm with the network
    as its prox.
    """

    model: ClassVar[str]
    iterations = 8

    def __init__(self, options: TrainedOptions | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self._nets: dict[tuple[Any, ...], Stages] = {}
        self._given: Stages | None = None

    @classmethod
    def over(cls, net: nn.Module) -> Unrolled:
        """The solver with this network, as used in training."""
        assert isinstance(net, Stages)
        made = cls()
        made._given, made.needs = net, PROXED
        return made

    def check(self, image_shape: Shape) -> None:
        """Raise the errors of `load_weights` that need no loading."""
        if self._given is None:
            find_weights(self.options.weights, self.model, image_shape[0])

    def budget(self, problem: Problem) -> int:
        """The number of stages; 100 for a deep equilibrium."""
        o = self._stages(problem).options
        return 100 if o.fixed_point else o.stages

    def schedule(self, problem: Problem) -> int | None:
        """The number of stages; None for a deep equilibrium."""
        o = self._stages(problem).options
        return None if o.fixed_point else o.stages

    def init(self, problem: Problem) -> UnrolledState:
        """The start of the base algorithm."""
        stages = self._stages(problem)
        base, stage = self._base(stages), stages.stage(problem, 0)
        # the penalty in `_BASE` is 1, so this weight gives the prox of the first stage
        first = problem.with_prior(stage.prior, stage.lam / stage.penalty)
        inner = base.init(first)
        return UnrolledState(base.solution(first, inner), inner)

    def step(self, problem: Problem, state: UnrolledState) -> UnrolledState:
        """One stage: a step of the base algorithm with the stage's penalty, prior and rate."""
        stages = self._stages(problem)
        base, stage = self._base(stages), stages.stage(problem, state.steps)
        staged = problem.with_prior(stage.prior, stage.lam)
        before = base.with_penalty(state.inner, stage.penalty, rescale=state.steps > 0)
        after = base.damped(before, base.step(staged, before), stage.rate)
        x, o = base.solution(staged, after), stages.options
        last = state.steps + 1 == self.schedule(problem)
        if last and self._given is None and o.base != "fista":
            x = consistent(problem, x)
        return UnrolledState(x, after, state.steps + 1)

    def residual(self, problem: Problem, before: UnrolledState, after: UnrolledState) -> Tensor:
        """Relative change of the picture; at least 1 while stages remain."""
        change = super().residual(problem, before, after)
        o = self._stages(problem).options
        return change if o.fixed_point or after.steps >= o.stages else change.clamp_min(1.0)

    def _base(self, stages: Stages) -> Solver[Any, Any]:
        name = stages.options.base
        return ipx.solver(name, **_BASE[name])

    def _stages(self, problem: Problem) -> Stages:
        """The network for this dtype, device and number of channels (a pure cache)."""
        if self._given is not None:
            return self._given
        like, channels = problem.y, problem.image_shape[0]
        key = (channels, like.dtype, like.device)
        if key not in self._nets:
            net = load_weights(self.options.weights, self.model, channels).network(like)
            assert isinstance(net, Stages)
            self._nets[key] = net
        return self._nets[key]


def consistent(problem: Problem, x: Tensor) -> Tensor:
    """x, moved towards the data where these contradict it, per image.

    A network may smear what it was not trained on, such as text. Its result then misses the data by
    more than their noise. The first prox of the data term, for t = 1/4, 1/2, 1, ..., whose residual
    is small enough is taken: m sigma^2 (Morozov's principle), and for denoising a quarter of its
    square over the residual of the network: half the shrinkage of James and Stein (1961), since a
    part of the noise is left in x, from which theirs is to be free.
    """
    count, value = known_count(problem), problem.data.value(x)
    bound = problem.noise.expected(problem.y, count).clamp_min(0.5 * count * LEAST_SIGMA**2)
    limit = 1.05 * bound
    operator = problem.operator
    apart = isinstance(operator, LinearOperator) and is_identity(operator, problem.y)
    if apart:
        limit = KEPT**2 * bound * (bound / value.clamp_min(1e-30)).clamp_max(1.0)
    found = x
    for k in range(DOUBLINGS if apart else MIXED):
        far = problem.data.value(found) > torch.where(value > 1.05 * bound, limit, torch.inf)
        if not bool(far.any()):
            break
        moved = problem.data.prox(x, 0.25 * 2**k, guess=found)
        found = torch.where(column(far, x), moved, found)
    return found


class UnrolledADMM(Unrolled):
    """ADMM with a learned denoiser."""

    model = "unrolled-admm"


class UnrolledHQS(Unrolled):
    """Half-quadratic splitting with a learned denoiser."""

    model = "unrolled-hqs"


class ADMMNet(Unrolled):
    """ADMM with learned filters and curves."""

    model = "admm-net"


class LISTA(Unrolled):
    """Proximal gradient with learned frames."""

    model = "lista"


__all__ = ["LISTA", "ADMMNet", "Unrolled", "UnrolledADMM", "UnrolledHQS", "UnrolledState"]
