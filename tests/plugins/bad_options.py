"""A plugin with an option of a type that no command line could take."""

from ipx import Options, PriorSpec, hookimpl, opt


class Unreadable(Options):
    table: dict = opt(default=None, help="A table.")


@hookimpl
def ipx_components():
    return [PriorSpec(name="unreadable", target="x:Y", options=Unreadable, summary="A table.")]
