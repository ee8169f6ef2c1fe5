"""``ipx list``."""

from __future__ import annotations

from typing import Any

import click

from ipx.declare.facts import Gain
from ipx.declare.kinds import KINDS
from ipx.declare.registry import registry
from ipx.errors import UsageError
from ipx_cli import output
from ipx_cli.values import Name


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

KIND is {", ".join(list(KINDS)[:-1])} or {list(KINDS)[-1]}. With --for only the priors and solvers
that fit, best first.
"""


def plural(kind: str) -> str:
    """``priors`` for ``prior``, ``libraries``; an abbreviation stays as it is: ``io``."""
    if len(kind) <= 2:
        return kind
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


@click.command("list", help=_HELP)
@click.argument("kind", required=False, type=KindName())
@click.option(
    "--for",
    "data",
    multiple=True,
    type=Name("operator", "noise"),
    help="Priors and solvers for this operator or noise, best first; once for each of the two.",
)
@click.option("--why", is_flag=True, help="With --for: also what does not fit, and the reason.")
@click.option("--json", "as_json", is_flag=True, help="A JSON array, with --for an object.")
def list_components(
    kind: str | None, data: tuple[str, ...] = (), why: bool = False, as_json: bool = False
) -> None:
    """List the components of all plugins, or those of one kind."""
    if data:
        _fitting(kind, data, why, as_json)
        return
    if why:
        raise UsageError("--why goes with --for")
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


def _fitting(kind: str | None, names: tuple[str, ...], why: bool, as_json: bool) -> None:
    """What fits an operator and a noise."""
    from ipx.planning.ranking import ranking, situation

    if kind not in (None, "prior", "solver"):
        raise UsageError(f"--for lists priors and solvers, not {plural(kind or '')}")
    op, noise = situation(names)
    found = ranking(op, noise)
    lists = {"prior": found.priors, "solver": found.solvers}
    wanted = {k: v for k, v in lists.items() if kind in (None, k)}
    refused = {k: v for k, v in found.refused.items() if k.split()[0] in wanted}
    if as_json:
        page: dict[str, Any] = {"operator": op, "noise": noise}
        for k, ranked in wanted.items():
            page[plural(k)] = [
                {"name": r.name, "with": r.partner, "summary": r.summary, **gained(r.gain)}
                for r in ranked
            ]
        output.json_page(page | {"refused": refused})
        return
    blocks = []
    for k, ranked in wanted.items():
        rows = [(r.name, gain_text(r.gain), f"with {r.partner}", r.summary) for r in ranked]
        title = f"{plural(k)} for {op} under {noise} noise, best first"
        blocks.append(f"{title}\n" + output.table(rows or [("none",)], "  "))
    if why:
        blocks += [f"{what} does not fit: {reason}" for what, reason in refused.items()]
    click.echo("\n\n".join(blocks))


def gain_text(gain: Gain | None) -> str:
    """``+3.1 dB, 0.3 s``: over total variation, for 128 x 128 pixels."""
    if gain is None:
        return "not measured"
    return f"{gain.psnr:+.1f} dB" + (f", {gain.seconds:g} s" if gain.seconds else "")


def gained(gain: Gain | None) -> dict[str, Any]:
    """What was measured, as plain values."""
    keys = ("psnr", "seconds", "where")
    return {k: None if gain is None else getattr(gain, k) for k in keys}
