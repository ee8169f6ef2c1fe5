"""Joint posterior maximisation with an autoencoding prior (JPMAP)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ipx import (
    Latent,
    NoOptions,
    Problem,
    Shape,
    SoftRange,
    Solver,
    State,
    image_dot,
    image_sum,
    using,
)
from ipx.toolkit import AdamMoments
from ipx_plugins.generative.network import gradient

WEAK = 0.1  # first coupling, in units of the model's 1 / gamma^2
GROWTH = 0.25  # largest growth of log beta in a step
CLOSE = 1 / 255  # target for the root mean square of x - D(z)
DESCENT = 25  # steps of Adam on z where E(x) does not lower the objective


@dataclass(frozen=True)
class JPMAPState(State):
    """Picture x, code z ``(B, n)``, and the coupling beta ``(B,)``."""

    z: Tensor
    beta: Tensor


class JPMAP(Solver[NoOptions, JPMAPState]):
    """Alternating minimisation of f(x) + lam (beta/2 |x - D(z)|^2 + |z|^2 / 2) over x and z.

    The x-step is the data term's proximal map at D(z). The z-step tries E(x), descent from E(x)
    and descent from the last z; the first that lowers the objective is taken (Gonzalez et al.
    2022, algorithm 2). beta starts at 0.1 / gamma^2 and grows by exp(rho (|x - D(z)|^2 / n -
    CLOSE^2)) per step, until x is within a grey level of the range (algorithm 3).
    """

    iterations = 60

    def init(self, problem: Problem) -> JPMAPState:
        """x at the start, z = E(x)."""
        x = problem.start()
        gamma = using(problem.prior, SoftRange).deviation()
        z = using(problem.prior, Latent).encode(x)
        return JPMAPState(x, z, x.new_full((x.shape[0],), WEAK / gamma**2))

    def step(self, problem: Problem, state: JPMAPState) -> JPMAPState:
        """Update x, then z, then beta."""
        model = using(problem.prior, Latent)
        shape: Shape = tuple(state.x.shape[1:])
        lam = torch.as_tensor(problem.lam, dtype=state.x.dtype, device=state.x.device)
        made = model.decode(state.z, shape)
        x = problem.data.prox(made, 1 / (lam * state.beta).clamp_min(1e-12), guess=state.x)

        def joint(z: Tensor) -> Tensor:
            apart = x - model.decode(z, shape)
            return state.beta / 2 * image_dot(apart, apart) + image_sum(z * z) / 2

        down = partial(_descended, joint)
        z, last, first = state.z, joint(state.z), model.encode(x)
        left = torch.ones_like(last, dtype=torch.bool)  # images without a better code so far
        for begin, descend in ((first, False), (first, True), (state.z, True)):
            tried = down(begin) if descend else begin
            take = left & (joint(tried) < last)
            z, left = torch.where(take[:, None], tried, z), left & ~take
            if not bool(left.any()):
                break
        apart = image_sum((x - model.decode(z, shape)) ** 2) / x[0].numel()
        growth = (100 * (apart - CLOSE**2)).clamp(-GROWTH, GROWTH)
        return JPMAPState(x, z, state.beta * growth.exp())


def _descended(joint: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """The code after `DESCENT` steps of Adam on ``joint``, from ``z``."""
    moments = AdamMoments.zero(z, 0.9, 0.99)
    for _ in range(DESCENT):
        moments = moments.add(gradient(joint, z))
        z = z - 0.05 * moments.corrected() / (moments.rms() + 1e-12)
    return z
