"""Deblurring with total variation, 64x64, Gaussian blur of 1.5 pixels, noise 0.02, the weight
13 sigma^2: `skrock` against `myula`, with as many gradients.

Effective sample sizes (ESS) are for each 1000 gradients, CPU times those of one thread.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import torch
from common import photograph, publish

import ipx
from ipx.solving.sample import sample

SIGMA = 0.02
RUNS = {"skrock": (400, 15, 1, 100), "myula": (400, 1, 15, 1500)}
"""Draws of two chains, gradients of a step, steps between draws, steps before."""


def deblurring(name: str, size: int, lam: float) -> ipx.Problem:
    """The problem, without a plan."""
    x = torch.as_tensor(photograph(name, size)).float()[None, None]
    operator = ipx.operator("blur", (1, size, size), sigma=1.5)
    noise = ipx.noise("gaussian", sigma=SIGMA)
    y = noise.sample(operator.forward(x), torch.Generator().manual_seed(0))
    return ipx.Problem(y, operator, noise, ipx.prior("tv"), lam)


def measured(problem: ipx.Problem, name: str, truth: torch.Tensor) -> tuple[str, Any]:
    """A row of the table, and the draws."""
    draws, gradients, thin, warmup = RUNS[name]
    began = time.process_time()
    found = sample(
        problem, ipx.sampler(name), draws=draws, thin=thin, warmup=warmup, interval=90, start=truth
    )
    seconds = time.process_time() - began
    thousands = found.lengths.chains * found.lengths.steps * gradients / 1000
    least = min(n for k, s in found.statistics.items() for n in s.ess)
    pixel = float(found.ess.median())
    (worst, rhat), *_ = found.worst()
    cells = (
        name, f"{pixel / thousands:.1f}", f"{float(found.ess.min()) / thousands:.1f}",
        f"{least / thousands:.1f}", f"{pixel / seconds:.1f}", f"{rhat:.3f} ({worst})",
        f"{float(found.std.mean()):.4f}", f"{seconds:.0f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |", found


def main(size: int = 64) -> None:
    """Both samplers on one problem."""
    torch.set_num_threads(1)
    lam = 13 * SIGMA**2
    problem = deblurring("camera", size, lam)
    start = ipx.iterate(problem, ipx.solver("admm")).x
    rows = [measured(problem, name, start)[0] for name in RUNS]
    head = (
        "| sampler | ESS of a pixel, median | least pixel | least watched number | ESS a second |"
        " largest R-hat | mean std | s |\n|---|---|---|---|---|---|---|---|\n"
    )
    publish(
        "samplers",
        "Samplers of a posterior",
        f"{(__doc__ or '').strip()}\n\n{head}" + "\n".join(rows),
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
