"""Generative priors: one table of formulations over models.

A formulation makes a prior of a model with a decoder D, an encoder E or a density. Priors are named
MODEL-FORMULATION; option ``model`` selects other models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import new_class
from typing import Any

from ipx import (
    CodePenalty,
    DataProx,
    Denoise,
    GeneratorSpec,
    Grad,
    Latent,
    LogProb,
    Need,
    Options,
    PriorSpec,
    QuadraticModel,
    SoftRange,
    SolverSpec,
    StochasticGrad,
    Traits,
    Value,
    ValueGrad,
    hookimpl,
    opt,
    trained_for,
    trained_traits,
)

JOINT = (Need((DataProx,), (Latent, SoftRange), rank=95),)


class GenerativeOptions(Options):
    """A trained generative model."""

    model: str = opt(default="glow", help="Generative model, from `ipx list model`.")
    weights: str = opt(
        default="auto",
        weights=True,
        help="Name of shipped weights, or a file. auto: the first shipped with the model.",
    )


class AnalysisOptions(GenerativeOptions):
    """Squared norm of the code, |E(x)|^2."""

    range_weight: float | None = opt(
        default=None,
        min=0.0,
        help="Weight of |x - D(E(x))|^2 where D is not the inverse of E; by default 1 / gamma^2, "
        "gamma the standard deviation of pictures about D(z).",
    )


class DensityOptions(GenerativeOptions):
    """Negative log-density, -log p(x)."""

    temperature: float = opt(
        default=1.0,
        above=0.0,
        help="Automatic lam over the variance of the noise; 1: the maximum a posteriori (MAP).",
    )


class MapOptions(DensityOptions):
    """Negative log-density of a flow, -log p(x)."""

    smoothing: bool = opt(
        default=True,
        help="Add the training noise to the picture, drawn anew at each step; for flows whose "
        "log-determinant depends on the picture.",
    )


class HQSOptions(GenerativeOptions):
    """Maximum a posteriori estimation under Gaussian noise, as a denoiser."""

    temperature: float = opt(default=1.0, above=0.0, help="Exponent of the density.")
    steps: int = opt(default=12, min=1, max=10000, help="Steps of Adam for each denoising.")


class JointOptions(GenerativeOptions):
    """Joint prior of picture and code."""

    gamma: float | None = opt(
        default=None, above=0.0, help="Standard deviation about D(z); by default the model's."
    )


class DeviationOptions(GenerativeOptions):
    """Sparse deviations from the range of the decoder."""

    sparsity: float = opt(
        default=20.0, above=0.0, help="Weight of |nu|_1 relative to |z|^2 in the penalty."
    )


class PatchOptions(MapOptions):
    """Negative log-density of patches."""

    temperature: float = opt(
        default=0.5, above=0.0, help="Automatic lam over the variance of the noise."
    )
    patch: int = opt(default=32, min=8, max=1024, help="Side of the patches.", unit="pixels")


class SampleOptions(GenerativeOptions):
    """Codes drawn at random."""

    temperature: float = opt(
        default=0.7,
        min=0.0,
        help="Standard deviation of the codes; 1 samples the model, less gives typical pictures.",
    )


@dataclass(frozen=True)
class Formulation:
    """A row of the table: one formulation and the `FAMILIES` it is declared for."""

    target: str
    options: type[Options]
    provides: tuple[type, ...] | Callable[[Any], tuple[type, ...]]
    families: tuple[str, ...]
    summary: str
    source: str
    traits: Callable[[Any], Traits]
    name: str = ""  # if it is not that of the row
    formula: str = ""
    advice: str = ""


def _traits(**changed: Any) -> Callable[[Any], Traits]:
    """Traits shared by the formulations, except those in ``changed``.

    For lam half the variance of the noise, lam |z|^2 is that variance times -log N(z; 0, I). They
    suit what the weights say; faces if these do not.
    """
    shared = Traits(
        convex=False, oriented=True, start_from="smooth", lam_per_variance=0.5,
        maps=580,  # of the shipped Glow, with those that its gradient keeps
    )  # fmt: skip
    known = replace(shared, **changed)

    def traits(options: Any) -> Traits:
        subject = trained_for(options.weights, options.model)
        return replace(known, suits=subject or "face")

    return traits


def _constant(options: GenerativeOptions) -> bool:
    """True if the weights are of a flow whose log-determinant is the same for all pictures."""
    return trained_traits(options.weights, options.model).constant_volume


def _analysis(options: AnalysisOptions) -> tuple[type, ...]:
    """Capabilities of `analysis`: with a flow of constant volume R is a density of pictures."""
    smooth = (Value, Grad, ValueGrad, Latent)
    return (*smooth, QuadraticModel) if _constant(options) else smooth


def _map(options: MapOptions) -> tuple[type, ...]:
    """Capabilities of `map`: its gradients are random where it adds training noise."""
    smooth = (Value, Grad, ValueGrad, Latent, LogProb)
    if _constant(options):
        return (*smooth, QuadraticModel)
    return (*smooth, StochasticGrad) if options.smoothing else smooth


def _density(options: DensityOptions) -> Traits:
    """Traits of a density. Random gradients favour long, decreasing steps."""
    return replace(_traits()(options), lam_per_variance=options.temperature, unit=2.5)


FORMULATIONS = {
    "synthesis": Formulation(
        "synthesis:Synthesis",
        GenerativeOptions,
        (Latent, CodePenalty),
        ("glow", "realnvp", "vae", "gan", "ae"),
        "x = D(z) with a penalty |z|^2 on the code.",
        "Bora et al., ICML 2017; Asim et al., ICML 2020",
        _traits(),
        formula="x = D(z), R = |z|^2",
        advice="Severe losses in pictures of the training's kind, such as most pixels of a "
        "face: it invents what fits.",
    ),
    "analysis": Formulation(
        "analysis:Analysis",
        AnalysisOptions,
        _analysis,
        ("glow", "realnvp", "vae", "gan"),
        "a penalty |E(x)|^2 on the code of the picture.",
        "Oberlin, Verm, ICIP 2021",
        _traits(),
        formula="R(x) = |E(x)|^2 + |x - D(E(x))|^2 / gamma^2; the second term is 0 for a flow",
        advice="Studies of formulations; pictures of the training's kind only.",
    ),
    "map": Formulation(
        "map:Map",
        MapOptions,
        _map,
        ("glow", "realnvp"),
        "-log p(x) with the log-determinant.",
        "Whang et al., ICML 2021",
        _density,
        formula="R(x) = -log p(x) = |E(x)|^2 / 2 - log |det E'(x)|",
        advice="Moderate losses in pictures of the training's kind. It needs many gradients.",
    ),
    "bound": Formulation(
        "map:Bound",
        DensityOptions,
        (Value, Grad, ValueGrad, Latent, LogProb),
        ("vae",),
        "minus the evidence lower bound (ELBO) of log p(x).",
        "Kingma, Welling, ICLR 2014",
        _density,
        name="map",
        formula="R(x) = -log p(x | E(x)) + KL(q(z | x), p(z))",
        advice="Pictures of the training's kind; near the bound on the likelihood, which has "
        "the mean over q(z | x) in place of E(x).",
    ),
    "hqs": Formulation(
        "hqs:HQS",
        HQSOptions,
        (Denoise, Latent),
        ("glow", "realnvp"),
        "-log p(x) by splitting: the flow as a MAP denoiser.",
        "Geman, Yang, IEEE TIP 1995, with a flow",
        # a dozen steps of Adam cannot remove more noise than this
        _traits(max_sigma=0.05),
        formula="D(x, s) = argmin |u - x|^2 / (2 s^2) - log p(u)",
        advice="As map, with splitting: more robust behind operators, slower.",
    ),
    "joint": Formulation(
        "joint:Joint",
        JointOptions,
        (Latent, SoftRange),
        ("vae", "gan"),
        "joint prior of picture x and code z, with x near D(z).",
        "Gonzalez, Almansa, Tan, SIIMS 2022 (JPMAP)",
        _traits(lam_per_variance=1.0),
        formula="R(x, z) = |x - D(z)|^2 / (2 gamma^2) + |z|^2 / 2",
        advice="Pictures of the training's kind that are not exactly in the generator's "
        "range. Slow.",
    ),
    "sparse-deviation": Formulation(
        "deviation:SparseDeviation",
        DeviationOptions,
        (Latent, CodePenalty),
        ("vae", "gan"),
        "x = D(z) + nu with a sparse deviation nu.",
        "Dhar, Grover, Ermon, ICML 2018",
        _traits(),
        formula="x = D(z) + nu, R = |z|^2 + mu |nu|_1",
        advice="Pictures of the training's kind with details that the generator cannot draw.",
    ),
    "patches": Formulation(
        "patches:Patches",
        PatchOptions,
        (Value, Grad, ValueGrad, StochasticGrad, Latent),
        ("glow",),
        "sum of -log p over patches, for pictures of any size.",
        "Altekrueger et al., Inverse Problems 2023 (patchNR)",
        _density,
        formula="R(x) = -sum log p(P x) over patches",
        advice="Pictures of any size that are like those of the training; slow.",
    ),
    "residual": Formulation(
        "range:Residual",
        JointOptions,
        (Value, Grad, ValueGrad, Latent),
        ("ae",),
        "a penalty |x - D(E(x))|^2 on the way to the autoencoder's range.",
        "Alain, Bengio, JMLR 15, 2014",
        _traits(lam_per_variance=1.0),
        name="analysis",
        formula="R(x) = |x - D(E(x))|^2 / (2 gamma^2)",
        advice="Pictures of the training's kind; autoencoders that denoise.",
    ),
    "denoiser": Formulation(
        "range:Projection",
        JointOptions,
        (Denoise, Latent),
        ("ae",),
        "D(E(x)) as a denoiser, averaged with the data.",
        "Vincent, Larochelle, Bengio, Manzagol, ICML 2008",
        _traits(max_sigma=0.5),
        formula="D(x, s) = x + s^2 / (s^2 + gamma^2) (D(E(x)) - x)",
        advice="Noisy pictures of the training's kind; autoencoders that denoise.",
    ),
}


@dataclass(frozen=True)
class Family:
    """What priors and samples of a kind of model are called, and the model that they take."""

    title: str
    model: str


FAMILIES = {
    "glow": Family("Glow", "glow"),
    "realnvp": Family("RealNVP", "realnvp"),
    "vae": Family("VAE", "vae"),
    "gan": Family("GAN", "gan"),
    "ae": Family("Autoencoder", "denoising-ae"),
}


def _options(family: Family, base: type[Options]) -> type[Options]:
    """The options of a formulation with another default model."""
    body = {"__module__": __name__, "__doc__": base.__doc__}
    return new_class(
        f"{family.title}{base.__name__}",
        (base,),
        {"defaults": {"model": family.model}},
        lambda names: names.update(body),
    )


@hookimpl
def ipx_components() -> Iterable[PriorSpec | SolverSpec | GeneratorSpec]:
    """Declare each formulation for each of its models, the joint solver, and the samples."""
    priors = [
        PriorSpec(
            name=f"{family}-{row.name or name}",
            target=f"ipx_plugins.generative.{row.target}",
            options=_options(FAMILIES[family], row.options),
            provides=row.provides,
            summary=f"{FAMILIES[family].title}: {row.summary}",
            source=row.source,
            formula=row.formula,
            advice=row.advice,
            traits=row.traits,
        )
        for name, row in FORMULATIONS.items()
        for family in row.families
    ]
    joint = SolverSpec(
        name="jpmap",
        target="ipx_plugins.generative.jpmap:JPMAP",
        needs=JOINT,
        summary="Alternating minimisation over picture and code, with growing coupling.",
        source="Gonzalez, Almansa, Tan, SIIMS 2022, algorithms 1 and 2",
        formula="x and z in turn: argmin of f + |x - D(z)|^2 / (2 gamma^2) + |z|^2 / 2",
        advice="The joint priors of generative models.",
    )
    samples = [
        GeneratorSpec(
            name=name,
            target="ipx_plugins.generative.samples:Samples",
            options=_options(family, SampleOptions),
            summary=f"{family.title}: pictures of random codes.",
            formula="x = D(z), z ~ N(0, t^2 I)",
            advice="What a model takes for pictures of its training's kind.",
        )
        for name, family in FAMILIES.items()
    ]
    return [*priors, joint, *samples]
