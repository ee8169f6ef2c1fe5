"""The change of variable x = D(z): unknown and prior are those of the code z.

Synthesis with a decoder D is the operator A D with a penalty on z (Bora et al. 2017). Every solver
that uses gradients of data term and prior applies.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ipx.declare.capabilities import CodePenalty, Grad, Latent, Shape, Value, has, using
from ipx.declare.options import NoOptions
from ipx.parts.operator import Operator
from ipx.parts.prior import Prior
from ipx.parts.wrapped import Wrapped
from ipx.solving.problem import Code, Problem

CODE_UNIT = 3.0  # ratio of the standard deviations of a code (1) and of an image (about 1/3)


class Decoded(Operator[NoOptions]):
    """A D, on codes ``(B, n)``."""

    provides = ()

    def __init__(self, code: Code, size: int) -> None:
        super().__init__((size,))
        self._code, self.data_shape = code, code.operator.data_shape

    def forward(self, x: Tensor) -> Tensor:
        """A D(z)."""
        return self._code.operator.forward(self._code.decode(x))

    def known(self, like: Tensor) -> Tensor | None:
        """The mask of A."""
        return self._code.operator.known(like)


class OnCodes(Wrapped):
    """The code penalty of a prior, as a prior on the unknown z."""

    gives = Grad

    def __init__(self, prior: Prior[Any]) -> None:
        super().__init__(prior, convex=False, unit=CODE_UNIT)
        self.capabilities = frozenset({Value, Grad})

    @property
    def unit(self) -> float:
        """The scale of a code."""
        return CODE_UNIT

    def value(self, x: Tensor) -> Tensor:
        """R(z)."""
        return using(self.prior, CodePenalty).code_value(x)

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of R."""
        return using(self.prior, CodePenalty).code_grad(x)


def change_of_variable(problem: Problem) -> Problem:
    """The problem with the code z as unknown; the picture is D(z) (Bora et al. 2017)."""
    latent, shape = using(problem.prior, Latent), problem.image_shape
    code = Code(problem.operator, lambda z: latent.decode(z, shape), latent.encode)
    return problem.changed(
        operator=Decoded(code, latent.code_size(shape)),
        prior=OnCodes(problem.prior),
        code=code,
    )


def latent_of(prior: Prior[Any]) -> Latent | None:
    """The encoder and decoder of a prior or of the prior that it wraps; None without."""
    inner = prior.prior if isinstance(prior, Wrapped) else prior
    return inner if has(inner, Latent) else None


def code_start(latent: Latent, image_shape: Shape, like: Tensor, seed: int | None) -> Tensor:
    """The code 0, or with a ``seed`` a sample of N(0, I): ``(B, n)``, the same for each image."""
    n = latent.code_size(image_shape)
    code = torch.zeros(1, n)
    if seed is not None:
        code = torch.randn(1, n, generator=torch.Generator().manual_seed(seed))
    return code.to(like.device, like.dtype).expand(like.shape[0], n).contiguous()
