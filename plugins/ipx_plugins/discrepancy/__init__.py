"""Tuners that choose lam: discrepancy principle, generalised cross-validation, EM."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import Options, TunerSpec, hookimpl, opt


class DiscrepancyOptions(Options):
    """The discrepancy principle."""

    effective: bool = opt(
        default=True,
        help="Correct for the effective degrees of freedom of the restored picture.",
    )
    factor: float = opt(
        default=1.015,
        above=0.0,
        help="Target of the data term over its expected value; slightly above 1 allows for errors "
        "of the noise level.",
    )
    estimated: Literal["gcv", "trust"] = opt(
        default="gcv",
        help="With an estimated Gaussian noise level: use generalised cross-validation, which "
        "needs none, or trust the estimate.",
    )
    tol: float = opt(default=0.05, above=0.0, help="Relative precision of lam.")
    evaluations: int = opt(default=14, min=2, max=1000, help="Largest number of weights tried.")


class GCVOptions(Options):
    """Generalised cross-validation."""

    step: float = opt(default=4.0, min=1.2, max=100.0, help="Factor between the first weights.")
    evaluations: int = opt(default=12, min=3, max=1000, help="Largest number of weights tried.")


class EMOptions(Options):
    """Expectation maximisation."""

    tol: float = opt(default=0.01, above=0.0, help="Relative precision of lam.")
    evaluations: int = opt(default=40, min=2, max=1000, help="Largest number of weights tried.")


@hookimpl
def ipx_components() -> Iterable[TunerSpec]:
    """Declare the tuners."""
    return [
        TunerSpec(
            name="discrepancy",
            target="ipx_plugins.discrepancy.tuner:Discrepancy",
            options=DiscrepancyOptions,
            summary="Discrepancy principle: |Ax-y|^2 equals its expectation under the noise.",
            source="Morozov 1966; degrees of freedom: Efron 2004, probe: Ramani et al. 2008",
        ),
        TunerSpec(
            name="gcv",
            target="ipx_plugins.discrepancy.gcv:GCV",
            options=GCVOptions,
            summary="Generalised cross-validation: needs no noise level.",
            source="Golub, Heath, Wahba, Technometrics 21, 1979; probe: Girard 1989",
        ),
        TunerSpec(
            name="em",
            target="ipx_plugins.discrepancy.em:EM",
            options=EMOptions,
            summary="EM for Gaussian noise and a quadratic prior: greatest marginal likelihood.",
            source="Molina, Katsaggelos, Mateos, IEEE TIP 8(2), 1999; MacKay 1992",
        ),
    ]
