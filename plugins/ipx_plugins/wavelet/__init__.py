"""The wavelet prior: sparse details."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import (
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
        help="Average over all shifts of the picture: 1 to 2 dB better, but slower.",
    )

    def __post_init__(self) -> None:
        if self.wavelet not in WAVELETS:
            raise OptionError(
                f"no discrete wavelet is called {self.wavelet}"
                f"{did_you_mean(self.wavelet, WAVELETS)} (families: haar, db1-38, sym2-20, "
                "coif1-17, dmey, bior, rbio)"
            )


def _provides(options: WaveletOptions) -> tuple[type, ...]:
    orthonormal = options.wavelet in ORTHOGONAL and not options.invariant
    return (Value, Prox, ProxConjugate, Orthonormal) if orthonormal else (Value, ProxConjugate)


def _traits(options: WaveletOptions) -> Traits:
    if options.wavelet in ORTHOGONAL:
        return Traits(basis="any")
    return Traits(basis="fft" if options.invariant else "")


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
                {"wavelet": "bior2.2"},
            ),
            summary="Sparse wavelet details: |Wx|_1, decimated or translation-invariant.",
            source="Donoho, Johnstone, Biometrika 81, 1994; Coifman, Donoho, 1995 (all shifts)",
        )
    ]
