"""``ipx bench peers``: the same problem for all, steps to convergence, what is left out."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from ipx.files import images
from ipx_cli.main import cli
from ipx_plugins.peers import bm3d_package, deepinverse, ours, pyproximal, scico, scikit
from ipx_plugins.peers.measure import STEPS, compare, first_near
from ipx_plugins.peers.problem import TASKS, Problem, pose

RIVALS = {"bm3d": bm3d_package, "deepinv": deepinverse, "pyproximal": pyproximal, "scico": scico}


def edges(side: int) -> np.ndarray:
    """A bright square and a ramp, in [0, 1]."""
    x = np.tile(np.linspace(0.2, 0.5, side), (side, 1))
    x[side // 4 : side // 2, side // 3 : side // 2] = 0.9
    return x


def problem(task: str) -> Problem:
    return pose(TASKS[task], edges(48), seed=0)


@pytest.mark.parametrize(
    ("scores", "steps"),
    [({n: 30 - 2 / n for n in STEPS}, 48), (dict.fromkeys(STEPS, 30.0), 1), ({220: 29.0}, None)],
    ids=["slow", "at-once", "never"],
)
def test_the_steps_are_those_after_which_it_stays(
    scores: dict[int, float], steps: int | None
) -> None:
    assert first_near(lambda n: scores.get(n, 30.0), 30.0) == steps


def test_scikit_image_finds_the_same_minimum() -> None:
    """The objectives are the same: so are the images, where both have converged."""
    given = problem("denoise")
    (mine,), (theirs,) = ours.mirrored(given), scikit.rivals(given)
    assert np.abs(mine.run(400) - theirs.run(4000)).max() < 2e-3


@pytest.mark.parametrize("task", [name for name in TASKS if name != "bm3d"])
@pytest.mark.parametrize("library", [name for name in RIVALS if name != "bm3d"])
def test_the_others_find_the_same_minimum(library: str, task: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    given = problem(task)
    (mine,) = (ours.rivals if library == "scico" else ours.mirrored)(given)
    level = given.psnr(mine.run(2000))
    assert min(abs(given.psnr(r.run(2000)) - level) for r in RIVALS[library].rivals(given)) < 0.05


def test_a_library_that_is_missing_is_named() -> None:
    if importlib.util.find_spec("scico") is not None:
        pytest.skip("scico is installed")
    told: list[str] = []
    (row,) = compare(problem("bm3d"), ["ipx", "scico"], 1, told.append)
    assert (row.ratio, row.steps) == (1.0, None)
    assert told == ["scico is left out: No module named 'jax'"]


def run(*words: str) -> Any:
    return CliRunner().invoke(cli, ["bench", "peers", *words])


def test_command_line(tmp_path: Any) -> None:
    images.write(str(tmp_path / "x.png"), np.stack([edges(56)] * 3))
    words = (
        "--task=denoise",
        "--library=ipx-reflect,scikit-image",
        "--size=48",
        "--count=1",
        "--json",
    )
    done = run(str(tmp_path / "x.png"), *words, "-q")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.output)["rows"]
    assert [row["software"].split(" ")[0] for row in rows] == ["ipx", "ipx", "scikit-image"]
    assert rows[2]["psnr"] == pytest.approx(rows[1]["psnr"], abs=0.05)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--task", "denoize"), "no such task: denoize; did you mean denoise?"),
        (("--library", "matlab"), "no such library: matlab"),
        (("--size", "600"), "a picture of 512 x 512 pixels is below 600; --size 512 would do"),
    ],
)
def test_mistakes(words: tuple[str, ...], message: str) -> None:
    done = run(*words)
    assert done.exit_code in (2, 3)
    assert message in done.output
