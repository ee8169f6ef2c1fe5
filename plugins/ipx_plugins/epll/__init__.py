"""Patches as a mixture of Gaussians: a model to train, and the prior EPLL."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import (
    DENOISER_SHARE,
    Denoise,
    Gain,
    ModelSpec,
    Options,
    PriorSpec,
    Traits,
    hookimpl,
    opt,
)

SOURCE = "Zoran, Weiss, ICCV 2011 (EPLL); Cappe, Moulines, J. R. Stat. Soc. B 71, 2009 (online EM)"


class MixtureOptions(Options):
    """A mixture of Gaussians for grey patches without their means."""

    side: int = opt(default=8, min=2, max=32, help="Side of the patches.", unit="pixels")
    components: int = opt(default=200, min=1, max=5000, help="Number of Gaussians.")


class EPLLOptions(Options):
    """Denoising by the expected patch log likelihood."""

    weights: str = opt(
        default="auto",
        weights=True,
        help="Name of shipped weights, or a file; used channel by channel.",
    )
    betas: tuple[float, ...] = opt(
        default=(1.0, 4.0, 8.0, 16.0, 32.0),
        above=0.0,
        help="Penalty of each step of half-quadratic splitting, times the variance of the noise.",
    )
    stride: int = opt(default=3, min=1, max=32, help="Distance of patches; at most their side.")
    rank: int = opt(
        default=16,
        min=1,
        max=1024,
        help="Principal axes kept of each Gaussian; the variance along the others is their mean.",
    )


@hookimpl
def ipx_components() -> Iterable[ModelSpec | PriorSpec]:
    """Declare the model and the prior."""
    return [
        ModelSpec(
            name="epll",
            target="ipx_plugins.epll.model:PatchMixture",
            options=MixtureOptions,
            weights=("grey",),
            summary="Patches: a mixture of Gaussians, learned by expectation-maximisation.",
            source=SOURCE,
            recipe={"steps": 20, "lr": 1e-5, "batch": 64, "warmup": 0},
        ),
        PriorSpec(
            name="epll",
            target="ipx_plugins.epll.prior:EPLL",
            options=EPLLOptions,
            provides=(Denoise,),
            traits=Traits(convex=False, lam_per_variance=DENOISER_SHARE, maps=250),
            examples=({"stride": 4, "betas": (1.0, 8.0)},),
            summary="Denoiser: expected patch log likelihood, patches a mixture of Gaussians.",
            source=SOURCE,
            formula="R(x) = -sum log p(P x), p a mixture of Gaussians",
            advice="Learned and yet a probability of patches; slower than drunet and somewhat less "
            "accurate.",
            gains=(
                Gain(
                    operators=("identity",),
                    noises=("gaussian",),
                    channels=(1, 3),
                    psnr=0.98,
                    seconds=1.7,
                    where="benchmarks/priors.md",
                ),
                Gain(
                    operators=("blur",),
                    noises=("gaussian",),
                    channels=(1, 3),
                    psnr=-0.04,
                    seconds=1.7,
                    where="benchmarks/priors.md",
                ),
            ),
        ),
    ]
