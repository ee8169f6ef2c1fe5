"""Classical denoisers, as priors for plug-and-play."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import (
    DENOISER_SHARE,
    Denoise,
    OptionError,
    Options,
    PriorSpec,
    Traits,
    did_you_mean,
    hookimpl,
    opt,
)

# the orthogonal families of PyWavelets, listed to check names without importing it
_LONGEST = {"db": (1, 38), "sym": (2, 20), "coif": (1, 17)}
ORTHOGONAL = (
    "haar",
    *(f"{family}{n}" for family, (a, b) in _LONGEST.items() for n in range(a, b + 1)),
)


class NLMOptions(Options):
    """Non-local means."""

    patch: int = opt(default=5, min=3, max=21, help="Side of the patches.", unit="pixels")
    reach: int = opt(default=8, min=1, max=50, help="Search radius.", unit="pixels")
    strength: float = opt(default=0.6, above=0.0, help="Cut-off distance h over sigma.")


class MedianOptions(Options):
    """The median filter."""

    size: int = opt(default=3, min=3, max=15, help="Side of the window, odd.", unit="pixels")


class BilateralOptions(Options):
    """The bilateral filter."""

    reach: float = opt(
        default=1.5, above=0.0, max=15.0, help="Spatial standard deviation.", unit="pixels"
    )
    contrast: float = opt(
        default=3.0, above=0.0, help="Standard deviation of intensity differences, over sigma."
    )


class TVFilterOptions(Options):
    """Total variation as a denoiser."""

    strength: float = opt(default=0.7, above=0.0, help="Weight of total variation over sigma.")


class WaveletFilterOptions(Options):
    """Wavelet shrinkage."""

    wavelet: str = opt(default="sym4", help="Orthogonal wavelet, PyWavelets name.")
    shifts: int = opt(
        default=3, min=0, max=15, help="Average over shifts of 0 to this many pixels on each axis."
    )

    def __post_init__(self) -> None:
        if self.wavelet not in ORTHOGONAL:
            raise OptionError(
                f"no orthogonal wavelet is called {self.wavelet}"
                f"{did_you_mean(self.wavelet, ORTHOGONAL)} (haar, db1-38, sym2-20, coif1-17)"
            )


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the priors."""
    here = "ipx_plugins.filters."
    return [
        PriorSpec(
            name="nlm",
            target=here + "nlm:NonLocalMeans",
            options=NLMOptions,
            provides=(Denoise,),
            traits=Traits(lam_per_variance=DENOISER_SHARE),
            summary="Denoiser: non-local means.",
            source="Buades, Coll, Morel, CVPR 2005; Froment, IPOL 2014",
            formula="D(x)_i = sum_j w_ij x_j, w by distance of patches",
            advice="Textures that repeat; bm3d is better and as easy.",
        ),
        PriorSpec(
            name="median",
            target=here + "simple:Median",
            options=MedianOptions,
            provides=(Denoise,),
            traits=Traits(lam_per_variance=DENOISER_SHARE),
            summary="Denoiser: median filter, blended with the picture according to sigma.",
            source="Tukey, Exploratory Data Analysis, 1977",
            formula="D(x): the median of neighbours, blended by sigma",
            advice="Impulses and a look at robust smoothing; not for fine detail.",
        ),
        PriorSpec(
            name="bilateral",
            target=here + "simple:Bilateral",
            options=BilateralOptions,
            provides=(Denoise,),
            traits=Traits(lam_per_variance=DENOISER_SHARE),
            summary="Denoiser: the bilateral filter.",
            source="Tomasi, Manduchi, ICCV 1998",
            formula="D(x)_i = sum_j w_ij x_j, w by distance and by |x_i - x_j|",
            advice="Fast and plain; bm3d is far better where seconds do not matter.",
        ),
        PriorSpec(
            name="tv-filter",
            target=here + "simple:TVFilter",
            options=TVFilterOptions,
            provides=(Denoise,),
            traits=Traits(lam_per_variance=DENOISER_SHARE),
            summary="Denoiser: the proximal map of total variation, for plug-and-play.",
            source="Rudin, Osher, Fatemi, Physica D 60, 1992",
            formula="D(x, s) = argmin |u - x|^2 / (2 s^2) + |D u|_1",
            advice="Total variation in plug-and-play solvers, to compare denoisers on the same "
            "footing.",
        ),
        PriorSpec(
            name="wavelet-filter",
            target=here + "simple:WaveletFilter",
            options=WaveletFilterOptions,
            provides=(Denoise,),
            traits=Traits(lam_per_variance=DENOISER_SHARE),
            summary="Denoiser: BayesShrink wavelet thresholding with cycle spinning.",
            source="Chang, Yu, Vetterli, IEEE TIP 9, 2000; Coifman, Donoho 1995",
            formula="D(x): details shrunk by BayesShrink, mean over shifts",
            advice="A quick plug-and-play denoiser without learning.",
        ),
    ]
