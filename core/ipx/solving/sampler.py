"""Samplers: Markov chains whose draws follow the posterior, one step at a time.

The posterior is p(x | y) proportional to exp(-(f(x) + lam R(x)) / T), with the temperature T of
`temperature`: f is a negative log-likelihood without its noise level, and T brings that back (the
variance for Gaussian noise). A sampler has the two pure functions of a solver, and random numbers
as an argument: ``init(problem, start)`` and ``step(problem, state, random)``. Chains, warm-up and
statistics belong to `ipx.sample`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic

import numpy as np
import torch
from torch import Tensor

from ipx.declare.specs import Need, SamplerSpec
from ipx.declare.traits import LEAST_SIGMA
from ipx.errors import PlanError
from ipx.parts.component import Component, O
from ipx.solving.problem import Problem, noise_variance
from ipx.solving.solver import S


class Random:
    """The random numbers of one step of one chain: a function of seed, chain and step only.

    A chain that goes on from a saved state draws what it would have drawn. All images of a batch
    get the same numbers, so that the chain of an image does not depend on the batch.
    """

    def __init__(self, seed: int, chain: int, step: int) -> None:
        counter = np.array([0, 0, step, chain], dtype=np.uint64)
        self._numbers = np.random.Generator(np.random.Philox(key=seed, counter=counter))

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers of the shape, type and device of ``like`` ``(B, ...)``."""
        double = like.dtype == torch.float64
        drawn = self._numbers.standard_normal(
            tuple(like.shape[1:]), dtype=np.float64 if double else np.float32
        )
        return torch.from_numpy(np.asarray(drawn)).to(like).expand_as(like)

    def uniform(self, like: Tensor) -> Tensor:
        """One number in [0, 1) for each image, ``(B,)``, equal for all."""
        return like.new_full((like.shape[0],), float(self._numbers.random()))

    def gamma(self, shape: float, like: Tensor) -> Tensor:
        """One draw of Gamma(shape, 1) for each image, ``(B,)``, equal for all."""
        return like.new_full((like.shape[0],), float(self._numbers.standard_gamma(shape)))

    def whole(self) -> int:
        """A whole number from 0 to 2^31, as a seed."""
        return int(self._numbers.integers(2**31))

    def generator(self) -> torch.Generator:
        """A generator of torch, for code that takes one."""
        return torch.Generator().manual_seed(self.whole())


def temperature(problem: Problem) -> Tensor:
    """T per image, ``(B,)``; noise below `LEAST_SIGMA` counts as that.

    Raises:
        PlanError: the data are free of noise, so that the data term has no scale.
    """
    if problem.hard:
        raise PlanError(
            "the data are free of noise, so that their posterior cannot be sampled; give the noise "
            "level if there is some"
        )
    return problem.derived(temperature, lambda: noise_variance(problem).clamp_min(LEAST_SIGMA**2))


class Sampler(Component[O], ABC, Generic[O, S]):
    """A Markov chain for the posterior.

    Attributes:
        needs: alternative requirements on data term and prior, from the declaration, or set by a
            class that no plugin declares, which comes first.
        draws: draws that are kept of all chains, unless the settings say otherwise.
        thin: steps between two of these, likewise.
        warmup: steps before the first draw; None: half as many as the draws of a chain take.
        independent: each step is a draw by itself; a chain needs no warm-up and always mixes. Where
            that depends on the options, the constructor sets it.
    """

    kind = "sampler"
    needs: tuple[Need, ...] = ()
    draws: ClassVar[int] = 1000
    thin: ClassVar[int] = 1
    warmup: ClassVar[int | None] = None
    independent: bool = False

    def __init__(self, options: O | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        if isinstance(self.declaration, SamplerSpec) and "needs" not in self._own:
            self.needs = self.declaration.needs

    @abstractmethod
    def init(self, problem: Problem, start: Tensor) -> S:
        """The state before the first step.

        Args:
            problem: the problem, attached to a plan.
            start: the unknown to start from, ``(B, C, H, W)`` or a code ``(B, n)``.
        """

    @abstractmethod
    def step(self, problem: Problem, state: S, random: Random) -> S:
        """One step of the chain. Pure: the result depends on the arguments only."""

    def adapted(self, problem: Problem, state: S, step: int) -> S:
        """The state after step number ``step`` of the warm-up, with its step length adapted.

        After the warm-up nothing adapts. By default the state itself.
        """
        return state

    def solution(self, problem: Problem, state: S) -> Tensor:
        """The unknown of a state, ``state.x`` by default."""
        return state.x

    def statistics(self, problem: Problem, state: S) -> Mapping[str, Tensor]:
        """Numbers to watch, one per image ``(B,)``: acceptance, noise level, weight ..."""
        return {}
