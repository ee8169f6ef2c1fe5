"""Images of one kind and size as a Gaussian: a model to learn, its prior, conjugate gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    AdapterSpec,
    Adjoint,
    Capability,
    DataGrad,
    Grad,
    ModelSpec,
    Need,
    NoOptions,
    Options,
    PriorSpec,
    Prox,
    Quadratic,
    QuadraticPrior,
    SolverSpec,
    Traits,
    Value,
    hookimpl,
    opt,
)

SOURCE = "Turk, Pentland, J. Cogn. Neurosci. 3, 1991; Tipping, Bishop, J. R. Stat. Soc. B 61, 1999"


class AffineGrad(Capability, of="prior"):
    """R is quadratic, its minimum anywhere: grad R and prox R are affine maps."""


class PCAOptions(Options):
    """Mean and covariance of images that are exactly ``size`` x ``size``."""

    colors: Literal[1, 3] = opt(default=3, help="Channels: grey or colour.")
    size: int = opt(default=64, min=4, max=512, help="Side of the images.", unit="pixels")
    rank: int = opt(default=32, min=1, max=4096, help="Number of principal components.")


class PCAPriorOptions(Options):
    """Images of one kind as a Gaussian."""

    weights: str = opt(default="auto", weights=True, help="Name of shipped weights, or a file.")


@hookimpl
def ipx_components() -> Iterable[ModelSpec | PriorSpec | SolverSpec | AdapterSpec]:
    """Declare model, prior, solver, and the bridge from other quadratic priors to the solver."""
    here = "ipx_plugins.pca_gaussian."
    return [
        ModelSpec(
            name="pca-gaussian",
            target=here + "model:PCAGaussian",
            options=PCAOptions,
            weights=("faces",),
            summary="Mean and covariance of images of one size, learned in closed form.",
            source=SOURCE,
            recipe={"steps": 1, "lr": 1e-6, "batch": 128, "warmup": 0},
        ),
        PriorSpec(
            name="pca-gaussian",
            target=here + "prior:PCAPrior",
            options=PCAPriorOptions,
            provides=(Value, Grad, Prox, AffineGrad),
            traits=Traits(suits="face", oriented=True, lam_per_variance=1.0),
            summary="Images of one kind and size are Gaussian: principal components, learned.",
            source=SOURCE,
            formula="R(x) = 1/2 (x - m)^T C^-1 (x - m)",
            advice="Pictures of one kind and size, such as aligned faces; closed forms, exact "
            "draws.",
        ),
        SolverSpec(
            name="cg",
            target=here + "solver:ConjugateGradients",
            options=NoOptions,
            needs=(Need((DataGrad, Adjoint, Quadratic), (AffineGrad, Grad, Prox), rank=98),),
            summary="Conjugate gradients for a quadratic R, preconditioned by its proximal map.",
            source="Hestenes, Stiefel, J. Res. Nat. Bur. Stand. 49, 1952",
            formula="(A^T A + lam Q) x = A^T y by conjugate gradients",
            advice="Quadratic priors behind operators without a closed form.",
        ),
        AdapterSpec(
            name="affine-gradient",
            target=here + "solver:affine_gradient",
            summary="R(x) = 1/2 |Lx|^2 has an affine gradient.",
            side="prior",
            gives=AffineGrad,
            needs=(QuadraticPrior, Value, Grad, Prox),
            exact=True,
            cost=3,
        ),
    ]
