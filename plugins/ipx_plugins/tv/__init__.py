"""Total variation, and its smooth variant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    Gain,
    Grad,
    Options,
    PriorSpec,
    Prox,
    ProxConjugate,
    Traits,
    Value,
    hookimpl,
    opt,
)


class TVOptions(Options):
    """Total variation."""

    isotropic: bool = opt(default=True, help="Couple the directions of the gradient.")
    coupled: bool = opt(default=True, help="Couple the colour channels, so that edges coincide.")
    boundary: Literal["reflect", "circular"] = opt(
        default="reflect", help="Difference across the border: zero, or to the opposite side."
    )
    depth: float = opt(
        default=1.0,
        min=0.0,
        max=100.0,
        help="Factor of the differences along the depth of volumes: the height of a voxel relative "
        "to its depth; 0 leaves planes apart.",
    )
    tol: float = opt(
        default=1e-4, above=0.0, help="Relative duality gap at which the proximal map stops."
    )
    iterations: int = opt(
        default=500, min=1, max=100000, help="Largest number of steps of the proximal map."
    )
    compile: bool = opt(
        default=False, help="Compile the proximal map; needs a C++ compiler and minutes to pay off."
    )


class HuberTVOptions(TVOptions):
    """Huber's function of the gradient."""

    width: float = opt(
        default=0.02,
        above=0.0,
        max=1000.0,
        help="Differences up to this count as squares: larger removes staircases, blurs edges.",
        unit="image range",
    )


def _traits(options: TVOptions) -> Traits:
    circular = options.boundary == "circular"
    return Traits(basis="fft" if circular else "dct", buffers=10, dims=(2, 3))


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="tv",
            target="ipx_plugins.tv.prior:TV",
            options=TVOptions,
            provides=(Value, Prox, ProxConjugate),
            traits=_traits,
            examples=({"isotropic": False}, {"coupled": False}, {"boundary": "circular"}),
            summary="Total variation: |Dx|_{2,1}, or anisotropic |Dx|_1.",
            source="Rudin, Osher, Fatemi, Physica D 60, 1992; Beck, Teboulle, IEEE TIP 18, 2009",
            formula="R(x) = sum over pixels |(D x)_i|_2",
            advice="Edges between even regions; the reference that needs no training and explains "
            "itself. It turns slopes into steps.",
            gains=(Gain(psnr=0.0, seconds=0.3, where="benchmarks/priors.md"),),
        ),
        PriorSpec(
            name="huber-tv",
            target="ipx_plugins.tv.huber:HuberTV",
            options=HuberTVOptions,
            provides=(Value, Grad, Prox, ProxConjugate),
            traits=_traits,
            examples=(
                {"isotropic": False},
                {"coupled": False, "width": 0.2},
                {"boundary": "circular"},
            ),
            summary="Smooth total variation: Huber's function of |Dx|, without staircases.",
            source="Huber, Ann. Math. Stat. 35, 1964; Werlberger et al., BMVC 2009",
            formula="R(x) = sum h(|D x|), h quadratic up to its width",
            advice="As tv without staircases, and smooth: for solvers that take gradients.",
            gains=(
                Gain(
                    operators=("identity", "blur"),
                    noises=("gaussian",),
                    psnr=-0.06,
                    seconds=0.2,
                    where="benchmarks/priors.md",
                ),
            ),
        ),
    ]
