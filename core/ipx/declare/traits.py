"""Traits: what a component is, told once, in its declaration. Imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Basis = Literal["", "any", "pixel", "identity", "fft", "dct"]
"""The transform in which a Gram matrix A^T A is diagonal: none, Fourier or cosine alike, the
pixels, all of these (a multiple of the identity), Fourier, cosine."""

DENOISER_SHARE = 0.23
"""lam over the variance of the noise where the prior is a denoiser (Zhang et al. 2022, 4.2)."""


@dataclass(frozen=True, kw_only=True)
class Traits:
    """Facts about a component. Each concerns the kind of component it is listed under.

    Attributes:
        signed: operator: data of pictures may be negative.
        basis: operator: the transform of its `Spectrum` or `NormalSolve`; prior: the transform
            in which K^T K is diagonal, K its linear or quadratic part.
        counts: noise: the data are counts, of photons for example.
        level: noise: name of the option that holds its level.
        weighted: prior: the weight lam has an effect (not so for none, or a constraint).
        informs: prior: it says something about pictures (not so for none).
        pixelwise: prior: it looks at each pixel by itself.
        convex: prior: R has no local minima; line searches rely on it.
        oriented: prior: it knows which way is up; self-ensembling uses horizontal flips only.
        max_sigma: prior: largest noise standard deviation handled by its denoiser.
        lam_per_variance: prior: it stands for -log p of pictures, so that the weight follows from
            the noise, lam = lam_per_variance * sigma^2; None where a tuner has to choose.
        unit: prior: usual size of a change of the unknown, 1 for pictures in [0, 1]; steps of
            fixed length are multiples of it.
        start_from: prior: where iterations are best begun, see `ipx.solving.starts`.
        suits: prior: the pictures it describes; checks are run on such a picture.
        own_prior: solver: a trained network, which knows what pictures look like; it runs with
            prior none, and only when it is named.
    """

    signed: bool = False
    basis: Basis = ""
    counts: bool = False
    level: str = ""
    weighted: bool = True
    informs: bool = True
    pixelwise: bool = False
    convex: bool = True
    oriented: bool = False
    max_sigma: float = math.inf
    lam_per_variance: float | None = None
    unit: float = 1.0
    start_from: str = "preview"
    suits: Literal["photograph", "sparse", "face"] = "photograph"
    own_prior: bool = False
