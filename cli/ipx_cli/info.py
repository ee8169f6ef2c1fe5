"""``ipx info NAME``."""

from __future__ import annotations

from typing import Any

import click

from ipx.declare.capabilities import name_of
from ipx.declare.options import OptionInfo
from ipx.declare.registry import registry
from ipx.declare.specs import KINDS, AdapterSpec, ModelSpec, PriorSpec, SolverSpec, Spec
from ipx.errors import OptionError, UsageError
from ipx_cli import output
from ipx_cli.options import Value, described

FLAGS = {"operator": "op"}  # the kinds whose options are spelt otherwise on the command line


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), help="When several kinds have this name.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object on stdout.")
def info(name: str, kind: str | None, as_json: bool) -> None:
    """Show what a component does, its options, and what it can do or needs."""
    reg = registry()
    found = [reg.get(kind, name)] if kind else reg.find(name)
    if len(found) > 1:
        kinds = ", ".join(s.kind for s in found)
        raise UsageError(f"{name} is several components ({kinds}); say --kind")
    spec = found[0]
    if as_json:
        output.json_page(as_mapping(spec))
    else:
        click.echo(as_text(spec))


def capabilities(spec: Spec) -> list[str]:
    """Names of the capabilities with default options; empty if an option has no default."""
    try:
        return sorted(map(name_of, spec.capabilities()))
    except OptionError:
        return []


def as_mapping(spec: Spec) -> dict[str, Any]:
    """Everything that is declared, as plain values."""
    reg = registry()
    plugin = next((p for p in reg.plugins if p.name == spec.plugin), None)
    out: dict[str, Any] = {
        "kind": spec.kind,
        "name": spec.name,
        "id": spec.id,
        "summary": spec.summary,
        "source": spec.source or None,
        "plugin": spec.plugin,
        "distribution": plugin.distribution if plugin else None,
        "version": plugin.version if plugin else None,
        "target": spec.target,
        "capabilities": capabilities(spec),
        "capabilities_depend_on_options": callable(spec.provides),
        "options": [_option(i) for i in spec.options.infos().values()],
    }
    if isinstance(spec, PriorSpec):
        out |= {"suits": spec.suits, "weighted": spec.weighted, "informs": spec.informs}
    if isinstance(spec, SolverSpec):
        out["needs"] = [
            {
                "data": [name_of(c) for c in n.data],
                "prior": [name_of(c) for c in n.prior],
                "rank": n.rank,
            }
            for n in spec.needs
        ]
    if isinstance(spec, ModelSpec):
        out |= {"weights": list(spec.weights), "recipe": dict(spec.recipe)}
    if isinstance(spec, AdapterSpec):
        out |= {
            "side": spec.side,
            "gives": name_of(spec.gives),
            "needs": [name_of(c) for c in spec.needs],
            "exact": spec.exact,
        }
    return out


def _option(i: OptionInfo) -> dict[str, Any]:
    default = None if i.required else i.default
    return {
        "name": i.name,
        "type": i.kind.__name__,
        "required": i.required,
        "default": str(default) if i.kind.__name__ == "Path" and default is not None else default,
        "help": i.help,
        "min": i.min,
        "max": i.max,
        "above": i.above,
        "unit": i.unit or None,
        "choices": list(i.choices) or None,
        "optional": i.optional,
        "length": i.length,
    }


def as_text(spec: Spec) -> str:
    """The same for people."""
    values = as_mapping(spec)
    head = [(spec.kind, spec.name), ("does", spec.summary)]
    if spec.source:
        head.append(("source", spec.source))
    head.append(("plugin", f"{spec.plugin} ({values['distribution']} {values['version']})"))
    if values["capabilities"]:
        more = " (depends on the options)" if callable(spec.provides) else ""
        head.append(("can", ", ".join(values["capabilities"]) + more))
    if isinstance(spec, SolverSpec):
        for need in values["needs"]:
            wants = [", ".join(need["data"]), ", ".join(need["prior"])]
            head.append(("needs", f"data {wants[0] or 'anything'}; prior {wants[1] or 'anything'}"))
    if isinstance(spec, ModelSpec):
        head.append(("weights", ", ".join(spec.weights) or "none come with it: ipx train"))
    lines = [output.table(head)]
    infos = spec.options.infos().values()
    if infos:
        role = FLAGS.get(spec.kind, spec.kind)
        for i in infos:
            values_of = Value(i).get_metavar(click.Option(["--x"]))
            word = "" if i.kind is bool and i.length is None else f" {values_of}"
            lines += ["", f"--{role}.{i.name.replace('_', '-')}{word}", f"    {described(i)}"]
    return "\n".join(lines)
