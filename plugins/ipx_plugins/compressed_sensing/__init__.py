"""Compressed sensing: fewer random measurements than pixels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import Adjoint, Ask, Norm, NormalSolve, OperatorSpec, Options, Traits, hookimpl, opt


class CompressedSensingOptions(Options):
    """The measurement matrix."""

    matrix: Literal["gaussian", "bernoulli", "hadamard", "dct"] = opt(
        default="gaussian",
        help="Normal numbers, random signs, or random rows of the Hadamard or the cosine "
        "transform after random changes of sign of the pixels.",
    )
    share: float = opt(
        default=0.25, above=0.0, max=1.0, help="Measurements as a fraction of the pixels."
    )
    block: int | None = opt(
        default=16,
        min=1,
        max=4096,
        unit="pixels",
        help="Side of the blocks, each measured with the same matrix; none: the whole picture.",
    )
    size: tuple[int, int] | None = opt(
        default=None,
        min=1,
        max=100_000,
        unit="pixels",
        help="Height and width of a picture measured as a whole; by default it is square.",
    )
    seed: int = opt(default=0, min=0, max=2**40, help="Random seed of the matrix.")

    def count(self, pixels: int) -> int:
        """The number of measurements of so many pixels."""
        return max(1, round(self.share * pixels))


def _provides(options: CompressedSensingOptions) -> tuple[type, ...]:
    fast = options.matrix in ("hadamard", "dct")
    return (Adjoint, NormalSolve, Norm) if fast else (Adjoint, Norm)


def _asks(options: CompressedSensingOptions) -> Ask:
    return Ask("the matrix", ("matrix", "share", "seed"))


@hookimpl
def ipx_components() -> Iterable[OperatorSpec]:
    """Declare the operator."""
    return [
        OperatorSpec(
            name="compressed-sensing",
            target="ipx_plugins.compressed_sensing.operator:CompressedSensing",
            options=CompressedSensingOptions,
            asks=_asks,
            provides=_provides,
            traits=Traits(signed=True, absolute=True),
            examples=(
                {"matrix": "bernoulli", "block": None, "share": 0.1},
                {"matrix": "hadamard", "seed": 3},
                {"matrix": "dct", "block": 12},
            ),
            summary="Random measurements, fewer than pixels: Gaussian, signs, Hadamard, DCT.",
            source="Candes, Tao, IEEE TIT 51(12), 2005; Do et al., IEEE TSP 60, 2012",
            formula="y = Phi x, Phi of m rows, m < n, by blocks or of the whole picture",
            advice="Single-pixel cameras and studies of sampling. Give the seed and the kind with "
            "which the data were taken.",
        )
    ]
