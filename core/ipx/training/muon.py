"""Muon: steps along orthogonalised momenta of weight matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""a, b, c of X <- a X + b (X X^T) X + c (X X^T)^2 X, which leads singular values towards 1."""


class Muon(torch.optim.Optimizer):
    """Each weight of a layer, as the matrix (outputs, all others), moves by its momentum with all
    singular values set to about 1, times lr 0.2 sqrt(max(rows, columns)).

    Steps then have the size of Adam's with the same lr. Vectors and scalars take steps of Adam.

    Sources: Jordan et al., "Muon", 2024; the scale: Liu et al., arXiv:2502.16982, 2025.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.99),
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        """``betas`` are those of Adam's steps, ``momentum`` that of the matrices."""
        told = {"lr": lr, "betas": betas, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, told)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]  # no closure
        """One step with the gradients that the parameters hold."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.mul_(1 - group["lr"] * group["weight_decay"])
                change = self._adam if p.ndim < 2 else self._orthogonal
                p.sub_(change(p.grad, self.state[p], group), alpha=group["lr"])

    def _orthogonal(self, grad: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> Tensor:
        keep = group["momentum"]
        mean = state.setdefault("momentum", torch.zeros_like(grad))
        mean.lerp_(grad, 1 - keep)
        if not bool(grad.any()):  # a layer without effect: its old momentum is no direction
            return torch.zeros_like(grad)
        ahead = grad.lerp(mean, keep)  # Nesterov
        matrix = ahead.reshape(len(ahead), -1)
        scale = 0.2 * math.sqrt(max(matrix.shape))
        change: Tensor = orthogonalised(matrix).mul_(scale).reshape(grad.shape)
        return change

    def _adam(self, grad: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> Tensor:
        first, second = group["betas"]
        count = state.setdefault("step", torch.zeros(()))
        mean = state.setdefault("mean", torch.zeros_like(grad))
        square = state.setdefault("square", torch.zeros_like(grad))
        count += 1
        mean.lerp_(grad, 1 - first)
        square.lerp_(grad.square(), 1 - second)
        size = (square / (1 - second ** float(count))).sqrt().add_(1e-8)
        change: Tensor = (mean / (1 - first ** float(count))).div_(size)
        return change


def orthogonalised(matrix: Tensor) -> Tensor:
    """U V^T of the singular value decomposition, approximately: singular values in [0.7, 1.2].

    Args:
        matrix: ``(m, n)``; zero gives zero.
    """
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / (x.abs().amax() + 1e-38)  # first, since squares of less than 1e-23 are 0 in float32
    x = x / (x.norm() + 1e-38)
    a, b, c = NEWTON_SCHULZ
    for _ in range(5):
        gram = x @ x.T
        x = a * x + torch.addmm(gram, gram, gram, beta=b, alpha=c) @ x
    found: Tensor = x if wide else x.T.contiguous()
    return found
