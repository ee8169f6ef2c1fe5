"""Checks of samplers, on small problems made of whatever is installed that fits them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor

from ipx.solving.problem import Problem
from ipx.solving.sample import sample
from ipx.solving.sampler import Random
from ipx.solving.solver import State
from ipx.testing.common import close, require
from ipx.testing.problems import OPERATORS, ProblemChecks, stored

STEPS = 2
"""Of a chain; of independent draws one tells as much."""


class SamplerChecks(ProblemChecks):
    """Checks of a Markov chain: it is a function of its arguments, and moves."""

    priors = ("tikhonov", "smooth", "tv", "wiener", "code")

    def _setups(self) -> Iterator[tuple[tuple[str, float], str, int]]:
        """Each prior with one operator: a draw may take many gradients."""
        operators = itertools.cycle(OPERATORS)
        return ((next(operators), name, 1) for name in self.priors)

    @property
    def _steps(self) -> int:
        return 1 if self.made.independent else STEPS

    def _moved(self, problem: Problem, state: State, first: int, last: int) -> State:
        """The state after the steps first ... last - 1."""
        for k in range(first, last):
            state = self.made.adapted(problem, self.made.step(problem, state, Random(0, 0, k)), k)
        return state

    @cached_property
    def _begun(self) -> list[tuple[Problem, State, State]]:
        """Each problem, the first state, and that after `_steps` steps; no check changes them."""
        firsts = [(p, self.made.init(p, p.start())) for p in self._problems]
        return [(p, first, self._moved(p, first, 0, self._steps)) for p, first in firsts]

    def _picture(self, problem: Problem, state: State) -> Tensor:
        return problem.picture(self.made.solution(problem, state))

    def resume(self) -> None:
        """A state that was saved and read back goes on with the same bits."""
        n = self._steps
        for problem, _, state in self._begun:
            a, b = (self._moved(problem, s, n, 2 * n) for s in (state, stored(state)[1]))
            same = torch.equal(self._picture(problem, a), self._picture(problem, b))
            require(same, "from a saved state it goes on otherwise")

    def pure_step(self) -> None:
        """A step leaves its state as it was, and gives the same result again."""
        for problem, state, _ in self._begun:
            kept = stored(state)[0]
            a, b = (self.made.step(problem, state, Random(0, 0, 1)) for _ in range(2))
            require(stored(state)[0] == kept, "a step changes the state it was given")
            same = torch.equal(self._picture(problem, a), self._picture(problem, b))
            require(same, "the same step gives another result the second time")

    def random(self) -> None:
        """Steps with other random numbers go elsewhere."""
        for problem, _, state in self._begun:
            a = b = state
            for k in range(self._steps, 20 * STEPS):  # a Metropolis test may refuse some
                a, b = (self.made.step(problem, s, Random(0, c, k)) for c, s in enumerate((a, b)))
                if not torch.equal(self._picture(problem, a), self._picture(problem, b)):
                    break
            else:
                raise AssertionError("it does not use the random numbers it is given")

    def batch(self) -> None:
        """Some steps on a batch give what they give on its images alone."""
        for problem, _, state in self._begun:
            whole = self._picture(problem, state)
            for i in range(len(problem.y)):
                lam = torch.as_tensor(problem.lam)[i : i + 1]
                one = problem.changed(y=problem.y[i : i + 1], lam=lam)
                begun = self.made.init(one, one.start())
                alone = self._picture(one, self._moved(one, begun, 0, self._steps))
                close(whole[i : i + 1], alone, 1e-6, f"image {i} of a batch against alone")

    def draws(self) -> None:
        """A short run has finite moments and positive deviations, and is the same again."""
        warmup = None if self.made.independent else 2
        for problem in self._problems:
            runs = [
                sample(problem, self.made, draws=2, thin=1, warmup=warmup, interval=90)
                for _ in range(2)
            ]
            require(torch.equal(runs[0].mean, runs[1].mean), "the same seed gives other draws")
            require(bool(runs[0].sound.all()), "a chain left the finite numbers")
            require(bool((runs[0].std.amax((1, 2, 3)) > 0).all()), "all draws are equal")


checks = SamplerChecks.of
