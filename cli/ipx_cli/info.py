"""``ipx info NAME``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from ipx._version import __version__
from ipx.declare.facts import Ask, Gain
from ipx.declare.kinds import KINDS
from ipx.declare.options import OptionInfo
from ipx.declare.registry import CORE, DISTRIBUTION, registry
from ipx.declare.specs import AdapterSpec, Knowledge, ModelSpec, Need, Spec
from ipx.declare.traits import Traits
from ipx.errors import OptionError, UsageError
from ipx_cli import output, teach
from ipx_cli.listing import list_components
from ipx_cli.options import described, measured_of, shown
from ipx_cli.values import OptionValue

_COMMON = {f.name for f in dataclasses.fields(Spec)}
_IN_ACCURACY = ("exact", "tolerance")


@click.command()
@click.argument("name", required=False)
@click.option("--kind", type=click.Choice(list(KINDS)), help="For a name of several kinds.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object on stdout.")
@click.pass_context
def info(ctx: click.Context, /, name: str | None, kind: str | None, as_json: bool) -> None:
    """Show a component: formula, when to take it, costs, an example, its needs and options.

    Without NAME, list the components.
    """
    if name is None:
        ctx.invoke(list_components, kind=kind, as_json=as_json)
        return
    reg = registry()
    found = [reg.get(kind, name)] if kind else reg.find(name)
    if not as_json:
        click.echo("\n\n".join(map(as_text, found)))
        return
    if len(found) > 1:
        kinds = ", ".join(s.kind for s in found)
        raise UsageError(f"{name} is several components ({kinds}); use --kind")
    output.json_page(as_mapping(found[0]))


def capabilities(spec: Spec) -> list[str]:
    """Names of the capabilities with default options; empty if an option has no default."""
    try:
        return sorted(c.__name__ for c in spec.capabilities())
    except OptionError:
        return []


def traits(spec: Spec) -> dict[str, Any]:
    """The traits that are not the defaults, with default options; see `capabilities`."""
    try:
        facts = spec.traits_for()
    except OptionError:
        return {}
    return {
        f.name: getattr(facts, f.name)
        for f in dataclasses.fields(Traits)
        if getattr(facts, f.name) != f.default
    }


def as_mapping(spec: Spec) -> dict[str, Any]:
    """The declaration as plain values: the fields of all kinds, then those of this kind."""
    reg = registry()
    plugin = next((p for p in reg.plugins if p.name == spec.plugin), None)
    core = spec.plugin == CORE
    out: dict[str, Any] = {
        "kind": spec.kind,
        "name": spec.name,
        "id": spec.id,
        "summary": spec.summary,
        "formula": spec.formula or None,
        "advice": spec.advice or None,
        "costs": teach.cost(spec) or None,
        "example": teach.example(spec) or None,
        "source": spec.source or None,
        "gains": [_plain(gain) for gain in spec.gains],
        "plugin": spec.plugin,
        "distribution": plugin.distribution if plugin else DISTRIBUTION if core else None,
        "version": plugin.version if plugin else __version__ if core else None,
        "target": spec.target,
        "capabilities": capabilities(spec),
        "capabilities_depend_on_options": callable(spec.provides),
        "traits": traits(spec),
        "traits_depend_on_options": not isinstance(spec.traits, Traits),
        "options": [_option(i) for i in spec.options.infos().values()],
    }
    out |= {name: _plain(value) for name, value, _ in _own(spec)}
    return out | ({"accuracy": spec.accuracy()} if isinstance(spec, AdapterSpec) else {})


def _own(spec: Spec) -> Iterator[tuple[str, Any, bool]]:
    """Name and value of the fields of this kind only, and True unless it is the default."""
    for f in dataclasses.fields(spec):
        if f.name not in _COMMON:
            value = getattr(spec, f.name)
            unusual = value != f.default
            if callable(value) and not isinstance(value, type):
                value = _with_defaults(spec, value)
            yield f.name, value, unusual


def _with_defaults(spec: Spec, value: Callable[[Any], Any]) -> Any:
    """The value of a function of the options; None if an option has no default."""
    try:
        return value(spec.options())
    except OptionError:
        return None


def _plain(value: Any) -> Any:
    """A declared value in the types of JSON."""
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Need | Knowledge | Ask | Gain):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return dict(value) if isinstance(value, Mapping) else value


def _option(i: OptionInfo) -> dict[str, Any]:
    default = None if i.required else i.default
    return {
        "name": i.name,
        "type": i.kind.__name__,
        "required": i.required,
        "default": str(default) if i.kind is Path and default is not None else default,
        "help": i.help,
        "min": i.min,
        "max": i.max,
        "above": i.above,
        "unit": i.unit or None,
        "choices": list(i.choices) or None,
        "optional": i.optional,
        "auto": i.auto,
        "length": i.length,
        "weights": i.weights,
    }


def as_text(spec: Spec) -> str:
    """The declaration as text, without default values."""
    values = as_mapping(spec)
    depends = " (depends on the options)"
    head = [(spec.kind, spec.name), ("does", spec.summary)]
    taught = ("formula", spec.formula), ("take it", spec.advice), ("costs", values["costs"])
    head += [(name, text) for name, text in taught if text]
    head += teach.gains(spec)
    head += [("example", values["example"])] if values["example"] else []
    if spec.source:
        head.append(("source", spec.source))
    head.append(("plugin", f"{spec.plugin} ({values['distribution']} {values['version']})"))
    if values["capabilities"]:
        more = depends if values["capabilities_depend_on_options"] else ""
        head.append(("can", ", ".join(values["capabilities"]) + more))
    if values["traits"]:
        more = depends if values["traits_depend_on_options"] else ""
        head.append(("traits", _words(values["traits"]) + more))
    for name, value, unusual in _own(spec):
        head += _rows(name, value) if unusual and name not in _IN_ACCURACY else []
    if isinstance(spec, AdapterSpec):
        head.append(("accuracy", spec.accuracy()))
    if isinstance(spec, ModelSpec) and not spec.weights:
        head.append(("weights", "none come with it: ipx train"))
    lines = [output.table(head)]
    role = KINDS[spec.kind].role or spec.kind
    for i in spec.options.infos().values():
        values_of = OptionValue(i).get_metavar(click.Option(["--x"]))
        word = "" if i.kind is bool and i.length is None else f" {values_of}"
        told = described(i, measured=measured_of(spec, i.name))
        lines += ["", f"--{role}.{i.name.replace('_', '-')}{word}", f"    {told}"]
    return "\n".join(lines)


def _rows(name: str, value: Any) -> list[tuple[str, str]]:
    """The rows of one field: one for each need of a solver."""
    if isinstance(value, tuple) and any(isinstance(v, Need) for v in value):
        return [(name, _need(v)) for v in value]
    if isinstance(value, tuple) and any(isinstance(v, Knowledge) for v in value):
        return [(name, _knowledge(v)) for v in value]
    if isinstance(value, Ask):
        return [(name, f"{value.what}: {' or '.join((*value.files, ' and '.join(value.options)))}")]
    words = _words(_plain(value)) if not isinstance(value, bytes) else ""
    return [(name, words)] if words else []


def _need(need: Need) -> str:
    wants = [", ".join(c.__name__ for c in side) for side in (need.data, need.prior)]
    closed = "; in closed form" if need.closed else ""
    return (
        f"data {wants[0] or 'anything'}; prior {wants[1] or 'anything'}; rank {need.rank}{closed}"
    )


def _knowledge(need: Knowledge) -> str:
    """What a tuner must know in one of its alternatives."""
    parts = {"gives": need.data, "is not": need.lacks, "prior gives": need.prior}
    said = [f"{w} {', '.join(c.__name__ for c in caps)}" for w, caps in parts.items() if caps]
    said += [f"noise level {need.level}"] if need.level else []
    said += [word for word in ("noisy", "convex", "truth") if getattr(need, word)]
    return f"{'; '.join(said) or 'nothing'}; rank {need.rank}"


def _words(value: Any) -> str:
    """A plain value as text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_words(v)}" for k, v in value.items())
    return ", ".join(map(_words, value)) if isinstance(value, list) else shown(value)
