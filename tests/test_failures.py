"""What ends a run: errors of plugins, signals, and what the command line says then."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ipx
from command_line import call, fork, forked
from ipx.files import images
from ipx.host.scaffold import create_plugin
from ipx_cli.main import cli
from third_party import as_installed

FAST = ("--lam", "0.01", "--iterations", "2")

RAISING = """
import os

from ipx import Prior
from my_own import MyOwnOptions


class Bare(BaseException):
    pass


class MyOwn(Prior[MyOwnOptions]):
    def value(self, x):
        return x.flatten(1).sum(1)

    def grad(self, x):
        return self.prox(x, 1)

    def prox(self, x, t):
        if x.mean() < 0.5:
            return x
        exec(os.environ["MY_OWN"])
"""

COMMAND = """

@hookimpl
def ipx_commands(cli):
    import click, sys

    @cli.command("leave")
    @click.argument("status", type=int)
    def leave(status):
        sys.exit(status)
"""


def each(commands: list[list[str]]) -> None:
    """Run commands; the first word of each is what the prior of `RAISING` does."""
    for code, *command in commands:
        os.environ["MY_OWN"] = code
        print(">", file=sys.stderr)
        try:
            cli(command)
        except SystemExit as e:
            print("exit", e.code, file=sys.stderr)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """y.png and dark.png: 24 x 24, grey, 8 bit, in the present folder."""
    monkeypatch.chdir(tmp_path)
    pixels = images.bundled().pixels[1:2, 30:54, 90:114]
    images.write("y.png", 0.6 + 0.4 * pixels)
    images.write("dark.png", 0.4 * pixels)
    return Path("y.png")


def test_errors_of_a_plugin_name_the_plugin(source: Path, tmp_path: Path) -> None:
    create_plugin("my-own", tmp_path, "prior")
    site = as_installed(tmp_path / "my-own")
    (site / "my_own" / "prior.py").write_text(RAISING)
    light = site / "my_own" / "__init__.py"
    light.write_text(light.read_text() + COMMAND)
    solve = ["solve", "y.png", "--prior", "my-own", "--solver", "hqs", *FAST, "-o", "x/"]
    two = [*solve[:1], "dark.png", *solve[1:]]
    cases = {
        "1 / 0": "ZeroDivisionError: division by zero",
        "import torch; torch.zeros(2) @ torch.zeros(3)": "RuntimeError: ",
        "raise SystemExit(0)": "SystemExit: 0",
        "raise Bare('odd')": "Bare: odd",
    }
    commands = [[code, *solve] for code in cases]
    commands += [["raise SystemExit(0)", *two], ["", "leave", "0"], ["", "leave", "7"]]
    commands.append(["raise Bare('odd')", *two[:-1], "jobs/", "--jobs", "2"])
    _, stderr, code = fork(lambda: each(commands), site).communicate()
    assert code == 0, stderr
    told = [part.strip().splitlines() for part in stderr.split(">\n")[1:]]
    for why, lines in zip(cases.values(), told, strict=False):
        assert len(lines) == 2, lines
        assert lines[0].startswith(f"ipx: error: y.png: plugin my-own (my-own 0.1.0) failed: {why}")
        assert "a bug" not in lines[0]
        assert lines[1] == "exit 4"
    assert told[4][-2:] == ["ipx: 1 of 2 restored, 1 failed", "exit 1"]
    assert Path("x/dark.png").is_file()
    assert not Path("x/y.png").exists()
    assert [lines[-1] for lines in told[5:]] == ["exit 0", "exit 7", "exit 1"]
    odd = "ipx: error: y.png: plugin my-own (my-own 0.1.0) failed: Bare: odd"
    assert sum(line.startswith(odd) for line in told[-1]) == 1
    assert told[-1][-2] == "ipx: 1 of 2 restored, 1 failed"
    assert Path("jobs/dark.png").is_file()


def test_an_exit_inside_a_built_in_command_is_an_error(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(*args: object, **kwargs: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr("ipx.jobs.solve.solve_file", leave)
    told = call("solve", source)
    assert told.exit_code == 1
    assert told.stderr.startswith("ipx: error: y.png: unexpected SystemExit: 0 (a bug")
    monkeypatch.setattr("ipx_cli.batch.run", leave)
    assert call("solve", source).exit_code == 1


def test_a_batch_with_failures_says_how_many(source: Path) -> None:
    Path("bad.png").write_bytes(b"no picture")
    for command, word, options in (("solve", "restored", FAST), ("degrade", "degraded", ())):
        args = (command, source, "bad.png", "dark.png", *options, "-o", f"{word}/")
        told = call(*args)
        assert told.exit_code == 1
        assert told.stderr.splitlines()[-1] == f"ipx: 2 of 3 {word}, 1 failed"
        assert "failed" not in call(*args, "--quiet").stderr
    assert "failed" not in call("solve", "bad.png", "-o", "x.png").stderr
    assert "restored, " not in call("solve", source, "dark.png", *FAST, "-o", "y/").stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_batch_tidily(source: Path, number: int, status: int) -> None:
    names = [f"{i}.png" for i in range(50)]
    for name in names:
        shutil.copy(source, name)
    level = ("--noise.sigma", "0.02")
    run = forked("solve", *names, "--op", "identity", *level, *FAST, "-o", "out")
    run.stdout.readline()  # the first is done
    time.sleep(0.02)
    os.kill(run.number, number)
    told = run.stderr.read()
    run.stdout.read()
    assert run.ended() == status
    word = {143: "terminated", 130: "interrupted"}[status]
    assert told == f"ipx: error: {word}\n"
    left = {p.name for p in Path("out").iterdir()}
    assert not [name for name in left if name.endswith(".part")]
    assert 0 < len(left) < 100
    assert all(f"{name}.json" in left for name in left if name.endswith(".png"))


class NoNumbers(ipx.Prior[ipx.NoOptions]):
    """A prior whose proximal map fails."""

    capabilities = (ipx.Prox,)

    def prox(self, u: Tensor, t: Any) -> Tensor:
        return u * torch.nan


@pytest.mark.parametrize("lam", [0.01, "auto"])
def test_values_that_are_no_numbers_are_told_and_no_other_prior_hides_them(lam: Any) -> None:
    y = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0))
    noise = {"name": "gaussian", "sigma": 0.1}
    how = ipx.solve(y, op="blur", noise=noise, prior=NoNumbers(), lam=lam)
    assert how.status == ["diverged"]
    assert "with prior NoNumbers diverged: step 1 gave" in " ".join(how.warnings)
