"""The weights of the priors where no search is needed: given, derived from the noise, or fixed.

Each rule is a step that settles the weights, or hands on what it was given. The rule that searches
is `ipx.solving.choose_lams`, the order is that of `ipx.solving.pipeline`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ipx.declare.capabilities import Denoise, Value, has
from ipx.declare.traits import DENOISER_SHARE, LEAST_SIGMA
from ipx.errors import OptionError
from ipx.parts.prior import Prior
from ipx.solving.prepared import Prepared
from ipx.solving.problem import Problem, noise_variance
from ipx.solving.progress import Result

NOISELESS_LAM = 1e-3
"""Weight of the prior for data free of noise, where it only fills in what was not measured."""

INTERVAL_LAM = 0.2
"""Weight for data known up to an interval, where the prior chooses among the images that fit.

The data term is the distance from the interval. With total variation, whose slope in a pixel is at
most 4, a weight below 1/4 leaves that of the distance larger, and no pixel outside.
"""


@dataclass(frozen=True)
class Weighed:
    """What the steps know so far of the weights and the solution.

    Attributes:
        weights: ``(priors, B)``, of the priors that have one; None while they are unknown.
        trace: the trials of the tuner, see `ipx.Restoration`.
        remarks: sentences for the user about a choice that may be wrong.
        result: the solution; None while there is none.
    """

    weights: Tensor | None = None
    trace: list[dict[str, Any]] = field(default_factory=list)
    remarks: tuple[str, ...] = ()
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

    @property
    def lam(self) -> list[Any] | None:
        """One weight per image; of several priors such a list for each; None without a weight."""
        lams = self.settled.tolist()
        return lams if len(lams) > 1 else lams[0] if lams else None


def told(prepared: Prepared, w: Weighed) -> Weighed:
    """The weights that were asked for; none, for priors without weight.

    Raises:
        OptionError: a weight is no number >= 0, or there are too many.
    """
    y, count = prepared.problem.y, len(prepared.terms)
    if not count:
        return replace(w, weights=y.new_empty(0, len(y)))
    if prepared.automatic:
        return w
    lams = prepared.lam if count > 1 else [prepared.lam]
    return replace(w, weights=torch.stack([given(lam, y) for lam in lams]))


def from_noise(prepared: Prepared, w: Weighed) -> Weighed:
    """The weight of a prior for which it follows from the noise."""
    derived = None if len(prepared.terms) > 1 else derived_from_noise(prepared.attached)
    return w if derived is None else replace(w, weights=derived[None])


def fixed(prepared: Prepared, w: Weighed) -> Weighed:
    """The weight for data free of noise, or known up to an interval; priors share it."""
    problem, count = prepared.problem, len(prepared.terms)
    if problem.hard:
        whole = NOISELESS_LAM
    elif problem.noise.traits.interval:
        whole = INTERVAL_LAM
    else:
        return w
    y = problem.y
    return replace(w, weights=given(whole / count, y).expand(count, len(y)))


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


def derived_from_noise(problem: Problem) -> Tensor | None:
    """The weight, for a prior whose weight follows from the noise; None for the others."""
    share = share_of(problem.prior)
    if share is None:
        return None
    return share * noise_variance(problem).clamp_min(LEAST_SIGMA**2)


def share_of(prior: Prior[Any]) -> float | None:
    """lam over the variance of the noise; None for a prior whose weight does not follow from it."""
    share = prior.traits.lam_per_variance
    if share is None and has(prior, Denoise) and not has(prior, Value):
        share = DENOISER_SHARE
    return share
