"""The reference: pages made of the declarations of all installed plugins, and of docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import click

import ipx
import ipx.toolkit
from _site import markdown as md
from ipx.declare import hooks
from ipx.declare.capabilities import Capability, capabilities_of, methods
from ipx.declare.kinds import KINDS
from ipx.declare.options import Options
from ipx.declare.registry import registry
from ipx.declare.specs import AdapterSpec, SamplerSpec, SolverSpec, Spec
from ipx.errors import IpxError
from ipx.planning.settings import SolveSettings
from ipx.training.settings import Data, Training
from ipx_cli import info
from ipx_cli.listing import plural
from ipx_cli.main import cli
from ipx_cli.options import shown

TITLES = {"adapter": "Bridges", "io": "File formats"}
OF = ("operator", "noise", "prior", "data", "problem")
"""What may have a capability."""


def texts(pictures: frozenset[str] = frozenset()) -> dict[str, str]:
    """Place in ``docs`` to text of each page of the reference.

    Args:
        pictures: the names of the pictures that the gallery has, such as ``prior-tv``.
    """
    found = {f"reference/{plural(kind)}.md": components(kind, pictures) for kind in KINDS}
    found |= {
        "reference/settings.md": settings(),
        "reference/capabilities.md": capabilities(),
        "reference/commands.md": commands(),
        "reference/hooks.md": of_hooks(),
        "reference/python.md": python(),
    }
    return {"reference/index.md": index(found), **found}


def index(found: dict[str, str]) -> str:
    """The list of the pages."""
    places = [place.removeprefix("reference/") for place in found]
    titles = [text.partition("\n")[0].removeprefix("# ") for text in found.values()]
    rows = [f"* [{title}]({place})" for title, place in zip(titles, places, strict=True)]
    tree = ["```{toctree}", ":hidden:", "", *(p.removesuffix(".md") for p in places), "```"]
    said = "Made of the declarations of all plugins that are installed, and of docstrings."
    return "\n".join(["# Reference", "", said, "", *rows, "", *tree, ""])


# ---------------------------------------------------------------- components


def components(kind: str, pictures: frozenset[str]) -> str:
    """All components of a kind: an overview, then an entry for each."""
    reg = registry()
    specs = [(name, reg.get(kind, name)) for name in reg.names(kind)]
    title = TITLES.get(kind, plural(kind).capitalize())
    rows = [(f"[{md.code(name)}](#{slug(name)})", md.escaped(s.summary)) for name, s in specs]
    entries = [entry(name, spec, pictures) for name, spec in specs]
    return "\n\n".join([f"# {title}", md.table(["name", "what it does"], rows), *entries]) + "\n"


def slug(name: str) -> str:
    """The anchor of a heading that is a name."""
    return name.lower().replace("/", "").replace(".", "").replace(" ", "-")


def entry(name: str, spec: Spec, pictures: frozenset[str]) -> str:
    """One component: summary, picture, mathematics, facts, options."""
    parts = [f"## {name}", md.escaped(spec.summary)]
    if f"{spec.kind}-{name}" in pictures:
        parts.append(f"![{name}](../gallery/pictures/{spec.kind}-{name}.png)")
    told = described(spec)
    parts += [told] if told and told != md.escaped(spec.summary) else []
    parts.append("\n".join(f"* {line}" for line in facts(spec)))
    infos = spec.options.infos()
    if infos:
        parts.append(options(spec.options, KINDS[spec.kind].role or spec.kind))
    return "\n\n".join(parts)


def described(spec: Spec) -> str:
    """The docstring of the class of a component; empty where it has none of its own."""
    try:
        cls = spec.load()
    except IpxError:  # broken, or without its extra; `ipx doctor` tells it
        return ""
    told = md.docstring(cls)
    if "above" in told:  # the formula stands at the head of the module
        told = md.docstring(inspect.getmodule(cls)) + "\n\n" + told
    return told


def facts(spec: Spec) -> Iterator[str]:
    """The lines of a declaration: source, capabilities, traits, needs, plugin."""
    if spec.source:
        yield f"Source: {md.escaped(spec.source)}"
    able = [f"[{md.code(c)}](capabilities.md#{c.lower()})" for c in info.capabilities(spec)]
    if able:
        more = ", depending on the options" if callable(spec.provides) else ""
        yield f"Capabilities: {', '.join(able)}{more}"
    traits = [f"{md.code(k)} {md.escaped(shown(v))}" for k, v in info.traits(spec).items()]
    if traits:
        yield f"[Traits](../plugins/README.md#traits): {', '.join(traits)}"
    for field, value, unusual in info._own(spec):
        if unusual and field not in info._IN_ACCURACY:
            for label, words in info._rows(field, value):
                yield f"{label.replace('_', ' ').capitalize()}: {md.escaped(words)}"
    if isinstance(spec, AdapterSpec):
        yield f"Accuracy: {md.escaped(spec.accuracy())}"
    yield f"Plugin: {md.code(spec.plugin)}, {md.code(spec.target)}"


def options(cls: type[Options], prefix: str) -> str:
    """The table of the options of a class; a prefix makes them options of the command line."""
    rows = []
    for i in cls.infos().values():
        flag = f"--{prefix + '.' if prefix else ''}{i.name.replace('_', '-')}"
        default = "required" if i.required else "" if i.default in (None, ()) else shown(i.default)
        values = ", ".join(filter(None, [i.range_text, i.unit])) or i.kind.__name__.lower()
        default = md.code(default) if default else ""
        rows.append((md.code(flag), default, md.escaped(values), md.escaped(i.help)))
    return md.table(["option", "default", "values", "what it is"], rows)


def settings() -> str:
    """The settings of restorations and of training."""
    parts = [
        "# Settings",
        "They are options of the command line, keys in TOML and keyword arguments alike.",
        "## ipx solve",
        options(SolveSettings, ""),
        "## ipx train",
        options(Data, ""),
        options(Training, ""),
    ]
    return "\n\n".join(parts) + "\n"


# ---------------------------------------------------------------- capabilities


def capabilities() -> str:
    """Each capability: its contract, its methods, who has it, who needs it."""
    specs = [s for kind in KINDS for s in registry().all(kind)]
    parts = ["# Capabilities", "The docstrings are the contracts that `ipx check` checks."]
    for of in OF:
        for capability in sorted(capabilities_of(of), key=lambda c: c.__name__):
            parts += [f"## {capability.__name__}", md.docstring(capability)]
            parts.append("\n".join(f"* {line}" for line in around(capability, of, specs)))
    return "\n\n".join(parts) + "\n"


def around(capability: type[Capability], of: str, specs: list[Spec]) -> Iterator[str]:
    """What there is to say about a capability."""
    yield f"Of: the {of} term" if of == "data" else f"Of: the {of}"
    for name in methods(capability):
        method = getattr(capability, name)
        yield f"{md.code(name + signature(method))}: {md.escaped(inspect.getdoc(method) or '')}"
    having = [s for s in specs if capability.__name__ in info.capabilities(s)]
    giving = [s for s in specs if isinstance(s, AdapterSpec) and s.gives is capability]
    needing = [
        s
        for s in specs
        if isinstance(s, SolverSpec | SamplerSpec)
        and any(capability in (*n.data, *n.prior) for n in s.needs)
    ]
    for word, found in (("Has it", having), ("Bridges", giving), ("Needed by", needing)):
        if found:
            yield f"{word}: {', '.join(link(s) for s in found)}"


def link(spec: Spec) -> str:
    """A link to the entry of a component."""
    return f"[{md.code(spec.name)}]({plural(spec.kind)}.md#{slug(spec.name)})"


# ---------------------------------------------------------------- commands and hooks


def commands() -> str:
    """Each command with its arguments and options."""
    parts = ["# Commands", "[The command line](../cli.md) explains them."]
    for name, command in all_commands():
        parts += [f"## ipx {name}", _help(command)]
        rows = [_parameter(p) for p in command.params if getattr(p, "hidden", False) is False]
        if rows:
            parts.append(md.table(["argument or option", "what it is"], rows))
    return "\n\n".join(parts) + "\n"


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Name and command, those in groups after their group."""

    def walk(group: click.Group, before: str) -> Iterator[tuple[str, click.Command]]:
        with click.Context(group) as context:
            for name in group.list_commands(context):
                command = group.get_command(context, name)
                if command is not None and not command.hidden:
                    yield before + name, command
                    if isinstance(command, click.Group):
                        yield from walk(command, f"{before}{name} ")

    return walk(cli, "")


