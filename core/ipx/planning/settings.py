"""How to solve, apart from the components and lam: declared once, as options.

The keyword arguments of `ipx.solve`, the options of ``ipx solve``, the keys of configuration files
and records, and the documentation are all made from this class.
"""

from __future__ import annotations

from typing import Literal

from ipx.declare.options import Options, opt


class SolveSettings(Options):
    """Settings of a restoration."""

    iterations: int | None = opt(
        default=None, min=1, help="Budget of steps; by default the usual one of the solver."
    )
    tol: float = opt(default=1e-4, min=0.0, help="Stop at this fixed-point residual; 0 never does.")
    start: str = opt(
        default="auto",
        help="Where to begin: auto (as the prior prefers), preview (the data as an image), mean or "
        "random (an image of a generative model), or another prior, whose restoration it is.",
    )
    restarts: int = opt(
        default=1,
        min=1,
        help="Solve from so many random starts (with start random); the lowest objective counts.",
    )
    keep: Literal["last", "best"] = opt(
        default="last",
        help="The iterate to return: the last, or the best by the objective of every tenth.",
    )
    exact: bool = opt(
        default=False, help="Refuse bridges that approximate; iterative ones state a tolerance."
    )
    seed: int = opt(default=0, min=0, help="Of the simulated noise and of random starts.")
    device: str | None = opt(default=None, help="Where to compute: cpu, cuda, cuda:1, mps.")
    dtype: Literal["float32", "float64"] | None = opt(
        default=None, help="Precision; by default float32, or that of a tensor."
    )
