"""Commands whose options depend on the components they are given: ``--op.sigma`` for blur."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import click
from click.core import ParameterSource

from ipx.declare.kinds import ROLES
from ipx.declare.registry import registry
from ipx.errors import InputError, UsageError, did_you_mean
from ipx.planning.choice import usual_prior
from ipx.planning.request import Request
from ipx.planning.rules import NAMED, SUM
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO, PLUS
from ipx_cli import config as files
from ipx_cli.config import Config
from ipx_cli.options import DEFAULTS, KIND_OF, component_options, part_dest, part_options

_META = "ipx_cli.chosen"


@dataclass(frozen=True)
class Chosen:
    """The components and the configuration of a command.

    Attributes:
        names: the component of each role; ``sum`` for several priors.
        options: the click options of the component of each role.
        parts: the names of the priors of a sum.
        config: the configuration file.
        named: roles named on the command line or in the file; the help shows their options.
        argv: the command as it was typed.
    """

    names: dict[str, str]
    options: dict[str, list[click.Option]]
    config: Config | None
    named: set[str]
    argv: list[str]
    parts: tuple[str, ...] = ()

    def title(self, role: str) -> str:
        """The name of the component in messages."""
        return PLUS.join(self.parts) if role == "prior" and self.parts else self.names[role]


def chosen(ctx: click.Context) -> Chosen | None:
    """The `Chosen` of this context; None before the arguments are parsed."""
    found: Chosen | None = ctx.meta.get(_META)
    return found


class ComponentCommand(click.Command):
    """A command whose options depend on the components it is given.

    The arguments are parsed twice: first for the names of the components and the configuration,
    then with the options of these components.
    """

    roles: ClassVar[Sequence[str]] = ()
    """The roles of the command."""

    settings: ClassVar[Sequence[str]] = ()
    """The names of its settings, from `SolveSettings`."""

    keys: ClassVar[Sequence[str]] = ()
    """Further keys of its configuration files."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The fixed parameters and those of the chosen components."""
        found = chosen(ctx)
        extra = [o for options in found.options.values() for o in options] if found else []
        *mine, help_option = super().get_params(ctx)
        return [*mine, *extra, help_option]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find the components, then parse with their options."""
        found = ctx.meta[_META] = self._choose(ctx, list(args))
        if found.config is not None:
            ctx.default_map = self._defaults(ctx, found.config, found)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as e:
            role, dot, option = e.option_name.lstrip("-").removeprefix("no-").partition(".")
            if not dot or role not in found.options:
                raise
            known = [o.opts[0] for o in found.options[role]]
            raise UsageError(
                f"{KIND_OF[role]} {found.title(role)} has no option {option}"
                + did_you_mean(f"--{role}.{option}", known)
                + (f" (it has: {', '.join(known)})" if known else f" ({_none(role, found)})")
            ) from None

    def _choose(self, ctx: click.Context, args: list[str]) -> Chosen:
        # completion passes incomplete command lines, which must not fail
        forgive = (UsageError, InputError) if ctx.resilient_parsing else ()
        ctx.meta.pop(_META, None)
        probe = click.Context(
            self,
            parent=ctx.parent,
            info_name=ctx.info_name,
            resilient_parsing=True,
            ignore_unknown_options=True,
            allow_extra_args=True,
        )
        super().parse_args(probe, list(args))
        config = None
        with suppress(*forgive):
            self._refuse_several(probe, args)
            if probe.params.get("config") is not None:
                path: Path = probe.params["config"]
                config = files.read(path, self.roles, self.settings, self.keys)
        names: dict[str, str] = {}
        options: dict[str, list[click.Option]] = {}
        named: set[str] = set()
        parts: tuple[str, ...] = ()
        for role in self.roles:
            given = probe.params.get(role)
            in_file = config.components.get(role, {}) if config is not None else {}
            if role == "prior":
                parts = _several(given or (), in_file)
                given = SUM if parts else given[0] if given else None
            usual = DEFAULTS.get(role, "")
            if role == "prior":  # a solver that is a trained network needs none
                with suppress(*forgive):
                    usual = usual_prior(_solver(probe, config))
            names[role] = given or in_file.get("name") or usual
            if not names[role]:  # a required argument; click reports it
                options[role] = []
                continue
            if given or in_file:
                named.add(role)
            with suppress(*forgive):
                if role == "op" and given in NAMED["operator"] and given != in_file.get("name"):
                    raise UsageError(
                        f"operator {given} needs a file: --config FILE with [op] name = "
                        f'"{given}", parts = [...]'
                    )
                options[role] = component_options(role, names[role])
                if role == "prior" and parts:
                    options[role] = [o for each in part_options(role, parts) for o in each]
        return Chosen(names, options, config, named, [ctx.info_name or "", *args], parts)

    def _refuse_several(self, probe: click.Context, args: list[str]) -> None:
        """Refuse a role that is named twice."""
        _, _, order = self.make_parser(probe).parse_args(list(args))
        for role in self.roles:
            times = sum(param.name == role for param in order)
            if times > 1 and role != "prior":
                more = "; a file composes them, see docs/cli.md" if role == "op" else ""
                raise UsageError(f"{times} {KIND_OF[role]}s are given and one is possible{more}")

    def _defaults(self, ctx: click.Context, config: Config, found: Chosen) -> dict[str, Any]:
        """The configuration as the default map of click, with values checked by its types."""
        values = {k: v for k, v in config.values.items() if k != "inputs"}
        if "lam" in values and not isinstance(values["lam"], list):
            values["lam"] = [values["lam"]]
        for param in self.params:
            if param.name in values:
                try:
                    values[param.name] = param.type_cast_value(ctx, values[param.name])
                except click.BadParameter as e:
                    if not ctx.resilient_parsing:
                        raise InputError(f"{config.path}: {param.name}: {e.message}") from e
        for role, table in config.components.items():
            if role == "prior":
                values |= _prior_defaults(table, found.names[role], found.parts)
                continue
            values[role] = table["name"]
            if _same(role, found.names[role], table["name"]):
                values |= {f"{role}_{k}": v for k, v in table.items() if k != "name"}
        return values

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The fixed options, then a section for each component that has options."""
        found = chosen(ctx)
        assert found is not None
        theirs = {id(option) for options in found.options.values() for option in options}

        def section(title: str, params: Sequence[click.Parameter]) -> None:
            options = [p for p in params if isinstance(p, click.Option)]
            records = [r for p in options if (r := p.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

        section("Options", [p for p in self.get_params(ctx) if id(p) not in theirs])
        for role, options in found.options.items():
            if role in found.named:
                section(f"{KIND_OF[role].capitalize()} {found.title(role)}", options)


def _none(role: str, found: Chosen) -> str:
    """Why a component has no options."""
    auto = found.names[role] == AUTO
    return f"to set options name it: --{role} NAME" if auto else "it has none"


def _several(given: Sequence[str], in_file: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the priors of a sum, on the command line or in the file; empty for one prior.

    Raises:
        UsageError: sum is named as if it were a prior.
    """
    if SUM in given:
        raise UsageError("give --prior once for each prior of a sum: --prior tv --prior wavelet")
    names = given or [part["name"] for part in in_file.get("parts", ())]
    return tuple(registry().get("prior", name).name for name in names) if len(names) > 1 else ()


def _prior_defaults(table: Mapping[str, Any], name: str, parts: Sequence[str]) -> dict[str, Any]:
    """The priors of the file, and the options of those that are taken at their place."""
    given = table.get("parts", (table,))
    values: dict[str, Any] = {"prior": [part["name"] for part in given]}
    several, taken = bool(parts), parts or (name,)
    for number, (part, own) in enumerate(zip(given, taken, strict=False), 1):
        if _same("prior", own, part["name"]):
            for key, value in part.items():
                dest = part_dest("prior", number, key) if several else f"prior_{key}"
                values |= {} if key == "name" else {dest: value}
    return values


def _solver(probe: click.Context, config: Config | None) -> str:
    """The solver that was named on the command line or in the file."""
    in_file = config.components.get("solver", {}) if config is not None else {}
    return str(probe.params.get("solver") or in_file.get("name") or DEFAULTS["solver"])


def _same(role: str, one: str, other: str) -> bool:
    """True if two names mean the same component."""
    if one == other:
        return True
    if {one, other} & {AUTO, *NAMED.get(ROLES[role], ())}:
        return False
    return registry().get(ROLES[role], one).id == registry().get(ROLES[role], other).id


def tables(ctx: click.Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """Role and table of each component, with the options that were given explicitly."""
    found = chosen(ctx)
    assert found is not None
    for role, options in found.options.items():
        if role == "prior" and found.parts:
            yield role, {"name": SUM, "parts": _part_tables(ctx, found.parts)}
            continue
        names = {option.name: option.name.removeprefix(f"{role}_") for option in options}
        given = {short: ctx.params[name] for name, short in names.items() if _given(ctx, name)}
        yield role, {"name": found.names[role], **_in_file_only(found, role, names), **given}


def _part_tables(ctx: click.Context, parts: Sequence[str]) -> list[dict[str, Any]]:
    """The tables of the priors of a sum, with the options that were given explicitly."""
    tables = []
    for number, (name, options) in enumerate(
        zip(parts, part_options("prior", parts), strict=True), 1
    ):
        start = part_dest("prior", number, "")
        given = [o.name for o in options if o.name is not None and _given(ctx, o.name)]
        tables.append({"name": name} | {n.removeprefix(start): ctx.params[n] for n in given})
    return tables


def _given(ctx: click.Context, name: str) -> bool:
    """True if the option was given on the command line, in the environment or in the file."""
    return ctx.get_parameter_source(name) is not ParameterSource.DEFAULT


def _in_file_only(found: Chosen, role: str, names: Mapping[str, str]) -> dict[str, Any]:
    """The keys of the file for the component that are no options: ``parts``, ``scale``."""
    table = found.config.components.get(role) if found.config is not None else None
    if table is None or not _same(role, found.names[role], table["name"]):
        return {}
    said = {"name", *names.values()}
    return {key: value for key, value in table.items() if key not in said}


def request(ctx: click.Context) -> Request:
    """The request from the command line, the environment and the configuration."""
    found = chosen(ctx)
    assert found is not None
    # an operator that nobody named is left to the request, which knows that it is the default
    named = ((r, t) for r, t in tables(ctx) if r != "op" or r in found.named)
    values: dict[str, Any] = dict(named)
    if ctx.params.get("lam"):
        values["lam"] = _weights(ctx.params["lam"], found.parts)
    names = [n for n in SolveSettings.infos() if n in ctx.params and _given(ctx, n)]
    return Request(**values, settings=SolveSettings(**{n: ctx.params[n] for n in names}))


def _weights(lam: tuple[Any, ...], priors: Sequence[str]) -> Any:
    """The weight, or the list of them for a sum of priors.

    Raises:
        UsageError: there are several for one prior, or auto among several.
    """
    if len(lam) == 1:
        return lam[0]
    if not priors:
        raise UsageError(f"{len(lam)} weights are given for one prior")
    if AUTO in lam:
        raise UsageError("--lam auto is for all priors: give it once, or a number for each")
    return list(lam)


def configuration(ctx: click.Context) -> list[Path]:
    """The configuration file, if there is one."""
    found = chosen(ctx)
    return [found.config.path] if found is not None and found.config is not None else []
