"""Patches as sparse sums of the atoms of a dictionary: a model to train, and the prior."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    DENOISER_SHARE,
    Denoise,
    Gain,
    ModelSpec,
    Options,
    PriorSpec,
    ProxConjugate,
    Traits,
    Value,
    hookimpl,
    opt,
)

SOURCE = (
    "Elad, Aharon, IEEE TIP 15, 2006; Rubinstein, Zibulevsky, Elad, CS Technion 2008 (K-SVD, "
    "OMP); Mairal, Bach, Ponce, Sapiro, ICML 2009 (online)"
)


class AtomsOptions(Options):
    """A dictionary for grey patches without their means."""

    side: int = opt(default=8, min=2, max=32, help="Side of the patches.", unit="pixels")
    atoms: int = opt(default=256, min=2, max=5000, help="Number of atoms.")
    sparsity: int = opt(default=4, min=1, max=64, help="Atoms of a patch in training.")


class DictionaryOptions(Options):
    """Sparse patches."""

    form: Literal["synthesis", "analysis"] = opt(
        default="synthesis",
        help="synthesis: a denoiser, each patch a sum of few atoms; analysis: the l1 norm of the "
        "inner products of patches and atoms.",
    )
    weights: str = opt(
        default="auto",
        weights=True,
        help="Name of shipped weights, a file, or dct: cosines; used channel by channel.",
    )
    adapt: int = opt(
        default=5,
        min=0,
        max=1000,
        help="Steps of K-SVD on the picture itself before it is denoised (synthesis).",
    )
    stride: int | None = opt(
        default=None,
        min=1,
        max=32,
        help="Distance of patches, at most their side; by default 1 (synthesis), 4 (analysis).",
        unit="pixels",
    )


def _provides(options: DictionaryOptions) -> tuple[type, ...]:
    return (Denoise,) if options.form == "synthesis" else (Value, ProxConjugate)


def _traits(options: DictionaryOptions) -> Traits:
    if options.form == "analysis":
        return Traits(basis="any", buffers=110)
    return Traits(convex=False, lam_per_variance=DENOISER_SHARE, maps=600)


@hookimpl
def ipx_components() -> Iterable[ModelSpec | PriorSpec]:
    """Declare the model and the prior."""
    return [
        ModelSpec(
            name="dictionary",
            target="ipx_plugins.dictionary.model:Dictionary",
            options=AtomsOptions,
            weights=("grey",),
            summary="Patches: atoms for sparse sums, by online dictionary learning.",
            source=SOURCE,
            recipe={"steps": 20, "lr": 1e-4, "batch": 64, "warmup": 0},
        ),
        PriorSpec(
            name="dictionary",
            target="ipx_plugins.dictionary.prior:DictionaryPrior",
            options=DictionaryOptions,
            provides=_provides,
            traits=_traits,
            examples=(
                {"weights": "dct", "adapt": 0, "stride": 2},
                {"form": "analysis"},
                {"form": "analysis", "weights": "dct", "stride": 8},
            ),
            summary="Denoiser: patches are sums of few atoms, found by K-SVD or in photographs.",
            source=SOURCE,
            formula="D(x): each patch is D a with few atoms, |P x - D a| <= c sigma",
            advice="Denoising of pictures with textures of their own, from which it learns atoms. "
            "Behind a blur tv is as good.",
            gains=(
                Gain(
                    operators=("identity",),
                    noises=("gaussian",),
                    channels=(1, 3),
                    psnr=1.39,
                    seconds=5.3,
                    where="benchmarks/priors.md",
                ),
                Gain(
                    operators=("blur",),
                    noises=("gaussian",),
                    channels=(1, 3),
                    psnr=-0.2,
                    seconds=5.3,
                    where="benchmarks/priors.md",
                ),
            ),
        ),
    ]
