"""Edges of a picture, as a line drawing that tells neither brightness nor colour."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import OperatorSpec, Options, hookimpl, opt


class EdgesOptions(Options):
    """The detector."""

    colors: Literal[1, 3] = opt(default=3, help="Channels of the picture: grey or colour.")
    sigma: float = opt(
        default=1.0,
        above=0.0,
        max=50.0,
        help="Standard deviation of the Gaussian whose derivatives find edges.",
        unit="pixels",
    )
    gain: float = opt(
        default=8.0, above=0.0, max=1000.0, help="Slope, per pixel, times this is drawn as tanh."
    )


@hookimpl
def ipx_components() -> Iterable[OperatorSpec]:
    """Declare the operator."""
    return [
        OperatorSpec(
            name="edges",
            target="ipx_plugins.edges.operator:Edges",
            options=EdgesOptions,
            examples=({"colors": 1, "sigma": 2.0},),
            summary="Strength of edges: a line drawing of the picture.",
            source="Canny, IEEE PAMI 8, 1986 (gradient of Gaussian, before thresholds)",
            formula="y = tanh(gain |grad (g * luma x)|)",
            advice="Drawings into photographs, by a network trained for it: no prior knows the "
            "brightness between the lines.",
        )
    ]
