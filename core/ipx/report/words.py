"""What a record says, in words: the plan, the formula, the options, and how to repeat the run."""

from __future__ import annotations

import pprint
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ipx.declare.kinds import KINDS, ROLES
from ipx.declare.options import OptionInfo
from ipx.declare.registry import registry
from ipx.declare.traits import Traits
from ipx.errors import IpxError
from ipx.planning.plan import NO_PRIOR, Plan
from ipx.planning.request import Request
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO, PLUS, Tree, tree
from ipx.report.html import DASH, number, text

Record = Mapping[str, Any]


def request_of(record: Record) -> Request:
    """The request of a record, with all that was chosen.

    Raises:
        UsageError: a component or an option is unknown here.
    """
    config = record["config"]
    roles = {role: _named(kind, config[role]) for role, kind in ROLES.items() if role in config}
    infos = SolveSettings.infos()
    given = {n: infos[n].check(config[n]) for n in infos if config.get(n) is not None}
    return Request(**roles, lam=config.get("lam", AUTO), settings=SolveSettings(**given))


def _named(kind: str, table: Any) -> Any:
    """A table with the short name of its component, where that is not ambiguous."""
    if not isinstance(table, Mapping) or "parts" in table:
        parts = [_named(kind, part) for part in table["parts"]] if "parts" in table else []
        return {**table, "parts": parts} if parts else table
    plugin, _, short = str(table.get("name", "")).rpartition("/")
    if not plugin or registry().get(kind, short).id != table["name"]:
        return table
    return {**table, "name": short}


def plan_lines(record: Record) -> list[str]:
    """The plan in words, one bridge a line; less of it where a plugin is missing."""
    plan = _plan(record)
    if plan is not None:
        return plan.lines()
    said = record["result"]["plan"]
    bridges = [f"{gives} by {name}" for gives, name in said["bridges"].items()]
    return [f"{said['solver']} with {said['noise']}, {said['operator']}, {said['prior']}", *bridges]


def _plan(record: Record) -> Plan | None:
    try:
        request = request_of(record)
        plan = request.plan()
    except (IpxError, KeyError, TypeError):
        return None
    return plan if plan.solver.name == record["result"]["plan"]["solver"] else None


def formula(record: Record) -> str:
    """The objective as text of a page, and what its symbols stand for."""
    said, lam = record["result"]["plan"], record["result"]["lam"]
    names = str(said["prior"]).split(PLUS)
    lams = lam if isinstance(lam, list) else [lam] * len(names)
    many = len(names) > 1
    weights = [
        f"<var>λ</var><sub>{i}</sub>" if many else "<var>λ</var>" for i in range(1, len(names) + 1)
    ]
    terms = [
        (f"{w} " if value is not None else "") + f"<b>{text(name)}</b>(<var>x</var>)"
        for w, value, name in zip(weights, lams, names, strict=False)
        if name != NO_PRIOR
    ]
    data = f"<b>{text(said['noise'])}</b>(<var>A</var><var>x</var>, <var>y</var>)"
    none = _own_prior(record)
    whole = " + ".join([data] if none else [data, *terms])
    where = [("<var>y</var>", "the data"), ("<var>A</var>", text(said["operator"]))]
    where += [
        (w, number(v)) for w, v in zip(weights, lams, strict=False) if v is not None and not none
    ]
    level = record["result"].get("sigma")
    where += [("noise level", number(level))] if level is not None else []
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in where)
    return (
        f'<p class="formula"><var>x̂</var> = arg min<sub><var>x</var></sub> {whole}</p>'
        f'<dl class="where">{listed}</dl>'
    )


def _own_prior(record: Record) -> bool:
    plan = _plan(record)
    return plan is not None and plan.solver.traits_for().own_prior


def bridges(record: Record) -> list[list[str]]:
    """Rows: what is needed, the bridge that gives it, how exact it is, what it does."""
    plan = _plan(record)
    if plan is None:
        return []
    return [
        [
            text(b.gives.__name__),
            text(b.name),
            text(b.accuracy(plan.need.tolerance)),
            text(b.summary),
        ]
        for b in plan.bridges
    ]


def options(record: Record) -> list[list[str]]:
    """Rows: role, component, option, value, default, meaning; changed values are marked."""
    rows: list[list[str]] = []
    for role, kind in ROLES.items():
        table = record["config"].get(role)
        if table is None or table.get("name") == AUTO:
            continue
        try:
            rows += _of_tree(role, tree(kind, table))
        except IpxError:
            rows += [
                [role, text(table.get("name", "")), text(k), text(v), "", ""]
                for k, v in table.items()
                if k != "name"
            ]
    for name, info in SolveSettings.infos().items():
        value = record["config"].get(name)
        if value is not None and value != info.default:
            rows.append(_row("setting", "", info, value))
    return rows


def _of_tree(role: str, described: Tree) -> list[list[str]]:
    rows = [row for part in described.parts for row in _of_tree(role, part)]
    if described.options is None:
        return rows
    infos = type(described.options).infos().values()
    own = [_row(role, described.name, i, getattr(described.options, i.name)) for i in infos]
    return own + rows


