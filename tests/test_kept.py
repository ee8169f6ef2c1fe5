"""Components that are kept for the images of a batch are those that were asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import ipx
from command_line import call
from ipx.declare.registry import registry
from ipx.planning.tree import tree
from ipx.solving.build import build
from ipx.solving.kept import keeping


@pytest.mark.parametrize(
    ("kind", "names"), [("solver", ("admm", "fista")), ("sampler", ("skrock", "ula"))]
)
def test_what_auto_stands_for_is_kept_by_its_name(kind: str, names: tuple[str, str]) -> None:
    auto = tree(kind, "auto")
    with keeping("one batch"):
        first, second = (build(kind, auto.chosen(registry().get(kind, name))) for name in names)
        again = build(kind, auto.chosen(registry().get(kind, names[0])))
    assert (first.declaration.name, second.declaration.name) == names
    assert again is first


def test_images_of_a_folder_are_restored_as_alone(tmp_path: Path) -> None:
    """The prior of each starts at the result of another, which has another solver."""
    (tmp_path / "in").mkdir()
    x = torch.from_numpy(np.random.default_rng(0).random((1, 32, 32), np.float32))
    for seed in (1, 2):
        y = ipx.degrade(x, op={"name": "blur", "sigma": 1.0}, noise="gaussian", seed=seed)
        np.save(tmp_path / f"in/{seed}.npy", y.reshape(32, 32).numpy())
    words = ("--op", "blur", "--op.sigma", "1", "--prior", "glow-map", "--iterations", "2")
    done = call("solve", tmp_path / "in", *words, "-o", tmp_path / "out")
    assert done.exit_code in (0, 1), done.output
    for seed in (1, 2):
        alone = tmp_path / f"{seed}.npy"
        assert call("solve", tmp_path / f"in/{seed}.npy", *words, "-o", alone).exit_code in (0, 1)
        assert np.array_equal(np.load(alone), np.load(tmp_path / f"out/{seed}.npy"))
