"""The discrepancy principle: the weight at which the data are fitted as well as noise allows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import Options, TunerSpec, hookimpl, opt


class DiscrepancyOptions(Options):
    """The discrepancy principle."""

    effective: bool = opt(
        default=True,
        help="Allow for the degrees of freedom that the restored picture uses up.",
    )
    factor: float = opt(
        default=1.015,
        above=0.0,
        help="Aim at this multiple of the expected data term; a little above 1 allows for an "
        "error of the estimated noise level.",
    )
    estimated: Literal["gcv", "trust"] = opt(
        default="gcv",
        help="Where the level of Gaussian noise was estimated: generalised cross-validation, "
        "which does without it, or trust it.",
    )
    tol: float = opt(default=0.05, above=0.0, help="Relative precision of lam.")
    evaluations: int = opt(default=14, min=2, help="At most this many weights are tried.")


class GCVOptions(Options):
    """Generalised cross-validation."""

    step: float = opt(default=4.0, min=1.2, max=100.0, help="Factor between the first weights.")
    evaluations: int = opt(default=12, min=3, help="At most this many weights are tried.")


@hookimpl
def ipx_components() -> Iterable[TunerSpec]:
    """Declare the tuner."""
    return [
        TunerSpec(
            name="discrepancy",
            target="ipx_plugins.discrepancy.tuner:Discrepancy",
            options=DiscrepancyOptions,
            summary="lam at which |Ax-y|^2 is what the noise explains.",
            source="Morozov 1966; degrees of freedom: Efron 2004, probe: Ramani et al. 2008",
        ),
        TunerSpec(
            name="gcv",
            target="ipx_plugins.discrepancy.gcv:GCV",
            options=GCVOptions,
            summary="Generalised cross-validation: needs no noise level.",
            source="Golub, Heath, Wahba, Technometrics 21, 1979; probe: Girard 1989",
        ),
    ]
