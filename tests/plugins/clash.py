"""A plugin with names that others have too."""

from ipx import PriorSpec, Prox, Value, hookimpl


@hookimpl
def ipx_components():
    return [
        PriorSpec(name=n, target="ipx_plugins.l1.prior:L1", provides=(Value, Prox), summary="Same.")
        for n in ("tv", "plain")
    ]
