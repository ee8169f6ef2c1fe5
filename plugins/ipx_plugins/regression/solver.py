"""Feedforward: one pass through a network that was trained for the operator."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

import ipx
from ipx import (
    Denoise,
    PlanError,
    Problem,
    Shape,
    Solver,
    State,
    find_weights,
    load_weights,
    noise_variance,
    using,
)
from ipx_plugins.regression import WEIGHTS, FeedforwardOptions, RegressionOptions
from ipx_plugins.regression.domain import mismatch, translates, words

DENOISERS = ("dncnn", "ffdnet", "drunet")


class Feedforward(Solver[FeedforwardOptions, State]):
    """x = net(preview of the data), only for the operator and noise of the network's training."""

    iterations = 1
    one_shot = True

    def __init__(self, options: FeedforwardOptions | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self._nets: dict[tuple[Any, ...], tuple[nn.Module, RegressionOptions]] = {}

    def check(self, image_shape: Shape) -> None:
        """Raise the errors of `load_weights` that need no loading."""
        find_weights(self.options.weights, self.options.model, image_shape[0])

    def init(self, problem: Problem) -> State:
        """The start, by default the preview of the data.

        Raises:
            PlanError: the problem is outside the training domain of the network.
            MissingExtraError: the model has no shipped weights and none are given.
        """
        name = self.options.model
        if name in DENOISERS:
            _only_noise(problem, name)
        else:
            options = self._network(problem)[1]
            if wrong := mismatch(problem, options):
                raise PlanError(
                    f"solver feedforward: {name} was trained for {words(options)}; this is {wrong}"
                )
        return State(problem.start())

    def translates(self, problem: Problem) -> bool:
        """True for networks that were trained on pairs of two folders or on two sets."""
        known = self.options.model in DENOISERS
        return not known and translates(self._network(problem)[1])

    def step(self, problem: Problem, state: State) -> State:
        """The restored picture: one pass through the network."""
        x, name = state.x, self.options.model
        if name in DENOISERS:
            prior = using(ipx.prior(name, weights=self.options.weights), Denoise)
            return State(prior.denoise(x, noise_variance(problem).sqrt()))
        net, options = self._network(problem)
        seen = x if options.colors == 3 else x.flatten(0, 1)[:, None]
        if name == "cyclegan" and self.options.direction == "back":
            net = cast(nn.Module, net.back)
        return State(self._passed(net, seen).reshape(x.shape))

    def _passed(self, net: nn.Module, seen: Tensor) -> Tensor:
        """net(seen), with dropout where the option ``draw`` asks for it."""
        if self.options.draw is None:
            return cast(Tensor, net(seen))
        dropped = [m for m in net.modules() if isinstance(m, nn.Dropout) and m.p]
        if not dropped:
            raise PlanError("option draw is for networks trained with dropout; this has none")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.options.draw)
            try:
                for module in dropped:
                    module.train()
                return cast(Tensor, net(seen))
            finally:
                for module in dropped:
                    module.eval()

    def _network(self, problem: Problem) -> tuple[nn.Module, RegressionOptions]:
        """Network and options for the problem; of several shipped, the first trained for it."""
        names: tuple[str, ...] = (self.options.weights,)
        shipped = WEIGHTS.get(self.options.model, ())
        if names == ("auto",) and shipped and not {"color", "grey"} & set(shipped):
            names = shipped
        found = [self._loaded(problem, name) for name in names]
        return next((f for f in found if not mismatch(problem, f[1])), found[0])

    def _loaded(self, problem: Problem, weights: str) -> tuple[nn.Module, RegressionOptions]:
        """A network in the dtype and on the device of the problem (a pure cache)."""
        y, channels = problem.y, problem.operator.image_shape[0]
        key = (weights, channels, y.dtype, y.device)
        if key not in self._nets:
            loaded = load_weights(weights, self.options.model, channels)
            options = cast(RegressionOptions, loaded.model.options)
            self._nets[key] = (loaded.network(y), options)
        return self._nets[key]


def _only_noise(problem: Problem, name: str) -> None:
    """Raise PlanError unless the problem is denoising of Gaussian noise."""
    operator, noise = problem.operator, problem.noise
    if type(operator) is not type(ipx.operator("identity", operator.image_shape)):
        wrong = type(operator).__name__
    elif type(noise) is not type(ipx.noise("gaussian")):
        wrong = f"noise {type(noise).__name__}"
    else:
        return
    raise PlanError(
        f"solver feedforward: {name} was trained for operator identity, Gaussian noise; "
        f"this is {wrong}"
    )
