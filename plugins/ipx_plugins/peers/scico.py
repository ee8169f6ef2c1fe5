"""SCICO: ADMM, by FFT where it can hold the operator, else with conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ipx_plugins.peers.problem import Problem, Rival

THRESHOLDS = (0.2, 0.4)
"""lam / rho, to choose from."""


def rivals(problem: Problem) -> Iterator[Rival]:
    """Total variation with differences across the border, which make the FFT exact.

    Left out, since after 220 steps they were not within 0.05 dB of where they end: its PDHG, and
    its ADMM with a copy of the data.
    """
    import jax.numpy as jnp

    if problem.task.prior != "tv":
        return
    b = jnp.asarray(problem.data)
    a, grad = _operators(problem)
    kind = "FFT" if problem.kind in ("blur", "identity") else "CG"
    for threshold in THRESHOLDS:
        yield Rival(f"SCICO (ADMM, {kind})", _admm(a, grad, b, problem.task.lam, threshold, kind))


def _operators(problem: Problem) -> tuple[Any, Any]:
    import jax.numpy as jnp
    from scico import linop

    size = problem.size
    grad = linop.FiniteDifference(size, input_dtype=np.float32, append=None, circular=True)
    if problem.kind in ("blur", "identity"):
        spectrum = jnp.fft.fft2(jnp.asarray(problem.impulse()))
        a: Any = linop.CircularConvolve(spectrum, size, h_is_dft=True, input_dtype=np.float32)
    elif problem.kind == "inpaint":
        a = linop.Diagonal(jnp.asarray(problem.mask()), input_dtype=np.float32)
    else:
        h, w = size
        a = linop.LinearOperator(
            size,
            (h // 2, w // 2),
            eval_fn=lambda x: x.reshape(h // 2, 2, w // 2, 2).mean((1, 3)),
            adj_fn=lambda z: jnp.repeat(jnp.repeat(z, 2, 0), 2, 1) / 4,
            input_dtype=np.float32,
        )
    return a, grad


def _admm(
    a: Any, grad: Any, b: Any, lam: float, threshold: float, kind: str
) -> Callable[[int], np.ndarray]:
    from scico import functional, loss
    from scico.optimize import admm as admms

    misfit, edges, start = loss.SquaredL2Loss(y=b, A=a), lam * functional.L21Norm(), a.adj(b)

    def run(steps: int) -> np.ndarray:
        inner = (
            admms.CircularConvolveSolver()
            if kind == "FFT"
            else admms.LinearSubproblemSolver(cg_kwargs={"tol": 1e-3, "maxiter": 10})
        )
        solver = admms.ADMM(
            misfit, [edges], [grad], [lam / threshold], x0=start, alpha=1.8, maxiter=steps,
            subproblem_solver=inner,
        )  # fmt: skip
        return np.asarray(solver.solve())

    return run
