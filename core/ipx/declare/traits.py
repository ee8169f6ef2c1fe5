"""Traits: facts about a component, stated once in its declaration. Imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Basis = Literal["", "any", "pixel", "identity", "fft", "dct"]
"""The transform in which a Gram matrix A^T A is diagonal: ``fft`` Fourier, ``dct`` cosine, ``any``
both, ``pixel`` no transform, ``identity`` all of these (A^T A = c I); empty if there is none."""

Subject = Literal["photograph", "sparse", "face", "digit"]
"""Kinds of images: ``sparse`` are single bright points, ``digit`` handwritten digits in grey."""

DENOISER_SHARE = 0.23
"""lam / sigma^2 for a prior that is a denoiser (Zhang et al. 2022, section 4.2)."""

LEAST_SIGMA = 0.255 / 255
"""Smallest standard deviation of noise from which weights and schedules are derived.

Less noise, in images in [0, 1], counts as this: it is near the rounding to 8 bits. Zhang et al.
(2022) end their schedules here.
"""


@dataclass(frozen=True, kw_only=True)
class Traits:
    """Facts about a component; each concerns the kind named first.

    Attributes:
        signed: operator: data of nonnegative images may be negative.
        complex: operator: its data are the real parts of all channels, then the imaginary parts;
            files hold them as complex numbers.
        absolute: operator: zero in its data means zero, as in projections; files of floats are
            scaled where they exceed `ipx.files.affine.LARGEST`, and never shifted.
        mixes: operator: its data are sums over bands; only a prior that knows how bands go together
            can take them apart.
        basis: operator: the transform of its `Spectrum` or `NormalSolve`; prior: the transform
            in which K^T K is diagonal, K its linear or quadratic part.
        counts: noise: the data are counts, for example of photons.
        interval: noise: the data term is 0 within an interval around the data; a small weight of
            the prior is then right, whatever the width.
        images: noise: it acts on data that are images, not on projections or other measurements.
        drawn: noise: samples are random; False for a rule such as rounding.
        level: noise: name of the option that holds the noise level.
        weighted: prior: lam has an effect (False for no prior and for constraints).
        informs: prior: it carries information about images (False for no prior).
        pixelwise: prior: it acts on each pixel separately.
        convex: prior: R is convex; line searches rely on it.
        oriented: prior: self-ensembling uses horizontal flips only.
        max_sigma: prior: largest noise standard deviation handled by its denoiser.
        lam_per_variance: prior: lam / sigma^2 for an R that stands for -log p of images; None if
            lam does not follow from the noise.
        unit: prior: scale of the unknown, 1 for images in [0, 1]; fixed step lengths are
            multiples of it.
        start_from: prior: default start of the iterations, see `ipx.solving.starts`.
        suits: prior: the kind of image it describes; checks use such an image.
        constant_volume: model: a flow whose log |det J_E(x)| is the same for all x, so that
            |E(x)|^2 is -2 log p(x) up to a constant.
        buffers: all kinds: arrays of the size of the image that it holds at its peak, besides those
            of the others; None: the usual number of its kind, see `ipx.Component.memory`.
        maps: all kinds: the same in arrays of one channel, whatever the channels of the image, such
            as the feature maps of a network.
        family: operator, noise: name of the component that it is like, such as ``blur``: what was
            measured for that one holds for it; by default its own name.
        dims: operator, noise, prior, solver: the numbers of axes that its images may have, 2 for
            pictures ``(B, C, H, W)``, 3 for volumes ``(B, C, D, H, W)``; None for 2, and for both
            of a solver that works with any prior.
        own_prior: solver: it regularises by itself, as a trained network or a filter; it runs with
            prior none, and ``--solver auto`` never takes it.
    """

    signed: bool = False
    complex: bool = False
    absolute: bool = False
    mixes: bool = False
    basis: Basis = ""
    counts: bool = False
    interval: bool = False
    images: bool = False
    drawn: bool = True
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
    suits: Subject = "photograph"
    buffers: float | None = None
    maps: float = 0.0
    constant_volume: bool = False
    dims: tuple[int, ...] | None = None
    own_prior: bool = False
    family: str = ""