def _row(role: str, name: str, info: OptionInfo, value: Any) -> list[str]:
    shown, usual = _plain(value), _plain(info.default)
    marked = f"<strong>{text(shown)}</strong>" if shown != usual else text(shown)
    unit = f" {text(info.unit)}" if info.unit and value is not None else ""
    short = name.rsplit("/", 1)[-1]
    return [text(role), text(short), text(info.name), marked + unit, text(usual), text(info.help)]


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple | list):
        return _shortened(", ".join(map(str, value)))
    return _shortened(f"{value:g}" if isinstance(value, float) else str(value))


def _shortened(told: str) -> str:
    return told if len(told) <= 80 else told[:77] + "..."


def command(record: Record, at: str) -> str:
    """The command line as it was typed, and the one that repeats the run from its record."""
    argv = [str(word) for word in record.get("argv", [])]
    typed = [shlex.join(["ipx", *argv])] if argv else []
    return "\n".join([*typed, shlex.join(["ipx", "solve", "--config", at])])


def python(record: Record) -> str:
    """Python that gives the same image."""
    config = record["config"]
    values = {role: _short(kind, config[role]) for role, kind in ROLES.items() if role in config}
    values = {k: v for k, v in values.items() if v != AUTO}
    if not _draws(config):
        values.pop("sampler", None)
    values.pop("tuner", None) if config.get("lam") != AUTO else None
    if config.get("lam") != AUTO:
        values["lam"] = config["lam"]
    infos = SolveSettings.infos()
    values |= {
        n: config[n] for n, info in infos.items()
        if config.get(n) is not None and config[n] != info.default
    }  # fmt: skip
    values.pop("axes", None)  # those of the picture
    stored = "    storage=picture.storage,\n" if config.get("inputs") else ""
    asked = stored + "".join(f"    {name}={_literal(value)},\n" for name, value in values.items())
    axes = "picture.axes" if record["input"].get("axes") else '"CHW"'
    lines = [*_read(record), "how = ipx.solve(", f"    y,\n    axes={axes},\n{asked})"]
    if record["input"].get("format") is not None and not _traits(record).complex:
        samples = config.get("dtype") if config.get("dtype") in ("uint8", "uint16") else None
        ending = "" if samples is None else f", dtype={samples!r}"
        name = str(record["result"]["output"]).replace("\\", "/").rsplit("/", 1)[-1]
        lines.append(f"images.write({name!r}, how.x[0].numpy(), like=picture{ending})")
    return "\n".join(lines)


def _draws(config: Mapping[str, Any]) -> bool:
    infos = SolveSettings.infos()
    return SolveSettings(
        **{n: infos[n].check(config[n]) for n in infos if config.get(n) is not None}
    ).sampled


def _read(record: Record) -> list[str]:
    """The lines that read the data, or simulate them."""
    given = record["config"].get("inputs") or []
    start = ["import torch", "", "import ipx", "from ipx.files import images", ""]
    config, traits = record["config"], _traits(record)
    if given and traits.complex:
        start[-2] = "from ipx.files.complex import read_complex"
        return [
            *start,
            f"picture = read_complex({given[0]!r})",
            "y = torch.from_numpy(picture.pixels)",
        ]
    if given:
        more = ", absolute=True" if traits.absolute else ""
        more += f", axes={config['axes']!r}" if config.get("axes") else ""
        more += ", stacks=True" if record["input"].get("axes") else ""
        return [
            *start,
            f"picture = images.read({given[0]!r}{more})",
            "y = torch.from_numpy(picture.pixels)",
        ]
    path = str(record["input"].get("path"))
    subject = next((s for s in ("face", "digit") if s in path), "photograph")
    op, noise = (_literal(_short(ROLES[role], config[role])) for role in ("op", "noise"))
    return [
        *start,
        f"picture = images.bundled({subject!r})",
        "y = ipx.degrade(",
        f"    torch.from_numpy(picture.pixels), op={op}, noise={noise}, seed={config['seed']}",
        ")",
    ]


def _traits(record: Record) -> Traits:
    """The facts of the operator; the usual ones where its plugin is missing."""
    try:
        return tree("operator", record["config"].get("op", "identity")).facts.traits
    except IpxError:
        return Traits()


def _short(kind: str, table: Any) -> Any:
    """The description without defaults: a name, or a table."""
    try:
        described = tree(kind, table)
    except IpxError:
        return table
    if described.parts:
        parts = [_short(kind, part) for part in table["parts"]]
        return parts if KINDS[kind].name == "prior" else {**table, "parts": parts}
    if described.spec is None or described.options is None:
        return described.name
    infos, usual = type(described.options).infos(), described.to_mapping()
    changed = {n: usual[n] for n, i in infos.items() if _plain(usual.get(n)) != _plain(i.default)}
    if described.scale != 1:
        changed["scale"] = described.scale
    name = described.spec.name
    if registry().get(kind, name).id != described.spec.id:
        name = described.spec.id
    return {"name": name, **changed} if changed else name


def _literal(value: Any) -> str:
    told = pprint.pformat(value, width=80, sort_dicts=False)
    return told.replace("\n", "\n    ")


def environment(record: Record) -> Sequence[Sequence[str]]:
    """Rows: what the result depends on besides the options."""
    return [[text(k), DASH if v is None else text(v)] for k, v in record["environment"].items()]
