"""Capabilities: what a component can do, as runtime-checkable protocols.

The docstring of each is its mathematical contract; `ipx.testing` checks it. A component has a
capability when it has the methods *and* does not take it back in ``provides()`` (a blur is
diagonal in Fourier only with a circular boundary).

Shapes: images are ``(B, C, H, W)``, data ``(B, ...)``; a ``Scalar`` is a float or a tensor of
shape ``()`` or ``(B,)``, one value per image. Nothing here imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from ipx.numerics.spectral import Spectral
    from ipx.parts.operator import LinearOperator

Scalar: TypeAlias = "float | Tensor"
Shape: TypeAlias = tuple[int, ...]

# ---------------------------------------------------------------- operators


@runtime_checkable
class Adjoint(Protocol):
    """Linear, with an adjoint: <A x, u> = <x, A^T u> for all x and u."""

    def forward(self, x: Tensor) -> Tensor:
        """A x."""
        ...

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y."""
        ...


@runtime_checkable
class Diagonal(Protocol):
    """A x = d * x, pixel by pixel."""

    def diagonal(self, like: Tensor) -> Tensor:
        """d, of a shape that broadcasts to ``(C, H, W)``, with the dtype and device of ``like``."""
        ...


@runtime_checkable
class Spectrum(Protocol):
    """A^T A is diagonal in a fast orthogonal transform (Fourier or cosine)."""

    def spectrum(self, like: Tensor) -> Spectral:
        """The transform and the eigenvalues of A^T A (real, >= 0)."""
        ...


@runtime_checkable
class NormalSolve(Protocol):
    """(A^T A + W) x = b has a closed form for every W > 0 diagonal in the same transform."""

    def solve_normal(self, b: Tensor, weight: Spectral) -> Tensor:
        """x, where ``weight`` holds the eigenvalues of W (a scalar times one when W = rho I)."""
        ...


@runtime_checkable
class Norm(Protocol):
    """The operator norm |A| = max |Ax|/|x| is known without iterating."""

    def norm(self) -> float:
        """|A| (an upper bound is allowed up to 1 %)."""
        ...


# ---------------------------------------------------------------- noise


@runtime_checkable
class NoiseGrad(Protocol):
    """The data term is differentiable in the prediction."""

    def grad(self, pred: Tensor, y: Tensor) -> Tensor:
        """Gradient of ``nll(pred, y)`` with respect to ``pred``, same shape."""
        ...


@runtime_checkable
class NoiseProx(Protocol):
    """The data term has a proximal map in the prediction."""

    def prox(self, v: Tensor, y: Tensor, t: Scalar | Tensor) -> Tensor:
        """argmin_p nll(p, y) + |p - v|^2 / (2 t); ``t`` per image or per value."""
        ...


@runtime_checkable
class Quadratic(Protocol):
    """The data term is exactly 1/2 |pred - y|^2."""

    quadratic: bool


# ---------------------------------------------------------------- priors


@runtime_checkable
class Value(Protocol):
    """R(x) can be computed."""

    def value(self, x: Tensor) -> Tensor:
        """R(x), one number per image, shape ``(B,)``."""
        ...


@runtime_checkable
class Grad(Protocol):
    """R is differentiable."""

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of R, same shape as x."""
        ...


@runtime_checkable
class Prox(Protocol):
    """R has a proximal map."""

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """argmin_u R(u) + |u - x|^2 / (2 t)."""
        ...


@runtime_checkable
class ProxConjugate(Protocol):
    """R(x) = g(K x), K linear, with the proximal maps of g and of its conjugate g*."""

    def linear_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """K for images of this shape."""
        ...

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """argmin_z g(z) + |z - u|^2 / (2 t)."""
        ...

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """argmin_z (lam g)*(z) + |z - u|^2 / (2 t); u = prox_{t g}(u) + t prox_{g*/t}(u/t)."""
        ...


@runtime_checkable
class QuadraticPrior(Protocol):
    """R(x) = 1/2 |L x|^2, L linear."""

    def quadratic_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """L for images of this shape."""
        ...


@runtime_checkable
class Denoise(Protocol):
    """A denoiser for white Gaussian noise."""

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """An estimate of the clean image from x = clean + sigma * noise."""
        ...


@runtime_checkable
class Matching(Protocol):
    """A denoiser that first finds out which parts of the picture are alike."""

    def match(self, x: Tensor, sigma: Scalar) -> Any:
        """What `denoise` would find, to be used more than once."""
        ...

    def denoise(self, x: Tensor, sigma: Scalar, matches: Any = None) -> Tensor:
        """An estimate of the clean image, with what was found in x or an image like it."""
        ...


@runtime_checkable
class Latent(Protocol):
    """A decoder D, and an encoder E with D(E(x)) near x for pictures the model knows."""

    def code_size(self, image_shape: Shape) -> int:
        """n, the numbers in the code of a picture of this shape."""
        ...

    def encode(self, x: Tensor) -> Tensor:
        """E(x), shape ``(B, n)``."""
        ...

    def decode(self, z: Tensor, image_shape: Shape) -> Tensor:
        """D(z), shape ``(B, *image_shape)``."""
        ...


@runtime_checkable
class CodePenalty(Protocol):
    """R lives on a code and the picture is D(z): min_z f(D(z)) + lam R(z). With `Latent`."""

    def code_value(self, z: Tensor) -> Tensor:
        """R(z), ``(B,)``."""
        ...

    def code_grad(self, z: Tensor) -> Tensor:
        """Gradient of R, ``(B, n)``."""
        ...


@runtime_checkable
class SoftRange(Protocol):
    """R(x) = min_z |x - D(z)|^2 / (2 gamma^2) + |z|^2 / 2. With `Latent`."""

    def deviation(self) -> float:
        """gamma, in image units."""
        ...


@runtime_checkable
class StochasticGrad(Protocol):
    """R is a mean over random draws, each of which has a gradient."""

    def grad_draw(self, x: Tensor, draw: int) -> Tensor:
        """The gradient of draw number ``draw``; the same number gives the same draw."""
        ...


@runtime_checkable
class LogProb(Protocol):
    """A normalised density."""

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats, shape ``(B,)``."""
        ...


@runtime_checkable
class Sample(Protocol):
    """New images can be drawn."""

    def sample(self, count: int, image_shape: Shape, seed: int) -> Tensor:
        """``(count, C, H, W)``; the same seed gives the same images."""
        ...


# ---------------------------------------------------------------- the data term (made by bridges)


class DataGrad:
    """f(x) = nll(A x, y) has a gradient."""


class DataProx:
    """f(x) = nll(A x, y) has a proximal map."""


class DataQuadratic:
    """f(x) = 1/2 |A x - y|^2, A linear: the normal equations can be solved."""


class DataDual:
    """f(x) = nll(A x, y), A linear, nll with a proximal map: A can be dualised."""


def name_of(capability: type) -> str:
    """How a capability is spelt in messages: ``Prox``, ``DataGrad``."""
    return capability.__name__
