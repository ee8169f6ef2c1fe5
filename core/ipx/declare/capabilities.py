# mypy: disable-error-code="empty-body"
# the methods here are contracts; the components implement them
"""Capabilities: what a component can do.

The docstring of a capability is its mathematical contract; `ipx.testing` checks it. Capabilities
are nominal: a component has those that its declaration lists, which may depend on its options.
``has(x, Prox)`` tests for one and narrows the type of ``x``. A plugin may define its own: a
subclass of `Capability` whose ``of`` names a kind of component.

Shapes: images are ``(B, C, H, W)``, data ``(B, ...)``; a ``Scalar`` is a float or a tensor of
shape ``()`` or ``(B,)``, one value per image. Nothing here imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ipx.declare.capability import (
    Capability as Capability,
    capabilities_of as capabilities_of,
    has as has,
    implemented as implemented,
    methods as methods,
    using as using,
)

if TYPE_CHECKING:
    from torch import Tensor

    from ipx.numerics.spectral import Spectral
    from ipx.parts.normal import NormalSystem
    from ipx.parts.operator import Operator

Scalar: TypeAlias = "float | Tensor"
Shape: TypeAlias = tuple[int, ...]


class Linear(Protocol):
    """The interface of a linear map K, such as the linear part of a prior."""

    image_shape: Shape
    data_shape: Shape

    def forward(self, x: Tensor) -> Tensor:
        """K x."""
        ...

    def adjoint(self, y: Tensor) -> Tensor:
        """K^T y."""
        ...


# ---------------------------------------------------------------- operators


class Adjoint(Capability, of="operator", returns={"adjoint": "image"}):
    """Linear, with an adjoint: <A x, u> = <x, A^T u> for all x and u."""

    def forward(self, x: Tensor) -> Tensor:
        """A x."""

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y."""


class Diagonal(Capability, of="operator"):
    """A x = d * x, pixel by pixel."""

    def diagonal(self, like: Tensor) -> Tensor:
        """d, of a shape that broadcasts to ``(C, H, W)``, with the dtype and device of ``like``."""


class Spectrum(Capability, of="operator"):
    """A^T A is diagonal in a fast orthogonal transform (Fourier or cosine)."""

    def spectrum(self, like: Tensor) -> Spectral:
        """The transform and the eigenvalues of A^T A (real, >= 0)."""


class NormalSolve(Capability, of="operator", returns={"solve_normal": "like"}):
    """(A^T A + W) x = b has a closed form for every W > 0 diagonal in the same transform."""

    def solve_normal(self, b: Tensor, weight: Spectral) -> Tensor:
        """x; ``weight`` holds the eigenvalues of W (one value, rho, when W = rho I)."""


class Sampled(Capability, of="operator"):
    """A = S B: S keeps some of the values of B x; B^T B is diagonal in a fast transform.

    The transform is the trait ``basis``.
    """

    def dense(self) -> Linear:
        """B, with a `Spectrum`."""

    def sample(self, w: Tensor) -> Tensor:
        """S w, data."""

    def scatter(self, y: Tensor) -> Tensor:
        """S^T y: data at their places in B x, and zeros elsewhere; S S^T = I."""


class Local(Capability, of="operator"):
    """Each value of the data depends on pixels nearby: a window of the data is such data too."""

    def part(self, top: int, left: int, height: int, width: int) -> Operator[Any]:
        """The operator whose data, ``(C, height, width)``, are that window of these data.

        Near the border of the window it may differ from this operator.
        """


class Norm(Capability, of="operator"):
    """The operator norm |A| = max |Ax|/|x| is known without iterating."""

    def norm(self) -> float:
        """|A|, or an upper bound at most 2 % larger."""


# ---------------------------------------------------------------- noise


class NoiseGrad(Capability, of="noise", returns={"grad": "like"}):
    """The data term is differentiable in the prediction."""

    def grad(self, pred: Tensor, y: Tensor) -> Tensor:
        """Gradient of ``nll(pred, y)`` with respect to ``pred``, same shape."""


