"""Generative models: networks with a latent code z ~ N(0, I) and pictures x near D(z).

Priors are made of them without knowing which they are: flows, variational autoencoders and
adversarial networks all encode, decode, and, where they can, give a density.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from ipx.declare.capabilities import Shape
from ipx.errors import OptionError, ShapeError
from ipx.parts.component import O
from ipx.parts.model import Model


class Generative(Model[O]):
    """Base of the models that priors can be made of.

    Pictures are ``(B, C, H, W)``, nominally in [0, 1], with ``C == colors``. Codes are ``(B, n)``.
    Everything is differentiable, in evaluation mode, and image by image: a batch gives what its
    images give alone. What has no meaning for a size of picture raises ShapeError with one line.

    Class attributes:
        invertible: D is the inverse of E.
        density: what `log_prob` is: the logarithm of the density itself, a lower bound of it
            (the evidence lower bound), or nothing.
    """

    invertible: ClassVar[bool] = False
    density: ClassVar[Literal["exact", "bound", "none"]] = "none"

    @property
    def stride(self) -> float:
        """Step-size multiplier for descent on -log p (1 = photographs)."""
        return 1.0

    def latent_size(self, image_shape: Shape) -> int:
        """n, the numbers in the code of a picture ``(C, H, W)``.

        Raises:
            ShapeError: the model cannot make pictures of this shape; says which it can.
        """
        raise NotImplementedError(f"{type(self).__name__} must define latent_size")

    def encode(self, net: nn.Module, x: Tensor) -> Tensor:
        """E(x), ``(B, n)``: the code, or the mean of its distribution."""
        raise NotImplementedError(f"{type(self).__name__} must define encode")

    def decode(self, net: nn.Module, z: Tensor, image_shape: Shape) -> Tensor:
        """D(z), ``(B, *image_shape)``: the picture, or the mean of its distribution."""
        raise NotImplementedError(f"{type(self).__name__} must define decode")

    def log_prob(self, net: nn.Module, x: Tensor) -> Tensor:
        """log p(x) in nats, ``(B,)``, of pictures in [0, 1]; see ``density``."""
        raise NotImplementedError(f"{type(self).__name__} has no density")

    def spread(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """x with the noise that the model was trained with (dequantisation); x itself if none.

        The density is one of such pictures. The same noise for all images of the batch.
        """
        return x

    def deviation(self, net: nn.Module) -> float:
        """Standard deviation of pictures about D(z), as the model has it; 0 for a flow."""
        return 0.0


class OneSize(Generative[O]):
    """Base of models whose pictures are squares of one size, with codes of one length.

    Its options have ``colors`` (1 or 3), ``size`` (a power of two) and ``latent``, its network a
    parameter ``log_deviation``: the logarithm of the root mean square of D(z) - x, as trained.
    """

    def __init__(self, options: Any = None, **values: object) -> None:
        super().__init__(options, **values)
        size = self.only_shape[1]
        if size & (size - 1):
            raise OptionError(f"option size must be a power of two, not {size}")

    @property
    def only_shape(self) -> Shape:
        """Square."""
        o: Any = self.options
        return (o.colors, o.size, o.size)

    @property
    def multiple(self) -> int:
        """The one size."""
        return self.only_shape[1]

    def latent_size(self, image_shape: Shape) -> int:
        """The option ``latent``."""
        if tuple(image_shape) != self.only_shape:
            name = type(self).__name__.lower()
            raise ShapeError(
                f"this {name} is for pictures of shape {self.only_shape}, not "
                f"{tuple(image_shape)}; scale or cut the picture, or train one with --model.size"
            )
        o: Any = self.options
        return int(o.latent)

    def deviation(self, net: nn.Module) -> float:
        """exp(log_deviation)."""
        trained: Any = net
        return float(trained.log_deviation.detach().exp())

    def typed(self, net: nn.Module, x: Tensor) -> Tensor:
        """``x`` in the type of the network, which may be another than that of the pictures."""
        return x.to(next(net.parameters()).dtype)
