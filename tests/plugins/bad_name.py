"""A plugin with a component name that no command line could take."""

from ipx import PriorSpec, hookimpl


@hookimpl
def ipx_components():
    return [PriorSpec(name="My Prior", target="x:Y", summary="No name.")]
