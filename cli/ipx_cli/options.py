"""Click options made from the declarations of components and settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from ipx.declare.kinds import KINDS, ROLES
from ipx.declare.options import OptionInfo, Options
from ipx.declare.registry import registry
from ipx.declare.specs import OperatorSpec, Spec
from ipx.files.limits import MAX_PIXELS
from ipx.planning.request import Request
from ipx.planning.rules import NAMED
from ipx.planning.tree import AUTO
from ipx_cli.values import Name, OptionValue

KIND_OF = {**ROLES, "model": "model", "generator": "generator"}
"""Role on the command line to kind of component."""

DEFAULTS: dict[str, str] = {role: getattr(Request(), role)["name"] for role in ROLES}
"""The default component of each role."""

SCALE = click.option(
    "--scale",
    type=click.IntRange(1, 64),
    help="Enlarge by this factor, pixels repeated.  [default: pictures of a sheet to 64 pixels]",
)
"""The option ``--scale`` of commands that write sheets of pictures.

Its value is the argument ``scale`` of `ipx.files.sheets.sheet`: None if it is not given.
"""

_HELP = {
    "prior": "Prior; auto takes the best by what was measured. Several times: their sum.",
    "solver": "Solver; auto takes the best that fits.",
    "tuner": "Rule for --lam auto; auto takes the best that fits.",
    "sampler": "Sampler of the posterior, for --estimate, --interval, --samples and --claim.",
}


def max_pixels() -> Callable[[Any], Any]:
    """The option ``--max-pixels``."""
    return click.option(
        "--max-pixels",
        type=click.IntRange(min=1),
        help=f"Refuse images with more pixels.  [default: {MAX_PIXELS}]",
    )


def role_options(roles: Iterable[str]) -> list[click.Option]:
    """The options that name the components: ``--op NAME``."""
    return [
        click.Option(
            [f"--{role}"],
            type=Name(ROLES[role]),
            multiple=role == "prior",
            help=f"{_HELP.get(role, ROLES[role].capitalize() + '.')}  [default: {DEFAULTS[role]}]",
        )
        for role in roles
    ]


def setting_options(
    settings: type[Options], names: Iterable[str] | None = None
) -> list[click.Option]:
    """The options of a class of settings: ``--iterations INTEGER``.

    Args:
        settings: the class.
        names: the settings wanted; all when None.
    """
    infos = settings.infos()
    return [_made(infos[n], n, n.replace("_", "-")) for n in (infos if names is None else names)]


def component_options(role: str, name: str) -> list[click.Option]:
    """The options of a chosen component: ``--op.sigma NUMBER``."""
    if name in NAMED.get(KIND_OF[role], ()) or (KINDS[KIND_OF[role]].auto and name == AUTO):
        return []
    spec = registry().get(KIND_OF[role], name)
    infos = spec.options.infos().values()
    return [_of_component(role, info, measured_of(spec, info.name)) for info in infos]


def measured_of(spec: Spec, option: str) -> Any:
    """The default of an option of an operator for files of real data; None if it is no other."""
    return spec.measured.get(option) if isinstance(spec, OperatorSpec) else None


def part_options(role: str, names: Sequence[str]) -> list[list[click.Option]]:
    """The options of the components of a sum: ``--prior.tv.isotropic``, ``--prior.2.levels``.

    A component is told by its name, or by its number from 1 where the name comes twice.
    """
    found = []
    for number, name in enumerate(names, 1):
        told = name if names.count(name) == 1 else str(number)
        infos = registry().get(KIND_OF[role], name).options.infos().values()
        found.append(
            [
                _made(
                    i, part_dest(role, number, i.name), _flag(f"{role}.{told}", i), demanded=False
                )
                for i in infos
            ]
        )
    return found


def part_dest(role: str, number: int, option: str) -> str:
    """The parameter of an option of the component of this number, from 1."""
    return f"{role}_{number}_{option}"


def _flag(prefix: str, info: OptionInfo) -> str:
    return f"{prefix}.{info.name.replace('_', '-')}"


def _of_component(role: str, info: OptionInfo, measured: Any) -> click.Option:
    # a model's option named like a role is also spelt like the role: --op blur
    short = [f"--{info.name}"] if role == "model" and info.name in ROLES else []
    dest, flag = f"{role}_{info.name}", _flag(role, info)
    return _made(info, dest, flag, *short, demanded=False, measured=measured)


def _made(
    info: OptionInfo,
    dest: str,
    flag: str,
    *short: str,
    demanded: bool = True,
    measured: Any = None,
) -> click.Option:
    """A click option without default, which would take precedence over the configuration."""
    text = described(info, demanded, measured)
    if info.kind is bool and info.length is None:
        return click.Option([dest, f"--{flag}/--no-{flag}"], default=None, help=text)
    return click.Option(
        [dest, f"--{flag}", *short],
        type=OptionValue(info),
        default=None,
        required=demanded and info.required,
        help=text,
    )


def described(info: OptionInfo, demanded: bool = False, measured: Any = None) -> str:
    """The help of an option with its unit, range and default.

    Args:
        info: the option.
        demanded: click itself demands it, and says so.
        measured: the default for files of real data, if it is another one.
    """
    remarks = [info.unit, "" if info.choices else info.range_text]
    if info.required:
        remarks += [] if demanded else ["required"]
    elif info.default not in (None, ()):
        other = "" if measured is None else f", for files {shown(measured)}"
        remarks.append(f"default: {shown(info.default)}{other}")
    remarks = [r for r in remarks if r]
    return info.help + (f"  [{'; '.join(remarks)}]" if remarks else "")


def shown(default: Any) -> str:
    """A default as typed on the command line."""
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    if isinstance(default, bool):
        return "yes" if default else "no"
    return f"{default:g}" if isinstance(default, float) else str(default)