class NoiseProx(Capability, of="noise", returns={"prox": "like"}):
    """The data term has a proximal map in the prediction."""

    def prox(self, v: Tensor, y: Tensor, t: Scalar | Tensor) -> Tensor:
        """argmin_p nll(p, y) + |p - v|^2 / (2 t); ``t`` per image or per value."""


class Stabilised(Capability, of="noise"):
    """The data have a transform T after which the noise is about white, of one level."""

    def stabilised(self, y: Tensor) -> tuple[Tensor, Scalar]:
        """T(y), as an image of about [0, 1], and the standard deviation of its noise."""

    def recovered(self, z: Tensor) -> Tensor:
        """The mean of y without what the noise adds, where z is the mean of T(y)."""


class Quadratic(Capability, of="noise"):
    """The data term is exactly 1/2 |pred - y|^2."""


# ---------------------------------------------------------------- priors


class Value(Capability, of="prior", returns={"value": "each"}):
    """R(x) can be computed."""

    def value(self, x: Tensor) -> Tensor:
        """R(x), one number per image, shape ``(B,)``."""


class Grad(Capability, of="prior", returns={"grad": "like"}):
    """R is differentiable."""

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of R, same shape as x."""


class Prox(Capability, of="prior", returns={"prox": "like"}):
    """R has a proximal map."""

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """argmin_u R(u) + |u - x|^2 / (2 t)."""


class ProxConjugate(
    Capability, of="prior", returns={"prox_outer": "like", "prox_conjugate": "like"}
):
    """R(x) = g(K x), K linear, with the proximal maps of g and of its conjugate g*."""

    def linear_part(self, image_shape: Shape) -> Linear:
        """K for images of this shape."""

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """argmin_z g(z) + |z - u|^2 / (2 t)."""

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """argmin_z (lam g)*(z) + |z - u|^2 / (2 t); u = prox_{t g}(u) + t prox_{g*/t}(u/t)."""


class QuadraticPrior(Capability, of="prior"):
    """R(x) = 1/2 |L x|^2, L linear."""

    def quadratic_part(self, image_shape: Shape) -> Linear:
        """L for images of this shape."""


class AuxiliaryField(Capability, of="prior"):
    """R(x) = min_w G(x, w), w a field of further channels, which is found together with x."""

    def joint(self) -> Any:
        """G, a prior with `Value` and `ProxConjugate` on ``[x; w]``, ``(B, C + n, H, W)``."""

    def field(self, x: Tensor) -> Tensor:
        """A w to start from with x, ``(B, n, H, W)``."""


class Orthonormal(Capability, of="prior"):
    """R is small for images that are sparse in an orthonormal transform W, W^T W = W W^T = I."""

    def orthonormal_part(self, image_shape: Shape) -> Linear:
        """W for images of this shape, with the inverse W^T."""


class Box(Capability, of="prior"):
    """R(x) = 0 where each value is within bounds, else infinite."""

    def bounds(self) -> tuple[float, float]:
        """The lower and the upper bound; infinite where there is none."""


class Denoise(Capability, of="prior", returns={"denoise": "like"}):
    """A denoiser for white Gaussian noise."""

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """An estimate of the clean image from x = clean + sigma * noise."""


class Matching(Capability, of="prior"):
    """A denoiser whose block matching can be computed once and reused."""

    def match(self, x: Tensor, sigma: Scalar) -> Any:
        """The matches that `denoise` computes for x."""

    def denoise(self, x: Tensor, sigma: Scalar, matches: Any = None) -> Tensor:
        """An estimate of the clean image; ``matches`` are those of x or of a similar image."""


class Latent(Capability, of="prior"):
    """A decoder D and an encoder E; D(E(x)) is near x for images like the training data."""

    def code_size(self, image_shape: Shape) -> int:
        """n, the length of the code of an image of this shape."""

    def encode(self, x: Tensor) -> Tensor:
        """E(x), shape ``(B, n)``."""

    def decode(self, z: Tensor, image_shape: Shape) -> Tensor:
        """D(z), shape ``(B, *image_shape)``."""


class CodePenalty(Capability, of="prior", returns={"code_value": "each", "code_grad": "like"}):
    """R is a function of the code z, x = D(z): min_z f(D(z)) + lam R(z). With `Latent`."""

    def code_value(self, z: Tensor) -> Tensor:
        """R(z), ``(B,)``."""

    def code_grad(self, z: Tensor) -> Tensor:
        """Gradient of R, ``(B, n)``."""


class SoftRange(Capability, of="prior"):
    """R(x) = min_z |x - D(z)|^2 / (2 gamma^2) + |z|^2 / 2. With `Latent`."""

    def deviation(self) -> float:
        """gamma, in image units."""


class ValueGrad(Capability, of="prior"):
    """R(x) and its gradient together, for little more than the gradient. With `Value`, `Grad`."""

    def value_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """R(x), ``(B,)``, and its gradient, same shape as x."""


class QuadraticModel(Capability, of="prior"):
    """The Hessian of R is roughly sum_j c_j P_j L^T L, c_j > 0 unknown, for preconditioning."""

    def model_part(self, image_shape: Shape) -> Linear:
        """L for images of this shape."""

    def model_spaces(self, x: Tensor) -> tuple[Tensor, ...]:
        """P_j x, shape of ``x`` each: orthogonal projections that commute with L^T L, of sum x."""


class StochasticGrad(Capability, of="prior", returns={"grad_draw": "like"}):
    """R is a mean over random draws, each of which has a gradient."""

    def grad_draw(self, x: Tensor, draw: int) -> Tensor:
        """The gradient of draw number ``draw``; the same number gives the same draw."""


class LogProb(Capability, of="prior", returns={"log_prob": "each"}):
    """A normalised density."""

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats, shape ``(B,)``."""


