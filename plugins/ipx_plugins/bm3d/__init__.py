"""BM3D: block matching and 3-D filtering."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    DENOISER_SHARE,
    Denoise,
    Gain,
    Matching,
    Options,
    PriorSpec,
    Traits,
    hookimpl,
    opt,
)


class BM3DOptions(Options):
    """Block matching and 3-D filtering."""

    profile: Literal["auto", "normal", "high", "fast"] = opt(
        default="auto",
        help="Parameter set. auto: normal up to sigma 40/255, high above. fast: three times as "
        "fast, 0.3 dB lower PSNR.",
    )
    stages: Literal["both", "first"] = opt(
        default="both", help="Hard thresholding and Wiener filtering, or hard thresholding only."
    )


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="bm3d",
            target="ipx_plugins.bm3d.prior:BM3D",
            options=BM3DOptions,
            provides=(Denoise, Matching),
            traits=Traits(lam_per_variance=DENOISER_SHARE, buffers=2, maps=390),
            summary="BM3D denoiser, for grey and colour: stacks of similar blocks are sparse.",
            source="Dabov, Foi, Katkovnik, Egiazarian, IEEE TIP 16, 2007",
            formula="D(x): stacks of similar 8 x 8 blocks are shrunk in 3-D, then averaged",
            advice="The best without learning, above all where structures repeat, as bricks or "
            "cloth. Slower than drunet.",
            gains=(
                Gain(
                    operators=("identity",),
                    noises=("gaussian",),
                    channels=(1, 3),
                    psnr=1.66,
                    seconds=2.3,
                    where="benchmarks/prior_auto.md",
                ),
                Gain(
                    operators=("identity",),
                    noises=("poisson",),
                    channels=(1, 3),
                    psnr=2.66,
                    seconds=2.3,
                    where="benchmarks/variable_noise.md",
                ),
                Gain(
                    operators=("blur",),
                    noises=("gaussian",),
                    channels=(1, 3),
                    psnr=0.93,
                    seconds=2.3,
                    where="benchmarks/pnp.md",
                ),
                Gain(
                    operators=("inpaint",),
                    noises=("gaussian",),
                    channels=(1, 3),
                    psnr=2.73,
                    seconds=2.3,
                    where="benchmarks/pnp.md",
                ),
                Gain(
                    operators=("super-resolution",),
                    noises=("gaussian",),
                    channels=(1, 3),
                    psnr=1.26,
                    seconds=2.3,
                    where="benchmarks/pnp.md",
                ),
            ),
        )
    ]
