"""DeepInverse: FISTA with its prox of total variation, and Chambolle and Pock's PDHG."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from ipx_plugins.peers.problem import Problem, Rival

THRESHOLDS = (0.2, 0.4)
"""lam times the step of the dual, to choose from."""

INNER = 10
"""Steps of its prox in a step of FISTA; 5 and 20 were no nearer after 220 steps."""


def rivals(problem: Problem) -> Iterator[Rival]:
    """Total variation; its BM3D is the package bm3d.

    Raises:
        RuntimeError: its operator is not that of the problem.
    """
    if problem.task.prior != "tv":
        return
    physics, lam = _physics(problem), problem.task.lam
    yield Rival(f"DeepInverse (FISTA, {INNER} inner)", _fista(problem.y, physics, lam))
    for threshold in THRESHOLDS:
        yield Rival("DeepInverse (PDCP)", _pdhg(problem.y, physics, lam, lam / threshold))


def _physics(problem: Problem) -> Any:
    from deepinv.physics import BlurFFT, Denoising, Downsampling, Inpainting

    size = (1, *problem.size)
    if problem.kind == "identity":
        physics: Any = Denoising()
    elif problem.kind == "blur":
        physics = BlurFFT(size, filter=torch.as_tensor(problem.psf())[None, None])
    elif problem.kind == "inpaint":
        physics = Inpainting(size, mask=torch.as_tensor(problem.mask())[None])
    else:
        block = torch.zeros(1, 1, 3, 3)  # with one of 2x2 its transpose fails
        block[..., :2, :2] = 0.25
        physics = Downsampling(size, filter=block, factor=2)
    probe = torch.rand(1, *size)
    if not torch.allclose(physics.A(probe), problem.op.forward(probe), atol=1e-5):
        raise RuntimeError("DeepInverse's operator is not the same")
    return physics


def _fista(y: torch.Tensor, physics: Any, lam: float) -> Callable[[int], np.ndarray]:
    from deepinv.optim import FISTA, L2, TVPrior

    def run(steps: int) -> np.ndarray:
        with torch.no_grad():
            solver = FISTA(
                data_fidelity=L2(), prior=TVPrior(n_it_max=INNER), lambda_reg=lam,
                stepsize=1.0, max_iter=steps, early_stop=False,
            )  # fmt: skip
            return np.asarray(solver(y, physics)[0, 0])

    return run


def _pdhg(y: torch.Tensor, physics: Any, lam: float, sigma: float) -> Callable[[int], np.ndarray]:
    from deepinv.optim import L2, PDCP, L12Prior, TVPrior

    def run(steps: int) -> np.ndarray:
        with torch.no_grad():
            tv = TVPrior()
            solver = PDCP(
                K=tv.nabla, K_adjoint=tv.nabla_adjoint, data_fidelity=L2(),
                prior=L12Prior(l2_axis=-1), lambda_reg=lam, stepsize=1 / (8 * sigma),
                stepsize_dual=sigma, beta=1.0, g_first=True, max_iter=steps,
                early_stop=False,
            )  # fmt: skip
            first = physics.A_adjoint(y)
            u = torch.zeros(*first.shape, 2)
            return np.asarray(solver(y, physics, init=(first, first, u))[0, 0])

    return run
