"""A plugin with a hook that does not exist."""

from ipx import hookimpl


@hookimpl
def ipx_component():
    return []
