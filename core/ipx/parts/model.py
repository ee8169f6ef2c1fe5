"""Models: trainable networks, whatever they are trained for.

A model says what its network is, what it should make small, and how well it does; the one
training loop (`ipx.training`) does the rest. Denoisers, autoencoders, flows, adversarial nets,
regressors and unrolled solvers all fit: a batch is always clean pictures, and the loss makes of
them what it needs (noise, masks, latent codes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from ipx.declare.capabilities import Shape
from ipx.errors import InputError
from ipx.parts.component import Component, O


class Model(Component[O]):
    """Base of all models; the options are the architecture (and what the loss depends on).

    A subclass gives `network`, `loss` and `validate`. ``score`` names the entry of `validate`
    that counts, ``higher_is_better`` says which way.
    """

    kind = "model"
    score: ClassVar[str] = "loss"
    higher_is_better: ClassVar[bool] = False

    @property
    def colors(self) -> int:
        """Channels of the training pictures, 1 or 3: the option ``colors`` if it has one."""
        return int(getattr(self.options, "colors", 3))

    @property
    def only_shape(self) -> Shape | None:
        """The one shape of picture ``(C, H, W)`` that it takes; None if there are many."""
        return None

    @property
    def multiple(self) -> int:
        """Height and width of training pictures must be multiples of this."""
        return 1

    def network(self) -> nn.Module:
        """A new network with fresh weights, drawn from torch's global generator."""
        raise NotImplementedError(f"{type(self).__name__} must define network")

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        """Set what depends on data, once, before the first step: nothing by default."""

    def loss(
        self, net: nn.Module, batch: Tensor, rng: torch.Generator
    ) -> Tensor | Mapping[str, Tensor]:
        """What to make small.

        Args:
            net: from `network`, in training mode.
            batch: clean pictures ``(B, C, H, W)`` in [0, 1], on the device of the network.
            rng: draw everything random from it; it is on the same device.

        Returns:
            A scalar; or scalars by name, of which the first is made small and all are shown.
        """
        raise NotImplementedError(f"{type(self).__name__} must define loss")

    def parts(self, net: nn.Module) -> Mapping[str, Iterable[nn.Parameter]]:
        """Parameters by part; each part has its own optimiser, stepped in this order.

        One part by default. An adversarial model has two, and a `part_loss` for each.
        """
        return {"net": net.parameters()}

    def part_loss(
        self, part: str, net: nn.Module, batch: Tensor, rng: torch.Generator
    ) -> Tensor | Mapping[str, Tensor]:
        """What the parameters of this part make small: `loss` by default."""
        return self.loss(net, batch, rng)

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Scores of each picture, ``(B,)`` by name; ``net`` is in evaluation mode, no gradients.

        By default the (first) loss of the batch.
        """
        value = self.loss(net, batch, rng)
        first = value if isinstance(value, Tensor) else next(iter(value.values()))
        return {"loss": first.detach().expand(batch.shape[0])}

    def finish(self, net: nn.Module, pictures: Iterable[Tensor]) -> bool:
        """Change the trained weights once more, with the training pictures: nothing by default.

        What is better for it by `score` is kept.

        Args:
            net: the best weights, in evaluation mode, without gradients.
            pictures: batches of training pictures ``(B, C, H, W)``, some thousands in all.

        Returns:
            True if it changed anything.
        """
        return False

    def trained(self, tensors: Mapping[str, Tensor]) -> nn.Module:
        """A network with these weights, in evaluation mode, without gradients of its own.

        Raises:
            InputError: names or shapes differ from those of this architecture.
        """
        with torch.random.fork_rng(devices=[]):
            net = self.network()
        fill(net, tensors)
        return net.eval().requires_grad_(False)


def fill(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put a state into a network.

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
