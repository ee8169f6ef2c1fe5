"""Denoising by sparse patches (K-SVD), and the l1 norm of their inner products with the atoms."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ipx import (
    OptionError,
    OuterProx,
    Scalar,
    Shape,
    find_weights,
    image_sum,
    levels,
    load_weights,
    mirrored,
    opponent,
    per_image,
)
from ipx_plugins.dictionary import DictionaryOptions
from ipx_plugins.dictionary.analysis import InnerProducts, tight
from ipx_plugins.dictionary.learning import cosines, ksvd
from ipx_plugins.dictionary.patches import centred, places, summed
from ipx_plugins.dictionary.pursuit import pursued

_GAIN = 1.15  # the norm of the rest at which pursuit stops, over that of the noise (Elad, Aharon)
_DATA = 30 / 255  # weight of the noisy image times sigma (Elad, Aharon)
_LEARNED = 10_000  # patches to learn from
_SHARE = 4  # a patch has at most one atom for so many pixels
_LEAST = 1e-4  # noise level below which sigma counts as this


class DictionaryPrior(OuterProx[DictionaryOptions]):
    """Form synthesis: each patch without its mean becomes a sum of as few atoms as leave a rest
    like the noise, and the image the mean of its patches (Elad and Aharon 2006). The atoms are
    first adapted to the noisy image by K-SVD.

    Form analysis: R(x) = sum of |<patch, atom>| over overlapping patches and the atoms of the
    Parseval frame nearest to the dictionary, over the number of patches of a pixel.

    Channels are taken one by one; three are first turned into grey and two differences for the
    denoiser.
    """

    def __init__(self, options: DictionaryOptions | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        self._atoms: Tensor | None = None
        self._frame: Tensor | None = None

    def check(self, image_shape: Shape) -> None:
        """Raise the errors of `load_weights` that need no loading."""
        if self.options.weights != "dct":
            find_weights(self.options.weights, "dictionary", 1)

    @torch.no_grad()
    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """The estimate of the clean image, shape of ``x``.

        Args:
            x: ``(B, C, H, W)``, nominally in [0, 1].
            sigma: standard deviation of the noise, >= 0: a number, or one per image ``(B,)``;
                of a map the root mean square is used.

        Raises:
            MissingExtraError, InputError: the weights cannot be found or used.
        """
        turn = opponent(x.shape[1], x)
        done = []
        for image, s in zip(x, levels(sigma, x).tolist(), strict=True):
            if s > 0:
                planes = torch.einsum("ij,jhw->ihw", turn, image)
                clean = self._cleaned(planes, max(s, _LEAST))
                image = torch.einsum("ij,ihw->jhw", turn, clean)
            done.append(image)
        return torch.stack(done) if done else x.clone()

    def _cleaned(self, planes: Tensor, sigma: float) -> Tensor:
        """Channels ``(C, H, W)`` with a dictionary for all of them."""
        atoms, (height, width) = self.atoms().to(planes), planes.shape[-2:]
        side = round(atoms.shape[1] ** 0.5)
        rows, columns = (mirrored(n, max(n, side), planes.device) for n in (height, width))
        noisy = planes[:, rows][..., columns]
        stride = min(self.options.stride or 1, side)
        where = places(len(rows), len(columns), side, stride)
        where = where.to(planes.device)
        flat = noisy.flatten(1)
        patches, means = centred(flat[:, where])
        bound, most = _GAIN * sigma * side, side * side // _SHARE
        if self.options.adapt:
            every = patches.flatten(0, 1)
            some = every[:: -(-len(every) // _LEARNED)]
            for _ in range(self.options.adapt):
                atoms = ksvd(some, atoms, bound, most)
        out = []
        for channel, own, mean in zip(flat, patches, means, strict=True):
            codes = pursued(own, atoms, most, bound)
            share = 1 / (1 + (codes.index >= 0).sum(1).to(own))
            total, weight = summed(own - codes.rest + mean, where, share, len(channel))
            kept = _DATA / sigma / side**2 * weight
            out.append((kept * channel + total) / (kept + weight))
        return torch.stack(out).view_as(noisy)[:, :height, :width]

    def linear_part(self, image_shape: Shape) -> InnerProducts:
        """K."""
        if self._frame is None:
            self._frame = tight(self.atoms())
        stride, side = self.options.stride or 4, round(self._frame.shape[1] ** 0.5)
        if side % stride:
            raise OptionError(
                f"stride {stride} does not divide the side of the patches, {side}; take a divisor"
            )
        return InnerProducts(image_shape, self._frame, stride)

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        c = self.linear_part(tuple(x.shape[1:])).forward(x)
        return image_sum(c.abs() * self._weights(c))

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """Soft threshold of all values but the means."""
        return u - self.prox_conjugate(u, 1.0, t)

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """Values clipped to [-lam, lam] times their weight, for every t."""
        most = per_image(lam, u) * self._weights(u)
        return u.clamp(-most, most)

    def _weights(self, u: Tensor) -> Tensor:
        """stride / side, and 0 for the means, ``(C K, 1, 1)``."""
        atoms = self.atoms()
        side = round(atoms.shape[1] ** 0.5)
        count = len(atoms) + 1
        one = u.new_full((count, 1, 1), (self.options.stride or 4) / side)
        one[-1] = 0
        return one.repeat(u.shape[1] // count, 1, 1)

    def atoms(self) -> Tensor:
        """The unit atoms, ``(K, side^2)`` float64."""
        if self._atoms is None:
            if self.options.weights == "dct":
                self._atoms = cosines(8, 256)
            else:
                found = load_weights(self.options.weights, "dictionary", 1).tensors["atoms"]
                away = centred(found.double())[0]
                self._atoms = away / away.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return self._atoms
