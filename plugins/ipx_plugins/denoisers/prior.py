"""The learned denoisers as priors."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ipx import (
    Prior,
    Scalar,
    Shape,
    ShapeError,
    find_weights,
    load_weights,
    mirrored,
    per_image,
)
from ipx_plugins.denoisers import MixedOptions
from ipx_plugins.denoisers.common import Denoiser
from ipx_plugins.denoisers.mixture import mixed

_LEAST = 3 / 255
"""Noise level below which training from 0 has too few samples: more than the noise is removed."""

_NARROW = 1e-6
"""Least range of a picture that is stretched to [0, 1]."""

_MOST = 1.0
"""Largest noise level used, the range of pictures: beyond it networks invent structure."""


class Learned(Prior[MixedOptions]):
    """A trained network as a denoiser for pictures of any size, range, dtype and noise level.

    The network computes in float32, and only at noise levels of its training. A picture whose range
    r is below 1 is divided by r before and multiplied by r after, and sigma with it, image by image
    (with grey weights channel by channel). Where sigma still exceeds sigma_max, sigma / sigma_max
    takes the place of r; sigma above 1 counts as 1. Below s = r max(3/255, sigma_min)
    the result is x + (sigma / s)^2 (D(x, s) - x): for little noise (D(x, sigma) - x) / sigma^2
    hardly depends on sigma (it is the gradient of log p, Tweedie's formula). sigma = 0 returns x.

    With option ``mix`` the result is the combination of `mixed`.
    """

    model: ClassVar[str]

    def __init__(self, options: MixedOptions | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self._loaded = Loaded(self.model, self.options.weights)

    def check(self, image_shape: Shape) -> None:
        """Raise the errors of `load_weights` that need no loading."""
        find_weights(self.options.weights, self.model, image_shape[0])

    def denoise(self, x: Tensor, sigma: Scalar | Tensor) -> Tensor:
        """The estimate of the clean picture.

        Args:
            x: ``(B, C, H, W)``, clean picture in [0, 1] plus noise, any C, H and W.
            sigma: standard deviation of the noise, >= 0: a number, ``(B,)``, or a map
                ``(B, 1, H, W)``; with grey weights also ``(B, C, H, W)``.

        Returns:
            The denoised picture, shape and dtype of ``x``.

        Raises:
            MissingExtraError: the model has no shipped weights and none are given.
            InputError: the weights cannot be used.
            ShapeError: ``sigma`` has another shape, or the weights another number of channels.
        """
        y = x.float()
        level, mapped = _level(sigma, y)
        level = level.clamp_max(_MOST)
        with torch.set_grad_enabled(torch.is_grad_enabled() and x.requires_grad):

            def network(v: Tensor) -> Tensor:
                return self._network(v, level, mapped)

            out = mixed(y, level, network) if self.options.mix else network(y)
        return torch.where(level > 0, out.to(x.dtype), x)

    def _network(self, y: Tensor, level: Tensor, mapped: bool) -> Tensor:
        """The network alone, for ``y`` in float32 and sigma ``(B, 1 or C, 1 or H, 1 or W)``."""
        net, colors, low, top, multiple = self._loaded.network(y)
        batch, channels, height, width = y.shape
        x = y
        if colors == 1:
            x = y.reshape(batch * channels, 1, height, width)
            level = level.expand(batch, channels, *level.shape[2:]).flatten(0, 1)[:, None]
        elif level.shape[1] != 1:
            raise ShapeError("colour weights take one map of sigma for all channels")
        unit = _span(x)
        least = max(_LEAST, low) * unit
        factor = torch.maximum(unit, level.amax((1, 2, 3), keepdim=True) / top)
        small = torch.maximum(level, least) / factor
        rows, columns = (padded(n, multiple, x.device) for n in (height, width))
        small = small[:, :, rows][..., columns] if mapped else small
        out: Tensor = net((x / factor)[:, :, rows][..., columns], small)[..., :height, :width]
        share = (level / least).clamp_max(1.0) ** 2
        return torch.lerp(x, out * factor, share).reshape(y.shape)


def _span(y: Tensor) -> Tensor:
    """The range of each picture without its extreme 0.1 %, at most 1, ``(B, 1, 1, 1)``."""
    values = y.detach().flatten(1)
    n = values.shape[1]
    few = n // 1000
    low, high = values.kthvalue(1 + few, 1).values, values.kthvalue(n - few, 1).values
    return (high - low).clamp(_NARROW, 1.0).view(-1, 1, 1, 1)


class Loaded:
    """Networks of a prior, loaded once per number of channels, device and dtype (a pure cache)."""

    def __init__(self, model: str, weights: str) -> None:
        self.model, self.weights = model, weights
        self._nets: dict[tuple[object, ...], tuple[nn.Module, int, float, float, int]] = {}

    def network(self, x: Tensor) -> tuple[nn.Module, int, float, float, int]:
        """The network for ``x``, its colors, sigma_min, sigma_max and multiple.

        It depends on the channels, device and dtype of ``x``.

        Raises:
            MissingExtraError: the model has no shipped weights and none are given.
            InputError: the weights cannot be used.
            ShapeError: the weights are for another number of channels.
        """
        key = (x.shape[1], x.device, x.dtype)
        if key not in self._nets:
            loaded = load_weights(self.weights, self.model, x.shape[1])
            model = loaded.model
            assert isinstance(model, Denoiser)
            levels = model.least, float(model.options.sigma_max)
            self._nets[key] = (loaded.network(x), model.colors, *levels, model.multiple)
        return self._nets[key]


def _level(sigma: Scalar, like: Tensor) -> tuple[Tensor, bool]:
    """Sigma as ``(B, 1 or C, 1, 1)`` and False, or as a map ``(B, 1 or C, H, W)`` and True."""
    level = torch.as_tensor(per_image(sigma, like), dtype=like.dtype, device=like.device)
    if level.ndim == 0:
        level = level.view(1, 1, 1, 1)
    batch, channels, height, width = like.shape
    fits = level.ndim == 4 and level.shape[1] in (1, channels)
    if not fits or level.shape[2:] not in ((1, 1), (height, width)):
        raise ShapeError(f"sigma has shape {tuple(level.shape)}, the picture {tuple(like.shape)}")
    return level.expand(batch, -1, -1, -1), level.shape[2:] != (1, 1)


def padded(n: int, multiple: int, device: torch.device) -> Tensor:
    """Indices that extend n pixels by mirroring to a multiple of ``multiple``."""
    return mirrored(n, -(-n // multiple) * multiple, device)


class DnCNNPrior(Learned):
    """DnCNN as a prior."""

    model = "dncnn"


class FFDNetPrior(Learned):
    """FFDNet as a prior."""

    model = "ffdnet"


class DRUNetPrior(Learned):
    """DRUNet as a prior."""

    model = "drunet"


class IRCNNPrior(Learned):
    """IRCNN as a prior."""

    model = "ircnn"


class BiasFreeUNetPrior(Learned):
    """The bias-free U-Net as a prior."""

    model = "bias-free-unet"
