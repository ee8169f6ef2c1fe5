"""Types of command-line values: names of components, values of options, weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ipx.declare.kinds import KINDS
from ipx.declare.options import OptionInfo, as_path, shortened, weight
from ipx.declare.registry import registry
from ipx.errors import OptionError
from ipx.planning.tree import AUTO

_WORDS = {bool: "BOOLEAN", int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}


class Name(click.ParamType):  # type: ignore[type-arg]  # not generic in older click
    """The name of a component of one of some kinds, with completion."""

    name = "name"

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """``NAME``."""
        return "NAME"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Names with their summaries."""
        reg = registry()
        items = [
            CompletionItem(n, help=reg.get(k, n).summary) for k in self.kinds for n in reg.names(k)
        ]
        if KINDS[self.kinds[0]].auto:
            items.insert(0, CompletionItem(AUTO, help="The best one that fits."))
        return [i for i in items if i.value.startswith(incomplete)]


class Names(Name):
    """Names joined with commas; names joined with + are a sum."""

    name = "names"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """``NAME,...``."""
        return "NAME,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[str | list[str]]:
        """A name for each entry; a list of names for a sum."""
        if isinstance(value, list):
            return value
        found: list[str | list[str]] = []
        for entry in filter(None, (part.strip() for part in str(value).split(","))):
            parts = [part.strip() for part in entry.split("+")]
            if "" in parts or (len(parts) > 1 and self.kinds != ("prior",)):
                self.fail(f"{shortened(entry)} is no name", param, ctx)
            found.append(parts if len(parts) > 1 else entry)
        if not found:
            self.fail("is empty; give names, joined with commas", param, ctx)
        return found

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The last name of the list."""
        before, comma, last = incomplete.rpartition(",")
        items = super().shell_complete(ctx, param, last)
        return [CompletionItem(before + comma + item.value, help=item.help) for item in items]


class PathValue(click.Path):
    """A path that the system can have; it need not exist."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The checked value, of the type ``path_type``."""
        try:
            as_path(value)
        except (TypeError, ValueError) as e:
            self.fail(f"{shortened(value)}: {e}", param, ctx)
        return super().convert(value, param, ctx)


class OptionValue(click.ParamType):  # type: ignore[type-arg]  # not generic in older click
    """The value of an option, parsed and checked by its declaration."""

    def __init__(self, info: OptionInfo) -> None:
        self.info = info
        self.name = info.kind.__name__

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value, from text (command line, environment) or from a file."""
        try:
            return self.info.parse(value) if isinstance(value, str) else self.info.check(value)
        except OptionError as e:
            self.fail(str(e), param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """``NUMBER``, ``a|b``, ``INTEGER,INTEGER``."""
        one = "|".join(self.info.choices) or _WORDS[self.info.kind]
        if self.info.auto:
            one = f"auto|{one}"
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
        found = weight(value)
        if found is None:
            self.fail(f"{shortened(value)} is neither auto nor a number >= 0", param, ctx)
        return found

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """``auto|NUMBER``."""
        return "auto|NUMBER"
