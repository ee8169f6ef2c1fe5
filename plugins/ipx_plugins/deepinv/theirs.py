"""Objects of deepinv as components of ipx."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

import deepinv
from ipx import (
    DENOISER_SHARE,
    Adjoint,
    Denoise,
    Grad,
    InputError,
    LinearOperator,
    NoOptions,
    Operator,
    Prior,
    Prox,
    Scalar,
    Shape,
    ShapeError,
    Traits,
    Value,
    column,
    per_image,
    signed_data,
    vector,
)


class Copies:
    """An object of deepinv in each dtype and on each device; it is itself never changed.

    deepinv computes in the dtype of the buffers, float32 by default.
    """

    def __init__(self, thing: Any) -> None:
        self.thing = thing
        self._made: dict[tuple[Any, ...], Any] = {}

    def like(self, x: Tensor) -> Any:
        """The object for data like ``x``."""
        key = (x.dtype, x.device)
        if key not in self._made:
            copy = getattr(self.thing, "clone", None)
            made = copy() if callable(copy) else deepcopy(self.thing)
            # not made.to(dtype), which takes the imaginary part off complex buffers
            self._made[key] = made._apply(lambda t: _like(t, x)).eval().requires_grad_(False)
        return self._made[key]


def _like(t: Tensor, x: Tensor) -> Tensor:
    """The tensor on the device and in the precision of ``x``."""
    double = x.dtype == torch.float64
    if t.is_complex():
        return t.to(x.device, torch.complex128 if double else torch.complex64)
    return t.to(x.device, x.dtype if t.is_floating_point() else t.dtype)


class FromPhysics(Operator[NoOptions]):
    """``physics.A``, without the noise of the physics."""

    def __init__(self, physics: Any, image_shape: Shape) -> None:
        super().__init__(image_shape)
        self._copies = Copies(physics)
        self.data_shape = tuple(self.forward(torch.zeros(1, *self.image_shape)).shape[1:])
        self.traits = Traits(signed=signed_data(self))

    def forward(self, x: Tensor) -> Tensor:
        """A x, ``(B, *data_shape)``.

        Raises:
            InputError: the data of the physics are no tensor of real numbers.
        """
        made = self._copies.like(x).A(x)
        if not isinstance(made, Tensor) or made.is_complex():
            raise InputError(
                f"{type(self._copies.thing).__name__} gives {type(made).__name__} of "
                "complex numbers or of several sizes; ipx has operators to tensors of real numbers"
            )
        return made


class FromLinearPhysics(FromPhysics, LinearOperator[NoOptions]):
    """``physics.A`` and ``physics.A_adjoint``."""

    provides = (Adjoint,)

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, ``(B, *image_shape)``."""
        back: Tensor = self._copies.like(y).A_adjoint(y)
        return back


def operator(physics: Any, image_shape: Shape | None) -> Operator[NoOptions]:
    """A physics as an operator.

    Raises:
        InputError: it does not tell its ``img_size``, and ``image_shape`` is None.
        ShapeError: it does not take such images.
    """
    shape = image_shape or getattr(physics, "img_size", None)
    if shape is None:
        raise InputError(
            f"{type(physics).__name__} does not tell the shape of its images; give "
            "image_shape=(C, H, W)"
        )
    linear = isinstance(physics, deepinv.physics.LinearPhysics)
    try:
        return (FromLinearPhysics if linear else FromPhysics)(physics, tuple(shape))
    except RuntimeError as e:
        told = " ".join(str(e).split())
        raise ShapeError(f"{type(physics).__name__} on images {tuple(shape)}: {told}") from e


class FromDenoiser(Prior[NoOptions]):
    """A denoiser of deepinv."""

    provides = (Denoise,)
    traits = Traits(lam_per_variance=DENOISER_SHARE)

    def __init__(self, denoiser: Any) -> None:
        super().__init__()
        self._copies = Copies(denoiser)

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """D(x, sigma), x where sigma is 0; computed in float32."""
        y, level = x.float(), vector(sigma, x)
        with torch.set_grad_enabled(torch.is_grad_enabled() and x.requires_grad):
            out: Tensor = self._copies.like(y)(y, level.float())
        return torch.where(column(level, x) > 0, out.to(x), x)


class FromPrior(Prior[NoOptions]):
    """An explicit prior of deepinv, ``fn(x)``, with its own proximal map or its gradient."""

    def __init__(self, prior: Any) -> None:
        super().__init__()
        self._prior = prior
        own = type(prior).prox is not deepinv.optim.Prior.prox
        named = type(prior).__module__.startswith("deepinv.")
        # those with a name in deepinv are norms; of others nobody knows
        self.traits = Traits(convex=named and type(prior) is not deepinv.optim.Prior)
        self.capabilities = frozenset({Value, Prox if own else Grad})

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        found: Tensor = self._prior.fn(x)
        return found

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of R, shape of x."""
        found: Tensor = self._prior.grad(x)
        return found

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """argmin R(u) + |u - x|^2 / (2 t)."""
        step = torch.as_tensor(per_image(t, x), dtype=x.dtype, device=x.device)
        if step.ndim == 0:
            found: Tensor = self._prior.prox(x, gamma=step)
            return found
        rows = [self._prior.prox(x[i : i + 1], gamma=s) for i, s in enumerate(step.flatten())]
        return torch.cat(rows)


def prior(thing: Any) -> Prior[NoOptions]:
    """A prior of deepinv: its denoiser, for plug-and-play, RED and scores; else R(x).

    Raises:
        InputError: it has neither.
    """
    denoiser = getattr(thing, "denoiser", None)
    if isinstance(denoiser, deepinv.models.Denoiser) and not thing.explicit_prior:
        return getattr(denoiser, "ipx", None) or FromDenoiser(denoiser)
    if not thing.explicit_prior:
        raise InputError(f"{type(thing).__name__} has neither a value nor a denoiser")
    return FromPrior(thing)
