"""A safer weight where the one that was chosen gives an unsound result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ipx.solving.choose_lam import Weighed
from ipx.solving.doubts import unsound

FACTOR = 10.0
"""The weight grows by this factor until the result is sound."""

STEPS = 5
"""Times that it grows at most."""


def safer(done: Weighed, before: Tensor, solve: Callable[[Tensor], Weighed]) -> Weighed:
    """The solution with a larger weight for each image whose own is unsound.

    With a wrong operator, such as a blur that a sharp image does not have, every rule for the
    weight finds one that fits the data by an oscillating image. A larger weight does less harm.
    Images that no weight makes sound keep the first.

    Args:
        done: the solution with a weight that was chosen automatically.
        before: the data as an image, ``(B, C, H, W)``.
        solve: solves again with weights like those of ``done``, ``(B,)`` or ``(priors, B)``.
    """
    bad = unsound(done.result.x, before)
    if done.lam is None or not bool(bad.any()):
        return done
    result, lam = done.result, torch.tensor(done.lam, dtype=torch.float64, device=bad.device)
    weights = lam.clone()
    for _ in range(STEPS):
        weights = torch.where(bad, weights * FACTOR, weights)
        found = solve(weights).result
        better = bad & ~unsound(found.x, before)
        result = found.where(better, result)
        lam, bad = torch.where(better, weights, lam), bad & ~better
        if not bool(bad.any()):
            break
    if lam.tolist() == done.lam:
        return done
    grown = numbers(lam.tolist())
    told = (
        f"with the weight that was chosen the result is unsound; a larger one is taken ({grown}): "
        "the operator or the noise level may be wrong"
    )
    return replace(done, lam=lam.tolist(), result=result, remarks=(*done.remarks, told))


def numbers(lam: list[Any]) -> str:
    """Weights in words; those of each prior of a sum are separated by a plus."""
    if lam and isinstance(lam[0], list):
        return " + ".join(map(numbers, lam))
    return ", ".join(f"{v:.3g}" for v in lam)
