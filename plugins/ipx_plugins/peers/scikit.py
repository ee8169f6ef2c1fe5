"""scikit-image: Chambolle's denoising."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from skimage import restoration

from ipx_plugins.peers.problem import Problem, Rival


def rivals(problem: Problem) -> Iterator[Rival]:
    """Total variation without an operator; it has none for data that are blurred or lack pixels."""
    if problem.task.prior != "tv" or problem.kind != "identity":
        return

    denoise: Any = restoration.denoise_tv_chambolle  # without types

    def run(steps: int) -> np.ndarray:
        return np.asarray(denoise(problem.data, problem.task.lam, eps=0, max_num_iter=steps))

    yield Rival("scikit-image (Chambolle)", run)