class Sample(Capability, of="prior"):
    """New images can be drawn."""

    def sample(self, count: int, image_shape: Shape, seed: int) -> Tensor:
        """``(count, C, H, W)``; the same seed gives the same images."""


# ---------------------------------------------------------------- the data term (made by bridges)


class DataGrad(Capability, of="data"):
    """f(x) = nll(A x, y) has a gradient."""

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of f, same shape as x."""


class DataProx(Capability, of="data"):
    """f(x) = nll(A x, y) has a proximal map."""

    def prox(self, v: Tensor, t: Scalar, guess: Tensor | None = None) -> Tensor:
        """argmin_u f(u) + |u - v|^2 / (2 t); ``guess`` warm-starts an iterative one."""


class DataQuadratic(Capability, of="data"):
    """f(x) = 1/2 |A x - y|^2, A linear: its normal equations can be solved."""

    system: NormalSystem
    back: Tensor  # A^T y


class DataDual(Capability, of="data"):
    """f(x) = nll(A x, y), A linear, nll with a proximal map: A can be dualised."""

    def prox_conjugate(self, u: Tensor, t: Scalar) -> Tensor:
        """argmin_w nll*(w) + |w - u|^2 / (2 t)."""


class DataSplit(Capability, of="data"):
    """f(x) = nll(w, y) with w = A x, A linear, nll with a proximal map: w is split off."""

    system: NormalSystem

    def prox(self, w: Tensor, t: Scalar) -> Tensor:
        """argmin_p nll(p, y) + |p - w|^2 / (2 t)."""


# ------------------------------------------- data term and prior together (found by the planner)


class JointSolve(Capability, of="problem"):
    """(A^T A + rho K^T K) x = b has a closed form, K the linear or quadratic part of the prior."""


class SampledSolve(Capability, of="problem"):
    """(B^T B + rho K^T K) x = b has a closed form, A = S B `Sampled`."""


class Nonnegative(Capability, of="problem"):
    """Data of nonnegative images are nonnegative: no entry of A is below 0."""


class PartSolve(Capability, of="problem"):
    """(I + rho K^T K) x = b has a closed form, K the linear or quadratic part of the prior."""
