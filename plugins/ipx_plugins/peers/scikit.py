"""scikit-image: Chambolle's denoising."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from skimage.restoration import denoise_tv_chambolle

from ipx_plugins.peers.problem import Problem, Rival


def rivals(problem: Problem) -> Iterator[Rival]:
    """Total variation without an operator; it has none for data that are blurred or lack pixels."""
    if problem.task.prior != "tv" or problem.kind != "identity":
        return

    def run(steps: int) -> np.ndarray:
        weight = problem.task.lam
        return np.asarray(denoise_tv_chambolle(problem.data, weight, eps=0, max_num_iter=steps))

    yield Rival("scikit-image (Chambolle)", run)
