"""Borders of blurs, and the options of the microscope: as light as the declarations."""

from __future__ import annotations

from typing import Literal

from ipx import Ask, OptionError, Options, Traits, opt


class Border:
    """What follows from the boundary condition of a blur; a base of its options."""

    boundary: str

    @property
    def open(self) -> bool:
        """True if the picture goes on beyond the data, and nothing is assumed about it there."""
        return self.boundary in ("valid", "unknown")

    @property
    def symmetric(self) -> bool:
        """True if the PSF is even along all axes."""
        return False

    @property
    def fast_boundary(self) -> Literal["circular", "reflect"]:
        """The border with which a fast transform diagonalises the blur."""
        return "reflect" if self.symmetric else "circular"

    @property
    def spectral(self) -> bool:
        """True if a fast transform diagonalises the blur."""
        return self.boundary in ("circular", self.fast_boundary)

    @property
    def basis(self) -> Literal["fft", "dct"]:
        """The transform that diagonalises the blur with its border, or with its fast one."""
        mirrored = self.boundary != "circular" and self.fast_boundary == "reflect"
        return "dct" if mirrored else "fft"


class MicroscopeOptions(Border, Options):
    """Optics of a wide-field microscope, size of a voxel, and boundary condition."""

    na: float = opt(default=1.4, above=0.0, max=2.0, help="Numerical aperture of the objective.")
    wavelength: float = opt(
        default=0.52,
        above=0.0,
        max=20.0,
        unit="micrometres",
        help="Wavelength of the emitted light, in vacuum.",
    )
    pixel: float = opt(
        default=0.1,
        above=0.0,
        max=1000.0,
        unit="micrometres",
        help="Height and width of a voxel, in the sample.",
    )
    step: float = opt(
        default=0.3,
        above=0.0,
        max=1000.0,
        unit="micrometres",
        help="Depth of a voxel: the step of the stage.",
    )
    index: float = opt(
        default=1.515,
        min=1.0,
        max=2.0,
        help="Refractive index of the immersion: 1 dry, 1.33 water.",
    )
    sample_index: float = opt(
        default=1.515, min=1.0, max=2.0, help="Refractive index of the sample."
    )
    depth: float = opt(
        default=0.0,
        min=0.0,
        max=1000.0,
        unit="micrometres",
        help="Depth below the cover glass for which the PSF is computed.",
    )
    error: float = opt(
        default=0.0,
        min=0.0,
        max=1e6,
        unit="intensity",
        help="How wrong the PSF is, as for operator blur.",
    )
    boundary: Literal["circular", "zero", "reflect", "replicate", "valid", "unknown"] = opt(
        default="reflect", help="Extension beyond the border, as for operator blur."
    )

    def __post_init__(self) -> None:
        if self.na > self.index:
            raise OptionError(
                f"na {self.na:g} is above the index {self.index:g} of the immersion; it cannot be"
            )

    @property
    def symmetric(self) -> bool:
        """True if the PSF is even along all axes: not along the depth below another index."""
        return self.depth == 0 or self.index == self.sample_index


def microscope_asks(options: MicroscopeOptions) -> Ask:
    """What real data need to be told."""
    return Ask("the microscope", ("na", "wavelength", "pixel", "step"), ())


def microscope_traits(options: MicroscopeOptions) -> Traits:
    """The facts with these options."""
    return Traits(basis=options.basis, dims=(2, 3), family="blur")
