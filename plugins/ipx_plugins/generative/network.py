"""What every formulation starts from: a trained model, and pictures of any kind brought to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor, nn

from ipx import Generative, Prior, Shape, ShapeError, UsageError, load_weights, mirrored
from ipx_plugins.generative import GenerativeOptions

TYPICAL = 0.82**2
"""Mean square of the codes of pictures not trained on; below 1, since flows train on noisy ones."""

G = TypeVar("G", bound=GenerativeOptions)
S = TypeVar("S")
P = ParamSpec("P")


def image_by_image(
    method: Callable[Concatenate[S, Tensor, P], Tensor],
) -> Callable[Concatenate[S, Tensor, P], Tensor]:
    """A method of a batch ``(B, ...)`` that takes its images in turn on a CPU.

    There the kernels of convolutions and products depend on the size of the batch and round
    differently. Twenty long steps along the gradient of a flow make 0.02 of that in single
    pixels: an image would not end where it ends alone. On other devices the batch is taken whole,
    for speed.
    """

    @wraps(method)
    def each(self: S, x: Tensor, /, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        if x.device.type != "cpu" or len(x) == 1:
            return method(self, x, *args, **kwargs)
        return torch.cat([method(self, image, *args, **kwargs) for image in torch.split(x, 1)])

    return each


class Formulation(Prior[G]):
    """A prior made of a generative model.

    A grey picture is shown to a model of colours three times, and of what it makes the mean is
    taken. Sides that are no multiple of the model's are mirrored up to one, and cut back.
    Networks work in the precision of the picture.
    """

    ends_at_typical: ClassVar[bool] = False  # R is |z|^2

    def __init__(self, options: G | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self._nets: dict[tuple[torch.dtype, torch.device], nn.Module] = {}

    @property
    def generator(self) -> Generative[Any]:
        """The model, loaded on first use.

        Raises:
            MissingExtraError: no weights come with it and none were given.
            UsageError: the model is of another kind.
        """
        return _model(self.options.model, self.options.weights)[0]

    def net(self, like: Tensor) -> nn.Module:
        """The network in the precision and on the device of ``like`` (a pure cache)."""
        key = (like.dtype, like.device)
        if key not in self._nets:
            self._nets[key] = _model(self.options.model, self.options.weights)[1](like)
        return self._nets[key]

    def framed(self, image_shape: Shape) -> Shape:
        """The shape in which the model sees pictures of this shape."""
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
        """A picture as the model sees it."""
        colors, height, width = self.framed(tuple(x.shape[1:]))
        self.generator.latent_size((colors, height, width))
        rows = mirrored(x.shape[2], height, x.device)
        columns = mirrored(x.shape[3], width, x.device)
        if (height, width) != tuple(x.shape[2:]):
            x = x[:, :, rows][..., columns]
        x = x.expand(-1, colors, -1, -1)
        return x.contiguous(memory_format=torch.channels_last)

    def back(self, shown: Tensor, image_shape: Shape) -> Tensor:
        """A picture of the model in the shape asked for."""
        channels, height, width = image_shape
        x = shown[..., :height, :width]
        if channels == 1 and shown.shape[1] != 1:
            x = x.mean(1, keepdim=True)
        return x.contiguous()

    def typical(self, image_shape: Shape) -> float | None:
        """|z|^2 of a clean picture, of a flow, whose minimum D(0) is no picture."""
        if not (self.ends_at_typical and self.generator.invertible):
            return None
        return TYPICAL * self.generator.latent_size(self.framed(image_shape))

    def code_size(self, image_shape: Shape) -> int:
        """Numbers in the code of a picture of this shape."""
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


def gradient(function: Any, x: Tensor) -> Tensor:
    """Gradient of the sum of ``function(x)``, image by image; part of the graph if x asks."""
    with torch.enable_grad():
        keep = x.requires_grad
        point = x if keep else x.detach().requires_grad_(True)
        (found,) = torch.autograd.grad(function(point).sum(), point, create_graph=keep)
    return found


@cache
def _model(name: str, weights: str) -> tuple[Generative[Any], Any]:
    """The model, and a function that makes a network with its weights."""
    loaded = load_weights(weights, name)
    if not isinstance(loaded.model, Generative):
        raise UsageError(f"model {name} generates no pictures; take glow, realnvp, vae or gan")
    return loaded.model, loaded.network
