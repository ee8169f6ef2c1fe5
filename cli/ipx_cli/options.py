"""Options of components as click options: ``--op.sigma 2`` once ``--op blur`` is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from ipx.declare.options import OptionInfo
from ipx.declare.registry import registry
from ipx.errors import InputError, OptionError, UsageError, did_you_mean
from ipx.planning.request import ALGEBRA, PRIOR, ROLES, Request, files_of, prior_for
from ipx_cli import config as files
from ipx_cli.config import Config

DEFAULTS = {
    "op": "identity",
    "noise": "gaussian",
    "prior": PRIOR,
    "solver": "auto",
    "tuner": "discrepancy",
}
KINDS = {**ROLES, "model": "model"}
"""Roles on the command line to kinds of component."""

_META = "ipx_cli.chosen"
_WORDS = {bool: "BOOLEAN", int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}


@dataclass(frozen=True)
class Chosen:
    """What the first reading of the arguments found.

    Attributes:
        names: the component of each role.
        options: its click options.
        config: the configuration file.
        named: the roles that were named anywhere, whose options the help shows.
        argv: the command as it was typed.
    """

    names: dict[str, str]
    options: dict[str, list[click.Option]]
    config: Config | None
    named: set[str]
    argv: list[str]


def chosen(ctx: click.Context) -> Chosen | None:
    """What was found for this context; None before the arguments were read."""
    found: Chosen | None = ctx.meta.get(_META)
    return found


class Name(click.ParamType):  # type: ignore[type-arg]  # not generic in older click
    """The name of a component; completes from the registry."""

    name = "name"

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """``NAME``."""
        return "NAME"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Names with their summaries."""
        reg = registry()
        items = [
            CompletionItem(n, help=reg.get(self.kind, n).summary) for n in reg.names(self.kind)
        ]
        if self.kind == "solver":
            items.insert(0, CompletionItem("auto", help="The best one that fits."))
        return [i for i in items if i.value.startswith(incomplete)]


class Value(click.ParamType):  # type: ignore[type-arg]  # not generic in older click
    """The value of a component's option, read and checked by its declaration."""

    def __init__(self, info: OptionInfo) -> None:
        self.info = info
        self.name = info.kind.__name__

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Text from the command line or the environment, a value from a file."""
        try:
            return self.info.parse(value) if isinstance(value, str) else self.info.check(value)
        except OptionError as e:
            self.fail(str(e), param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """``NUMBER``, ``a|b``, ``INTEGER,INTEGER``."""
        one = "|".join(self.info.choices) or _WORDS[self.info.kind]
        if self.info.length is None:
            return one
        return ",".join([one] * self.info.length) if self.info.length else f"{one},..."

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Choices, or files."""
        if self.info.kind is Path:
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(c) for c in self.info.choices if c.startswith(incomplete)]


class Weight(click.ParamType):  # type: ignore[type-arg]  # not generic in older click
    """``auto`` or a number >= 0."""

    name = "weight"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:
        """``"auto"`` or a float."""
        if value == "auto":
            return "auto"
        try:
            if isinstance(value, bool):
                raise ValueError
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if not 0 <= number < float("inf"):
            self.fail(f"{value!r} is neither auto nor a number >= 0", param, ctx)
        return number

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """``auto|NUMBER``."""
        return "auto|NUMBER"


def component_options(role: str, name: str) -> list[click.Option]:
    """The click options of a chosen component."""
    if name in ALGEBRA or (role == "solver" and name == "auto"):
        return []
    infos = registry().get(KINDS[role], name).options.infos()
    return [_option(role, info) for info in infos.values()]


def _option(role: str, info: OptionInfo) -> click.Option:
    flag = f"{role}.{info.name.replace('_', '-')}"
    # what a model is trained for is said as it is said of a picture: --op blur
    short = [f"--{info.name}"] if role == "model" and info.name in ROLES else []
    dest = f"{role}_{info.name}"
    text = described(info)
    if info.kind is bool and info.length is None:
        # no default here: what is not given must not beat the configuration
        return click.Option([dest, f"--{flag}/--no-{flag}"], default=None, help=text)
    return click.Option([dest, f"--{flag}", *short], type=Value(info), default=None, help=text)


def described(info: OptionInfo) -> str:
    """Help of an option with its unit, range and default."""
    remarks = [info.unit, "" if info.choices else info.range_text]
    if info.required:
        remarks.append("required")
    elif info.default not in (None, ()):
        remarks.append(f"default: {shown(info.default)}")
    remarks = [r for r in remarks if r]
    return info.help + (f"  [{'; '.join(remarks)}]" if remarks else "")


