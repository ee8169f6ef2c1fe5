"""Wrong command lines and damaged files, drawn at random with fixed seeds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "benchmarks"))

import hostile

import ipx.jobs.degrade
import ipx.jobs.solve  # noqa: F401  # once, before the forks

LATER = [pytest.param(n, marks=pytest.mark.slow) for n in range(5, 60, 5)]


@pytest.mark.parametrize("first", [0, *LATER])
def test_random_command_lines(first: int) -> None:
    told: list[str] = []
    for seed in range(first, first + 5):
        hostile.case(seed, told.append)
    assert not told, "\n".join(told)


def test_the_verdict_sees_what_is_wrong() -> None:
    assert hostile.verdict(3, "ipx: error: a.png: no such file\n") == ""
    assert "s" in hostile.verdict(None, "")
    assert "99" in hostile.verdict(99, "")
    for told in ("Traceback (most recent", "ipx: error: (a bug: report)", "libpng warning"):
        assert hostile.verdict(3, told)
