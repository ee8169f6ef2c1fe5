"""Filling holes, and removing noise, with draws of the autoregressive model."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ipx import (
    Diagonal,
    Problem,
    Shape,
    Solver,
    State,
    column,
    find_weights,
    load_weights,
    noise_variance,
    using,
)
from ipx_plugins.pixelcnn import PixelCNNSolverOptions
from ipx_plugins.pixelcnn.model import PixelCNN


class PixelCNNSolver(Solver[PixelCNNSolverOptions, State]):
    """The mean of weighted draws from p(x | y), or one of them; channel by channel, on the CPU.

    Each grey value v of the model explains y_i by N(y_i; d v, s^2 + (d h)^2 / 12), s the standard
    deviation of the noise and h the distance of grey values, for the error of rounding.
    Where the data are free of noise, known pixels are kept. Outside of automatic differentiation.
    """

    iterations = 1
    one_shot = True

    def __init__(self, options: PixelCNNSolverOptions | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self._net: tuple[PixelCNN, nn.Module] | None = None

    def check(self, image_shape: Shape) -> None:
        """Raise the errors of `load_weights` that need no loading."""
        find_weights(self.options.weights, "pixelcnn", 1)

    def init(self, problem: Problem) -> State:
        """The start; `step` does not use it."""
        return State(problem.start())

    @torch.no_grad()
    def step(self, problem: Problem, state: State) -> State:
        """The restored picture."""
        y = problem.noise.centred(problem.y)
        shape = state.x.shape
        d = using(problem.operator, Diagonal).diagonal(y).expand(shape[1:])
        known = (d != 0).expand(shape)
        trusted = problem.noise.trusted(problem.y)
        known = known if trusted is None else known & trusted
        variance = column(noise_variance(problem), y).expand(shape)
        model, net = self._network()
        flat = [t.expand(shape).flatten(0, 1).cpu() for t in (y, d, known, variance)]
        # one by one: in a batch the last digits of the network differ, and with them whole draws
        each = [self._drawn(model, net, fit[None]) for fit in _fit(model, *flat)]
        x = torch.cat(each).to(y).view(shape)
        sure = known & (variance == 0)
        return State(torch.where(sure, y / torch.where(known, d, 1.0), x))

    def _drawn(self, model: PixelCNN, net: nn.Module, fit: Tensor) -> Tensor:
        """The mean of the draws, or one of them, ``(1, H, W)``."""
        rng = torch.Generator().manual_seed(self.options.seed)
        pictures, weights = model.fitting(net, fit, self.options.particles, rng)
        if self.options.estimate == "mean":
            return (pictures * weights[..., None, None]).sum(1)
        best = torch.multinomial(weights.cpu(), 1, generator=rng).to(weights.device)
        return pictures.take_along_dim(best[..., None, None], 1)[:, 0]

    def _network(self) -> tuple[PixelCNN, nn.Module]:
        """Model and network (a pure cache)."""
        if self._net is None:
            loaded = load_weights(self.options.weights, "pixelcnn", 1)
            self._net = (cast(PixelCNN, loaded.model), loaded.network())
        return self._net


def _fit(model: PixelCNN, y: Tensor, d: Tensor, known: Tensor, variance: Tensor) -> Tensor:
    """log p(y_i | v) up to a constant, ``(B, H, W, levels)`` from ``(B, H, W)``."""
    levels = model.options.levels
    grey = torch.linspace(0, 1, levels, device=y.device, dtype=y.dtype)
    rounding = d.square() / (12 * (levels - 1) ** 2)
    spread = torch.where(known, variance + rounding, 1.0)[..., None]
    fit = -(y[..., None] - d[..., None] * grey).square() / (2 * spread)
    fit = fit - fit.amax(-1, keepdim=True)
    return torch.where(known[..., None], fit, 0.0)
