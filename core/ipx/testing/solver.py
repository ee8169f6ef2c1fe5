"""Checks of solvers, on small problems made of whatever is installed that fits them."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from ipx.declare.capabilities import Value, has
from ipx.numerics.tensors import image_norm
from ipx.solving.loop import iterate
from ipx.solving.problem import Problem, known_count
from ipx.solving.solver import State
from ipx.solving.stop import noise_reached
from ipx.testing.common import close, require
from ipx.testing.problems import ProblemChecks, pictures, stored

STEPS = 30  # enough for a decrease; a schedule is run to its end


class SolverChecks(ProblemChecks):
    """Checks of an algorithm that minimises."""

    def _after(self, problem: Problem, state: State) -> Tensor:
        """The picture after one more step."""
        return cast(Tensor, self.made.solution(problem, self.made.step(problem, state)))

    def decrease(self) -> None:
        """The objective decreases in every image, or the error where there is no objective."""
        for problem in self._problems:
            steps = self.made.schedule(problem) or min(self.made.budget(problem), STEPS)
            free = not (problem.prior.traits.weighted or self.traits.own_prior)
            early = noise_reached() if free else None  # as a restoration does
            result = iterate(problem, self.made, iterations=steps, stop=early)
            start, what = problem.start(), "objective"
            if free:  # what is regularised by stopping early has a start of its own
                start = self.made.solution(problem, self.made.init(problem))
                level = problem.noise.expected(problem.y, known_count(problem))
                if bool((problem.data.value(start) <= level).all()):
                    continue  # it stops there
            if self.traits.own_prior or not has(problem.prior, Value):
                what, clean = "error", pictures(problem.image_shape[0])
                before, after = image_norm(start - clean), image_norm(result.x - clean)
            else:
                before, after = problem.objective(start), problem.objective(result.x)
                close(result.objective, after, 1e-12, "reported objective")
            less = "diverged" not in result.status and (after < before).all()
            # a plain method may be what the operator shows its data by, such as an interpolation
            same = self.made.one_shot and torch.equal(result.x, start)
            require(same or less, f"{what} {before.tolist()} became {after.tolist()}")

    def resume(self) -> None:
        """A state that was saved and read back goes on with the same bits."""
        for problem in self._problems:
            first = iterate(problem, self.made, iterations=3, tol=0.0).state
            same = torch.equal(self._after(problem, first), self._after(problem, stored(first)[1]))
            require(same, "from a saved state it goes on otherwise")

    def pure_step(self) -> None:
        """A step leaves its state and the start as they were, and gives the same result again."""
        for problem in self._problems:
            start = problem.start().clone()
            state = self.made.init(problem)
            kept = stored(state)[0]
            same = torch.equal(self._after(problem, state), self._after(problem, state))
            require(stored(state)[0] == kept, "a step changes the state it was given")
            require(torch.equal(problem.start(), start), "a step changes the start of the problem")
            require(same, "the same step gives another result the second time")

    def batch(self) -> None:
        """Six steps on a batch give what they give on its images alone."""
        for problem in self._problems:
            whole = iterate(problem, self.made, iterations=6, tol=0.0).x
            for i in range(2):
                lam = torch.as_tensor(problem.lam)[i : i + 1]
                one = problem.changed(y=problem.y[i : i + 1], lam=lam)
                alone = iterate(one, self.made, iterations=6, tol=0.0).x
                close(whole[i : i + 1], alone, 1e-8, f"image {i} of a batch against alone")


checks = SolverChecks.of
