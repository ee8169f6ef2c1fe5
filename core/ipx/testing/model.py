"""Checks of models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ipx.declare.options import Options
from ipx.declare.specs import ModelSpec
from ipx.parts.weights import load_weights
from ipx.testing.common import draw, make
from ipx.training import Training

if TYPE_CHECKING:
    from ipx.testing import Check

SIDE = 32


def checks(spec: ModelSpec, options: Options) -> Iterator[tuple[str, Check]]:
    """Loss, scores, recipe and shipped weights."""
    model: Any = make(spec, options)

    def started() -> tuple[Any, Tensor, torch.Generator]:
        """A network, a batch of two pictures, a generator; the same each time."""
        side = -(-SIDE // model.multiple) * model.multiple
        batch = draw(0, 2, model.colors, side, side).float()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            net = model.network()
        with torch.no_grad():
            model.initialise(net, batch)
        return net.train(), batch, torch.Generator().manual_seed(1)

    def loss() -> None:
        values = []
        for _ in range(2):
            net, batch, rng = started()
            kept = batch.clone()
            for part, parameters in model.parts(net).items():
                made = model.part_loss(part, net, batch, rng)
                first = made if isinstance(made, Tensor) else next(iter(made.values()))
                if first.ndim != 0 or not bool(first.isfinite()):
                    raise AssertionError(f"the loss of {part} is no finite number: {first}")
                values.append(float(first.detach()))
                grads = torch.autograd.grad(first, list(parameters), allow_unused=True)
                if not any(g is not None and bool(g.abs().sum() > 0) for g in grads):
                    raise AssertionError(f"the loss of {part} has no gradient")
            if not torch.equal(batch, kept):
                raise AssertionError("the loss changes its batch")
        half = len(values) // 2
        if values[:half] != values[half:]:
            raise AssertionError("the loss draws from another generator than the one it is given")

    def validate() -> None:
        net, batch, rng = started()
        with torch.no_grad():
            scores = model.validate(net.eval(), batch, rng)
        if model.score not in scores:
            raise AssertionError(f"validate gives no {model.score}, only {', '.join(scores)}")
        for name, value in scores.items():
            if tuple(value.shape) != (batch.shape[0],):
                raise AssertionError(f"score {name} has shape {tuple(value.shape)}, not (B,)")

    def recipe() -> None:
        Training(**spec.recipe)

    def weights() -> None:
        for name in spec.weights:
            loaded = load_weights(name, spec.id)
            loaded.network()
            for key in ("licence", "about", "hardware", "seconds", "images_seen", "score"):
                if not loaded.card.get(key):
                    raise AssertionError(f"the card of {name} does not tell: {key}")

    yield "loss", loss
    yield "validate", validate
    yield "recipe", recipe
    yield "weights", weights
