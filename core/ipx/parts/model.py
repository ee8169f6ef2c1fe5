"""Models: trainable networks.

A model defines its network, its loss and its validation scores; `ipx.training.loop` trains any
model. A batch always holds clean images: the loss derives noise, masks or latent codes from them.
A model with ``pairing`` gets its inputs behind them, as further channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ipx.declare.capabilities import Shape
from ipx.errors import InputError, PluginError
from ipx.parts.component import Component, O


class Model(Component[O]):
    """Base of all models; the options define the architecture and the loss.

    A subclass defines `network`, `loss` and, if the loss is not the score, `validate`. ``score``
    names the entry of `validate` that selects the best weights, ``higher_is_better`` its sense;
    where they depend on the options the constructor sets them.
    """

    kind = "model"
    score: str = "loss"
    higher_is_better: bool = False

    @property
    def colors(self) -> int:
        """Channels of the training images, 1 or 3: the option ``colors`` if there is one."""
        return int(getattr(self.options, "colors", 3))

    @property
    def pairing(self) -> Literal["none", "pairs", "sets"]:
        """What the setting ``inputs`` of the training data holds; none by default.

        pairs: inputs of the images, by name. sets: other images, drawn independently. A batch is
        then ``(B, 2 C, H, W)``: the images and, behind them, the inputs, C = ``colors`` each.
        """
        return "none"

    @property
    def only_shape(self) -> Shape | None:
        """The only image shape ``(C, H, W)`` that it accepts; None if there are several."""
        return None

    @property
    def multiple(self) -> int:
        """Height and width of training images are multiples of this."""
        return 1

    def network(self) -> nn.Module:
        """A new network with fresh weights, drawn from torch's global generator."""
        raise self.undefined("network")

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        """Data-dependent initialisation, once, before the first step; none by default."""

    def loss(
        self, net: nn.Module, batch: Tensor, rng: torch.Generator
    ) -> Tensor | Mapping[str, Tensor]:
        """The training loss.

        Args:
            net: from `network`, in training mode.
            batch: clean images ``(B, C, H, W)`` in [0, 1], on the device of the network.
            rng: source of all random numbers, on the same device.

        Returns:
            A scalar; or scalars by name, of which the first is minimised.
        """
        raise self.undefined("loss")

    def parts(self, net: nn.Module) -> Mapping[str, Iterable[nn.Parameter]]:
        """Parameters by part; each part has its own optimiser and `part_loss`, in this order.

        One part by default; an adversarial model has two.
        """
        return {"net": net.parameters()}

    def part_loss(
        self, part: str, net: nn.Module, batch: Tensor, rng: torch.Generator
    ) -> Tensor | Mapping[str, Tensor]:
        """The loss that the parameters of this part minimise; `loss` by default."""
        return self.loss(net, batch, rng)

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Scores of each image, ``(B,)`` by name, without gradients; by default the first loss.

        ``net`` is in evaluation mode.
        """
        first = self.minimised(self.loss(net, batch, rng))
        return {"loss": first.detach().expand(batch.shape[0])}

    def minimised(self, value: Tensor | Mapping[str, Tensor]) -> Tensor:
        """What `loss` gives, of several scalars the first.

        Raises:
            PluginError: it is no scalar.
        """
        first: Any = next(iter(value.values())) if isinstance(value, Mapping) and value else value
        if isinstance(first, Tensor) and first.ndim == 0:
            return first
        told = f"shape {tuple(first.shape)}" if isinstance(first, Tensor) else type(first).__name__
        raise PluginError(f"loss of {self.origin} gives {told}, not a scalar tensor")

    def untrained(self) -> nn.Module:
        """What `network` gives.

        Raises:
            PluginError: it is no network.
        """
        net: Any = self.network()
        if not isinstance(net, nn.Module):
            raise PluginError(f"network of {self.origin} gives {type(net).__name__}, not nn.Module")
        return net

    def finish(self, net: nn.Module, pictures: Iterable[Tensor]) -> bool:
        """Change the trained weights once after the training; by default nothing.

        The changed weights are kept if their ``score`` is better.

        Args:
            net: the best weights, in evaluation mode, without gradients.
            pictures: batches of training images ``(B, C, H, W)``, some thousands in all.

        Returns:
            True if it changed anything.
        """
        return False

    def trained(self, tensors: Mapping[str, Tensor]) -> nn.Module:
        """A network with these weights, in evaluation mode, its parameters without gradients.

        Raises:
            InputError: names or shapes differ from those of this architecture.
        """
        with torch.random.fork_rng(devices=[]):
            net = self.untrained()
        fill(net, tensors)
        return net.eval().requires_grad_(False)


class LabelledModel(Model[O]):
    """Base of models that learn from images with labels: the sub-folders of the training data.

    A subclass defines `labelled_loss` and `labelled_scores` in place of `loss` and `validate`.
    """

    @property
    def classes(self) -> int:
        """Number of the labels."""
        raise self.undefined("classes")

    def labelled_loss(
        self, net: nn.Module, batch: Tensor, labels: Tensor, rng: torch.Generator
    ) -> Tensor:
        """The training loss, a scalar; labels ``(B,)`` int64 below ``classes``, else as `loss`."""
        raise self.undefined("labelled_loss")

    def labelled_scores(
        self, net: nn.Module, batch: Tensor, labels: Tensor, rng: torch.Generator
    ) -> Mapping[str, Tensor]:
        """Scores of each image, ``(B,)`` by name; ``score`` is among them, else as `validate`."""
        raise self.undefined("labelled_scores")


def fill(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load a state into a network.

    Raises:
        InputError: names or shapes differ.
    """
    check_state(net, tensors)
    net.load_state_dict(dict(tensors))


def check_state(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Raise `InputError` unless names and shapes are those of the network's state."""
    wanted = {k: tuple(v.shape) for k, v in net.state_dict().items()}
    given = {k: tuple(v.shape) for k, v in tensors.items()}
    for name in sorted(wanted.keys() | given.keys()):
        if wanted.get(name) != given.get(name):
            raise InputError(
                f"the weights do not fit the network: {name} is {given.get(name, 'missing')}, "
                f"not {wanted.get(name, 'wanted')}"
            )