def _help(command: click.Command) -> str:
    text = inspect.cleandoc(command.help or command.short_help or "")
    blocks = []
    for block in text.split("\n\n"):
        bare = block.removeprefix("\b\n")
        blocks.append(md.escaped(block) if bare == block else md.fenced(bare))
    return "\n\n".join(blocks)


def _parameter(parameter: click.Parameter) -> tuple[str, str]:
    if isinstance(parameter, click.Option):
        names = ", ".join(md.code(o) for o in (*parameter.opts, *parameter.secondary_opts))
        return names, md.escaped(parameter.help or "")
    return md.code(parameter.human_readable_name.upper()), ""


def of_hooks() -> str:
    """What a plugin may implement."""
    parts = ["# Hooks", "[Writing a plugin](../plugins/README.md) shows how they are used."]
    for name, function in vars(hooks).items():
        if name.startswith("ipx_"):
            parts += [f"## {name}", md.fenced(name + signature(function), "python")]
            parts.append(md.docstring(function))
    return "\n\n".join(parts) + "\n"


# ---------------------------------------------------------------- Python


def python() -> str:
    """Each public name of ipx and of ipx.toolkit."""
    parts = ["# Python", "The public names of `ipx`, then those of `ipx.toolkit` besides."]
    for name in sorted(n for n in ipx.__all__ if not n.startswith("_")):
        parts += name_entry(f"ipx.{name}", getattr(ipx, name))
    for name, tool in sorted(vars(ipx.toolkit).items()):
        if not (name.startswith("_") or inspect.ismodule(tool) or name in ipx.__all__):
            parts += name_entry(f"ipx.toolkit.{name}", tool)
    return "\n\n".join(parts) + "\n"


