"""``ipx bench coverage``: the share of pixels within intervals, and the factor that corrects it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from ipx.errors import UsageError
from ipx_cli.main import cli
from ipx_plugins.coverage.measure import Intervals, factor, summary
from ipx_plugins.coverage.words import told

GAUSSIAN = ("--from-prior", "--prior", "smooth", "--prior.boundary", "circular", "--lam", "0.25",
            "--op.boundary", "circular", "--op.sigma=1", "--noise.sigma", "0.05")  # fmt: skip


def normal(half_width: float, count: int = 20) -> Intervals:
    """Standard normal truths, with bounds at this distance from their mean."""
    truth = torch.randn(count, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    zero, one = torch.zeros_like(truth), torch.ones(count)
    return Intervals(
        truth, zero - half_width, zero, zero + half_width, zero, zero, zero + 1, one, one, one > 0
    )


def test_the_share_and_the_factor_are_those_of_the_normal_law() -> None:
    """Half of the exact half-width, 1.645, holds 0.589, and the factor is 2."""
    found = normal(1.645 / 2)
    figures = summary(found, torch.arange(20) % 2, 90)
    assert figures["coverage"] == pytest.approx(0.5892, abs=0.01)
    assert factor(found, 90) == pytest.approx(2, abs=0.05)
    assert figures["calibrated"] == pytest.approx(0.9, abs=0.01)
    assert float(found.held(factor(found, 90)).mean()) == pytest.approx(0.9, abs=1e-3)


def test_bounds_on_either_side_have_their_own_widths() -> None:
    found = normal(1.0)
    wide = Intervals(**{**vars(found), "upper": found.upper + 99.0})
    below = (found.truth < -1).float().mean()
    assert float(wide.held().mean()) == pytest.approx(1 - float(below), abs=1e-6)


def run(*words: str) -> Any:
    return CliRunner().invoke(cli, ["bench", "coverage", *words])


def test_command_line() -> None:
    """Draws from the prior are covered as often as the intervals say."""
    words = ("--size", "8", "--count", "10", "--draws", "100", "--json", "-q")
    done = run(*GAUSSIAN, *words)
    assert done.exit_code == 0, done.output
    figures = json.loads(done.output)
    assert figures["sampler"] == "gibbs"
    assert figures["op"] == {"name": "blur", "boundary": "circular", "sigma": 1.0}
    assert abs(figures["coverage"] - 0.9) < 0.05
    assert figures["mixed"] == figures["problems"] == 10
    table = run("--size", "8", "--count", "2", "--draws", "8", "--prior", "smooth", "--lam", "1")
    assert table.exit_code == 0, table.output
    assert "| photographs, 8x8 | blur | gaussian sigma=0.05 | smooth | gibbs | 1 |" in table.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--op.sgima", "2"), "did you mean --op.sigma"),
        (("--op.sigma",), "--op.sigma needs a value"),
        (("--sigma", "2"), "no such option: --sigma"),
        (("--from-prior",), "a number for --lam"),
        (("--lam", "-1"), "auto or a number above 0"),
    ],
)
def test_bad_words_are_refused(words: tuple[str, ...], message: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert message in done.output


def test_switches_and_files_are_told_apart() -> None:
    names = {"op": "blur", "prior": "tv"}
    parts, rest = told(["a.png", "--no-prior.isotropic", "--op.sigma=2", "b.png"], names)
    assert rest == ["a.png", "b.png"]
    assert parts == {
        "op": {"name": "blur", "sigma": 2.0},
        "prior": {"name": "tv", "isotropic": False},
    }
    with pytest.raises(UsageError, match="no such option"):
        told(["--noise.sigma", "1"], names)
