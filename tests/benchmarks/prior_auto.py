"""Is ``--prior auto`` ever much below the best of four priors?

    python tests/benchmarks/prior_auto.py [--side S] [--json FILE] [--minutes M]

Photographs of scikit-image, their middle squares, in six tasks; lam, and the noise level, are not
told. A cell is the PSNR in dB of a prior, or of the trained network `unrolled-admm`, which takes
prior none. ``auto`` is the default. Seconds are of the CPU, one thread, with the choice of lam and
of the prior. Cells that the file of ``--json`` holds are not measured again. After ``--minutes``
the page is made of the rows that are complete.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import time
from pathlib import Path
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
    "tv": {"prior": "tv", "doubtful": "keep"},
    "bm3d": {"prior": "bm3d", "doubtful": "keep"},
    "drunet": {"prior": "drunet", "doubtful": "keep"},
    "unrolled-admm": {"solver": "unrolled-admm", "doubtful": "keep"},
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


def measured(side: int, file: Path | None, minutes: float) -> dict[str, dict[str, Any]]:
    """The cells by way, for each picture and task."""
    found: dict[str, dict[str, Any]] = {}
    if file is not None and file.exists():
        found = json.loads(file.read_text())
    end = time.monotonic() + 60 * minutes
    for task, picture in itertools.product(TASKS, PICTURES):
        cells = found.setdefault(f"{picture} | {task}", {})
        for way in WAYS:
            if way not in cells and time.monotonic() < end:
                cells[way] = cell(photograph(picture, side), task, way)
                if file is not None:
                    file.write_text(json.dumps(found, indent=1))
    return {key: cells for key, cells in found.items() if len(cells) == len(WAYS)}


def report(found: dict[str, dict[str, Any]], side: int) -> str:
    """The page."""
    lines = [f"| picture | task | {' | '.join(WAYS)} | auto takes | over the best |"]
    lines.append("|---|---|" + "---|" * (len(WAYS) + 2))
    over: list[float] = []
    taking: dict[str, list[float]] = {way: [] for way in WAYS}
    gains: dict[tuple[str, str], list[float]] = {}
    for key, cells in found.items():
        over.append(cells["auto"][0] - max(c[0] for w, c in cells.items() if c and w != "auto"))
        for way, c in cells.items():
            if c is not None:
                taking[way].append(c[1])
                task = key.partition(" | ")[2]
                gains.setdefault((task, way), []).append(c[0] - cells["tv"][0])
        row = " | ".join("-" if c is None else f"{c[0]:.2f}" for c in (cells[w] for w in WAYS))
        lines.append(f"| {key} | {row} | {cells['auto'][2]} | {over[-1]:+.2f} |")
    lines += ["", "Mean over `tv`, whose weight is chosen without the truth:", ""]
    lines += [f"| task | {' | '.join(WAYS)} |", "|---|" + "---|" * len(WAYS)]
    for task in dict.fromkeys(task for task, _ in gains):
        means = [gains.get((task, way)) for way in WAYS]
        row = " | ".join("-" if m is None else f"{statistics.mean(m):+.2f}" for m in means)
        lines.append(f"| {task} | {row} |")
    times = ", ".join(f"{way} {statistics.median(t):.1f}" for way, t in taking.items() if t)
    return (
        f"{(__doc__ or '').strip()}\n\n{side} x {side} pixels, {len(found)} of "
        f"{len(PICTURES) * len(TASKS)} rows. `auto` over the best of the others: median "
        f"{statistics.median(over):+.2f} dB, least {min(over):+.2f} dB, more than 0.3 dB below in "
        f"{sum(v < -0.3 for v in over)} rows. CPU seconds, median: {times}.\n\n" + "\n".join(lines)
    )


def main() -> None:
    """Measure and publish."""
    told = argparse.ArgumentParser()
    told.add_argument("--side", type=int, default=96)
    told.add_argument("--json", type=Path)
    told.add_argument("--minutes", type=float, default=math.inf)
    given = told.parse_args()
    found = measured(given.side, given.json, given.minutes)
    publish("prior_auto", "The prior of auto", report(found, given.side))


if __name__ == "__main__":
    main()
