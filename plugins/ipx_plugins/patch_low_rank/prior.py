"""Weighted nuclear norm minimisation (WNNM) of groups of similar patches."""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import Prior, Scalar, levels, mirrored, opponent
from ipx_plugins.patch_low_rank import PatchLowRankOptions
from ipx_plugins.patch_low_rank.matching import pixels, similar

_CHUNK = 1024  # groups at a time, which bounds the memory
_FEEDBACK = 0.1  # share of what was removed that the next pass starts from again
_LEVEL = 0.56  # noise level after the first pass, over what the feedback leaves by itself
_WEIGHT = 2 * 2**0.5  # c of the weights c sqrt(m) s^2 / singular value
_REMATCH = 2  # passes with the same groups


class PatchLowRank(Prior[PatchLowRankOptions]):
    """Each group of similar patches is a matrix of low rank (Gu et al. 2014, algorithms 1 and 2).

    The singular values of a group without its mean patch are shrunk, small ones most; the patches
    are averaged; a tenth of what was removed is added back for the next pass. Three channels are
    turned into grey and two differences, patches are compared in grey.
    """

    @torch.no_grad()
    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """The estimate of the clean image, shape of ``x``.

        Args:
            x: ``(B, C, H, W)``, nominally in [0, 1].
            sigma: standard deviation of the noise, >= 0: a number, or one per image ``(B,)``;
                of a map the root mean square is used.
        """
        turn, done = opponent(x.shape[1], x), []
        for image, s in zip(x, levels(sigma, x).tolist(), strict=True):
            if s > 0:
                planes = torch.einsum("ij,jhw->ihw", turn, image)
                image = torch.einsum("ij,ihw->jhw", turn, self._cleaned(planes, s))
            done.append(image)
        return torch.stack(done) if done else x.clone()

    def _cleaned(self, planes: Tensor, sigma: float) -> Tensor:
        """Channels ``(C, H, W)``, the first of which is compared."""
        o, (height, width) = self.options, planes.shape[-2:]
        rows, columns = (mirrored(n, max(n, o.side), planes.device) for n in (height, width))
        noisy = planes[:, rows][..., columns]
        flat = x = noisy.flatten(1)
        where = torch.empty(0)
        for k in range(o.iterations):
            z = x + _FEEDBACK * (flat - x) if k else flat
            if k % _REMATCH == 0:
                grey = z[0].view(noisy.shape[1:])
                first = similar(grey, o.side, o.step, o.radius, o.group)
                where = pixels(first, noisy.shape[2], o.side)  # (R, m, n)
            x = torch.stack([self._pass(*pair, where, sigma) for pair in zip(z, flat, strict=True)])
        return x.view_as(noisy)[:, :height, :width]

    def _pass(self, z: Tensor, noisy: Tensor, where: Tensor, sigma: float) -> Tensor:
        """All groups of one channel ``(H W,)`` shrunk and averaged."""
        total, count = torch.zeros_like(z), torch.zeros_like(z)
        for at in torch.split(where, _CHUNK):
            patches = z[at]  # (R, m, n)
            removed = (noisy[at] - patches).square().mean((1, 2))
            left = (sigma**2 - removed).clamp_min(0)
            level = torch.where(removed > 0, _LEVEL * left.sqrt(), sigma)
            mean = patches.mean(1, keepdim=True)
            clean = shrunk(patches - mean, level) + mean
            flat = at.reshape(-1)
            total.index_add_(0, flat, clean.reshape(-1))
            count.index_add_(0, flat, torch.ones_like(clean).reshape(-1))
        return total / count.clamp_min(1)


def shrunk(groups: Tensor, sigma: Tensor) -> Tensor:
    """The minimiser of |X - Y|^2 / (2 s^2) + sum of w_i sigma_i(X), w_i = c sqrt(m) / sigma_i(X).

    Its singular values are (d + sqrt(d^2 - 4 C)) / 2 of those d of Y with d^2 > 4 C, else 0, for
    C = c sqrt(m) 2 s^2, m the number of patches (Gu et al. 2014, corollary 1).

    Args:
        groups: Y, ``(R, m, n)``.
        sigma: s, ``(R,)``.
    """
    tall = groups.shape[1] >= groups.shape[2]
    y = groups if tall else groups.mT  # (R, long, short)
    squares, vectors = torch.linalg.eigh(y.mT @ y)
    bound = 8 * _WEIGHT * groups.shape[1] ** 0.5 * (sigma**2)[:, None]
    d2 = squares.clamp_min(0)
    keep = 0.5 * (1 + (1 - bound / d2.clamp_min(1e-30)).clamp_min(0).sqrt())
    keep = torch.where(d2 > bound, keep, 0.0)
    out: Tensor = y @ ((vectors * keep[:, None]) @ vectors.mT)
    return out if tall else out.mT
