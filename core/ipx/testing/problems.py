"""Small problems for the checks of solvers and samplers, made of whatever is installed."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from functools import cached_property
from itertools import product
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ipx.declare.capabilities import Prox, Scalar, Shape, Value, has, using
from ipx.declare.options import NoOptions
from ipx.declare.registry import registry
from ipx.errors import MissingExtraError, PlanError, ShapeError
from ipx.numerics.tensors import image_sum, per_image
from ipx.parts.prior import Prior
from ipx.solving.attach import attach, plan_for
from ipx.solving.build import noise, operator, prior
from ipx.solving.problem import Problem
from ipx.solving.solver import State
from ipx.solving.states import load_state, save_state
from ipx.testing.common import Checks, draw, require

SIDE = 24
OPERATORS = (("blur", 0.05), ("inpaint", 0.05))
PRIORS = ("tikhonov", "tv", "wavelet", "smoother", "decoder", "none", "whole-dct")
QUICK: dict[str, dict[str, float]] = {"tv": {"tol": 1e-2, "iterations": 10}}
"""Options of priors with which a proximal map takes no longer than a check can."""


def pictures(channels: int = 1) -> Tensor:
    """Two pictures of a bright rectangle on a ramp, ``(2, C, 24, 24)``."""
    x = torch.linspace(0.1, 0.4, SIDE, dtype=torch.float64).expand(2, channels, SIDE, SIDE).clone()
    for i in range(2):
        x[i, :, 4 + 2 * i : 15, 3 : 12 + 6 * i] += 0.5
    return x


class Smoother(Prior[NoOptions]):
    """A denoiser: a few steps towards the proximal map of total variation."""

    def __init__(self) -> None:
        super().__init__()
        self.tv = using(prior("tv", iterations=8), Prox)

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        return self.tv.prox(x, sigma)


class Wiener(Prior[NoOptions]):
    """A denoiser that is quick: a Wiener filter that follows mean and variance of 5 x 5 pixels."""

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        mean, noise = self._mean(x), per_image(sigma, x) ** 2
        signal = (self._mean((x - mean) ** 2) - noise).clamp_min(0)
        return mean + signal / (signal + noise).clamp_min(1e-12) * (x - mean)

    @staticmethod
    def _mean(x: Tensor) -> Tensor:
        return avg_pool2d(x, 5, stride=1, padding=2, count_include_pad=False)


class Decoder(Prior[NoOptions]):
    """A generative model that knows the pictures of these checks: their span."""

    def __init__(self) -> None:
        super().__init__()
        self.basis: Tensor = torch.linalg.qr(pictures().flatten(1).T)[0]  # (n, 2), orthonormal

    def code_size(self, image_shape: Shape) -> int:
        return self.basis.shape[1]

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.basis

    def decode(self, z: Tensor, image_shape: Shape) -> Tensor:
        return (z @ self.basis.T).view(-1, *image_shape)

    def deviation(self) -> float:
        return 0.1


class Coded(Decoder):
    """The same with a normal law of the code."""

    def code_value(self, z: Tensor) -> Tensor:
        return image_sum(z**2) / 2

    def code_grad(self, z: Tensor) -> Tensor:
        return z


OWN: dict[str, type[Prior[NoOptions]]] = {
    "smoother": Smoother,
    "wiener": Wiener,
    "decoder": Decoder,
    "code": Coded,
}
"""The priors that are defined here."""


class ProblemChecks(Checks):
    """Checks on all problems that fit: blur and inpainting; a network says what it is made for."""

    priors: tuple[str, ...] = PRIORS

    def _setups(self) -> Iterator[tuple[tuple[str, float], str, int]]:
        """Operator and sigma of the noise, prior, channels."""
        plugin = self.spec.plugin
        if self.traits.own_prior:
            ours = [(s.id, 0.05) for s in registry().all("operator") if s.plugin == plugin]
            return product((*OPERATORS, ("super-resolution", 0.0), *ours), ("none",), (1, 3))
        brought = [s for s in registry().all("prior") if s.plugin == plugin]
        own = [s.id for s in brought if s.traits_for().suits == "photograph"]
        return product(OPERATORS, (*self.priors, *own), (1,))

    @cached_property
    def _problems(self) -> list[Problem]:
        """Those that fit, attached."""
        found: list[Problem] = []
        with contextlib.suppress(MissingExtraError):  # no weights come with it
            found.extend(self._fitting())
            require(found or self.traits.own_prior, "it fits no problem of the contract kit")
        return found

    def _fitting(self) -> Iterator[Problem]:
        for (op, sigma), name, channels in self._setups():
            x = pictures(channels)
            a = operator(op, tuple(x.shape[1:]))
            r = OWN[name]() if name in OWN else prior(name, **QUICK.get(name, {}))
            y = a.forward(x)
            y = y + 2 * sigma * (draw(1, *y.shape) - 0.5)
            lam = torch.tensor([0.02, 0.2], dtype=y.dtype) * (1 if has(r, Value) else 0.01)
            problem = Problem(y, a, noise("gaussian", sigma=sigma), r, lam)
            try:
                plan = plan_for(problem, self.made)
                if any(b.side == "prior" and b.tolerance for b in plan.bridges):
                    continue  # inner iterations at every step: minutes
                problem = attach(problem, plan)
                if self.traits.own_prior:
                    self.made.init(problem)
            except (PlanError, ShapeError):
                continue
            yield problem


def stored(state: State) -> tuple[bytes, State]:
    """The file of a state, and the state that is read from it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        save_state(path, state)
        return path.read_bytes(), load_state(path)
