"""Denoising by the expected patch log likelihood (EPLL)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import Prior, Scalar, Shape, find_weights, levels, load_weights, mirrored
from ipx_plugins.epll import EPLLOptions
from ipx_plugins.epll.patches import averaged, basis, places

_CHUNK = 4096  # patches at a time, which bounds the memory
_LEAST = 1e-4  # noise level below which sigma counts as this


@dataclass(frozen=True)
class Axes:
    """The Gaussians by principal axes; those beyond the first have one variance, their mean.

    Attributes:
        log_weights: ``(K,)``.
        axes: coordinates to components along the axes, ``(K, d, rank)``.
        variance: along the axes, ``(K, rank)``.
        rest: along the other directions, ``(K,)``.
        side: that of the patches.
    """

    log_weights: Tensor
    axes: Tensor
    variance: Tensor
    rest: Tensor
    side: int

    def likeliest(self, c: Tensor, noise: Tensor) -> Tensor:
        """The most probable Gaussian of noisy coordinates ``(N, d)``, ``(N,)``."""
        count, d, rank = self.axes.shape
        rest, variance = self.rest + noise, self.variance + noise
        logs = variance.log().sum(1) + (d - rank) * rest.log()
        gain = 1 / rest[:, None] - 1 / variance
        along = (c @ self.axes.permute(1, 0, 2).reshape(d, -1)).view(-1, count, rank)
        fit = torch.einsum("nkr,kr->nk", along.square_(), gain)
        score = self.log_weights - 0.5 * logs + 0.5 * fit - 0.5 * c.square().sum(1)[:, None] / rest
        return score.argmax(1)

    def filtered(self, c: Tensor, which: Tensor, noise: Tensor) -> Tensor:
        """Wiener filter of coordinates with the Gaussian of each."""
        keep = self.variance / (self.variance + noise)
        base = self.rest / (self.rest + noise)
        axes = self.axes[which]
        along = torch.einsum("nd,ndr->nr", c, axes) * (keep - base[:, None])[which]
        return base[which][:, None] * c + torch.einsum("nr,ndr->nd", along, axes)


class EPLL(Prior[EPLLOptions]):
    """max of log p(y | x) + sum over patches of log p(P x) by half-quadratic splitting.

    For each beta of the schedule: every patch without its mean is replaced by its Wiener estimate
    with the likeliest Gaussian for noise of variance sigma^2 / beta, and the image x by the mean
    of y with weight 1 and the average of the patches with weight beta (Zoran and Weiss 2011,
    section 3.2). Channels are denoised one by one.
    """

    def __init__(self, options: EPLLOptions | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self._made: dict[tuple[object, ...], Axes] = {}

    def check(self, image_shape: Shape) -> None:
        """Raise the errors of `load_weights` that need no loading."""
        find_weights(self.options.weights, "epll", 1)

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """The estimate of the clean image, shape of ``x``.

        Args:
            x: ``(B, C, H, W)``, nominally in [0, 1].
            sigma: standard deviation of the noise, >= 0: a number, or one per image ``(B,)``;
                of a map the root mean square is used.

        Raises:
            MissingExtraError, InputError: the weights cannot be found or used.
        """
        mixture = self._axes(x)
        done = [self._one(image, s, mixture) for image, s in zip(x, levels(sigma, x), strict=True)]
        return torch.stack(done) if done else x.clone()

    def _one(self, y: Tensor, sigma: Tensor, mixture: Axes) -> Tensor:
        """One image ``(C, H, W)``."""
        if float(sigma) <= 0:
            return y
        side, (height, width) = mixture.side, y.shape[-2:]
        wide = mirrored(height, max(height, side), y.device)
        high = mirrored(width, max(width, side), y.device)
        noisy = y[:, wide][..., high]
        where = places(len(wide), len(high), side, min(self.options.stride, side)).to(y.device)
        flat = noisy.flatten(1)
        variance, x = sigma.clamp_min(_LEAST) ** 2, flat
        for beta in self.options.betas:
            patches = self._estimated(x[:, where], variance / beta, mixture)
            x = (flat + beta * averaged(patches, where, x.shape[1])) / (1 + beta)
        return x.view_as(noisy)[:, :height, :width]

    def _estimated(self, patches: Tensor, noise: Tensor, mixture: Axes) -> Tensor:
        """Wiener estimates of patches ``(C, N, side^2)``; their means stay."""
        q = basis(mixture.side).to(patches)
        out = []
        for part in torch.split(patches.flatten(0, 1), _CHUNK):
            c = part @ q.mT
            with torch.no_grad():
                which = mixture.likeliest(c, noise)
            out.append(part + (mixture.filtered(c, which, noise) - c) @ q)
        return torch.cat(out).view_as(patches)

    def _axes(self, like: Tensor) -> Axes:
        """The trained Gaussians, made once for each device and dtype."""
        key = (like.device, like.dtype)
        if key not in self._made:
            loaded = load_weights(self.options.weights, "epll", 1)
            self._made[key] = _principal(loaded.tensors, self.options.rank, like)
        return self._made[key]


def _principal(tensors: dict[str, Tensor], rank: int, like: Tensor) -> Axes:
    """Principal axes of the covariances (W^T W)^-1 of trained weights."""
    whiten = tensors["whiten"].double()
    d = whiten.shape[-1]
    rank = min(rank, d)
    precision, axes = torch.linalg.eigh(whiten.mT @ whiten)  # ascending: the largest variance first
    variance = 1 / precision
    rest = variance[:, rank:].mean(1) if rank < d else variance[:, -1]
    weights = tensors["log_weights"].double().log_softmax(0)
    kept = axes[..., :rank].contiguous().to(like)
    side = math.isqrt(d + 1)
    return Axes(weights.to(like), kept, variance[:, :rank].to(like), rest.to(like), side)
