"""Generative priors: one table of formulations over models.

Any model with a decoder D, an encoder E or a density becomes a prior by a formulation. The names
are MODEL-FORMULATION; other models are used by the option ``model``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from ipx import (
    CodePenalty,
    DataProx,
    Denoise,
    Grad,
    Latent,
    LogProb,
    Need,
    Options,
    PriorSpec,
    SoftRange,
    SolverSpec,
    StochasticGrad,
    Traits,
    Value,
    hookimpl,
    opt,
)

JOINT = (Need((DataProx,), (Latent, SoftRange), rank=95),)


class GenerativeOptions(Options):
    """A trained generative model."""

    model: str = opt(default="glow", help="The model: any that `ipx list model` shows as one.")
    weights: str = opt(
        default="auto",
        help="Shipped weights by name, or a file. auto: the first that come with it.",
    )


class AnalysisOptions(GenerativeOptions):
    """|E(x)|^2."""

    range_weight: float | None = opt(
        default=None,
        min=0.0,
        help="Weight of |x - D(E(x))|^2 where D is not the inverse of E; by default 1 / gamma^2, "
        "gamma the deviation of pictures about D(z).",
    )


class MapOptions(GenerativeOptions):
    """-log p(x)."""

    temperature: float = opt(
        default=0.5, above=0.0, help="lam is this times the variance of the noise, unless given."
    )
    smoothing: bool = opt(
        default=True,
        help="Score pictures with the noise that the model was trained with, drawn anew each step.",
    )


class HQSOptions(GenerativeOptions):
    """The maximum a posteriori under Gaussian noise, as a denoiser."""

    temperature: float = opt(default=1.0, above=0.0, help="Of the density: p^temperature.")
    steps: int = opt(default=12, min=1, help="Steps of Adam for each denoising.")


class JointOptions(GenerativeOptions):
    """Picture and code together."""

    gamma: float | None = opt(
        default=None, above=0.0, help="Deviation of pictures about D(z); by default the model's."
    )


class DeviationOptions(GenerativeOptions):
    """A few pixels may leave the range of the decoder."""

    sparsity: float = opt(
        default=20.0, above=0.0, help="Weight of |nu|_1 beside |z|^2 in the penalty."
    )


class PatchOptions(MapOptions):
    """The flow on patches."""

    patch: int = opt(default=32, min=8, help="Side of the patches.", unit="pixels")


@dataclass(frozen=True)
class Formulation:
    """A row of the table."""

    target: str
    options: type[Options]
    provides: tuple[type, ...]
    models: tuple[str, ...]
    summary: str
    source: str
    traits: Callable[[Any], Traits]
    prefers: tuple[str, ...] = ()


def _traits(**changed: Any) -> Callable[[Any], Traits]:
    """What every formulation is, and what one changes.

    lam |z|^2 is, with half the variance of the noise as lam, the variance times -log N(z; 0, I).
    """
    shared = Traits(
        convex=False, oriented=True, start_from="smooth", lam_per_variance=0.5, suits="face"
    )
    return lambda options: replace(shared, **changed)


def _density(options: MapOptions) -> Traits:
    """Gradients are random: long steps that shrink go farther than short ones."""
    return replace(_traits()(options), lam_per_variance=options.temperature, unit=2.5)


FORMULATIONS = {
    "synthesis": Formulation(
        "synthesis:Synthesis",
        GenerativeOptions,
        (Latent, CodePenalty),
        ("glow", "realnvp", "vae", "gan"),
        "x = D(z) with a penalty |z|^2 on the code.",
        "Bora et al., ICML 2017; Asim et al., ICML 2020",
        _traits(),
    ),
    "analysis": Formulation(
        "analysis:Analysis",
        AnalysisOptions,
        (Value, Grad, Latent),
        ("glow", "realnvp", "vae", "gan"),
        "a penalty |E(x)|^2 on the code of the picture.",
        "Oberlin, Verm, ICIP 2021",
        _traits(),
        # short steps come down to the typical value of R, at which iterations end, where one
        # step of L-BFGS jumps far beyond it
        prefers=("adam",),
    ),
    "map": Formulation(
        "map:Map",
        MapOptions,
        (Value, Grad, StochasticGrad, Latent, LogProb),
        ("glow", "realnvp", "vae"),
        "-log p(x), with the log-determinant; of a VAE minus the ELBO.",
        "Whang et al., ICML 2021",
        _density,
    ),
    "hqs": Formulation(
        "hqs:HQS",
        HQSOptions,
        (Denoise, Latent),
        ("glow", "realnvp"),
        "-log p(x), split from the data: the flow as MAP denoiser.",
        "Geman, Yang, IEEE TIP 1995, with a flow",
        # a dozen steps do not bring more noise than this down to a picture
        _traits(max_sigma=0.05),
    ),
    "joint": Formulation(
        "joint:Joint",
        JointOptions,
        (Latent, SoftRange),
        ("vae", "gan"),
        "picture and code together, x near D(z).",
        "Gonzalez, Almansa, Tan, SIIMS 2022 (JPMAP)",
        _traits(lam_per_variance=1.0),
    ),
    "sparse-deviation": Formulation(
        "deviation:SparseDeviation",
        DeviationOptions,
        (Latent, CodePenalty),
        ("vae", "gan"),
        "x = D(z) + nu, nu zero almost everywhere.",
        "Dhar, Grover, Ermon, ICML 2018",
        _traits(),
    ),
    "patches": Formulation(
        "patches:Patches",
        PatchOptions,
        (Value, Grad, StochasticGrad, Latent),
        ("glow",),
        "mean of -log p over patches, any size of picture.",
        "Altekrueger et al., Inverse Problems 2023 (patchNR)",
        _density,
    ),
}
TITLES = {"glow": "Glow", "realnvp": "RealNVP", "vae": "VAE", "gan": "GAN"}


def _options(model: str, base: type[Options]) -> type[Options]:
    """The options of a formulation with another default model."""
    body = {
        "__module__": __name__,
        "__doc__": base.__doc__,
        "__annotations__": {"model": "str"},
        "model": opt(default=model, help="The model: any that `ipx list model` shows as one."),
    }
    return type(f"{TITLES[model]}{base.__name__}", (base,), body)


@hookimpl
def ipx_components() -> Iterable[PriorSpec | SolverSpec]:
    """Every formulation over every model that it makes sense for."""
    priors = [
        PriorSpec(
            name=f"{model}-{name}",
            target=f"ipx_plugins.generative.{row.target}",
            options=_options(model, row.options),
            provides=row.provides,
            summary=f"{TITLES[model]}: {row.summary}",
            source=row.source,
            traits=row.traits,
            prefers=row.prefers,
        )
        for name, row in FORMULATIONS.items()
        for model in row.models
    ]
    joint = SolverSpec(
        name="jpmap",
        target="ipx_plugins.generative.jpmap:JPMAP",
        needs=JOINT,
        summary="Picture and code in turn, drawn together as it goes on.",
        source="Gonzalez, Almansa, Tan, SIIMS 2022, algorithms 1 and 2",
    )
    return [*priors, joint]
