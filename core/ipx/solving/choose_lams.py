"""The weights of the priors by tuners, which search for them.

Of a sum the tuners first find the weight lam_i of each prior alone. The weights of the sum are
s_i lam_i with shares s_i that sum to one. The shares are those of the least score of the tuner
(generalised cross-validation), image by image, among equal shares and the points halfway from these
to each prior alone: for two priors 1/4, 1/2 and 3/4. The score is flat along these: a search over
the size of the weights too follows its noise, and gives worse images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ipx.errors import PluginError
from ipx.planning.parts import Parts
from ipx.planning.tree import AUTO, tree
from ipx.planning.weights import Chosen, rule_of
from ipx.solving.attach import attach, best_for
from ipx.solving.build import build
from ipx.solving.choose_lam import Weighed, share_of_noise
from ipx.solving.prepared import Prepared, with_weights
from ipx.solving.problem import Problem, Term
from ipx.solving.trials import Count, Trials
from ipx.solving.tuner import Solve, Tuned, Tuner


def searched(prepared: Prepared, w: Weighed) -> Weighed:
    """The weights that the tuners find, on a window of large data if there is one.

    Gradients take them for constants.
    """
    if len(prepared.terms) > 1:
        return Search(prepared).result(w)
    tuners = Tuners(prepared.rule.tuners)
    window = None if tuners.truth else prepared.window
    problem = prepared.attached if window is None else attach(window, prepared.plan)
    truth = prepared.truth if tuners.truth else None
    trials = Trials(
        prepared.settings, prepared.observers, tuners.count(prepared.attached), truth
    )  # fmt: skip
    # solved again from the default start: a record with this lam gives the same bits
    found = tuners.tune(problem, trials.by(prepared.algorithm))
    return replace(
        w, weights=found.settled[None], rule=found.rule, trace=found.trace, remarks=found.remarks,
        about=found.about,
    )  # fmt: skip


class Tuners:
    """Tuners in order: each chooses for the images that those before leave undecided.

    Attributes:
        truth: one of them needs the clean image.
    """

    def __init__(self, chosen: Sequence[Chosen]) -> None:
        self.chosen = chosen
        self.tuners: list[Tuner[Any]] = [build("tuner", c.tuner) for c in chosen]
        self.truth = any(c.truth for c in chosen)

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [c.tuner.title for c in self.chosen]

    def count(self, problem: Problem) -> Count:
        """The number of solves: at most those of all tuners, usually those of the first."""
        counts = [tuner.most(problem) for tuner in self.tuners]
        known = [count for count in counts if count is not None]
        most = sum(known) if len(known) == len(counts) else None
        return Count(most, self.tuners[0].usual(problem))

    def score(self, problem: Problem, result: Any, solve: Solve) -> Tensor | None:
        """That of the first tuner that has one, see `ipx.Tuner.score`."""
        for tuner in self.tuners:
            score = tuner.score(problem, result, solve)
            if score is not None:
                return score
        return None

    def tune(self, problem: Problem, solve: Solve) -> Weighed:
        """The weight of one prior, ``(B,)``, and how it was found."""
        left = torch.ones(len(problem.y), dtype=torch.bool, device=problem.y.device)
        lam: Tensor | None = None
        trace: list[dict[str, Any]] = []
        said, settled = Weighed(), list[int]()
        for tuner in self.tuners:
            tuned = tuner.tune(problem, solve)
            if not isinstance(tuned, Tuned):
                raise PluginError(f"tune of {tuner.origin} gives {type(tuned).__name__}, not Tuned")
            trace += tuned.trace
            about = left if tuned.about is None else tuned.about & left
            for line in tuned.remarks if bool(about.any()) else ():
                said = said.remarked(line, about)
            lam = tuned.lam if lam is None else torch.where(left, tuned.lam, lam)
            before = int(left.sum())
            left = left & False if tuned.decided is None else left & ~tuned.decided
            settled.append(before - int(left.sum()))
            if not bool(left.any()):
                break
        assert lam is not None
        if bool(left.any()):
            told = f"tuner {self.names[-1]} cannot tell the weight; it may be far off"
            said = said.remarked(told, left)
            settled[-1] += int(left.sum())
        return replace(said, weights=lam.detach(), rule=self._said(settled), trace=trace)

    def _said(self, settled: Sequence[int]) -> str:
        """Which tuner chose, and why; of several for how many images each."""
        said = []
        for i, (count, chosen) in enumerate(zip(settled, self.chosen, strict=False)):
            why = f"{', '.join(self.names[:i])} cannot tell" if i else chosen.why
            share = "" if count == sum(settled) else f" ({count} of {sum(settled)} images)"
            said += [f"{self.names[i]}: {why}{share}"] if count else []
        return "; ".join(said)


class Search:
    """The weights of a sum of priors without the truth.

    Attributes:
        trace: the trials in order, see `ipx.Restoration`.
        remarks: those of the tuners, each once.
        rules: how the weight of each prior alone was found.
    """

    def __init__(self, prepared: Prepared) -> None:
        self.prepared, self.tuners = prepared, Tuners(prepared.rule.tuners)
        window = None if self.tuners.truth else prepared.window
        self.window = window or prepared.problem
        priors, one = len(prepared.terms), self.tuners.count(prepared.problem)
        # each score takes one more solve, for the degrees of freedom
        whole = (
            None if n is None else priors * n + 2 * len(shares(priors))
            for n in (one.most, one.usual)
        )
        truth = prepared.truth if self.tuners.truth else None
        self.trials = Trials(prepared.settings, prepared.observers, Count(*whole), truth)
        self.trace: list[dict[str, Any]] = []
        self.remarks: list[str] = []
        self.rules: list[str] = []

    def result(self, w: Weighed) -> Weighed:
        """The weights, and how they were found."""
        weights = torch.stack(self._lams())
        rule = "; ".join(dict.fromkeys(self.rules))
        return replace(w, weights=weights, rule=rule, trace=self.trace, remarks=tuple(self.remarks))

    def _lams(self) -> list[Tensor]:
        """A weight for each prior that has one, ``(B,)`` each."""
        alone = torch.stack([self._alone(term) for term in self.prepared.terms])
        candidates, scores = [], []
        for share in shares(len(alone)):
            lams = torch.tensor(share).to(alone)[:, None] * alone
            made = attach(with_weights(self.window, list(lams)), self.prepared.plan)
            solve = self.trials.by(self.prepared.algorithm)
            score = self.tuners.score(made, solve(made), solve)
            if score is None:  # no tuner can compare: equal shares, the first
                return list(lams)
            self.trace.append({"lam": lams.tolist(), "score": score.tolist()})
            candidates.append(lams)
            scores.append(score)
        best = torch.stack(scores).argmin(0)  # (B,)
        images = torch.arange(len(best), device=best.device)
        return list(torch.stack(candidates)[best, :, images].T.detach())

    def _alone(self, term: Term) -> Tensor:
        """The weight of a prior alone, with the constraints of the sum, ``(B,)``."""
        p = self.prepared
        kept = [t for t in self.window.terms if t is term or not t.prior.traits.weighted]
        single = self.window.changed(terms=tuple(kept))
        plan, algorithm = best_for(single, p.settings.exact)
        rule = rule_of(facts_of(single), AUTO, p.tuner, not single.estimated, p.truth is not None)
        single = attach(single, plan)
        if rule.name == "noise":
            self.rules.append(rule.line())
            return share_of_noise(single, rule.value)
        found = Tuners(rule.tuners).tune(single, self.trials.by(algorithm))
        spec = term.prior.declaration
        name = type(term.prior).__name__ if spec is None else spec.name
        self.trace += [{"prior": name, **trial} for trial in found.trace]
        self.remarks += [line for line in found.remarks if line not in self.remarks]
        self.rules.append(found.rule)
        return found.settled


def facts_of(problem: Problem) -> Parts:
    """The facts of a problem that is not attached to a plan."""
    return Parts.of(
        tree("operator", problem.operator), tree("noise", problem.noise),
        tree("prior", problem.prior), problem.hard,
    )  # fmt: skip


def shares(count: int) -> list[list[float]]:
    """The shares that are tried for so many priors: equal ones, and halfway from these to one.

    >>> shares(2)
    [[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
    """
    equal = [1 / count] * count
    alone = [[float(i == k) for i in range(count)] for k in range(count)]
    return [equal, *([(a + b) / 2 for a, b in zip(equal, one, strict=True)] for one in alone)]
