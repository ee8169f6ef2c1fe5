"""The weights of the priors where no search is needed: given, derived from the noise, or fixed.

`ipx.planning.weights` tells which rule holds, the functions here compute the weights. The rule that
searches is in `ipx.solving.choose_lams`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ipx.declare.traits import LEAST_SIGMA
from ipx.errors import OptionError
from ipx.solving.prepared import Prepared
from ipx.solving.problem import Problem, noise_variance
from ipx.solving.progress import Result


@dataclass(frozen=True)
class Weighed:
    """What the steps know so far of the weights and the solution.

    Attributes:
        weights: ``(priors, B)``, of the priors that have one; None while they are unknown.
        rule: how they were found, in words.
        trace: the trials of the tuner, see `ipx.Restoration`.
        remarks: sentences for the user about a choice that may be wrong.
        about: images that the remarks are about, ``(B,)``; None: all.
        result: the solution; None while there is none.
    """

    weights: Tensor | None = None
    rule: str = ""
    trace: list[dict[str, Any]] = field(default_factory=list)
    remarks: tuple[str, ...] = ()
    about: Tensor | None = None
    result: Result | None = None

    @property
    def settled(self) -> Tensor:
        """The weights, which are known."""
        assert self.weights is not None
        return self.weights

    @property
    def solution(self) -> Result:
        """The solution, which is known."""
        assert self.result is not None
        return self.result

    def remarked(self, line: str, about: Tensor) -> Weighed:
        """The same with another remark, about the images where ``about`` ``(B,)`` is true."""
        every = torch.ones_like(about)
        before = every if self.about is None else self.about
        about = about | before if self.remarks else about
        return replace(self, remarks=(*self.remarks, line), about=about)

    def taken(self, images: Sequence[int], problem: Problem) -> Weighed:
        """That of some images of a batch, by their numbers from 0, and of their problem."""
        chosen = list(images)
        about = None if self.about is None else self.about[chosen]
        weights = None if self.weights is None else self.weights[:, chosen]
        result = None if self.result is None else self.result.taken(chosen)
        return replace(
            self,
            weights=weights,
            remarks=() if about is not None and not bool(about.any()) else self.remarks,
            about=about,
            result=None if result is None else replace(result, problem=problem),
        )

    @property
    def lam(self) -> list[Any] | None:
        """One weight per image; of several priors such a list for each; None without a weight."""
        lams = self.settled.tolist()
        return lams if len(lams) > 1 else lams[0] if lams else None


def as_told(prepared: Prepared, w: Weighed) -> Weighed:
    """The weights that were asked for; none, for priors without weight.

    Raises:
        OptionError: a weight is no number >= 0, or there are too many.
    """
    y, count = prepared.problem.y, len(prepared.terms)
    if not count:
        return replace(w, weights=y.new_empty(0, len(y)))
    lams = prepared.lam if count > 1 else [prepared.lam]
    weights = torch.stack([given(lam, y) for lam in lams])
    return replace(w, weights=weights, rule=prepared.rule.line())


def from_noise(prepared: Prepared, w: Weighed) -> Weighed:
    """The weight of a prior for which it follows from the noise."""
    weights = share_of_noise(prepared.attached, prepared.rule.value)[None]
    return replace(w, weights=weights, rule=prepared.rule.line())


def fixed(prepared: Prepared, w: Weighed) -> Weighed:
    """The weight for data free of noise, or known up to an interval; priors share it."""
    y, count = prepared.problem.y, len(prepared.terms)
    weights = given(prepared.rule.value / count, y).expand(count, len(y))
    return replace(w, weights=weights, rule=prepared.rule.line())


def given(lam: Any, y: Tensor) -> Tensor:
    """The weight as one number per image.

    Raises:
        OptionError: it is no number >= 0, or there are neither one nor as many as images.
    """
    count = y.shape[0]
    try:
        weights = torch.as_tensor(lam, dtype=y.dtype, device=y.device).reshape(-1)
    except (TypeError, ValueError, RuntimeError):
        raise OptionError(f"lam must be a number >= 0 or auto, not {lam!r}") from None
    if len(weights) not in (1, count) or not bool(((weights >= 0) & weights.isfinite()).all()):
        raise OptionError(f"lam must be >= 0, one number or one for each of {count} image(s)")
    return weights.expand(count).contiguous()


def share_of_noise(problem: Problem, share: float) -> Tensor:
    """So many times the variance of the noise, per image ``(B,)``."""
    return share * noise_variance(problem).clamp_min(LEAST_SIGMA**2)
