"""Generative models: networks with a latent code z ~ N(0, I) and images x near D(z).

Flows, variational autoencoders and adversarial networks share this interface: encode, decode and,
where there is one, a density.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor, nn

from ipx.declare.capabilities import Shape
from ipx.declare.options import OneSizeOptions
from ipx.errors import OptionError, ShapeError
from ipx.parts.component import O
from ipx.parts.model import Model


class Generative(Model[O]):
    """Base of the generative models.

    Images are ``(B, C, H, W)``, nominally in [0, 1], with ``C == colors``; codes are ``(B, n)``.
    All methods are differentiable and work image by image, with the network in evaluation mode.

    Class attributes:
        invertible: D is the inverse of E.
        density: what `log_prob` returns: the exact log density, a lower bound (ELBO), or nothing.
        coordinates: what the first numbers of the code stand for, where each has a meaning.
    """

    invertible: ClassVar[bool] = False
    density: ClassVar[Literal["exact", "bound", "none"]] = "none"
    coordinates: ClassVar[tuple[str, ...]] = ()

    def latent_size(self, image_shape: Shape) -> int:
        """n, the length of the code of an image ``(C, H, W)``.

        Raises:
            ShapeError: the model cannot make images of this shape; says which it can.
        """
        raise self.undefined("latent_size")

    def encode(self, net: nn.Module, x: Tensor) -> Tensor:
        """E(x), ``(B, n)``: the code, or its mean."""
        raise self.undefined("encode")

    def decode(self, net: nn.Module, z: Tensor, image_shape: Shape) -> Tensor:
        """D(z), ``(B, *image_shape)``: the image, or its mean."""
        raise self.undefined("decode")

    def draw(
        self,
        net: nn.Module,
        count: int,
        image_shape: Shape,
        temperature: float,
        rng: torch.Generator,
    ) -> Tensor:
        """Codes of new images, ``(count, n)`` on the CPU: N(0, temperature^2 I) by default."""
        n = self.latent_size(image_shape)
        return temperature * torch.randn(count, n, generator=rng)

    def log_prob(self, net: nn.Module, x: Tensor) -> Tensor:
        """log p(x) in nats, ``(B,)``, for x in [0, 1]; see ``density``."""
        raise self.undefined("log_prob")

    def spread(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """x with the dequantisation noise of the training; x itself if there was none.

        The density is that of such images. All images of the batch get the same noise.
        """
        return x

    def deviation(self, net: nn.Module) -> float:
        """Standard deviation of x about D(z) in the model; 0 for a flow."""
        return 0.0


S = TypeVar("S", bound=OneSizeOptions)


class OneSize(Generative[S]):
    """Base of models for square images of one size, a power of two, with codes of one length.

    The options have ``latent`` besides. The network has a parameter ``log_deviation``, the
    logarithm of the root mean square of D(z) - x.
    """

    def __init__(self, options: Any = None, **values: object) -> None:
        super().__init__(options, **values)
        size = self.only_shape[1]
        if size & (size - 1):
            raise OptionError(f"option size must be a power of two, not {size}")

    @property
    def only_shape(self) -> Shape:
        """``(colors, size, size)``."""
        o = self.options
        return (o.colors, o.size, o.size)

    @property
    def multiple(self) -> int:
        """The side of the images."""
        return self.only_shape[1]

    def latent_size(self, image_shape: Shape) -> int:
        """The option ``latent``."""
        if tuple(image_shape) != self.only_shape:
            name = type(self).__name__.lower()
            raise ShapeError(
                f"this {name} is for images of shape {self.only_shape}, not "
                f"{tuple(image_shape)}; scale or crop the image, or train one with --model.size"
            )
        o: Any = self.options
        return int(o.latent)

    def deviation(self, net: nn.Module) -> float:
        """exp(log_deviation)."""
        trained: Any = net
        return float(trained.log_deviation.detach().exp())

    def typed(self, net: nn.Module, x: Tensor) -> Tensor:
        """``x`` in the dtype of the network."""
        return x.to(next(net.parameters()).dtype)
