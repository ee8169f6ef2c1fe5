"""Groups of similar patches are matrices of low rank: a denoiser."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import DENOISER_SHARE, Denoise, Gain, Options, PriorSpec, Traits, hookimpl, opt


class PatchLowRankOptions(Options):
    """Weighted nuclear norms of groups of similar patches."""

    side: int = opt(default=7, min=2, max=16, help="Side of the patches.", unit="pixels")
    group: int = opt(default=60, min=2, max=500, help="Patches of a group.")
    step: int = opt(default=4, min=1, max=16, help="Distance of the groups.", unit="pixels")
    radius: int = opt(
        default=12, min=1, max=100, help="Similar patches are sought this far.", unit="pixels"
    )
    iterations: int = opt(default=2, min=1, max=100, help="Passes over the image.")


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="patch-low-rank",
            target="ipx_plugins.patch_low_rank.prior:PatchLowRank",
            options=PatchLowRankOptions,
            provides=(Denoise,),
            traits=Traits(convex=False, lam_per_variance=DENOISER_SHARE, maps=900),
            examples=({"iterations": 1, "radius": 6, "group": 20},),
            summary="Denoiser: weighted nuclear norm of groups of similar patches (WNNM).",
            source="Gu, Zhang, Zuo, Feng, CVPR 2014",
            formula="D(x): singular values of groups of similar patches are shrunk",
            advice="As bm3d, now and then better at strong noise; seven times as slow.",
            gains=(
                Gain(
                    operators=("identity",),
                    noises=("gaussian",),
                    channels=(1, 3),
                    psnr=1.48,
                    seconds=10.1,
                    where="benchmarks/priors.md",
                ),
                Gain(
                    operators=("blur",),
                    noises=("gaussian",),
                    channels=(1, 3),
                    psnr=-0.08,
                    seconds=10.1,
                    where="benchmarks/priors.md",
                ),
            ),
        )
    ]
