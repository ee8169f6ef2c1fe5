"""The command line called in this process, or in a fork of it."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import torch
from click.testing import CliRunner, Result

import ipx.jobs.degrade
import ipx.jobs.solve  # noqa: F401  # once, before the forks
from ipx_cli.main import cli


def call(*words: str | Path) -> Result:
    """The result of ``ipx WORDS``."""
    return CliRunner().invoke(cli, list(map(str, words)))


@dataclass
class Fork:
    """A process that runs a command, and its output as it comes."""

    number: int
    stdout: TextIO
    stderr: TextIO

    def ended(self) -> int:
        """The exit status, when the process has ended."""
        self.stdout.close()
        self.stderr.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])


def forked(*words: str | Path) -> Fork:
    """``ipx WORDS`` in a process of its own, which has imported everything already."""
    pipes = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        code = 99
        try:
            torch.set_num_threads(1)  # the threads of this process are not in its fork
            for number, (_, writing) in enumerate(pipes, 1):
                os.dup2(writing, number)
            sys.stdout, sys.stderr = (os.fdopen(n, "w", closefd=False) for n in (1, 2))
            for which, usual in (("SIGINT", signal.default_int_handler), ("SIGTERM", 0)):
                signal.signal(getattr(signal, which), usual)
            cli(list(map(str, words)))
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 98
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
    for _, writing in pipes:
        os.close(writing)
    return Fork(child, *(os.fdopen(reading, "r") for reading, _ in pipes))
