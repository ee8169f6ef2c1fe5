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
        help="Parameter set. auto: normal up to sigma 40/255, high above. fast: two to three "
        "times as fast, 0.3 dB lower PSNR.",
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
            gains=tuple(
                Gain(
                    operators=(op,),
                    noises=(noise,),
                    channels=(1, 3),
                    psnr=psnr,
                    seconds=2.3,
                    where=f"benchmarks/{page}.md",
                )
                for op, noise, psnr, page in (
                    ("identity", "gaussian", 1.66, "prior_auto"),
                    ("identity", "poisson", 2.66, "variable_noise"),
                    ("blur", "gaussian", 0.93, "pnp"),
                    ("inpaint", "gaussian", 2.73, "pnp"),
                    ("super-resolution", "gaussian", 1.26, "pnp"),
                )
            ),
        )
    ]
