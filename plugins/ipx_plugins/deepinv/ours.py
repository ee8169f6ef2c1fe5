"""Components of ipx as objects of deepinv; each holds its component as ``ipx``."""

from __future__ import annotations

from typing import Any

from torch import Tensor

import deepinv
import ipx
from ipx import Denoise, Grad, InputError, LinearOperator, Operator, Prox, Value, has, using


class Physics(deepinv.physics.Physics):  # type: ignore[misc]  # of a module without types
    """An operator as a physics without noise, on images ``img_size``."""

    def __init__(self, operator: Operator[Any]) -> None:
        super().__init__()
        self.ipx, self.img_size = operator, operator.image_shape

    def A(self, x: Tensor, **unused: Any) -> Tensor:  # noqa: N802  # the name there
        """A x."""
        return self.ipx(x)


class LinearPhysics(deepinv.physics.LinearPhysics):  # type: ignore[misc]  # see Physics
    """A linear operator as a physics without noise, on images ``img_size``."""

    def __init__(self, operator: LinearOperator[Any]) -> None:
        super().__init__(img_size=operator.image_shape)
        self.ipx = operator

    def A(self, x: Tensor, **unused: Any) -> Tensor:  # noqa: N802  # the name there
        """A x."""
        return self.ipx(x)

    def A_adjoint(self, y: Tensor, **unused: Any) -> Tensor:  # noqa: N802  # the name there
        """A^T y."""
        back: Tensor = self.ipx.adjoint(y)
        return back


class Denoiser(deepinv.models.Denoiser):  # type: ignore[misc]  # see Physics
    """A prior that is a denoiser."""

    def __init__(self, prior: ipx.Prior[Any]) -> None:
        super().__init__()
        self.ipx = prior

    def forward(self, x: Tensor, sigma: Any, **unused: Any) -> Tensor:
        """D(x, sigma); sigma is a number, one for each image, or a map ``(B, 1, H, W)``."""
        if isinstance(sigma, Tensor) and sigma.ndim != 4:
            sigma = sigma.flatten() if sigma.numel() > 1 else float(sigma)
        return using(self.ipx, Denoise).denoise(x, sigma)


class Prior(deepinv.optim.Prior):  # type: ignore[misc]  # see Physics
    """A prior: the value, gradient and proximal map that it has, or its denoiser as the latter."""

    def __init__(self, prior: ipx.Prior[Any]) -> None:
        super().__init__()
        self.ipx = prior
        self.explicit_prior = has(prior, Value)

    def fn(self, x: Tensor, *unused: Any, **more: Any) -> Tensor:
        """R(x), ``(B,)``."""
        return using(self.ipx, Value).value(x)

    def grad(self, x: Tensor, *told: Any, **more: Any) -> Tensor:
        """Gradient of R; x - D(x, sigma) for a denoiser without one."""
        if has(self.ipx, Grad):
            return self.ipx.grad(x)
        if has(self.ipx, Denoise):
            return x - self.ipx.denoise(x, told[0] if told else more["sigma_denoiser"])
        slope: Tensor = super().grad(x, *told, **more)
        return slope

    def prox(self, x: Tensor, *told: Any, gamma: Any = 1.0, **more: Any) -> Tensor:
        """argmin_u gamma R(u) + 1/2 |u - x|^2; D(x, sigma) for a denoiser without one.

        Raises:
            InputError: the prior has neither.
        """
        if has(self.ipx, Prox):
            return self.ipx.prox(x, gamma.flatten() if isinstance(gamma, Tensor) else gamma)
        if has(self.ipx, Denoise):
            return self.ipx.denoise(x, told[0] if told else more["sigma_denoiser"])
        raise InputError(f"{type(self.ipx).__name__} has no proximal map in closed form")


class Reconstructor(deepinv.models.Reconstructor):  # type: ignore[misc]  # see Physics
    """A restoration: ``forward(y, physics)`` is `ipx.solve` with these arguments."""

    def __init__(self, how: dict[str, Any]) -> None:
        super().__init__()
        self.how = how

    def forward(self, y: Tensor, physics: Any, **unused: Any) -> Tensor:
        """The restored image.

        The operator is the physics. The noise is that of the physics where it is Gaussian and the
        arguments do not tell another.
        """
        shape = None
        if isinstance(physics, deepinv.physics.LinearPhysics):
            shape = tuple(physics.A_adjoint(y[:1]).shape[1:])
        op = ipx.adapt(physics, shape)
        how = {"noise": _noise(physics), **self.how}
        return ipx.solve(y, op=op, **how).x


def _noise(physics: Any) -> Any:
    """Gaussian noise with the level of the physics, estimated where it tells none."""
    sigma = getattr(physics.noise_model, "sigma", None)
    gaussian = isinstance(physics.noise_model, deepinv.physics.GaussianNoise)
    if not gaussian or sigma is None or getattr(sigma, "numel", lambda: 1)() != 1:
        return "gaussian"
    return {"name": "gaussian", "sigma": float(sigma)}
