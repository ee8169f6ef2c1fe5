"""A plugin with a capability of its own, and bridges to capabilities that solvers require."""

from ipx import (
    AdapterSpec,
    Capability,
    DataProx,
    PriorSpec,
    Prox,
    Quadratic,
    Traits,
    Value,
    hookimpl,
)


class Pull(Capability):
    """The prior pulls images towards its minimum."""

    of = "prior"

    def pull(self, x, share):
        """x moved by a share of its way to the minimum."""


@hookimpl
def ipx_components():
    return [
        PriorSpec(
            name="grey-world",
            target="bridging_work:GreyWorld",
            summary="1/2 |x - 1/2|^2, known by what it pulls towards.",
            provides=(Value, Pull),
            traits=Traits(pixelwise=True, unit=2.0),
        ),
        AdapterSpec(
            name="pull-prox",
            target="bridging_work:pull_prox",
            summary="Prox of a prior that pulls.",
            side="prior",
            gives=Prox,
            needs=(Pull,),
            exact=True,
        ),
        AdapterSpec(
            name="rough-prox",
            target="bridging_work:rough_prox",
            summary="Prox of the data term by one gradient step.",
            side="data",
            gives=DataProx,
            needs=(Quadratic,),
            exact=False,
        ),
    ]
