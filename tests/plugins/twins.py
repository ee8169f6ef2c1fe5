"""A plugin with two declarations of one class, with the same options."""

from ipx import PriorSpec, Prox, Traits, Value, hookimpl


@hookimpl
def ipx_components():
    return [
        PriorSpec(
            name=name,
            target="ipx_plugins.l1.prior:L1",
            summary="One of two.",
            provides=(Value, Prox),
            traits=Traits(lam_per_variance=share),
            prefers=(solver,),
        )
        for name, share, solver in (("left", 0.1, "fista"), ("right", 0.2, "admm"))
    ]
