"""PSNR and code along the iterations of synthesis and analysis, and from random starts.

Glow with the weights `faces`; two faces it was not trained on (mosaic given as argument), uniform
7x7 blur, sigma 0.02, lam half of the variance of the noise. No stopping rule ends the iterations of
the first table. |z|^2 / n is the mean square of the code E(x). The misfit is |Ax - y|^2 / (m
sigma^2), 1 at the truth. Means over the faces.

The second table: analysis of the first face from five random starts D(z), z from N(0, I), to
convergence.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from common import publish
from PIL import Image
from torch import Tensor

import ipx
from ipx import Problem, Progress, iterate, psnr

SIGMA, COUNT = 0.02, 2
SHOWN = (1, 3, 10, 30, 100)
NOISE = {"name": "gaussian", "sigma": SIGMA}
SHAPE = (3, 64, 64)
BLUR: dict[str, Any] = {"name": "blur", "kind": "uniform", "size": 7, "boundary": "circular"}
TASKS: dict[str, dict[str, Any]] = {
    "blur": BLUR,
    "super-resolution x2": {"name": "super-resolution", "factor": 2},
    "super-resolution x4": {"name": "super-resolution", "factor": 4},
}
RUNS = {
    "synthesis, z = 0, L-BFGS": ("glow-synthesis", "lbfgs", "zero"),
    "synthesis, encoded Wiener, L-BFGS": ("glow-synthesis", "lbfgs", "smooth"),
    "analysis, D(0), L-BFGS": ("glow-analysis", "lbfgs", "zero"),
    "analysis, Wiener, L-BFGS": ("glow-analysis", "lbfgs", "smooth"),
    "analysis, Wiener, Adam": ("glow-analysis", "adam", "smooth"),
}


def faces(mosaic: Path) -> Tensor:
    """The first tiles of a mosaic, ``(COUNT, 3, 64, 64)``."""
    pixels = np.asarray(Image.open(mosaic).convert("RGB"), dtype=np.float32) / 255
    tiles = [pixels[:64, 64 * i : 64 * i + 64] for i in range(COUNT)]
    return torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2).contiguous()


def paths(truth: Tensor) -> str:
    """One row for each way."""
    y = ipx.degrade(truth, op=BLUR, noise=NOISE, seed=1)
    wiener = ipx.solve(y, op=BLUR, noise=NOISE, prior="smooth").x
    judge = cast(Any, ipx.prior("glow-analysis", weights="faces"))
    made = ipx.operator(**BLUR, image_shape=SHAPE)

    def told(x: Tensor) -> str:
        size = float(judge.encode(x).square().mean())
        misfit = (made(x) - y).square().mean() / SIGMA**2
        return f"{float(psnr(x, truth).mean()):.1f} ({size:.2f}, {float(misfit):.1f})"

    rows = []
    for label, (name, solver, start) in RUNS.items():
        prior = cast(Any, ipx.prior(name, weights="faces"))
        first = wiener if start == "smooth" else prior.decode(judge.encode(wiener) * 0, SHAPE)
        problem = Problem(y, made, ipx.noise(**NOISE), prior, lam=0.5 * SIGMA**2, x0=first)
        row = [told(first)]

        def note(p: Progress, row: list[str] = row) -> None:
            if p.iteration in SHOWN:
                row.append(told(p.x))

        iterate(problem, ipx.solver(solver), iterations=max(SHOWN), tol=0.0, observers=[note])
        rows.append(f"| {label} | {' | '.join(row)} |")
        print(rows[-1], flush=True)
    head = f"| way | start | {' | '.join(str(k) for k in SHOWN)} |\n" + "|---" * 7 + "|\n"
    return head + "\n".join(rows) + f"\n\nThe truth: {told(truth)}\n"


def starts(truth: Tensor) -> str:
    """PSNR of the default start and of five random ones, for each task."""
    rows = []
    for task, op in TASKS.items():
        y = ipx.degrade(truth, op=op, noise=NOISE, seed=1)
        how: Any = {"op": op, "noise": NOISE, "prior": ipx.prior("glow-analysis", weights="faces")}
        ends = [ipx.solve(y, **how, start="random", seed=s).x for s in range(5)]
        scores = [float(psnr(x, truth)) for x in (ipx.solve(y, **how).x, *ends)]
        spread = max(scores[1:]) - min(scores[1:])
        each = ", ".join(f"{s:.2f}" for s in scores[1:])
        rows.append(f"| {task} | {scores[0]:.2f} | {each} | {spread:.2f} |")
        print(rows[-1], flush=True)
    head = "| task | default start | random starts | spread |\n|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def main() -> None:
    """Both tables."""
    truth = faces(Path(sys.argv[1]))
    text = f"{(__doc__ or '').strip()}\n\nPSNR in dB (|z|^2 / n, misfit) after so many steps:\n\n"
    text += paths(truth) + "\nPSNR in dB:\n\n" + starts(truth[:1])
    publish("generative_paths", "Paths of synthesis and analysis", text)


if __name__ == "__main__":
    main()
