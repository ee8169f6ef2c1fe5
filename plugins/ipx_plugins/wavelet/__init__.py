"""Priors on wavelet coefficients: sparse, sparse in groups, few."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from ipx import (
    Gain,
    OptionError,
    Options,
    Orthonormal,
    PriorSpec,
    Prox,
    ProxConjugate,
    Traits,
    Value,
    did_you_mean,
    hookimpl,
    opt,
)

# the discrete families of PyWavelets, listed to check names without importing it
_FAMILIES = {
    "db": [str(n) for n in range(1, 39)],
    "sym": [str(n) for n in range(2, 21)],
    "coif": [str(n) for n in range(1, 18)],
    "bior": [
        "1.1",
        "1.3",
        "1.5",
        "2.2",
        "2.4",
        "2.6",
        "2.8",
        "3.1",
        "3.3",
        "3.5",
        "3.7",
        "3.9",
        "4.4",
        "5.5",
        "6.8",
    ],
}
_FAMILIES["rbio"] = _FAMILIES["bior"]
ORTHOGONAL = ("haar", *(f + n for f in ("db", "sym", "coif") for n in _FAMILIES[f]))
WAVELETS = (*ORTHOGONAL, "dmey", *(f + n for f in ("bior", "rbio") for n in _FAMILIES[f]))


class WaveletOptions(Options):
    """The wavelet transform."""

    wavelet: str = opt(default="sym4", help="A discrete wavelet by its PyWavelets name.")
    levels: int = opt(default=3, min=1, max=20, help="Number of scales; fewer for small pictures.")
    invariant: bool = opt(
        default=True,
        help="Average over all shifts of the picture: 1 to 2 dB better, slower; not of volumes.",
    )

    def __post_init__(self) -> None:
        if self.wavelet not in WAVELETS:
            raise OptionError(
                f"no discrete wavelet is called {self.wavelet}"
                f"{did_you_mean(self.wavelet, WAVELETS)} (families: haar, db1-38, sym2-20, "
                "coif1-17, dmey, bior, rbio)"
            )


class GroupOptions(WaveletOptions):
    """Groups of wavelet coefficients."""

    coupled: bool = opt(default=True, help="A group has the coefficients of all channels.")
    block: int = opt(
        default=1,
        min=1,
        max=64,
        help="Side of the blocks of neighbouring coefficients in a group; with invariant only.",
        unit="coefficients",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block > 1 and not self.invariant:
            raise OptionError("blocks of group need invariant; take block 1 without it")


class L0Options(Options):
    """The number of coefficients."""

    transform: Literal["wavelet", "pixels"] = opt(
        default="wavelet", help="What is counted: wavelet details, or pixels that are not black."
    )
    wavelet: str = opt(default="sym4", help="An orthogonal wavelet by its PyWavelets name.")
    levels: int = opt(default=3, min=1, max=20, help="Number of scales; fewer for small pictures.")

    def __post_init__(self) -> None:
        if self.wavelet not in ORTHOGONAL:
            raise OptionError(
                f"no orthogonal wavelet is called {self.wavelet}"
                f"{did_you_mean(self.wavelet, ORTHOGONAL)} (haar, db1-38, sym2-20, coif1-17)"
            )


def _l0_traits(options: L0Options) -> Traits:
    pixels = options.transform == "pixels"
    return Traits(
        convex=False,
        pixelwise=pixels,
        suits="sparse" if pixels else "photograph",
        lam_per_variance=L0_SHARE,
    )


L0_SHARE = 8.0
"""lam / sigma^2 of ``l0``: coefficients of less than 4 sigma are taken for noise."""


def _provides(options: WaveletOptions) -> tuple[type, ...]:
    orthonormal = options.wavelet in ORTHOGONAL and not options.invariant
    return (Value, Prox, ProxConjugate, Orthonormal) if orthonormal else (Value, ProxConjugate)


def _traits(options: WaveletOptions) -> Traits:
    bands = 3 * options.levels + 1 if options.invariant else 1
    basis: Literal["any", "fft", ""] = "any"
    if options.wavelet not in ORTHOGONAL:
        basis = "fft" if options.invariant else ""
    return Traits(basis=basis, buffers=6.2 * bands, dims=(2,) if options.invariant else (2, 3))


def _group_traits(options: GroupOptions) -> Traits:
    return replace(_traits(options), dims=(2,))


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="wavelet",
            target="ipx_plugins.wavelet.prior:WaveletPrior",
            options=WaveletOptions,
            provides=_provides,
            traits=_traits,
            examples=(
                {"invariant": False},
                {"invariant": False, "wavelet": "haar"},
                {"invariant": False, "wavelet": "bior2.2"},
                {"wavelet": "bior2.2"},
            ),
            summary="Sparse wavelet details: |Wx|_1, decimated or translation-invariant.",
            source="Donoho, Johnstone, Biometrika 81, 1994; Coifman, Donoho, 1995 (all shifts)",
            formula="R(x) = |W x|_1 over the details",
            advice="Pictures with smooth parts and few edges. Translation invariance avoids "
            "artefacts; without it (--no-prior.invariant) it is fast.",
            gains=(
                Gain(
                    operators=("identity", "blur"),
                    noises=("gaussian",),
                    psnr=-1.33,
                    seconds=0.5,
                    where="benchmarks/priors.md",
                ),
            ),
        ),
        PriorSpec(
            name="group",
            target="ipx_plugins.wavelet.group:Group",
            options=GroupOptions,
            provides=(Value, ProxConjugate),
            traits=_group_traits,
            examples=(
                {"block": 2},
                {"block": 3, "coupled": False},
                {"block": 1, "invariant": False, "wavelet": "haar"},
            ),
            summary="Sparse groups of wavelet details: |.|_2 over channels and blocks, summed.",
            source="Yuan, Lin, J. R. Stat. Soc. B 68, 2006; Cai, Ann. Stat. 27, 1999 (blocks)",
            formula="R(x) = sum over groups |(W x)_g|_2",
            advice="Colours or neighbouring wavelet details that are large together; between "
            "wavelet and tv.",
            gains=(
                Gain(
                    operators=("identity", "blur"),
                    noises=("gaussian",),
                    psnr=-1.19,
                    seconds=0.6,
                    where="benchmarks/priors.md",
                ),
            ),
        ),
        PriorSpec(
            name="l0",
            target="ipx_plugins.wavelet.l0:L0",
            options=L0Options,
            provides=(Value, Prox),
            traits=_l0_traits,
            examples=({"transform": "pixels"}, {"wavelet": "haar"}),
            prefers=("fista",),  # iterative hard thresholding; exact for denoising
            summary="Few wavelet details, or few bright pixels: hard thresholds; not convex.",
            source="Donoho, Johnstone, Biometrika 81, 1994; Blumensath, Davies, ACHA 27, 2009",
            formula="R(x) = number of nonzero coefficients of W x",
            advice="Nearly piecewise constant or sparse pictures; not convex, so that the start "
            "matters.",
            gains=(
                Gain(
                    operators=("identity", "blur"),
                    noises=("gaussian",),
                    psnr=-3.56,
                    seconds=0.4,
                    where="benchmarks/priors.md",
                ),
            ),
        ),
    ]