def name_entry(name: str, thing: Any) -> list[str]:
    """Heading, signature and docstring; the public methods of a class follow."""
    parts = [f"## {name}"]
    if not callable(thing):
        return [*parts, md.code(f"{name} = {_short(repr(thing))}")]
    parts.append(md.fenced(f"{name}{signature(thing)}", "python"))
    if isinstance(thing, type) and issubclass(thing, Capability) and thing is not Capability:
        return [*parts, f"A [capability](capabilities.md#{thing.__name__.lower()})."]
    parts.append(md.docstring(thing))
    if isinstance(thing, type):
        rows = [
            (md.code(n + signature(f)), md.escaped(inspect.getdoc(f).partition("\n\n")[0]))
            for n, f in vars(thing).items()
            if inspect.isfunction(f) and not n.startswith("_") and inspect.getdoc(f)
        ]
        parts += [md.table(["method", "what it does"], rows)] if rows else []
    return [part for part in parts if part]


def signature(thing: Any) -> str:
    """The parameters with their types, without ``self``; ``(...)`` where Python knows none."""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return "(...)"
    out: list[str] = []
    for name, p in found.parameters.items():
        if p.kind is p.KEYWORD_ONLY and "*" not in out and not any(o[0] == "*" for o in out):
            out.append("*")
        if name != "self":
            out.append(_parameter_of(p))
    back = found.return_annotation
    return f"({', '.join(out)})" + ("" if back is found.empty else f" -> {_type(back)}")


def _parameter_of(p: inspect.Parameter) -> str:
    """Name, type and default; a long default is shown as ``...``."""
    text = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "") + p.name
    text += "" if p.annotation is p.empty else f": {_type(p.annotation)}"
    if p.default is p.empty:
        return text
    default = repr(p.default)
    return f"{text} = {default if len(default) < 30 and '<' not in default else '...'}"


def _type(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "Any")


def _short(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
