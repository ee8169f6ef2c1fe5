"""The squared norm of the encoder's derivative (Rifai et al., ICML 2011, equation 4)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def contraction(
    encode: Callable[[Tensor], Tensor], x: Tensor, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Codes of ``x`` ``(B, n)``, and an unbiased estimate of |dE/dx|_F^2, ``(B,)``.

    With random signs v, the mean of |J^T v|^2 is |J|_F^2 (Hutchinson 1990). One probe for each
    picture costs one more backward pass, where the full derivative costs n.
    """
    point = x.detach().requires_grad_(True)
    with torch.enable_grad():
        code = encode(point)
        signs = torch.randint(0, 2, code.shape, generator=rng, device=code.device)
        v = 2.0 * signs.to(code.dtype) - 1
        (slope,) = torch.autograd.grad((code * v).sum(), point, create_graph=True)
    return code, slope.square().flatten(1).sum(1)
