"""The benchmark scripts: each has its row in the list, and all run by one command."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "benchmarks"
sys.path.append(str(FOLDER))

import all as every  # noqa: E402

LIST = Path(__file__).parents[1] / "docs" / "benchmarks" / "README.md"
UNLISTED = {"hostile"}
"""It searches for failures, and has no table."""


def test_every_script_has_its_row() -> None:
    named = set(re.findall(r"`(\w+)\.py`", LIST.read_text()))
    assert named == set(every.scripts()) - UNLISTED


def test_arguments_are_those_of_the_options() -> None:
    given = argparse.Namespace(faces="a.png", digits=None, bm3d=None)
    assert every.arguments("peers", given) == []
    assert every.arguments("sensing_faces", given) == ["a.png"]
    assert every.arguments("bm3d_speed", given) is None
    assert set(every.ARGUMENTS) <= set(every.scripts())
