"""Speckle, y = g A x with g of a Gamma distribution of mean 1 and variance 1 / looks.

The data term is the negative log-likelihood over looks (Aubert, Aujol 2008),

    f(p) = log(p / y) + y / p - 1,     f'(p) = (p - y) / p^2,

which is 0 at p = y and convex up to p = 2 y. Beyond it is continued by its tangent there, so that
it stays convex. Below y / 4, where the curvature explodes, it is continued by the parabola of the
same value, slope and curvature. y below a thousandth counts as that; where y is 0, as where nothing
was measured, f is 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ipx import InputError, Noise, Scalar, Storage, image_sum, per_image
from ipx_plugins.speckle import SpeckleOptions

_USUAL = 10.0  # looks in simulations
_LEAST = 1e-3  # least intensity
_RANGE = -math.log(_LEAST)
_LOW, _HIGH = 0.25, 2.0  # of p / y, between which f is the log-likelihood
_STEPS = 60  # of bisection, for double precision
_MOST = 1e8  # looks; the noise is negligible then


class Speckle(Noise[SpeckleOptions]):
    """f as above; ``level`` is the number of looks."""

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """``clean`` times Gamma variables drawn on the CPU, with 10 looks by default.

        The variables are sums of exponential ones for whole numbers of looks, and approximated by
        the cube of a normal one otherwise (Wilson, Hilferty 1931).
        """
        looks = _USUAL if self.level is None else self.level
        shape = torch.as_tensor(per_image(looks, clean), dtype=clean.dtype)
        whole = shape.numel() == 1 and float(shape) == round(float(shape)) and float(shape) <= 64
        gain = torch.zeros(clean.shape, dtype=clean.dtype)
        if whole:
            for _ in range(round(float(shape))):
                u = torch.rand(clean.shape, generator=generator, dtype=clean.dtype)
                gain -= torch.log1p(-u)
            gain = gain / shape.cpu()
        else:
            normal = torch.randn(clean.shape, generator=generator, dtype=clean.dtype)
            some = 1 / (9 * shape.cpu())
            gain = (1 - some + some.sqrt() * normal).clamp_min(0.0) ** 3
        return clean * gain.to(clean.device)

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        """The sum of f per image, ``(B,)``."""
        seen, y = y > 0, y.clamp_min(_LEAST)
        r = pred / y
        mid = r.clamp(_LOW, _HIGH)
        slope, bend = (mid - 1) / mid**2, (2 - _LOW) / _LOW**3
        below = (r - mid).clamp_max(0.0)
        value = torch.log(mid) + 1 / mid - 1 + slope * (r - mid) + 0.5 * bend * below**2
        return image_sum(value * seen)

    def grad(self, pred: Tensor, y: Tensor) -> Tensor:
        """f'(pred), shape of y."""
        return _slope(pred, y.clamp_min(_LEAST)) * (y > 0)

    def prox(self, v: Tensor, y: Tensor, t: Scalar) -> Tensor:
        """argmin_p f(p) + (p - v)^2 / (2 t), the root of an increasing function, by bisection."""
        seen, y = y > 0, y.clamp_min(_LEAST)
        step = torch.as_tensor(per_image(t, v), dtype=v.dtype, device=v.device)
        # the slope of f has the sign of p - y, so that the root is between v and y
        low, high = torch.minimum(v, y), torch.maximum(v, y)
        for _ in range(_STEPS):
            middle = 0.5 * (low + high)
            above = middle - v + step * _slope(middle, y) > 0
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return torch.where(seen, 0.5 * (low + high), v)

    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        """count (log L - psi(L)), L looks: about count / (2 L), ``(B,)``."""
        looks = self.level if self.level is not None else self.estimated(y).level
        assert looks is not None
        shape = torch.as_tensor(per_image(looks, count), dtype=count.dtype, device=count.device)
        return count * (torch.log(shape) - torch.digamma(shape))

    def deviation(self, y: Tensor) -> Tensor:
        """y / sqrt(looks)."""
        return y.clamp_min(_LEAST) / torch.as_tensor(per_image(self._known_looks(y), y)) ** 0.5

    def stabilised(self, y: Tensor) -> tuple[Tensor, Scalar]:
        """log y, `_LEAST` to 1 brought to [0, 1]; log g has variance trigamma(looks)."""
        looks = torch.as_tensor(self._known_looks(y), dtype=y.dtype).flatten()
        level = torch.special.polygamma(1, looks).sqrt() / _RANGE
        return 1 + y.clamp_min(_LEAST).log() / _RANGE, level

    def recovered(self, z: Tensor) -> Tensor:
        """The exponential; log g has the mean digamma(looks) - log looks."""
        looks = torch.as_tensor(per_image(self._known_looks(z), z), dtype=z.dtype)
        return torch.exp((z - 1) * _RANGE - torch.digamma(looks) + looks.log())

    def _known_looks(self, y: Tensor) -> Scalar:
        looks = self.level if self.level is not None else self.estimated(y).level
        assert looks is not None
        return looks

    def curvature(self, y: Tensor) -> Scalar:
        """The curvature of the parabola, at the least y of each image, ``(B,)``."""
        least = y.clamp_min(_LEAST).flatten(1).amin(1)
        return (2 - _LOW) / _LOW**3 / least**2

    def estimated(
        self, y: Tensor, known: Tensor | None = None, storage: Storage = Storage()
    ) -> Speckle:
        """This model with the looks of each image, from the finest details of log y.

        log g has variance trigamma(looks), about 1 / looks + 1 / (2 looks^2).
        """
        if self.level is not None:
            return self
        made = Speckle(self.options)
        made.level = torch.stack([_looks(image, known) for image in y]).to(y)
        return made

    def scaled(self, by: Tensor) -> Speckle:
        """This model: the noise is relative."""
        return self


def _slope(pred: Tensor, y: Tensor) -> Tensor:
    """f'(pred), y at least `_LEAST`."""
    r = pred / y
    mid = r.clamp(_LOW, _HIGH)
    below = (r - mid).clamp_max(0.0)
    return ((mid - 1) / mid**2 + (2 - _LOW) / _LOW**3 * below) / y


def _looks(image: Tensor, known: Tensor | None) -> Tensor:
    """Number of looks from the median absolute detail of log y."""
    seen = image > _LEAST if known is None else (image > _LEAST) & known.expand_as(image[None])[0]
    logs = image.detach().clamp_min(_LEAST).log()
    detail = (logs[..., 1:] - logs[..., :-1]).abs() / math.sqrt(2)
    both = seen[..., 1:] & seen[..., :-1]
    if image.ndim == 3 and image.shape[-2] > 1:
        square = logs[..., 1:, 1:] - logs[..., 1:, :-1] - logs[..., :-1, 1:] + logs[..., :-1, :-1]
        detail, both = square.abs() / 2, both[..., 1:, :] & both[..., :-1, :]
    if not bool(both.any()):
        raise InputError(
            "the number of looks cannot be estimated: no two neighbouring values are above 0; "
            "give it"
        )
    variance = ((detail[both].median() / 0.6745) ** 2).clamp_min(1 / _MOST)
    return (1 + torch.sqrt(1 + 2 * variance)) / (2 * variance)
