"""R(x) = sum over groups of wavelet details of their Euclidean norms."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ipx import Scalar, image_sum, per_image
from ipx_plugins.wavelet import GroupOptions
from ipx_plugins.wavelet.decimated import Decimated
from ipx_plugins.wavelet.frame import WaveletFrame


class Group(WaveletFrame[GroupOptions]):
    """R(x) = sum_g |(Wx)_g|_2, a group the details of a band in a block, of one or all channels.

    The last blocks of a row or column are smaller where the side of the image is no multiple of
    theirs. The approximation is not penalised. Bands have the weights of the prior `wavelet`.
    """

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        c = self._transform(tuple(x.shape[1:])).forward(x)
        return image_sum(self._norms(self._bands(c)) * self._band_weights(c))

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """Shrink the norm of every group by t times its weight."""
        c = self._bands(u)
        norms = self._norms(c)
        keep = 1 - per_image(t, norms) * self._band_weights(u) / norms.clamp_min(1e-30)
        return self._scaled(c, keep.clamp_min(0))

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """Project every group onto the ball of radius lam times its weight, for every t."""
        c = self._bands(u)
        norms = self._norms(c)
        radius = torch.as_tensor(per_image(lam, norms) * self._band_weights(u), dtype=u.dtype)
        return self._scaled(c, radius / norms.maximum(radius).clamp_min(1e-30))

    def _bands(self, c: Tensor) -> Tensor:
        """``(B, S C, H, W)`` as ``(B, S, C, H, W)``."""
        made = self._of_data(c)
        return torch.unflatten(c, 1, (1 if isinstance(made, Decimated) else made.bands, -1))

    def _band_weights(self, c: Tensor) -> Tensor:
        """Broadcasts to `_norms`."""
        made = self._of_data(c)
        return made.details(c) if isinstance(made, Decimated) else made.weights(c)

    def _norms(self, c: Tensor) -> Tensor:
        """Norms of the groups, ``(B, S, 1 or C, H / block, W / block)``, rounded up."""
        square = c * c
        if self.options.coupled:
            square = square.sum(2, keepdim=True)
        side = self.options.block
        if side > 1:
            flat = avg_pool2d(square.flatten(1, 2), side, ceil_mode=True, divisor_override=1)
            square = torch.unflatten(flat, 1, square.shape[1:3])
        return square.clamp_min(torch.finfo(c.dtype).tiny).sqrt()

    def _scaled(self, c: Tensor, factor: Tensor) -> Tensor:
        """Each group times its factor, ``(B, S C, H, W)``."""
        side, (height, width) = self.options.block, c.shape[-2:]
        if side > 1:
            wide = factor.repeat_interleave(side, -2).repeat_interleave(side, -1)
            factor = wide[..., :height, :width]
        return (c * factor).flatten(1, 2)
