"""Blur: convolution with a point-spread function."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ipx import (
    Adjoint,
    Ask,
    Local,
    Norm,
    OperatorSpec,
    OptionError,
    Options,
    Sampled,
    Spectrum,
    Traits,
    hookimpl,
    opt,
)
from ipx_plugins.blur.optics import (
    Border,
    MicroscopeOptions,
    microscope_asks,
    microscope_traits,
)

if TYPE_CHECKING:
    import click


class BlurOptions(Border, Options):
    """Point-spread function (PSF) and boundary condition."""

    kind: Literal["gaussian", "uniform", "disk", "motion", "random-motion", "airy", "file"] = opt(
        default="gaussian", help="Shape of the PSF."
    )
    kernel: Path | Literal["auto"] | None = opt(
        default=None,
        help="PSF file (PNG, TIFF or NPY), centred in its array, of a volume (D, H, W); implies "
        "kind file. auto finds the PSF in the data: the width of a gaussian, disk or airy, else a "
        "PSF of any shape.",
    )
    taps: tuple[float, ...] | None = opt(
        default=None,
        help="The PSF itself, row by row, with as many rows as columns; implies kind file.",
    )
    support: int = opt(
        default=31,
        min=5,
        max=255,
        unit="pixels",
        help="Largest side of a PSF of any shape (kernel auto).",
    )
    sigma: float = opt(
        default=2.0,
        above=0.0,
        max=500.0,
        unit="pixels",
        help="Standard deviation (gaussian), cut at 4 sigma; with across, that along angle.",
    )
    across: float | None = opt(
        default=None,
        above=0.0,
        max=500.0,
        unit="pixels",
        help="Standard deviation across the direction angle (gaussian); by default sigma.",
    )
    sigma_z: float | None = opt(
        default=None,
        min=0.0,
        max=500.0,
        unit="voxels",
        help="Standard deviation along the depth of a volume (gaussian); by default sigma, 0: "
        "each plane is blurred alone.",
    )
    size: int = opt(default=9, min=1, max=4001, unit="pixels", help="Side of the square (uniform).")
    radius: float = opt(
        default=3.0,
        above=0.0,
        max=500.0,
        unit="pixels",
        help="Radius of disk, or of first dark ring (airy).",
    )
    length: float = opt(
        default=15.0,
        min=1.0,
        max=4001.0,
        unit="pixels",
        help="Length of the path (motion, random-motion).",
    )
    angle: float = opt(
        default=0.0,
        unit="degrees",
        help="Direction (motion, gaussian with across): 0 is to the right, 90 upwards.",
    )
    axis: Literal["both", "horizontal", "vertical"] = opt(
        default="both", help="Blur along both axes, or along one only (gaussian, uniform)."
    )
    seed: int = opt(default=0, min=0, help="Random seed of the path (random-motion).")
    error: float = opt(
        default=0.0,
        min=0.0,
        max=1e6,
        unit="intensity",
        help="How wrong the PSF is: standard deviation of the blurred picture less that with the "
        "true PSF. It counts as noise.",
    )
    boundary: Literal["circular", "zero", "reflect", "replicate", "valid", "unknown"] = opt(
        default="reflect",
        help="Extension beyond the border: periodic, zero, mirrored, or edge pixels repeated. "
        "valid has only the data that need none, fewer than pixels; unknown likewise, and the "
        "restored picture is cut to the data.",
    )

    def __post_init__(self) -> None:
        if self.kind == "file" and self.kernel is None and self.taps is None:
            raise OptionError("blur of kind file needs a PSF file; give option kernel")
        if self.taps is not None:
            self._check_taps(self.taps)
        told = self.kernel is not None or self.taps is not None
        if self.across is not None and (self.kind != "gaussian" or told):
            raise OptionError("option across goes with kind gaussian only, and no kernel")
        if self.sigma_z is not None and (self.kind != "gaussian" or told):
            raise OptionError("option sigma_z goes with kind gaussian only, and no kernel")
        if self.axis != "both" and (self.kind not in ("gaussian", "uniform") or told):
            raise OptionError("option axis goes with kinds gaussian and uniform only, no kernel")
        if self.axis != "both" and self.across is not None:
            raise OptionError("option axis is a blur along one axis, which has no across")

    def _check_taps(self, taps: tuple[float, ...]) -> None:
        if self.kernel is not None:
            raise OptionError("give either kernel or taps, not both")
        if not taps or math.isqrt(len(taps)) ** 2 != len(taps):
            raise OptionError(f"taps are a square of n x n values, not {len(taps)}")
        if sum(taps) <= 1e-12 * sum(map(abs, taps)):
            raise OptionError(f"taps sum to {sum(taps):g}; their sum has to be positive")

    @property
    def width(self) -> str:
        """The option that is the width of the shape, which the data can tell; empty for others."""
        return {"gaussian": "sigma", "disk": "radius", "airy": "radius"}.get(self.kind, "")

    @property
    def depth(self) -> float:
        """Standard deviation of a Gaussian along the depth of a volume, in voxels."""
        return self.sigma if self.sigma_z is None else self.sigma_z

    @property
    def free(self) -> bool:
        """True if the PSF has any shape: measured, or to be found without a shape."""
        return self.taps is not None or (
            self.kernel is not None and not (self.kernel == "auto" and self.width)
        )

    @property
    def tilted(self) -> bool:
        """True for a Gaussian whose axes are not those of the picture."""
        return self.across not in (None, self.sigma) and self.angle % 90 != 0

    @property
    def symmetric(self) -> bool:
        """True if the PSF is even along both axes."""
        odd = self.kind == "uniform" and self.size % 2 == 1
        even = self.kind in ("disk", "airy") or (self.kind == "gaussian" and not self.tilted)
        return not self.free and (odd or even)


class VaryingBlurOptions(Border, Options):
    """PSFs on a grid over the picture, and boundary condition."""

    kernels: Path | None = opt(
        default=None,
        help="File (NPY) of the PSFs (rows, columns, h, w), each of the middle of its part of the "
        "picture; ipx psf --grid makes one.",
    )
    sigma: float = opt(
        default=1.0,
        above=0.0,
        max=100.0,
        unit="pixels",
        help="Without file: standard deviation of a Gaussian in the middle.",
    )
    corner: float = opt(
        default=3.0,
        above=0.0,
        max=100.0,
        unit="pixels",
        help="Without file: standard deviation of a Gaussian in the corners.",
    )
    boundary: Literal["zero", "reflect", "replicate", "valid", "unknown"] = opt(
        default="reflect",
        help="Extension beyond the border: zero, mirrored, or edge pixels repeated. valid has only "
        "the data that need none; unknown likewise, and the restored picture is cut to the data.",
    )


def _varying_asks(options: VaryingBlurOptions) -> Ask:
    return Ask("the PSFs", ("sigma", "corner"), ("kernels",))


def _provides(options: BlurOptions | MicroscopeOptions) -> tuple[type, ...]:
    if options.open:
        return (Adjoint, Sampled, Local)
    return (Adjoint, Spectrum, Norm, Local) if options.spectral else (Adjoint, Local)


def dims_of(options: BlurOptions) -> tuple[int, ...]:
    """The numbers of axes of the pictures that a PSF is for: a file may be of either."""
    if options.kernel is not None and options.kernel != "auto":
        return (2, 3)
    return (2, 3) if options.kind == "gaussian" and not options.free else (2,)


def _traits(options: BlurOptions) -> Traits:
    return Traits(basis=options.basis, dims=dims_of(options))


_SHAPE = {
    "gaussian": ("sigma",),
    "uniform": ("size",),
    "disk": ("radius",),
    "airy": ("radius",),
    "motion": ("length", "angle"),
    "random-motion": ("length", "seed"),
    "file": ("kernel",),
}
"""The options that determine the PSF of each kind."""


def _asks(options: BlurOptions) -> Ask | None:
    if options.taps is not None:
        return None
    guess = options.kind != "random-motion"  # no default is near a random path
    more = ("across", "angle") if options.across is not None else ()
    return Ask("the PSF", (*_SHAPE[options.kind], *more), ("kernel",), guess)


@hookimpl
def ipx_components() -> Iterable[OperatorSpec]:
    """Declare the operator."""
    return [
        OperatorSpec(
            name="blur",
            target="ipx_plugins.blur.operator:Blur",
            options=BlurOptions,
            asks=_asks,
            measured={"boundary": "unknown"},
            estimate="ipx_plugins.blur.estimate:estimate",
            provides=_provides,
            traits=_traits,
            examples=(
                {"boundary": "circular"},
                {"boundary": "zero"},
                {"boundary": "replicate"},
                {"boundary": "valid"},
                {"boundary": "unknown"},
                {"sigma": 2.0, "across": 1.0, "angle": 30.0, "boundary": "circular"},
                {"sigma": 1.2, "sigma_z": 0.8},
                {"axis": "horizontal"},
                {"taps": (0.0, 0.1, 0.3, 0.0, 0.5, 0.0, 0.1, 0.0, 0.0)},
                {"kind": "uniform"},
                {"kind": "disk"},
                {"kind": "motion"},
                {"kind": "random-motion"},
                {"kind": "airy"},
            ),
            summary="Convolution with a PSF: Gaussian, disk, motion, Airy, or from a file.",
            source="mirrored borders: Ng, Chan, Tang, SIAM J. Sci. Comput. 21(3), 1999",
            explains="blur",
            formula="y = h * x, h the PSF, sum(h) = 1",
            advice="Out of focus, motion or a microscope's PSF. If the width is not known, give "
            "--op.kernel auto or measure the PSF with ipx psf.",
        ),
        OperatorSpec(
            name="microscope",
            target="ipx_plugins.blur.microscope:Microscope",
            options=MicroscopeOptions,
            asks=microscope_asks,
            measured={"boundary": "unknown"},
            spacing={"pixel": -1, "step": -3},
            provides=_provides,
            traits=microscope_traits,
            examples=(
                {"pixel": 0.2, "step": 1.0, "boundary": "circular"},
                {"pixel": 0.2, "step": 1.0, "depth": 5.0, "sample_index": 1.33},
                {"pixel": 0.3, "step": 2.0, "boundary": "unknown"},
            ),
            summary="Convolution with the PSF of a wide-field microscope (Gibson and Lanni).",
            source="Gibson, Lanni, J. Opt. Soc. Am. A 9(1), 1992; Born, Wolf, 8.8",
            formula="h(r, z) = |int_0^1 J0(k NA r t) exp(i k W(t, z)) t dt|^2",
            advice="Volumes of a fluorescence microscope whose PSF was not measured: aperture, "
            "wavelength and the size of a voxel give it.",
        ),
        OperatorSpec(
            name="varying-blur",
            target="ipx_plugins.blur.varying:VaryingBlur",
            options=VaryingBlurOptions,
            asks=_varying_asks,
            measured={"boundary": "unknown"},
            provides=(Adjoint,),
            examples=(
                {"sigma": 0.6, "corner": 1.2, "boundary": "zero"},
                {"sigma": 0.6, "corner": 1.2, "boundary": "replicate"},
                {"sigma": 0.6, "corner": 1.2, "boundary": "valid"},
                {"sigma": 0.6, "corner": 1.2, "boundary": "unknown"},
            ),
            summary="Convolution with a PSF that varies over the picture, on a grid.",
            source="Hirsch, Sra, Schoelkopf, Harmeling, CVPR 2010",
            formula="y = sum_k w_k (h_k * x), w_k blending the PSFs h_k of a grid",
            advice="A PSF that changes over the picture, as of a lens towards its corners. Make "
            "the grid with ipx psf --grid.",
        ),
    ]


@hookimpl
def ipx_commands(cli: click.Group) -> None:
    """Add ``ipx psf``."""
    from ipx_plugins.blur.command import psf

    cli.add_command(psf)
