# mypy: disable-error-code="empty-body"
"""Tomography: line integrals along parallel or divergent rays, and filtered back-projection."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from ipx import (
    Adjoint,
    Ask,
    Capability,
    Need,
    Norm,
    OperatorSpec,
    OptionError,
    Options,
    ShapeError,
    SolverSpec,
    Traits,
    hookimpl,
    opt,
)

if TYPE_CHECKING:
    import click
    from torch import Tensor

Window = Literal["ram-lak", "shepp-logan", "hann"]


class TomographyOptions(Options):
    """The geometry: directions, detector and centre of rotation."""

    beam: Literal["parallel", "fan"] = opt(
        default="parallel", help="Parallel rays, or a fan from one point to a flat detector."
    )
    angles: int = opt(default=180, min=1, max=100_000, help="Number of equally spaced angles.")
    range: float | None = opt(
        default=None,
        above=0.0,
        max=360.0,
        unit="degrees",
        help="The angles divide this range, its end left out; by default 180, or 360 for a fan.",
    )
    first: float = opt(default=0.0, min=-360.0, max=360.0, unit="degrees", help="The first angle.")
    at: tuple[float, ...] | None = opt(
        default=None,
        min=-3600.0,
        max=3600.0,
        unit="degrees",
        help="The angles one by one, in place of number, range and first.",
    )
    bins: int | None = opt(
        default=None,
        min=1,
        max=1_000_000,
        help="Number of detector bins; by default the side of the picture.",
    )
    spacing: float = opt(
        default=1.0,
        above=0.0,
        max=1000.0,
        unit="pixels",
        help="Distance of neighbouring bins; for a fan as projected onto the rotation axis.",
    )
    centre: float | Literal["auto"] = opt(
        default=0.0,
        min=-1e6,
        max=1e6,
        unit="bins",
        help="Offset of the rotation axis from the middle of the detector; auto finds it as ipx "
        "rotation-centre does.",
    )
    size: int | None = opt(
        default=None,
        min=1,
        max=100_000,
        unit="pixels",
        help="Side of the picture; by default the number of bins.",
    )
    distance: float | None = opt(
        default=None,
        above=0.0,
        unit="pixels",
        help="Fan: from the source to the rotation axis; by default twice the side.",
    )

    def __post_init__(self) -> None:
        if self.at is not None and not self.at:
            raise OptionError("option at needs an angle")
        if self.centre == "auto" and self.beam != "parallel":
            raise OptionError("centre auto is for parallel rays; give the centre of a fan")

    @property
    def degrees(self) -> tuple[float, ...]:
        """The angles."""
        if self.at is not None:
            return self.at
        usual = 180.0 if self.beam == "parallel" else 360.0
        whole = usual if self.range is None else self.range
        return tuple(self.first + whole * i / self.angles for i in range(self.angles))

    @property
    def offset(self) -> float:
        """The option ``centre`` as a number.

        Raises:
            OptionError: it is still to be found.
        """
        if self.centre == "auto":
            raise OptionError("centre auto is found from a sinogram; it is known in ipx solve only")
        return self.centre

    def source(self, side: int) -> float:
        """Distance of the source from the rotation axis in pixels; infinite for parallel rays.

        Raises:
            ShapeError: the source is inside the picture.
        """
        if self.beam == "parallel":
            return math.inf
        far = 2.0 * side if self.distance is None else self.distance
        if far <= 0.75 * side:
            raise ShapeError(
                f"the source is {far:g} pixels from the axis, inside the picture of side {side}; "
                f"give a distance above {0.75 * side:g}"
            )
        return far


class FBPOptions(Options):
    """Filtered back-projection."""

    filter: Window = opt(
        default="hann",
        help="Window of the ramp filter: ram-lak is sharp and passes noise, hann is smooth, "
        "shepp-logan is between them.",
    )


class FilteredBackprojection(Capability, of="operator"):
    """The operator integrates along lines, and has the inversion formula of its geometry."""

    def backproject(self, y: Tensor, window: Window) -> Tensor:
        """The picture by filtered back-projection, ``(B, *data_shape)`` to ``(B, *image_shape)``.

        Args:
            y: the sinogram.
            window: that of the ramp filter.
        """


def _asks(options: TomographyOptions) -> Ask:
    return Ask("the angles", ("angles",) if options.at is None else ("at",), guess=True)


@hookimpl
def ipx_components() -> Iterable[OperatorSpec | SolverSpec]:
    """Declare operator and solver."""
    here = "ipx_plugins.tomography."
    return [
        OperatorSpec(
            name="tomography",
            target=here + "operator:Tomography",
            options=TomographyOptions,
            asks=_asks,
            estimate=here + "centre:estimate",
            provides=(Adjoint, Norm, FilteredBackprojection),
            traits=Traits(absolute=True),
            examples=(
                {"beam": "fan", "angles": 30},
                {
                    "angles": 12,
                    "range": 90.0,
                    "first": -45.0,
                    "bins": 70,
                    "centre": 1.3,
                    "size": 48,
                    "spacing": 1.5,
                },
                {"beam": "fan", "at": (0.0, 40.0, 100.0), "distance": 45.0, "spacing": 0.8},
            ),
            summary="Line integrals along parallel or fan-beam rays: computed tomography.",
            source="Joseph, IEEE Trans. Med. Imaging 1(3), 1982",
            formula="y_i = integral of x along the ray i",
            advice="Computed tomography with parallel or fan beams. Find the rotation centre with "
            "--op.centre auto.",
        ),
        SolverSpec(
            name="fbp",
            target=here + "fbp:FBP",
            options=FBPOptions,
            needs=(Need((FilteredBackprojection,), ()),),
            traits=Traits(own_prior=True),
            summary="Filtered back-projection: the inversion formula of tomography.",
            source="Kak, Slaney, Principles of Computerized Tomographic Imaging, 1988, chapter 3",
            formula="x = A^T (r * y), r the ramp filter",
            advice="Tomography from many angles with little noise, in a moment.",
        ),
    ]


@hookimpl
def ipx_commands(cli: click.Group) -> None:
    """Add ``ipx rotation-centre``."""
    from ipx_plugins.tomography.command import rotation_centre

    cli.add_command(rotation_centre)
