"""``ipx list``."""

from __future__ import annotations

import click

from ipx.declare.kinds import KINDS
from ipx.declare.registry import registry
from ipx_cli import output


class KindName(click.ParamType):  # type: ignore[type-arg]  # not generic in older click
    """A kind of component, singular or plural."""

    name = "kind"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The singular."""
        kind = next((k for k in KINDS if value.lower() in (k, plural(k))), "")
        if not kind:
            self.fail(f"{value!r} is none of {', '.join(KINDS)}", param, ctx)
        return kind


_HELP = f"""List the components of all plugins, or those of one KIND.

KIND is {", ".join(list(KINDS)[:-1])} or {list(KINDS)[-1]}.
"""


def plural(kind: str) -> str:
    """``priors`` for ``prior``, ``libraries``; an abbreviation stays as it is: ``io``."""
    if len(kind) <= 2:
        return kind
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


@click.command("list", help=_HELP)
@click.argument("kind", required=False, type=KindName())
@click.option("--json", "as_json", is_flag=True, help="A JSON array on stdout.")
def list_components(kind: str | None, as_json: bool) -> None:
    """List the components of all plugins, or those of one kind."""
    reg = registry()
    kinds = [kind] if kind else list(KINDS)
    if as_json:
        output.json_page(
            [
                {
                    "kind": k,
                    "name": name,
                    "id": reg.get(k, name).id,
                    "plugin": reg.get(k, name).plugin,
                    "summary": reg.get(k, name).summary,
                }
                for k in kinds
                for name in reg.names(k)
            ]
        )
        return
    blocks = []
    for k in kinds:
        rows = [(name, reg.get(k, name).summary) for name in reg.names(k)]
        if rows:
            blocks.append(f"{plural(k)}\n" + output.table(rows, "  "))
    click.echo("\n\n".join(blocks) if blocks else f"no {plural(kind or '')} are installed")
    if reg.broken:
        output.note(reg.told_broken())
