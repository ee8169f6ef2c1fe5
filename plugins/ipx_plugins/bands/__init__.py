"""Bands that are seen together: grey of colour, colour filters, visited spectra."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    Adjoint,
    Ask,
    Local,
    Norm,
    NormalSolve,
    OperatorSpec,
    OptionError,
    Options,
    Traits,
    hookimpl,
    opt,
)

STANDARDS = {"rec601": (0.299, 0.587, 0.114), "rec709": (0.2126, 0.7152, 0.0722)}
"""Weights of red, green and blue (Rec. ITU-R BT.601-7, 2.5.1; BT.709-6, 3.2)."""


class LuminanceOptions(Options):
    """The weights of the bands."""

    standard: Literal["rec601", "rec709"] = opt(
        default="rec601", help="Weights of red, green and blue; option weights overrides them."
    )
    weights: tuple[float, ...] | None = opt(
        default=None,
        min=0.0,
        max=1e6,
        help="A weight for each band, of images of any number of bands.",
    )

    def __post_init__(self) -> None:
        if self.weights is not None and (len(self.weights) < 2 or not any(self.weights)):
            raise OptionError(
                "option weights of luminance needs a weight for each band, of at least two, and "
                "not all zero, such as 0.25,0.5,0.25"
            )

    @property
    def values(self) -> tuple[float, ...]:
        """The weight of each band."""
        return STANDARDS[self.standard] if self.weights is None else self.weights


class MosaicOptions(Options):
    """The pattern of the filters."""

    pattern: Literal["RGGB", "BGGR", "GRBG", "GBRG"] = opt(
        default="RGGB", help="Colours of the first two rows, two pixels each."
    )


def _asks_pattern(options: MosaicOptions) -> Ask:
    return Ask("the colours of the first four pixels", ("pattern",), guess=True)


@hookimpl
def ipx_components() -> Iterable[OperatorSpec]:
    """Declare the operators."""
    return [
        OperatorSpec(
            name="luminance",
            target="ipx_plugins.bands.luminance:Luminance",
            options=LuminanceOptions,
            provides=(Adjoint, NormalSolve, Norm, Local),
            traits=Traits(basis="any", mixes=True),
            examples=({"standard": "rec709"}, {"weights": [0.5, 2.0, 1.0]}),
            summary="Grey of a colour image: a weighted sum of its bands.",
            source="Rec. ITU-R BT.601-7, BT.709-6",
            formula="y = sum_c w_c x_c",
            advice="Colours from a grey picture: only a learned model of such pictures, or more "
            "data, can find them.",
        ),
        OperatorSpec(
            name="mosaic",
            target="ipx_plugins.bands.mosaic:Mosaic",
            options=MosaicOptions,
            asks=_asks_pattern,
            provides=(Adjoint, NormalSolve, Norm, Local),
            examples=tuple({"pattern": name} for name in ("BGGR", "GRBG", "GBRG")),
            summary="One colour in each pixel, by a Bayer pattern; demosaicking.",
            source="Bayer, US patent 3971065, 1976",
            formula="y_ij = x_c(i,j),ij, c the colour of the Bayer pattern at ij",
            advice="Raw data of a camera with a Bayer filter.",
        ),
    ]
