"""A plugin whose hook takes an argument that the hook has not."""

from ipx import hookimpl


@hookimpl
def ipx_components(registry):
    return []
