"""``ipx check NAME``."""

from __future__ import annotations

import os

import click

from ipx.declare.kinds import KINDS
from ipx.declare.registry import registry
from ipx.errors import UnknownNameError
from ipx_cli import output


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), help="Only the component of this kind.")
@click.option("--json", "as_json", is_flag=True, help="A JSON array on stdout.")
def check(name: str, kind: str | None, as_json: bool) -> int:
    """Check the contract of a component: adjoint, prox, gradient, batch, purity, ...

    NAME may be a plugin: all its components. The exit status is 1 if a check fails.
    """
    reg = registry()
    plugins = [p.name for p in reg.plugins if p.status == "ok"]
    try:
        specs = [reg.get(kind, name)] if kind else reg.find(name)
    except UnknownNameError:
        if kind or name not in plugins:
            raise
        specs = reg.of_plugin(name)

    from ipx.testing import run_checks

    results = [(spec, result) for spec in specs for result in run_checks(spec)]
    if os.environ.get("IPX_DEBUG"):
        click.echo("\n".join(r.trace for _, r in results if r.trace), err=True)
    if as_json:
        output.json_page(
            [
                {"kind": s.kind, "id": s.id, "check": r.name, "ok": r.ok, "message": r.message}
                for s, r in results
            ]
        )
    else:
        rows = [
            ("ok" if r.ok else "FAILED", f"{s.kind} {s.name}", r.name, r.message)
            for s, r in results
        ]
        click.echo(output.table(rows))
    return 0 if all(r.ok for _, r in results) else output.FAILED
