"""Sparse cosine coefficients of blocks, or of the whole picture."""

from __future__ import annotations

from collections.abc import Iterable

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
    hookimpl,
    opt,
)


class DCTOptions(Options):
    """The cosine transform of blocks."""

    block: int = opt(default=8, min=2, max=64, help="Side of the blocks.", unit="pixels")
    stride: int = opt(
        default=4,
        min=1,
        max=64,
        help="Distance of the blocks, a divisor of their side; smaller is better, but slower.",
        unit="pixels",
    )

    def __post_init__(self) -> None:
        if self.block % self.stride:
            raise OptionError(
                f"stride {self.stride} does not divide block {self.block}; take a divisor of it"
            )


def _provides(options: DCTOptions) -> tuple[type, ...]:
    apart = options.stride == options.block
    return (Value, Prox, ProxConjugate) if apart else (Value, ProxConjugate)


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="dct",
            target="ipx_plugins.dct.prior:BlockDCT",
            options=DCTOptions,
            provides=_provides,
            traits=Traits(basis="any"),
            examples=({"stride": 8}, {"block": 6, "stride": 3}),
            summary="Sparse cosine coefficients of blocks, as in JPEG; blocks may overlap.",
            source="Ahmed, Natarajan, Rao, IEEE Trans. Comp. 1974; Yu, Sapiro, IPOL 1, 2011",
            formula="R(x) = sum over blocks |C P x|_1, C the cosine transform",
            advice="Textures with periods, and data cut in blocks. tv is better at edges.",
            gains=(
                Gain(
                    operators=("identity", "blur"),
                    noises=("gaussian",),
                    psnr=-1.26,
                    seconds=2.1,
                    where="benchmarks/priors.md",
                ),
            ),
        ),
        PriorSpec(
            name="whole-dct",
            target="ipx_plugins.dct.whole:DCT",
            provides=(Value, Prox, ProxConjugate, Orthonormal),
            traits=Traits(basis="any"),
            summary="Sparse cosine coefficients of the whole picture, without the mean.",
            source="Ahmed, Natarajan, Rao, IEEE Trans. Computers C-23, 1974 (the transform)",
            formula="R(x) = |C x|_1, C the cosine transform of the whole picture",
            advice="Compressed sensing of smooth pictures, and theory.",
        ),
    ]
