"""R(x) = |details of W x|_1."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ipx import (
    LinearOperator,
    Scalar,
    Shape,
    per_image,
)
from ipx_plugins.wavelet import WaveletOptions
from ipx_plugins.wavelet.decimated import Decimated
from ipx_plugins.wavelet.frame import WaveletFrame
from ipx_plugins.wavelet.invariant import Invariant


class WaveletPrior(WaveletFrame[WaveletOptions]):
    """The l1 norm of the wavelet details; the approximation is not penalised.

    Decimated: R(x) = |Wx|_1, W periodised; for an orthogonal wavelet its prox is a soft threshold.
    Invariant: its average over all shifts of the picture, whose prox has no closed form.
    """

    def orthonormal_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """W: the transform, decimated, of an orthogonal wavelet."""
        return self._transform(tuple(image_shape))

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        shape = tuple(x.shape[1:])
        made = self._transform(shape)
        c = made.forward(x)
        return (c.abs() * self._weight(c, made)).flatten(1).sum(1)

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """W^T soft(Wx, t) for an orthogonal wavelet."""
        made = self._transform(tuple(x.shape[1:]))
        return made.adjoint(self._soft(made.forward(x), t, made))

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """Soft threshold of the details."""
        return self._soft(u, t, self._of_data(u))

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """Details clipped to [-lam, lam] times their weight, the approximation set to 0."""
        bound = per_image(lam, u) * self._weight(u, self._of_data(u))
        return u.clamp(-bound, bound)

    def _soft(self, c: Tensor, t: Scalar, made: Decimated | Invariant) -> Tensor:
        step = per_image(t, c) * self._weight(c, made)
        return c.clamp(-step, step).neg_().add_(c)  # in place: memory bounds the speed

    def _weight(self, c: Tensor, made: Decimated | Invariant) -> Tensor:
        """Weight of each coefficient, broadcasting to ``c`` ``(B, ...)``."""
        if isinstance(made, Decimated):
            return made.details(c)
        w = made.weights(c)
        channels = c.shape[1] // made.bands
        return w.expand(-1, channels, 1, 1).flatten(0, 1)
