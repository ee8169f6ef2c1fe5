"""The package bm3d of the method's authors (its licence is non-commercial)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ipx_plugins.peers.problem import Problem, Rival


def rivals(problem: Problem) -> Iterator[Rival]:
    """BM3D, which is told the noise level."""
    import bm3d

    if problem.task.prior != "bm3d":
        return

    def run(steps: int) -> np.ndarray:
        return np.asarray(bm3d.bm3d(problem.data, problem.task.sigma))

    yield Rival("bm3d (default profile)", run, direct=True)
