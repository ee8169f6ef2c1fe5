"""JPEG compression as a noise model."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import NoiseProx, NoiseSpec, Options, Traits, hookimpl, opt


class JPEGOptions(Options):
    """Quality, and how colours are stored, where the file does not tell."""

    quality: int | None = opt(
        default=None,
        min=1,
        max=100,
        help="Quality of the Independent JPEG Group, which sets the tables of steps. By default "
        "the tables and the storage of colours are those of the JPEG file; of other files the "
        "quality is estimated. 10 in simulations.",
    )
    subsampling: bool = opt(
        default=False, help="Colours are stored at half the resolution (4:2:0)."
    )
    narrow: float = opt(
        default=0.2,
        min=0.0,
        max=0.5,
        help="Half the width of the interval of a coefficient, as a share of its step. 0.5 holds "
        "for sure, less is nearer to the truth for most.",
    )


@hookimpl
def ipx_components() -> Iterable[NoiseSpec]:
    """Declare the noise."""
    return [
        NoiseSpec(
            name="jpeg",
            target="ipx_plugins.jpeg.noise:JPEG",
            options=JPEGOptions,
            provides=(NoiseProx,),
            traits=Traits(level="quality", interval=True, images=True, drawn=False),
            examples=({"quality": 30},),
            summary="JPEG compression: each coefficient of 8 x 8 pixels is within an interval.",
            source="Zakhor, IEEE TCSVT 2(1), 1992; Park, Lee, IEEE TCSVT 9(1), 1999",
            explains="blocks",
            formula="f(x) = 1/2 dist(A x, Q)^2, Q the pictures with the same JPEG file",
            advice="Blocks and rings of strong compression; give the quality that the file was "
            "written with.",
        )
    ]
