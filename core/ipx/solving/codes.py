"""The change of variable x = D(z): a solver works on the code, the prior is one on the code.

Synthesis with any decoder is the operator A D with a penalty on z (Bora et al. 2017), so it is no
solver of its own: whatever needs a gradient of data term and prior solves it.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from ipx.declare import capabilities as cap
from ipx.declare.capabilities import Shape
from ipx.declare.options import NoOptions
from ipx.parts.operator import Operator
from ipx.parts.prior import Prior


class Decoded(Operator[NoOptions]):
    """A D, on codes ``(B, n)``: what is measured of the picture of a code."""

    def __init__(self, operator: Operator[Any], prior: Prior[Any]) -> None:
        self._inner, self._latent = operator, cast(cap.Latent, prior)
        super().__init__((self._latent.code_size(operator.image_shape),))
        self.data_shape = operator.data_shape

    def forward(self, x: Tensor) -> Tensor:
        """A D(z)."""
        return self._inner.forward(self.picture(x))

    @property
    def physical(self) -> Operator[Any]:
        """A."""
        return self._inner

    def picture(self, unknown: Tensor) -> Tensor:
        """D(z)."""
        return self._latent.decode(unknown, self._inner.image_shape)

    def unknown(self, picture: Tensor) -> Tensor:
        """E(x)."""
        return self._latent.encode(picture)

    def preview(self, y: Tensor) -> Tensor:
        """That of A: a picture."""
        return self._inner.preview(y)

    def known(self, like: Tensor) -> Tensor | None:
        """That of A."""
        return self._inner.known(like)


class ChangeOfVariable(Prior[NoOptions]):
    """The penalty of a prior on codes, as a prior of the unknown."""

    convex = False
    unit = 3.0  # a code has unit variance, a picture about a third of that deviation

    def __init__(self, prior: Prior[Any], image_shape: Shape) -> None:
        super().__init__()
        self.prior, self._on = prior, cast(cap.CodePenalty, prior)
        self.weighted, self.lam_per_variance = prior.weighted, prior.lam_per_variance
        self.start_from = prior.start_from

    def typical(self, image_shape: Shape) -> float | None:
        """That of the prior, of pictures."""
        return self.prior.typical(image_shape)

    def value(self, x: Tensor) -> Tensor:
        """R(z)."""
        return self._on.code_value(x)

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of R."""
        return self._on.code_grad(x)


def latent_of(prior: Prior[Any]) -> cap.Latent | None:
    """The encoder and decoder behind a prior, if there are any."""
    inner = prior.prior if isinstance(prior, ChangeOfVariable) else prior
    return cast(cap.Latent, inner) if isinstance(inner, cap.Latent) else None


def code_start(prior: Prior[Any], image_shape: Shape, like: Tensor, seed: int | None) -> Tensor:
    """The code 0, or one drawn from N(0, I) by its seed, ``(B, n)``, the same for each image."""
    latent = latent_of(prior)
    assert latent is not None
    n = latent.code_size(image_shape)
    code = torch.zeros(1, n)
    if seed is not None:
        code = torch.randn(1, n, generator=torch.Generator().manual_seed(seed))
    return code.to(like.device, like.dtype).expand(like.shape[0], n).contiguous()
