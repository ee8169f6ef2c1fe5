"""``ipx list``."""

from __future__ import annotations

import click

from ipx.declare.registry import registry
from ipx.declare.specs import KINDS
from ipx_cli import output


class Kind(click.ParamType):  # type: ignore[type-arg]  # not generic in older click
    """A kind of component, singular or plural."""

    name = "kind"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The singular."""
        kind = value.lower().removesuffix("s")
        if kind not in KINDS:
            self.fail(f"{value!r} is none of {', '.join(KINDS)}", param, ctx)
        return kind


@click.command("list")
@click.argument("kind", required=False, type=Kind())
@click.option("--json", "as_json", is_flag=True, help="A JSON array on stdout.")
def list_components(kind: str | None, as_json: bool) -> None:
    """List the components of all plugins, or those of one KIND.

    KIND is operator, noise, prior, solver, tuner, model or adapter.
    """
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
            blocks.append(f"{k}s\n" + output.table(rows, "  "))
    click.echo("\n\n".join(blocks) if blocks else f"no {kind}s are installed")
    if reg.broken:
        output.note(f"{len(reg.broken)} broken plugin(s), see ipx doctor")
