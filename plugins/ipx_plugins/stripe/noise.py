"""Stripes, y = x + o_j + n: an offset o_j for each column j and white noise n.

Offsets of standard deviation s and noise of standard deviation sigma make a Gaussian vector in each
column of H values. Its negative log-likelihood, times sigma^2, is

    f(p) = 1/2 |r - m|^2 + k/2 |m|^2,    k = sigma^2 / (sigma^2 + H s^2),

r = p - y the residual and m the mean of r over its column. So the means of columns hardly count,
and the prior tells them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ipx import InputError, Noise, Scalar, image_sum, per_image
from ipx_plugins.stripe import StripeOptions

_USUAL = 0.05  # offsets in simulations


class Stripe(Noise[StripeOptions]):
    """f as above; ``level`` is the standard deviation s of the offsets.

    Columns are along the last axis but one; each channel has offsets of its own.
    """

    by: Scalar = 1.0  # the data are divided by it

    def _share(self, y: Tensor) -> Tensor:
        """k, to broadcast against y."""
        s = torch.as_tensor(per_image(_USUAL if self.level is None else self.level, y))
        variance = torch.as_tensor(per_image(self._sigma(y), y)) ** 2
        return (variance / (variance + y.shape[-2] * s**2)).to(y)

    def _sigma(self, like: Tensor) -> Scalar:
        return self.options.sigma / self.by

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """``clean`` with offsets and noise drawn on the CPU; offsets of 0.05 by default."""
        _check(clean)
        shape = (*clean.shape[:-2], 1, clean.shape[-1])
        offsets = torch.randn(shape, generator=generator, dtype=clean.dtype).to(clean.device)
        white = torch.randn(clean.shape, generator=generator, dtype=clean.dtype).to(clean.device)
        s = per_image(_USUAL if self.level is None else self.level, clean)
        return clean + s * offsets + per_image(self._sigma(clean), clean) * white

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        """f per image, ``(B,)``."""
        r = pred - y
        m = r.mean(-2, keepdim=True)
        return 0.5 * image_sum((r - m) ** 2) + 0.5 * y.shape[-2] * image_sum(self._share(y) * m**2)

    def grad(self, pred: Tensor, y: Tensor) -> Tensor:
        """r - (1 - k) m."""
        r = pred - y
        return r - (1 - self._share(y)) * r.mean(-2, keepdim=True)

    def prox(self, v: Tensor, y: Tensor, t: Scalar) -> Tensor:
        """y + (q - m) / (1 + t) + m / (1 + k t), q = v - y and m its means over columns.

        With one t per value, the mean of t over each column is used for m.
        """
        q = v - y
        step = torch.as_tensor(per_image(t, v), dtype=v.dtype, device=v.device)
        m = q.mean(-2, keepdim=True)
        of_mean = step.mean(-2, keepdim=True) if step.ndim == v.ndim else step
        return y + (q - m) / (1 + step) + m / (1 + self._share(y) * of_mean)

    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        """count sigma^2 / 2, ``(B,)``."""
        return 0.5 * count * torch.as_tensor(per_image(self._sigma(count), count)) ** 2

    def estimated(
        self, y: Tensor, known: Tensor | None = None, floor: Sequence[float] = ()
    ) -> Stripe:
        """This model with the offsets of each image, from the means of the columns.

        The second differences of the means are those of the offsets, up to white noise and to
        edges of the image, which a median ignores.
        """
        if self.level is not None:
            return self
        _check(y)
        means = y.detach().mean(-2)
        second = means[..., 2:] - 2 * means[..., 1:-1] + means[..., :-2]
        spread = second.abs().flatten(1).median(1).values / 0.6745 / 6**0.5
        white = torch.as_tensor(self._sigma(y)) ** 2 / y.shape[-2]
        made = Stripe(self.options)
        made.by = self.by
        made.level = (spread**2 - white).clamp_min(0.0).sqrt()
        return made

    def scaled(self, by: Tensor) -> Stripe:
        """This model with offsets and sigma divided by ``by``."""
        made = Stripe(self.options)
        made.by = self.by * by
        made.level = None if self.level is None else self.level / by
        return made


def _check(y: Tensor) -> None:
    """Refuse data without columns."""
    if y.ndim < 4 or y.shape[-1] < 3:
        raise InputError("noise stripe is for pictures with at least 3 columns")
