"""PyProximal with the operators of PyLops: PDHG with its data prox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ipx_plugins.peers.problem import Problem, Rival

THRESHOLDS = (0.2, 0.4)
"""lam times the step of the dual, to choose from."""


def rivals(problem: Problem) -> Iterator[Rival]:
    """Total variation.

    Left out, since after 220 steps it was not within 0.05 dB of where it ends: its PDHG with both
    terms dualised.
    """
    import pylops
    import pyproximal  # noqa: F401  # the caller sees whether it is there

    if problem.task.prior != "tv":
        return
    lam, a = problem.task.lam, _operator(problem)
    grad = pylops.Gradient(problem.size, edge=False, kind="forward", dtype=np.float32)
    for threshold in THRESHOLDS:
        run = _pdhg(a, grad, problem, np.float32(lam / threshold))
        yield Rival("PyProximal (PDHG, prox)", run)


def _operator(problem: Problem) -> Any:
    import pylops

    h, w = problem.size
    if problem.kind == "identity":
        return pylops.Identity(h * w, dtype=np.float32)
    if problem.kind == "blur":
        return pylops.signalprocessing.Convolve2D(
            (h, w), problem.psf(), offset=(16, 16), dtype=np.float32
        )
    if problem.kind == "inpaint":
        return pylops.Diagonal(problem.mask().ravel(), dtype=np.float32)
    return pylops.FunctionOperator(
        lambda x: x.reshape(h // 2, 2, w // 2, 2).mean((1, 3)).ravel(),
        lambda z: (z.reshape(h // 2, w // 2).repeat(2, 0).repeat(2, 1) / 4).ravel(),
        h * w // 4, h * w, dtype=np.float32,
    )  # fmt: skip


def _pdhg(a: Any, grad: Any, problem: Problem, sigma: Any) -> Callable[[int], np.ndarray]:
    import pyproximal as pp

    b, lam = problem.data.ravel(), problem.task.lam
    start = (a.H @ b).astype(np.float32)

    def run(steps: int) -> np.ndarray:
        f = pp.L2(Op=a, b=b, niter=5, warm=True)
        x = pp.optimization.primaldual.PrimalDual(
            f, pp.L21(2, sigma=lam), grad, x0=start, tau=1 / (8 * sigma), mu=sigma, niter=steps
        )
        return np.asarray(x).reshape(problem.size)

    return run
