"""``ipx matrix``."""

from __future__ import annotations

from typing import Any

import click

from ipx.declare.registry import registry
from ipx.planning.matrix import Row, matrix as rows_of
from ipx_cli import output
from ipx_cli.values import Name


@click.command()
@click.option("--op", multiple=True, type=Name("operator"), help="Only this operator; repeatable.")
@click.option("--noise", multiple=True, type=Name("noise"), help="Only this noise.")
@click.option(
    "--prior", multiple=True, type=Name("prior"), help="Only this prior, or a sum: tv+wavelet."
)
@click.option("--solver", multiple=True, type=Name("solver"), help="Only this solver.")
@click.option("--exact", is_flag=True, help="Without approximate bridges.")
@click.option("--why", is_flag=True, help="Print the reason of each refusal.")
@click.option("--json", "as_json", is_flag=True, help="A JSON array on stdout.")
def matrix(as_json: bool, why: bool, **chosen: Any) -> None:
    """Show which solvers fit each operator, noise and prior.

    One mark per solver: A taken by --solver auto, x fits, ~ fits over an approximate bridge,
    - refused.
    """
    rows = rows_of(
        chosen["op"], chosen["noise"], chosen["prior"], chosen["solver"], chosen["exact"]
    )
    if as_json:
        output.json_array(row.to_json() for row in rows)
        return
    found = list(rows)
    solvers = list(chosen["solver"]) or registry().names("solver")
    lines = [("operator", "noise", "prior", *solvers)]
    lines += [
        (row.operator, row.noise, row.prior, *(_mark(row, solver) for solver in solvers))
        for row in found
    ]
    click.echo(output.table(lines))
    click.echo("A taken by --solver auto, x fits, ~ fits over an approximate bridge, - refused")
    if why:
        reasons: dict[str, list[str]] = {}
        for row in found:
            for solver, reason in row.refused.items():
                where = f"{row.operator} {row.noise} {row.prior} {solver}"
                reasons.setdefault(f"{solver}: {reason}", []).append(where)
        for reason, places in sorted(reasons.items()):
            click.echo(f"\n{reason}")
            click.echo("\n".join(f"    {place}" for place in places))


def _mark(row: Row, solver: str) -> str:
    if solver == row.auto:
        return "A"
    if solver in row.plans:
        return "x" if row.plans[solver].exact else "~"
    return "-"
