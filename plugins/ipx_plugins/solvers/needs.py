"""What each solver needs, and how good a choice it then is."""

from __future__ import annotations

from ipx import (
    Adjoint,
    Box,
    DataDual,
    DataGrad,
    DataProx,
    DataQuadratic,
    DataSplit,
    Denoise,
    Diagonal,
    Grad,
    JointSolve,
    Latent,
    Matching,
    Need,
    Nonnegative,
    PartSolve,
    Prox,
    ProxConjugate,
    Quadratic,
    QuadraticModel,
    QuadraticPrior,
    Sampled,
    Spectrum,
    StochasticGrad,
    Value,
)

# Ranks follow measurements on {blur, inpaint, super-resolution} x {tv, wavelet}: where one
# transform diagonalises A and K, ADMM takes the fewest steps; elsewhere PDHG has the cheapest.
DIRECT_TOL = 1e-6
ADMM_TOL = 1e-2  # of the change of the iterate, so that the errors are summable
DIRECT = (Need((DataQuadratic,), (QuadraticPrior,), rank=100, tolerance=DIRECT_TOL),)
ADMM = (
    # jointly with the prior, with a copy of the picture (consensus), by conjugate gradients where
    # neither has a closed form; last, split at A
    Need((DataQuadratic, JointSolve, Spectrum), (ProxConjugate,), rank=85),
    Need((DataProx, Quadratic, Spectrum), (ProxConjugate, PartSolve), rank=85, closed=True),
    Need((DataQuadratic, Spectrum), (ProxConjugate,), rank=85, tolerance=ADMM_TOL),
    Need((DataQuadratic, JointSolve), (ProxConjugate,), rank=75),
    Need((DataProx, Quadratic), (ProxConjugate, PartSolve), rank=75, closed=True),
    Need((DataSplit, Sampled, Quadratic), (ProxConjugate,), rank=76, tolerance=ADMM_TOL),
    Need((DataQuadratic,), (ProxConjugate,), rank=75, tolerance=ADMM_TOL),
    Need((DataProx,), (ProxConjugate, PartSolve), rank=70, closed=True),
    Need((DataSplit, JointSolve), (ProxConjugate,), rank=65),
    # photons, a PSF file, tv: twice the time of pdhg; fista takes four times
    Need((DataSplit,), (ProxConjugate,), rank=52, tolerance=ADMM_TOL),
)
PDHG = (
    Need((DataProx,), (ProxConjugate,), rank=80, closed=True),
    Need((DataGrad, Quadratic), (ProxConjugate,), rank=55),
    Need((DataDual,), (ProxConjugate,), rank=55),
    Need((DataGrad,), (ProxConjugate,), rank=50),
)
FISTA = (
    Need((DataGrad, Quadratic), (Prox,), rank=60),
    Need((DataGrad,), (Prox,), rank=51),
)
# pdhg decides by itself what is dualised; this one always takes the gradient, and bounds exactly
CONDAT_VU = (
    Need((DataGrad, Quadratic), (ProxConjugate,), rank=4),
    Need((DataGrad,), (ProxConjugate,), rank=3),
)
LBFGS = (
    Need((DataGrad, DataQuadratic), (Grad, QuadraticModel), rank=42),
    Need((DataGrad,), (Grad,), rank=40),
)
GRADIENT = (Need((DataGrad,), (Grad,), rank=30),)
HQS = (Need((DataProx,), (Prox,), rank=20),)
# plain, for comparison and early stopping: never before an accelerated one
LANDWEBER = (Need((DataGrad, Quadratic), (Prox,), rank=5),)
SIRT = (Need((Adjoint, Quadratic, Nonnegative), (Box,), rank=5),)
PGD = (Need((DataProx,), (Value, Grad), rank=25),)
PNP_HQS = (
    # better than pnp-admm as measured: flows, and block matching without missing pixels
    Need((DataProx,), (Denoise, Latent), rank=94),
    Need((DataProx,), (Denoise, Matching), rank=94),
    Need((DataProx,), (Denoise,), rank=90),
)
# below splittings with conjugate gradients: 0.3 to 3 dB worse (docs/benchmarks/kernels.md)
PNP_FISTA = (Need((DataGrad,), (Denoise,), rank=55),)
PNP_ADMM = (
    Need((DataProx, Quadratic, Diagonal), (Denoise, Matching), rank=96),
    Need((DataProx, Quadratic), (Denoise,), rank=92),
)
DIFFPIR = (Need((DataProx,), (Denoise,), rank=0),)  # stochastic: never chosen by auto
RED = (Need((DataGrad,), (Denoise,), rank=50),)
ADAM = (
    Need((DataGrad,), (StochasticGrad,), rank=75),
    Need((DataGrad,), (Grad,), rank=10),
)
