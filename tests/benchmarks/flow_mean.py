"""Posterior mean with a flow, against the minimiser, on faces with missing pixels.

    python tests/benchmarks/flow_mean.py MOSAIC [FILE]

The first three faces 64 x 64 of a mosaic, which the flow was not trained on, 60 % of the pixels
missing, noise 0.02 and told; prior `glow-map` with its default weights and lam. `skrock` with 15
stages starts at the minimiser: one chain of 65 steps. PSNR in dB. FILE keeps the figures.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from common import publish, table
from sensing_faces import faces
from torch import Tensor

import ipx

COUNT, STEPS, WARMUP = 3, 65, 15
OP = {"name": "inpaint", "missing": 0.6}
NOISE = {"name": "gaussian", "sigma": 0.02}
SHOWN = (20, 45, STEPS)
DEVIATIONS = 1.645
"""90 % of a normal distribution."""


class Course(ipx.Observer):
    """PSNR of the draws and of their means while a chain runs."""

    def __init__(self, truth: Tensor) -> None:
        self.truth, self.rows = truth, dict[str, list[float]]()
        self.sum, self.late = torch.zeros_like(truth), torch.zeros_like(truth)
        self.steps = 0

    def note(self, name: str, x: Tensor) -> None:
        """A row."""
        self.rows[name] = [float(v) for v in ipx.psnr(x, self.truth)]

    def __call__(self, progress: ipx.Progress) -> None:
        self.steps += 1
        self.sum += progress.x
        if self.steps > WARMUP:
            self.late += progress.x
        if self.steps % 5 == 0:
            print(self.steps, ipx.psnr(self.sum / self.steps, self.truth), file=sys.stderr)
        if self.steps in SHOWN:
            self.note(f"mean of {self.steps} steps", self.sum / self.steps)
        if self.steps == STEPS:
            self.note(f"mean of the last {STEPS - WARMUP}", self.late / (STEPS - WARMUP))
            self.note("last draw", progress.x)


def measured(mosaic: Path) -> dict[str, Any]:
    """Rows, CPU seconds, and how well the standard deviations tell the errors."""
    truth = faces(mosaic)[:COUNT]
    y = ipx.degrade(truth, op=OP, noise=NOISE, seed=1)
    began, course = time.process_time(), Course(truth)
    least = ipx.solve(y, op=OP, noise=NOISE, prior="glow-map", doubtful="keep")
    course.note("minimiser (map)", least.x)
    between = time.process_time()
    problem = ipx.Problem(
        y, ipx.operator(**OP, image_shape=(3, 64, 64)), ipx.noise(**NOISE), ipx.prior("glow-map"),
        lam=torch.tensor(least.lam),
    )  # fmt: skip
    found = ipx.sample(
        problem, ipx.sampler("skrock", stages=15), start=least.x, draws=STEPS, chains=1, thin=1,
        warmup=0, observers=[course],
    )  # fmt: skip
    error = (found.mean - truth).abs()
    pairs = torch.stack([found.std.flatten(), error.flatten()])
    return {
        "rows": course.rows,
        "seconds": [between - began, time.process_time() - between],
        "held": (error <= DEVIATIONS * found.std).double().flatten(1).mean(1).tolist(),
        "correlation": float(torch.corrcoef(pairs)[0, 1]),
        "deviation": float(found.std.mean()),
        "error": float(error.mean()),
    }


def report(m: dict[str, Any]) -> str:
    """The page."""
    first = m["rows"]["minimiser (map)"]
    rows = []
    for name, scores in m["rows"].items():
        gain = sum(a - b for a, b in zip(scores, first, strict=True)) / COUNT
        rows.append([name, *(f"{s:.2f}" for s in scores), f"{gain:+.2f}"])
    head = ["", *(f"face {i + 1}" for i in range(COUNT)), "mean gain"]
    held = ", ".join(f"{share:.3f}" for share in m["held"])
    return (
        f"{(__doc__ or '').strip()}\n\n{table(head, rows)}\n\n"
        f"The minimiser took {m['seconds'][0]:.0f} CPU seconds of one thread, the chain "
        f"{m['seconds'][1]:.0f}.\n\nHow sure: intervals of the mean -+ {DEVIATIONS} standard "
        f"deviations, 90 % of a normal distribution, hold {held} of the values of the faces. "
        f"Standard deviation and error have the correlation {m['correlation']:.2f} (mean deviation "
        f"{m['deviation']:.3f}, mean error {m['error']:.3f}).\n\nA draw of an exact posterior has "
        "twice the mean square error of the posterior mean: its PSNR is 3 dB lower. Successive "
        "draws are alike, so that a short chain does not reach that mean."
    )


def main() -> None:
    """Measure and publish."""
    mosaic, path = Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else None
    kept = path is not None and path.exists()
    found = json.loads(path.read_text()) if kept else measured(mosaic)
    if path is not None:
        path.write_text(json.dumps(found, indent=1))
    publish("flow_mean", "Posterior mean with a flow", report(found))


if __name__ == "__main__":
    main()
