"""``ipx completion``: completion of commands, components and their options in a shell."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from ipx.errors import UsageError
from ipx.files.atomic import write_atomic

SHELLS = ("bash", "zsh", "fish")
BEGIN, END = "# >>> ipx completion >>>", "# <<< ipx completion <<<"
COMPINIT = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }"
BLOCK = re.compile(rf"\n?{re.escape(BEGIN)}\n.*?{re.escape(END)}\n", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """Where a shell finds completion.

    Attributes:
        script: the file of the completion.
        start: the file that the shell reads at its start and that names the script; None where the
            shell finds the script by itself.
    """

    script: Path
    start: Path | None


def place(shell: str) -> Place:
    """The files of a shell, by the environment."""
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    if shell == "fish":
        return Place(config / "fish" / "completions" / "ipx.fish", None)
    rc = home / ".bashrc"
    if shell == "zsh":
        rc = Path(os.environ.get("ZDOTDIR") or home) / ".zshrc"
    return Place(data / "ipx" / f"completion.{shell}", rc)


def script(shell: str) -> str:
    """The completion of a shell, as a script for it."""
    from ipx_cli.main import cli

    found = get_completion_class(shell)
    assert found is not None
    made = found(cli, {}, "ipx", "_IPX_COMPLETE")
    lines = str(made.source_template % made.source_vars())
    if shell == "zsh":  # compdef is there only after compinit, which not every .zshrc calls
        first, _, rest = lines.partition("\n")
        return f"{first}\n{COMPINIT}\n{rest}"
    # click cuts the help of a word at its first comma in fish
    return lines.replace('string split ","', 'string split -m 1 ","')


@click.group()
def completion() -> None:
    """Complete commands, names of components and their options in bash, zsh or fish."""


def _shell(name: str | None) -> str:
    """The shell that was asked for, or that of the user.

    Raises:
        UsageError: it is none of `SHELLS`.
    """
    own = name or Path(os.environ.get("SHELL", "")).name
    if own not in SHELLS:
        raise UsageError(f"which shell? give --shell {', '.join(SHELLS[:-1])} or {SHELLS[-1]}")
    return own


_option = click.option(
    "--shell", type=click.Choice(SHELLS), help="The shell.  [default: that of $SHELL]"
)


KEEP = "surrogateescape"
"""Bytes that are no UTF-8 stay as they are."""


def _start(path: Path) -> str:
    return path.read_text("utf-8", errors=KEEP)


@completion.command()
@_option
def install(shell: str | None) -> None:
    """Write the completion, and print what was written."""
    shell = _shell(shell)
    where = place(shell)
    where.script.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(where.script, script(shell).encode())
    click.echo(f"wrote {where.script}")
    if where.start is not None:
        before = _start(where.start) if where.start.exists() else ""
        block = f"{BEGIN}\n[ -f '{where.script}' ] && source '{where.script}'\n{END}\n"
        kept = BLOCK.sub("", before)
        joint = "" if not kept or kept.endswith("\n") else "\n"
        whole = f"{kept}{joint}\n{block}" if kept else block
        write_atomic(where.start, whole.encode(errors=KEEP))
        click.echo(f"wrote 3 lines at the end of {where.start}")
    click.echo(f"a new {shell} completes ipx; ipx completion uninstall --shell {shell} undoes it")


@completion.command()
@_option
def uninstall(shell: str | None) -> None:
    """Remove what install has written, and print what was removed."""
    shell = _shell(shell)
    where = place(shell)
    removed = []
    if where.script.exists():
        where.script.unlink()
        removed.append(str(where.script))
    if where.start is not None and where.start.exists():
        before = _start(where.start)
        after = BLOCK.sub("", before)
        if after != before:
            write_atomic(where.start, after.encode(errors=KEEP))
            removed.append(f"3 lines of {where.start}")
    click.echo(f"removed {' and '.join(removed)}" if removed else "nothing was installed")


@completion.command()
@_option
def show(shell: str | None) -> None:
    """Print the completion as a script."""
    click.echo(script(_shell(shell)), nl=False)
