"""Deblurring of `camera` with total variation: `skrock` against `myula`, with as many gradients.

Gaussian blur of 1.5 pixels, the weight 13 sigma^2, the Moreau envelope of both of the parameter
1 / L, one chain from the minimiser after a warm-up of a quarter of its length. Effective sample
sizes (ESS) are for each 1000 gradients. Components are inner products with 64 cosine waves, 8 in
each of 8 bands of frequency; the ESS of a band is the harmonic mean of those of its waves. Short
chains flatter the slower sampler: their ESS is overestimated. CPU times are those of one thread on
a shared machine.

The gain depends on the condition of the posterior: `myula` takes a number of steps in proportion to
the condition number, `skrock` in proportion to its root. With less noise the prior is flatter
beside the data, and the condition number larger.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from common import photograph, publish
from torch import Tensor

import ipx
from ipx.solving.sample import sample

STAGES = 15
BANDS = WAVES = 8
CASES = ((64, 0.02, 250), (64, 0.005, 250), (256, 0.005, 120))
"""Side of the picture, noise, draws; every draw takes `STAGES` gradients."""


@dataclass(frozen=True)
class Measured:
    """ESS for each 1000 gradients, bands from slow to fine; the mean deviation; CPU seconds."""

    bands: list[float]
    pixel: float
    deviation: float
    seconds: float


def deblurring(name: str, size: int, lam: float, sigma: float) -> ipx.Problem:
    """The problem, without a plan."""
    x = torch.as_tensor(photograph(name, size)).float()[None, None]
    operator = ipx.operator("blur", (1, size, size), sigma=1.5)
    noise = ipx.noise("gaussian", sigma=sigma)
    y = noise.sample(operator.forward(x), torch.Generator().manual_seed(0))
    return ipx.Problem(y, operator, noise, ipx.prior("tv"), lam)


def waves(size: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """Inner products with cosine waves at random of each band, by name."""
    rng, place, found = torch.Generator().manual_seed(1), torch.arange(size) + 0.5, {}
    for number in range(BANDS * WAVES):
        share, turn = torch.rand(2, generator=rng).tolist()
        radius, angle = (number // WAVES + share) / BANDS * size, turn * math.pi / 2
        i, j = (min(int(radius * f(angle)), size - 1) for f in (math.cos, math.sin))
        rows, columns = (torch.cos(math.pi * k * place / size) for k in (max(i, int(j == 0)), j))
        wave = rows[:, None] * columns
        wave /= wave.norm()
        found[f"wave {number}"] = lambda x, wave=wave: (x * wave).sum((1, 2, 3))
    return found


def measured(problem: ipx.Problem, name: str, draws: int, start: Tensor) -> Measured:
    """One run."""
    alone = name == "myula"  # one gradient a step
    options = {} if alone else {"stages": STAGES}
    sampler = ipx.sampler(name, smoothing=1.0, **options)
    thin, watch = STAGES if alone else 1, waves(problem.image_shape[-1])
    began = time.process_time()
    found = sample(
        problem, sampler, draws=draws, chains=1, thin=thin, warmup=draws * thin // 4, start=start,
        watch=watch,
    )  # fmt: skip
    thousands = draws * STAGES / 1000
    inverse = [1 / found.statistics[wave].ess[0] for wave in watch]
    bands = [WAVES / sum(inverse[k : k + WAVES]) for k in range(0, len(inverse), WAVES)]
    return Measured(
        [b / thousands for b in bands], float(found.ess.median()) / thousands,
        float(found.std.mean()), time.process_time() - began,
    )  # fmt: skip


def rows(size: int, sigma: float, draws: int) -> list[str]:
    """Both samplers on one problem, and the ratio in the slowest band of `myula`."""
    problem = deblurring("camera", size, 13 * sigma**2, sigma)
    start = ipx.iterate(problem, ipx.solver("admm")).x
    runs = {name: measured(problem, name, draws, start) for name in ("skrock", "myula")}
    out = []
    for name, run in runs.items():
        gain = min(run.bands) / min(runs["myula"].bands)
        cells = (
            f"{size}x{size}", f"{sigma:g}", name, f"{min(run.bands):.1f}", f"{gain:.1f}",
            f"{max(run.bands):.1f}", f"{run.pixel:.1f}", f"{run.deviation:.4f}",
            f"{min(run.bands) * draws * STAGES / 1000 / run.seconds:.2f}", f"{run.seconds:.0f}",
        )  # fmt: skip
        out.append(f"| {' | '.join(cells)} |")
        print(out[-1], flush=True)
    return out


def main(*sides: str) -> None:
    """All problems, or those of these sides."""
    torch.set_num_threads(1)
    asked = [case for case in CASES if not sides or str(case[0]) in sides]
    made = [row for case in asked for row in rows(*case)]
    head = (
        "| picture | noise | sampler | ESS of the slowest band | times `myula` | fastest band |"
        " pixel, median | mean std | slowest, a second | s |\n" + "|---" * 10 + "|\n"
    )
    text = f"{(__doc__ or '').strip()}\n\n{head}" + "\n".join(made)
    publish("samplers", "Samplers of a posterior", text)


if __name__ == "__main__":
    main(*sys.argv[1:])