def shown(default: Any) -> str:
    """A default as one would type it."""
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    if isinstance(default, bool):
        return "yes" if default else "no"
    return f"{default:g}" if isinstance(default, float) else str(default)


class ComponentCommand(click.Command):
    """A command whose options depend on the components it is given.

    The arguments are read twice: once for the names of the components and the configuration,
    then in earnest with the options that follow from them.
    """

    roles: Sequence[str] = ()

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
            ctx.default_map = self._defaults(ctx, found.config, found.names)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as e:
            role, dot, option = e.option_name.lstrip("-").removeprefix("no-").partition(".")
            if not dot or role not in found.options:
                raise
            known = [o.opts[0] for o in found.options[role]]
            raise UsageError(
                f"{KINDS[role]} {found.names[role]} has no option {option}"
                + did_you_mean(f"--{role}.{option}", known)
                + (f" (it has: {', '.join(known)})" if known else " (it has none)")
            ) from None

    def _choose(self, ctx: click.Context, args: list[str]) -> Chosen:
        # completion asks with half a command line: nothing may fail then
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
        if probe.params.get("config") is not None:
            with suppress(*forgive):
                config = files.read(probe.params["config"], self.roles)
        names: dict[str, str] = {}
        options: dict[str, list[click.Option]] = {}
        named: set[str] = set()
        for role in self.roles:
            given = probe.params.get(role)
            in_file = config.components.get(role, {}) if config is not None else {}
            usual = DEFAULTS.get(role, "")
            if role == "prior":  # a trained network has its own
                with suppress(*forgive):
                    usual = prior_for(_solver(probe, config))
            names[role] = given or in_file.get("name") or usual
            if not names[role]:  # a required argument; click says so
                options[role] = []
                continue
            if given or in_file:
                named.add(role)
            with suppress(*forgive):
                if role == "op" and given in ALGEBRA and given != in_file.get("name"):
                    raise UsageError(
                        f"operator {given} needs a file: --config FILE with [op] name = "
                        f'"{given}", parts = [...]'
                    )
                options[role] = component_options(role, names[role])
        return Chosen(names, options, config, named, [ctx.info_name or "", *args])

    def _defaults(
        self, ctx: click.Context, config: Config, names: dict[str, str]
    ) -> dict[str, Any]:
        """The configuration as click's default map; its values are checked by click's types."""
        values = {k: v for k, v in config.values.items() if k != "inputs"}
        for param in self.params:
            if param.name in values:
                try:
                    if isinstance(param.type, click.IntRange) and not _whole(values[param.name]):
                        raise click.BadParameter(f"{values[param.name]!r} is no whole number")
                    values[param.name] = param.type_cast_value(ctx, values[param.name])
                except click.BadParameter as e:
                    if not ctx.resilient_parsing:
                        raise InputError(f"{config.path}: {param.name}: {e.message}") from e
        for role, table in config.components.items():
            values[role] = table["name"]
            if _same(role, names[role], table["name"]):
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
                section(f"{KINDS[role].capitalize()} {found.names[role]}", options)


def _solver(probe: click.Context, config: Config | None) -> str:
    """The solver that was named on the command line or in the file."""
    in_file = config.components.get("solver", {}) if config is not None else {}
    return str(probe.params.get("solver") or in_file.get("name") or DEFAULTS["solver"])


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _same(role: str, one: str, other: str) -> bool:
    """True if two names mean the same component."""
    if one == other:
        return True
    if {one, other} & {"auto", *ALGEBRA}:
        return False
    return registry().get(ROLES[role], one).id == registry().get(ROLES[role], other).id


def tables(ctx: click.Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """Role and table of each chosen component, with the options that were given anywhere."""
    found = chosen(ctx)
    assert found is not None
    for role, options in found.options.items():
        name = found.names[role]
        if role == "op" and name in ALGEBRA:
            assert found.config is not None
            yield role, dict(found.config.components[role])
            continue
        given = {
            option.name.removeprefix(f"{role}_"): ctx.params[option.name]
            for option in options
            if option.name and ctx.get_parameter_source(option.name) is not ParameterSource.DEFAULT
        }
        yield role, {"name": name, **given}


def request(ctx: click.Context) -> Request:
    """What the command line, the environment and the configuration ask for."""
    values: dict[str, Any] = dict(tables(ctx))
    scalars = {key: ctx.params.get(key) for key in files.SCALARS}
    return Request(**values, **{k: v for k, v in scalars.items() if v is not None})


def files_read(ctx: click.Context, asked: Request) -> list[Path]:
    """The files, besides the pictures, that a request reads: PSF, mask, configuration."""
    found = chosen(ctx)
    assert found is not None
    names = [f for role in found.options for f in files_of(ROLES[role], getattr(asked, role))]
    return names + ([found.config.path] if found.config is not None else [])
