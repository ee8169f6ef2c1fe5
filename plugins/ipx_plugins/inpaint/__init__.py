"""Inpainting: only some of the pixels are measured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from ipx import (
    Adjoint,
    Ask,
    Diagonal,
    Local,
    Norm,
    OperatorSpec,
    OptionError,
    Options,
    hookimpl,
    opt,
)


class InpaintOptions(Options):
    """The known pixels. A mask file overrides all other options."""

    kind: Literal["pixels", "values", "box", "scratches", "text", "file"] = opt(
        default="pixels",
        help="Missing pixels: random pixels, random values of each channel, a box, "
        "scratches, text, or those of a mask file.",
    )
    mask: Path | None = opt(
        default=None, help="Mask file, PNG, TIFF or NPY, 0 where missing; implies kind file."
    )
    missing: float = opt(
        default=0.6, min=0.0, max=1.0, help="Fraction of missing pixels (pixels, values)."
    )
    box: tuple[int, int] | None = opt(
        default=None,
        min=1,
        max=1_000_000,
        unit="pixels",
        help="Height and width of the box; a quarter of the picture's by default.",
    )
    position: tuple[int, int] | None = opt(
        default=None,
        min=0,
        max=1_000_000,
        unit="pixels",
        help="Row and column of the top left corner of the box; centred by default.",
    )
    count: int = opt(default=12, min=1, max=10000, help="Number of scratches.")
    thickness: int = opt(default=3, min=1, max=10000, unit="pixels", help="Width of the scratches.")
    words: str = opt(default="lorem ipsum dolor sit amet ", help="Text, repeated over the picture.")
    font: int = opt(default=20, min=4, max=1000, unit="pixels", help="Height of the letters.")
    seed: int = opt(default=0, min=0, help="Random seed of the mask (pixels, values, scratches).")

    def __post_init__(self) -> None:
        if self.kind == "file" and self.mask is None:
            raise OptionError("inpaint of kind file needs a mask file; give option mask")
        if self.kind == "text" and not self.words.strip():
            raise OptionError("inpaint of kind text needs words to write; option words is empty")


class SpectralInpaintOptions(Options):
    """The visited pixels. A mask file overrides all other options."""

    scan: Literal["random", "grid", "rows"] = opt(
        default="random",
        help="Random pixels, a random pixel in each cell of a square grid, or random whole rows.",
    )
    share: float = opt(default=0.1, above=0.0, max=1.0, help="Fraction of the pixels visited.")
    mask: Path | None = opt(
        default=None, help="Mask file, PNG, TIFF or NPY, nonzero where a pixel was visited."
    )
    seed: int = opt(default=0, min=0, max=2**40, help="Random seed of the scan.")


def _asks_visited(options: SpectralInpaintOptions) -> Ask:
    return Ask("which pixels were visited", ("seed",), ("mask",))


def _asks(options: InpaintOptions) -> Ask:
    what = "which pixels are missing"
    if options.kind == "box":
        return Ask(what, ("box",), ("mask",))
    if options.kind == "text":
        return Ask(what, ("words", "font"), ("mask",))
    return Ask(what, ("seed",), ("mask",))  # a random mask, which only its seed tells


@hookimpl
def ipx_components() -> Iterable[OperatorSpec]:
    """Declare the operators."""
    return [
        OperatorSpec(
            name="inpaint",
            target="ipx_plugins.inpaint.operator:Inpaint",
            options=InpaintOptions,
            asks=_asks,
            provides=(Adjoint, Diagonal, Norm, Local),
            examples=({"kind": "values"}, {"kind": "box"}, {"kind": "scratches"}, {"kind": "text"}),
            summary="Missing pixels: random, a box, scratches, text, or a mask file.",
            explains="holes",
            formula="y = M x, M keeps the known pixels",
            advice="Holes, scratches, text, dead pixels. Give the mask of your data with --op.mask "
            "FILE.",
        ),
        OperatorSpec(
            name="spectral-inpaint",
            target="ipx_plugins.inpaint.operator:SpectralInpaint",
            options=SpectralInpaintOptions,
            asks=_asks_visited,
            provides=(Adjoint, Diagonal, Norm, Local),
            examples=({"scan": "grid", "share": 0.3}, {"scan": "rows", "share": 0.3}),
            summary="All bands of some pixels, as of a scan with an electron beam.",
            source="Monier, Oberlin et al., IEEE Trans. Comput. Imaging 4(2), 2018",
            formula="y = M x, M keeps all bands of some pixels",
            advice="A scan that visited some pixels only, as with an electron beam. Take it with "
            "solver subspace.",
        ),
    ]
