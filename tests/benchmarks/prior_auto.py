"""Is ``--prior auto`` ever much below the best of four priors?

    python tests/benchmarks/prior_auto.py [--pictures N] [--tasks N] [--side S]

Photographs of scikit-image, their middle squares, in six tasks; lam, and the noise level, are not
told. A cell is the PSNR in dB of a prior, or of the trained network `unrolled-admm`, which takes
prior none. ``auto`` is the default. Seconds are of the CPU, one thread, with the choice of lam.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
from common import photograph, publish

import ipx

PICTURES = ("camera", "astronaut", "coins", "brick", "chelsea", "coffee", "moon", "rocket")
TASKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "denoising, 0.05": ({"name": "identity"}, {"name": "gaussian", "sigma": 0.05}),
    "blur 1.6, 0.02": ({"name": "blur", "sigma": 1.6}, {"name": "gaussian", "sigma": 0.02}),
    "half missing, 0.01": (
        {"name": "inpaint", "missing": 0.5, "seed": 1},
        {"name": "gaussian", "sigma": 0.01},
    ),
    "x2, 0.01": ({"name": "super-resolution"}, {"name": "gaussian", "sigma": 0.01}),
    "motion 9, 0.01": (
        {"name": "blur", "kind": "motion", "length": 9, "angle": 30},
        {"name": "gaussian", "sigma": 0.01},
    ),
    "denoising, 30 photons": ({"name": "identity"}, {"name": "poisson", "peak": 30}),
}
WAYS: dict[str, dict[str, Any]] = {
    "tv": {"prior": "tv"},
    "bm3d": {"prior": "bm3d"},
    "drunet": {"prior": "drunet"},
    "unrolled-admm": {"solver": "unrolled-admm"},
    "auto": {},
}


def cell(x: np.ndarray, task: str, way: str) -> tuple[float, float, str] | None:
    """PSNR, seconds and what was taken; None where it does not fit."""
    op, noise = TASKS[task]
    y = ipx.degrade(x, op=op, noise=noise, seed=1)
    began = time.process_time()
    try:
        how = ipx.solve(y, op=op, noise=noise["name"], **WAYS[way])
    except ipx.PlanError:
        return None
    seconds = time.process_time() - began
    taken = how.plan.prior if how.plan.prior != "none" else how.plan.solver.name
    return float(ipx.psnr(how.image, x).squeeze()), seconds, taken


def main() -> None:
    """Measure and publish."""
    told = argparse.ArgumentParser()
    told.add_argument("--pictures", type=int, default=len(PICTURES))
    told.add_argument("--tasks", type=int, default=len(TASKS))
    told.add_argument("--side", type=int, default=96)
    given = told.parse_args()
    lines = [f"| picture | task | {' | '.join(WAYS)} | auto takes | over the best |"]
    lines.append("|---|---|" + "---|" * (len(WAYS) + 2))
    over: list[float] = []
    taking: dict[str, list[float]] = {way: [] for way in WAYS}
    gains: dict[tuple[str, str], list[float]] = {}
    for picture in PICTURES[: given.pictures]:
        x = photograph(picture, given.side)
        for task in list(TASKS)[: given.tasks]:
            found = {way: cell(x, task, way) for way in WAYS}
            rivals = [c[0] for way, c in found.items() if c is not None and way != "auto"]
            own = found["auto"]
            assert own is not None
            over.append(own[0] - max(rivals))
            for way, c in found.items():
                if c is not None and found["tv"] is not None:
                    taking[way].append(c[1])
                    gains.setdefault((task, way), []).append(c[0] - found["tv"][0])
            row = " | ".join("-" if c is None else f"{c[0]:.2f}" for c in found.values())
            lines.append(f"| {picture} | {task} | {row} | {own[2]} | {over[-1]:+.2f} |")
            print(lines[-1], flush=True)
    lines += ["", "Mean over `tv`, whose weight is chosen without the truth:", ""]
    lines += [f"| task | {' | '.join(WAYS)} |", "|---|" + "---|" * len(WAYS)]
    for task in list(TASKS)[: given.tasks]:
        means = [gains.get((task, way)) for way in WAYS]
        cells = ["-" if m is None else f"{statistics.mean(m):+.2f}" for m in means]
        lines.append(f"| {task} | {' | '.join(cells)} |")
    times = ", ".join(f"{way} {statistics.median(t):.1f}" for way, t in taking.items() if t)
    text = (
        f"{(__doc__ or '').strip()}\n\n{given.side} x {given.side} pixels, {given.pictures} "
        f"pictures x {given.tasks} tasks. `auto` over the best of the others: median "
        f"{statistics.median(over):+.2f} dB, least {min(over):+.2f} dB. CPU seconds, median: "
        f"{times}.\n\n" + "\n".join(lines)
    )
    publish("prior_auto", "The prior of auto", text)


if __name__ == "__main__":
    main()
