"""Block matching and 3-D filtering."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    DENOISER_SHARE,
    Denoise,
    Matching,
    Options,
    PriorSpec,
    Traits,
    hookimpl,
    opt,
)


class BM3DOptions(Options):
    """Block matching and 3-D filtering."""

    profile: Literal["auto", "normal", "high", "fast"] = opt(
        default="auto",
        help="Parameters: auto is normal up to sigma 40/255 and high above; fast is three times "
        "as fast and loses 0.3 dB.",
    )
    stages: Literal["both", "first"] = opt(
        default="both", help="Hard threshold and Wiener filter, or the hard threshold alone."
    )


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="bm3d",
            target="ipx_plugins.bm3d.prior:BM3D",
            options=BM3DOptions,
            provides=(Denoise, Matching),
            traits=Traits(lam_per_variance=DENOISER_SHARE),
            summary="Similar blocks, stacked, are sparse: BM3D, a denoiser (grey and colour).",
            source="Dabov, Foi, Katkovnik, Egiazarian, IEEE TIP 16, 2007",
        )
    ]
