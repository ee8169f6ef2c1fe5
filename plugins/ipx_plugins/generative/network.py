"""Base of the formulations: a trained model, and the conversion of pictures to its input."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor, nn

from ipx import (
    Generative,
    Gradient,
    LinearOperator,
    Prior,
    Shape,
    ShapeError,
    load_generative,
    mirrored,
)
from ipx_plugins.generative import GenerativeOptions

G = TypeVar("G", bound=GenerativeOptions)
S = TypeVar("S")
P = ParamSpec("P")


def image_by_image(
    method: Callable[Concatenate[S, Tensor, P], Tensor],
) -> Callable[Concatenate[S, Tensor, P], Tensor]:
    """Decorator: on a CPU the method processes the images of a batch ``(B, ...)`` one by one.

    There the kernels of convolutions and matrix products depend on the batch size and round
    differently. Twenty long steps along the gradient of a flow amplify this to 0.02 in single
    pixels, so that the result of an image would depend on the batch. On other devices the batch
    is processed as a whole, for speed.
    """

    @wraps(method)
    def each(self: S, x: Tensor, /, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        if x.device.type != "cpu" or len(x) == 1:
            return method(self, x, *args, **kwargs)
        return torch.cat([method(self, image, *args, **kwargs) for image in torch.split(x, 1)])

    return each


class Formulation(Prior[G]):
    """A prior defined by a generative model.

    For a colour model a grey picture becomes three equal channels, and output channels are
    averaged. For an invertible model sides are extended by mirroring to its multiple and cropped
    afterwards. Networks compute in the dtype of the picture.
    """

    def __init__(self, options: G | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self._nets: dict[tuple[torch.dtype, torch.device], nn.Module] = {}

    @cached_property
    def generator(self) -> Generative[Any]:
        """The model, loaded on first use.

        Raises:
            MissingExtraError: the model has no shipped weights and none are given.
            UsageError: the model is not generative.
        """
        return load_generative(self.options.weights, self.options.model)[0]

    def check(self, image_shape: Shape) -> None:
        """Raise the errors of `generator`, and those of a size that the model does not have."""
        self.code_size(image_shape)

    def net(self, like: Tensor) -> nn.Module:
        """The network in the dtype and on the device of ``like`` (a pure cache)."""
        key = (like.dtype, like.device)
        if key not in self._nets:
            _, loaded = load_generative(self.options.weights, self.options.model)
            self._nets[key] = loaded.network(like)
        return self._nets[key]

    def framed(self, image_shape: Shape) -> Shape:
        """Shape of the model's input for pictures of this shape."""
        channels, height, width = image_shape
        colors, m = self.generator.colors, self.generator.multiple
        if channels not in (1, colors):
            raise ShapeError(
                f"the weights of {self.options.model} are for {colors} channel(s), "
                f"the picture has {channels}"
            )
        if not self.generator.invertible:
            return colors, height, width
        return colors, -(-height // m) * m, -(-width // m) * m

    def into(self, x: Tensor) -> Tensor:
        """The model's input for pictures ``x``, see `framed`."""
        colors, height, width = self.framed(tuple(x.shape[1:]))
        self.generator.latent_size((colors, height, width))
        rows = mirrored(x.shape[2], height, x.device)
        columns = mirrored(x.shape[3], width, x.device)
        if (height, width) != tuple(x.shape[2:]):
            x = x[:, :, rows][..., columns]
        x = x.expand(-1, colors, -1, -1)
        return x.contiguous(memory_format=torch.channels_last)

    def back(self, shown: Tensor, image_shape: Shape) -> Tensor:
        """The model's output ``shown`` with shape ``image_shape``, the inverse of `into`."""
        channels, height, width = image_shape
        x = shown[..., :height, :width]
        if channels == 1 and shown.shape[1] != 1:
            x = x.mean(1, keepdim=True)
        return x.contiguous()

    def model_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """The gradient D: densities of pictures are steep in fine detail, about as |Dx|^2."""
        return Gradient(image_shape)

    def model_spaces(self, x: Tensor) -> tuple[Tensor, ...]:
        """Luminance and colour differences: a density is steeper in these."""
        if x.shape[1] == 1:
            return (x,)
        grey = x.mean(1, keepdim=True).expand_as(x).contiguous()
        return grey, x - grey

    def code_size(self, image_shape: Shape) -> int:
        """Dimension of the code of a picture of this shape."""
        return self.generator.latent_size(self.framed(image_shape))

    @image_by_image
    def encode(self, x: Tensor) -> Tensor:
        """E(x), ``(B, n)``."""
        return self.generator.encode(self.net(x), self.into(x))

    @image_by_image
    def decode(self, z: Tensor, image_shape: Shape) -> Tensor:
        """D(z), ``(B, *image_shape)``."""
        shown = self.generator.decode(self.net(z), z, self.framed(image_shape))
        return self.back(shown, image_shape)


def value_and_gradient(function: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """``function(x)`` and the gradient of its sum; differentiable if ``x`` requires gradients."""
    with torch.enable_grad():
        keep = x.requires_grad
        point = x if keep else x.detach().requires_grad_(True)
        value = function(point)
        (found,) = torch.autograd.grad(value.sum(), point, create_graph=keep)
    return value if keep else value.detach(), found


def by_image(function: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """`value_and_gradient`, on a CPU image by image, for the reasons of `image_by_image`."""
    if x.device.type != "cpu" or len(x) == 1:
        return value_and_gradient(function, x)
    values, slopes = zip(*(value_and_gradient(function, v) for v in torch.split(x, 1)), strict=True)
    return torch.cat(values), torch.cat(slopes)


def gradient(function: Any, x: Tensor) -> Tensor:
    """The second part of `value_and_gradient`."""
    return value_and_gradient(function, x)[1]
