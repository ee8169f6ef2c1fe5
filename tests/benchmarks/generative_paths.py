"""PSNR and code along the iterations of synthesis, analysis and map.

Glow with the weights `faces`; four faces it was not trained on (mosaic given as argument), uniform
7x7 blur, sigma 0.02, lam half of the variance of the noise. No stopping rule ends the iterations.
|z|^2 / n is the mean square of the code E(x), 0.67 at clean faces. The misfit is
|Ax - y|^2 / (m sigma^2), 1 at the truth. Means over the faces.
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

SIGMA, COUNT = 0.02, 4
SHOWN = (1, 3, 10, 30, 100)
RUNS = {
    "synthesis, z = 0, L-BFGS": ("glow-synthesis", "lbfgs", "zero"),
    "synthesis, z = 0, Adam": ("glow-synthesis", "adam", "zero"),
    "synthesis, encoded Wiener, L-BFGS": ("glow-synthesis", "lbfgs", "smooth"),
    "analysis, Wiener, L-BFGS": ("glow-analysis", "lbfgs", "smooth"),
    "analysis, Wiener, Adam": ("glow-analysis", "adam", "smooth"),
    "map, Wiener, Adam": ("glow-map", "adam", "smooth"),
}


def faces(mosaic: Path) -> Tensor:
    """The first tiles of a mosaic, ``(COUNT, 3, 64, 64)``."""
    pixels = np.asarray(Image.open(mosaic).convert("RGB"), dtype=np.float32) / 255
    tiles = [pixels[:64, 64 * i : 64 * i + 64] for i in range(COUNT)]
    return torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2).contiguous()


def main() -> None:
    """One row for each way."""
    truth = faces(Path(sys.argv[1]))
    op = {"name": "blur", "kind": "uniform", "size": 7, "boundary": "circular"}
    noise = {"name": "gaussian", "sigma": SIGMA}
    shape = (3, 64, 64)
    y = ipx.degrade(truth, op=op, noise=noise, seed=1)
    wiener = ipx.solve(y, op=op, noise=noise, prior="smooth").x
    judge = cast(Any, ipx.prior("glow-analysis", weights="faces"))
    rows = []

    def told(x: Tensor) -> str:
        size = float(judge.encode(x).square().mean())
        misfit = (made(x) - y).square().mean() / SIGMA**2
        return f"{float(psnr(x, truth).mean()):.1f} ({size:.2f}, {float(misfit):.1f})"

    made = ipx.operator(**op, image_shape=shape)
    for label, (name, solver, start) in RUNS.items():
        prior = cast(Any, ipx.prior(name, weights="faces"))
        first = wiener if start == "smooth" else prior.decode(judge.encode(wiener) * 0, shape)
        problem = Problem(y, made, ipx.noise(**noise), prior, lam=0.5 * SIGMA**2, x0=first)
        row = [told(first)]

        def note(p: Progress, row: list[str] = row) -> None:
            if p.iteration in SHOWN:
                row.append(told(p.x))

        steps = max(SHOWN)
        iterate(problem, ipx.solver(solver), iterations=steps, tol=0.0, observers=[note])
        rows.append(f"| {label} | {' | '.join(row)} |")
        print(rows[-1], flush=True)
    text = f"{(__doc__ or '').strip()}\n\nPSNR in dB (|z|^2 / n, misfit) after so many steps:\n\n"
    text += f"| way | start | {' | '.join(str(k) for k in SHOWN)} |\n"
    text += "|---" * (len(SHOWN) + 2) + "|\n" + "\n".join(rows)
    text += f"\n\nThe truth: {told(truth)}\n"
    publish("generative_paths", "Paths of synthesis, analysis and map", text)


if __name__ == "__main__":
    main()
