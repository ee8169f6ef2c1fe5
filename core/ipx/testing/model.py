"""Checks of trainable models."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ipx.parts.model import LabelledModel
from ipx.parts.weights import load_weights
from ipx.testing.common import Checks, draw, require
from ipx.training import Training

SIDE = 32
CARD = ("licence", "about", "hardware", "seconds", "images_seen", "score")


class ModelChecks(Checks):
    """On two pictures of the one shape that the model takes, or of about `SIDE` pixels."""

    def _started(self) -> tuple[nn.Module, Tensor, torch.Generator]:
        """A network, a batch, a generator; the same each time."""
        side = -(-SIDE // self.made.multiple) * self.made.multiple
        channels, *sides = self.made.only_shape or (self.made.colors, side, side)
        if self.made.pairing != "none":
            channels *= 2
        batch = draw(0, 2, channels, *sides).float()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            net = self.made.network()
        with torch.no_grad():
            self.made.initialise(net, batch)
        return net.train(), batch, torch.Generator().manual_seed(1)

    def _told(
        self, part: str, net: nn.Module, batch: Tensor, rng: torch.Generator
    ) -> Tensor | Mapping[str, Tensor]:
        """The loss of a part; of a labelled model with the labels 0 and 1."""
        if isinstance(self.made, LabelledModel):
            return self.made.labelled_loss(net, batch, torch.arange(2), rng)
        told: Tensor | Mapping[str, Tensor] = self.made.part_loss(part, net, batch, rng)
        return told

    def _scores(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """The scores, with labels as above."""
        if isinstance(self.made, LabelledModel):
            return self.made.labelled_scores(net, batch, torch.arange(2), rng)
        told: Mapping[str, Tensor] = self.made.validate(net, batch, rng)
        return told

    def loss(self) -> None:
        """The loss of each part: finite, with a gradient, the same for the same generator."""
        known: dict[str, float] = {}
        for net, batch, rng in (self._started(), self._started()):
            kept = batch.clone()
            for part, parameters in self.made.parts(net).items():
                told = self._told(part, net, batch, rng)
                loss = told if isinstance(told, Tensor) else next(iter(told.values()))
                finite = loss.ndim == 0 and loss.isfinite()
                require(finite, f"the loss of {part} is no finite number: {loss}")
                same = known.setdefault(part, loss.item()) == loss.item()
                require(same, "the loss draws from another generator than the one it is given")
                grads = torch.autograd.grad(loss, list(parameters), allow_unused=True)
                moves = any(g is not None and g.abs().sum() > 0 for g in grads)
                require(moves, f"the loss of {part} has no gradient")
            require(torch.equal(batch, kept), "the loss changes its batch")

    def validate(self) -> None:
        """One score per picture, that which counts among them."""
        net, batch, rng = self._started()
        with torch.no_grad():
            scores = self._scores(net.eval(), batch, rng)
        name = self.made.score
        require(name in scores, f"validate gives no {name}, only {', '.join(scores)}")
        for name, shape in ((name, tuple(value.shape)) for name, value in scores.items()):
            require(shape == (2,), f"score {name} has shape {shape}, not (B,)")

    def recipe(self) -> None:
        """The recipe is values of `Training`."""
        Training(**self.spec.recipe)

    def weights(self) -> None:
        """Shipped weights fit their network; their card tells all of `CARD`."""
        for name in self.spec.weights:
            loaded = load_weights(name, self.spec.id)
            loaded.network()
            for key in CARD:
                require(loaded.card.get(key), f"the card of {name} does not tell: {key}")


checks = ModelChecks.of
