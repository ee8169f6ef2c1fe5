"""``ipx plugins``."""

from __future__ import annotations

import click

from ipx.declare.registry import registry
from ipx.files.record import plain
from ipx_cli import output


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON array on stdout.")
@click.pass_context
def plugins(ctx: click.Context, /, as_json: bool) -> None:
    """List the plugins that were found, including broken and disabled ones."""
    ctx.find_root().command.list_commands(ctx.find_root())  # type: ignore[attr-defined]  # a group
    reg = registry()
    owned: dict[str, list[str]] = {}
    for table in reg.specs.values():
        for spec in table.values():
            owned.setdefault(spec.plugin, []).append(f"{spec.kind} {spec.name}")
    if as_json:
        output.json_page(
            [{**plain(p), "components": sorted(owned.get(p.name, []))} for p in reg.plugins]
        )
        return
    rows = [
        (
            p.name,
            f"{p.distribution} {p.version}".strip(),
            p.status,
            p.error or ", ".join(sorted(owned.get(p.name, []))),
        )
        for p in reg.plugins
    ]
    click.echo(output.table([("plugin", "from", "status", "components"), *rows]))
