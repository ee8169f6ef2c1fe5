"""A plugin whose prior declares a gradient it has not, and one that has no options at all."""

from ipx import Grad, PriorSpec, Prox, Value, hookimpl


@hookimpl
def ipx_components():
    return [
        PriorSpec(
            name="liar", target="ipx_plugins.l1.prior:L1", provides=(Value, Grad), summary="Lies."
        ),
        PriorSpec(
            name="plain", target="ipx_plugins.l1.prior:L1", provides=(Value, Prox), summary="Plain."
        ),
    ]
