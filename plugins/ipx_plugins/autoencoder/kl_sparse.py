"""The penalty on mean activations (Ng, CS294A lecture notes on sparse autoencoders, 2011)."""

from __future__ import annotations

import torch
from torch import Tensor

_EDGE = 1e-6  # keeps logarithms finite where a unit is always off or on


def divergence(activation: Tensor, rate: float) -> Tensor:
    """sum_j KL(Bernoulli(rate) || Bernoulli(r_j)) in nats, a scalar.

    Args:
        activation: codes ``(B, n)`` in [0, 1]; r_j is the mean of column j.
        rate: mean activation wanted, in (0, 1).
    """
    r = activation.mean(0).clamp(_EDGE, 1 - _EDGE)
    p = torch.as_tensor(rate, dtype=r.dtype, device=r.device)
    each: Tensor = p * (p / r).log() + (1 - p) * ((1 - p) / (1 - r)).log()
    return each.sum()
