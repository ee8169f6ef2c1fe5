"""Components on the command line: ``--op blur --op.sigma 1.5``, as for ``ipx solve``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ipx import KINDS, UsageError, did_you_mean
from ipx.declare.options import AUTO
from ipx.declare.registry import registry

ROLES = {
    "op": "operator",
    "noise": "noise",
    "prior": "prior",
    "tuner": "tuner",
    "sampler": "sampler",
    "truth": "sampler",
}
"""Kinds of the components that have options; ``truth`` is the sampler of the truths."""

Table = dict[str, Any]


def told(words: Sequence[str], names: dict[str, str]) -> tuple[dict[str, Table], list[str]]:
    """The components with their options, and the words that are no options.

    Args:
        words: what the command leaves over, such as ``--op.sigma``, ``1.5``, ``a.png``.
        names: the component of each role.

    Raises:
        UsageError: an option is unknown or has no value.
        OptionError: a value is out of range.
    """
    found: dict[str, Table] = {role: {"name": name} for role, name in names.items()}
    rest, left = [], list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("--"):
            rest.append(word)
            continue
        flag, equals, value = word.partition("=")
        role, _, option = flag.removeprefix("--").partition(".")
        switch = role.startswith("no-")
        role, option = role.removeprefix("no-"), option.replace("-", "_")
        infos = _options(role, names) if role in names and option else {}
        if option not in infos:
            known = [f"--{role}.{name.replace('_', '-')}" for name in infos]
            raise UsageError(f"no such option: {flag}{did_you_mean(flag, known)}")
        if infos[option].kind is bool and not equals:
            found[role][option] = not switch
            continue
        if not equals and not left:
            raise UsageError(f"{flag} needs a value")
        found[role][option] = infos[option].parse(value if equals else left.pop(0))
    return found, rest


def _options(role: str, names: dict[str, str]) -> Table:
    """The options of the component of a role, by name."""
    kind, name = ROLES[role], names[role]
    if KINDS[kind].auto and name == AUTO:
        return {}
    return dict(registry().get(kind, name).options.infos())
