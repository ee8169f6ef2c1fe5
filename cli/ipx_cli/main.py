"""The entry point ``ipx``: lazy subcommands, commands of plugins, errors in one line."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click

from ipx import __version__
from ipx_cli import output

COMMANDS = {
    "solve": ("ipx_cli.solve:solve", "Restore images."),
    "watch": ("ipx_cli.watch:watch", "Restore the images that come to a folder."),
    "compare": ("ipx_cli.compare:compare", "Restore an image in several ways, and compare them."),
    "report": ("ipx_cli.report:report", "Make a page of restorations, from their records."),
    "degrade": ("ipx_cli.degrade:degrade", "Simulate measurements: blur, mask, shrink, add noise."),
    "explain": ("ipx_cli.explain:explain", "Tell what images look like, and what to try."),
    "generate": ("ipx_cli.generate:generate", "Make new pictures: textures, styles, samples."),
    "train": ("ipx_cli.train:train", "Train a model on your images."),
    "weights": ("ipx_cli.weights:weights", "List, import and verify trained weights."),
    "list": ("ipx_cli.listing:list_components", "List the components of all kinds, or of one."),
    "info": ("ipx_cli.info:info", "Show a component: options, capabilities, source."),
    "matrix": ("ipx_cli.matrix:matrix", "Show which solvers fit which operator, noise and prior."),
    "plugins": ("ipx_cli.plugins:plugins", "List plugins, including broken ones."),
    "doctor": ("ipx_cli.doctor:doctor", "Check this installation."),
    "check": ("ipx_cli.check:check", "Check the mathematical contract of a component."),
    "completion": ("ipx_cli.completion:completion", "Complete ipx in bash, zsh or fish."),
    "new-plugin": ("ipx_cli.new_plugin:new_plugin", "Write a complete plugin package."),
}
"""Name to ``module:attribute`` and help line; the module is imported on use."""

EPIPE = 141  # the status that a shell reports after SIGPIPE


class LazyGroup(click.Group):
    """Imports subcommands on use, and loads the commands of plugins only if needed."""

    asked = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Built-in commands in the order of `COMMANDS`, then those of plugins."""
        self._ask_plugins()
        return [*COMMANDS, *sorted(set(self.commands) - set(COMMANDS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A built-in command, else one of a plugin."""
        if cmd_name in COMMANDS:
            module, _, name = COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), name)
            return command
        self._ask_plugins()
        return self.commands.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command; of one that does not exist the nearest is named."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as e:
            from ipx.errors import did_you_mean

            near = did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(f"{e.message.rstrip('.')}{near}", ctx) from e

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help lines, without importing a command."""
        rows = []
        for name in self.list_commands(ctx):
            plugin = self.commands.get(name)
            line = COMMANDS[name][1] if name in COMMANDS or plugin is None else ""
            rows.append((name, line or (plugin.get_short_help_str() if plugin else "")))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _ask_plugins(self) -> None:
        if not self.asked:
            self.asked = True
            ask_plugins(self)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run and exit with the documented status; errors give one line."""
        extra = {**extra, "prog_name": "ipx", "standalone_mode": False}
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # names of files need not be UTF-8
                stream.reconfigure(errors="backslashreplace")
        run = super().main
        if os.environ.get("_IPX_COMPLETE"):  # click completes words, and exits
            return run(*args, **extra)
        sys.exit(guarded(lambda: run(*args, **extra)))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; one of a plugin may end itself by `sys.exit`, a built-in one may not."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as e:
            if sys.stderr.isatty():  # after ^C; click itself adds an empty line everywhere
                click.echo(err=True)
            raise click.Abort from e
        except BrokenPipeError as e:  # of which click makes a SystemExit
            raise output.ClosedPipe from e
        except SystemExit as e:
            if ctx.invoked_subcommand in COMMANDS:
                raise
            if isinstance(e.code, str):
                click.echo(e.code, err=True)
            ctx.exit(e.code if isinstance(e.code, int) else int(e.code is not None))


def ask_plugins(group: click.Group) -> None:
    """Call ``ipx_commands`` of each plugin; a plugin that fails is recorded as broken.

    The group ``bench`` is there for all of them to add to.
    """
    from ipx.declare.registry import registry

    group.add_command(click.Group("bench", help="Benchmark methods on pictures."))
    reg = registry()
    for impl in reg.manager.hook.ipx_commands.get_hookimpls():
        try:
            impl.function(**({"cli": group} if "cli" in impl.argnames else {}))
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as e:  # a plugin may even call sys.exit
            line = " ".join(f"ipx_commands: {type(e).__name__}: {e}".split())
            reg.plugins = [
                replace(p, status="broken", error=line, trace=traceback.format_exc())
                if p.name == impl.plugin_name
                else p
                for p in reg.plugins
            ]


def guarded(run: Callable[[], Any]) -> int:
    """The exit status of ``run``; every error becomes one line on stderr."""
    try:
        with _terminable():
            code = run()
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as e:
        click.echo(e.format_message(), err=True)
        return e.exit_code
    except (BrokenPipeError, output.ClosedPipe):
        # keep Python from flushing to the closed pipe at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EPIPE
    except BaseException as e:  # a plugin may raise anything
        line, code = output.describe(e)
        output.error(line)
    return code if isinstance(code, int) else 0


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises an exception, so that it ends a run as tidily as SIGINT does."""

    def stop(number: int, frame: object) -> None:
        raise output.Terminated

    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@click.group(
    cls=LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "IPX",
        "max_content_width": 100,
    },
)
@click.version_option(__version__, prog_name="ipx", allow_from_autoenv=False)
def cli() -> None:
    """Restore images: given y = noise(A x), find x.

    \b
    ipx solve --op blur --prior tv                      try it on a bundled photograph
    ipx solve photo.tif --op blur --op.sigma 2 -o x.tif
    ipx solve --op blur --help                          with the options of blur

    Exit status: 0 ok, 1 some inputs failed, 2 usage, 3 bad input or configuration, 4 missing
    extra or plugin, 5 out of memory, 130 interrupted, 143 terminated.
    """
    if not os.environ.get("IPX_DEBUG"):
        warnings.simplefilter("ignore")


def main() -> None:
    """Run the command line."""
    cli()


if __name__ == "__main__":
    main()
