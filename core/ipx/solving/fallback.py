"""A safer weight where the one that was chosen gives an unsound result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ipx.solving.choose_lam import Weighed
from ipx.solving.doubts import unsound
from ipx.solving.progress import Result

FACTOR = 10.0
"""The weight grows by this factor until the result is sound."""

STEPS = 5
"""Times that it grows at most."""


def safer(w: Weighed, before: Tensor, solve: Callable[[Tensor], Result]) -> Weighed:
    """The solution with a larger weight for each image whose own is unsound.

    With a wrong operator, such as a blur that a sharp image does not have, every rule for the
    weight finds one that fits the data by an oscillating image. A larger weight does less harm.
    Images that no weight makes sound keep the first.

    Args:
        w: the solution with weights that were chosen automatically.
        before: an image with the range of the data, `ipx.solving.doubts.framed`.
        solve: solves again with weights ``(priors, B)``.
    """
    result = w.solution
    bad = unsound(result.x, before)
    if not len(w.settled) or not bool(bad.any()):
        return w
    kept = weights = w.settled.detach().double()
    for _ in range(STEPS):
        weights = torch.where(bad, weights * FACTOR, weights)
        found = solve(weights)
        better = bad & ~unsound(found.x, before)
        result = found.where(better, result)
        kept, bad = torch.where(better, weights, kept), bad & ~better
        if not bool(bad.any()):
            break
    if torch.equal(kept, w.settled.double()):
        return w
    changed = (kept != w.settled.double()).any(0)
    grown = replace(w, weights=kept, result=result)
    told = (
        "with the weight that was chosen the result is unsound; a larger one is taken "
        f"({numbers(grown.lam or [])}): the operator or the noise level may be wrong"
    )
    rule = f"{w.rule}; then larger, since the result was unsound"
    return replace(grown, rule=rule).remarked(told, changed)


def numbers(lam: list[Any]) -> str:
    """Weights in words; those of each prior of a sum are separated by a plus."""
    if lam and isinstance(lam[0], list):
        return " + ".join(map(numbers, lam))
    return ", ".join("none" if v is None else f"{v:.3g}" for v in lam)
