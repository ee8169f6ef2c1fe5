"""The command line called in this process, or in a fork of it."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import TextIO

import torch
from click.testing import CliRunner, Result

import ipx.jobs.degrade
import ipx.jobs.solve  # noqa: F401  # once, before the forks
from ipx.declare.registry import registry
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

    def communicate(self) -> tuple[str, str, int]:
        """Output, errors and exit status, when the process has ended."""
        with ThreadPoolExecutor(1) as pool:
            errors = pool.submit(self.stderr.read)
            told = self.stdout.read()
        return told, errors.result(), self.ended()

    def ended(self) -> int:
        """The exit status, when the process has ended."""
        self.stdout.close()
        self.stderr.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])


def forked(*words: str | Path) -> Fork:
    """``ipx WORDS`` in a process of its own, which has imported everything already."""
    return fork(lambda: cli(list(map(str, words))))


def fork(work: Callable[[], object], *sites: Path) -> Fork:
    """A function in such a process, with the packages of ``sites``."""
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
            if sites:
                _put_first(list(map(str, sites)))
            work()
            code = 0
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 98
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    for _, writing in pipes:
        os.close(writing)
    return Fork(child, *(os.fdopen(reading, "r") for reading, _ in pipes))


def _put_first(sites: list[str]) -> None:
    """Let this process, and those that it starts, find the packages of these folders."""
    sys.path[:0] = sites
    known = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([*sites, *([known] if known else [])])
    importlib.invalidate_caches()
    registry.cache_clear()
    cli.asked = False
    forkserver._forkserver.__init__()  # that of the tests is no child of this process
