"""The weights of the priors by a tuner, which searches for them.

Of a sum the tuner first finds the weight lam_i of each prior alone. The weights of the sum are
s_i lam_i with shares s_i that sum to one. The shares are those of the least score of the tuner
(generalised cross-validation), image by image, among equal shares and the points halfway from these
to each prior alone: for two priors 1/4, 1/2 and 3/4. The score is flat along these: a search over
the size of the weights too follows its noise, and gives worse images.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ipx.solving.attach import attach, best_for
from ipx.solving.build import build
from ipx.solving.choose_lam import Weighed, derived_from_noise
from ipx.solving.prepared import Prepared, with_weights
from ipx.solving.problem import Term
from ipx.solving.trials import Trials
from ipx.solving.tuner import Tuner


def searched(prepared: Prepared, w: Weighed) -> Weighed:
    """The weights that the tuner finds, on a window of large data if there is one.

    Gradients take them for constants.
    """
    tuner: Tuner[Any] = build("tuner", prepared.tuner)
    if len(prepared.terms) > 1:
        search = Search(prepared, tuner)
        lams = torch.stack(search.lams())
        return replace(w, weights=lams, trace=search.trace, remarks=tuple(search.remarks))
    window, problem = prepared.window, prepared.attached
    trials = Trials(prepared.settings, prepared.observers, tuner.most(problem))
    on = problem if window is None else attach(window, prepared.plan)
    tuned = tuner.tune(on, trials.by(prepared.algorithm))
    # solved again from the default start: a record with this lam gives the same bits
    return replace(w, weights=tuned.lam.detach()[None], trace=tuned.trace, remarks=tuned.remarks)


class Search:
    """The weights of a sum of priors without the truth.

    Attributes:
        trace: the trials in order, see `ipx.Restoration`.
        remarks: those of the tuner, each once.
    """

    def __init__(self, prepared: Prepared, tuner: Tuner[Any]) -> None:
        self.prepared, self.tuner = prepared, tuner
        self.window = prepared.window or prepared.problem
        count, most = len(prepared.terms), tuner.most(prepared.problem)
        # each score takes one more solve, for the degrees of freedom
        most = None if most is None else count * most + 2 * len(shares(count))
        self.trials = Trials(prepared.settings, prepared.observers, most)
        self.trace: list[dict[str, Any]] = []
        self.remarks: list[str] = []

    def lams(self) -> list[Tensor]:
        """A weight for each prior that has one, ``(B,)`` each."""
        alone = torch.stack([self._alone(term) for term in self.prepared.terms])
        candidates, scores = [], []
        for share in shares(len(alone)):
            lams = torch.tensor(share).to(alone)[:, None] * alone
            made = attach(with_weights(self.window, list(lams)), self.prepared.plan)
            solve = self.trials.by(self.prepared.algorithm)
            score = self.tuner.score(made, solve(made), solve)
            if score is None:  # the tuner cannot compare: equal shares, the first
                return list(lams)
            self.trace.append({"lam": lams.tolist(), "score": score.tolist()})
            candidates.append(lams)
            scores.append(score)
        best = torch.stack(scores).argmin(0)  # (B,)
        images = torch.arange(len(best), device=best.device)
        return list(torch.stack(candidates)[best, :, images].T.detach())

    def _alone(self, term: Term) -> Tensor:
        """The weight of a prior alone, with the constraints of the sum, ``(B,)``."""
        kept = [t for t in self.window.terms if t is term or not t.prior.traits.weighted]
        single = self.window.changed(terms=tuple(kept))
        plan, algorithm = best_for(single, self.prepared.settings.exact)
        single = attach(single, plan)
        told = derived_from_noise(single)
        if told is not None:
            return told
        tuned = self.tuner.tune(single, self.trials.by(algorithm))
        spec = term.prior.declaration
        name = type(term.prior).__name__ if spec is None else spec.name
        self.trace += [{"prior": name, **trial} for trial in tuned.trace]
        self.remarks += [line for line in tuned.remarks if line not in self.remarks]
        return tuned.lam


def shares(count: int) -> list[list[float]]:
    """The shares that are tried for so many priors: equal ones, and halfway from these to one.

    >>> shares(2)
    [[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
    """
    equal = [1 / count] * count
    alone = [[float(i == k) for i in range(count)] for k in range(count)]
    return [equal, *([(a + b) / 2 for a, b in zip(equal, one, strict=True)] for one in alone)]
