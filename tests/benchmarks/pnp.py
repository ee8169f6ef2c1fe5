"""Plug-and-play against total variation with the best weight, camera and astronaut 256x256.

TV takes the best of 9 weights, chosen with the truth; plug-and-play takes its defaults, with the
noise level given and without the truth. Times are of one solution, one after the other in one
process. The defaults of diffpir were chosen on crops of these two images, which favours its column.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from common import photograph, publish

import ipx
from ipx.numerics.metrics import psnr

TASKS = {
    "blur, Gaussian 1.6": {"name": "blur", "sigma": 1.6, "boundary": "circular"},
    "blur, uniform 9x9": {"name": "blur", "kind": "uniform", "size": 9, "boundary": "circular"},
    "inpainting 60 %": {"name": "inpaint", "missing": 0.6},
    "super-resolution x2": {"name": "super-resolution", "factor": 2},
}
WAYS = {  # name of the column: prior, solver
    "drunet": ("drunet", "auto"),
    "bm3d": ("bm3d", "auto"),
    "drunet, diffpir": ("drunet", {"name": "diffpir", "steps": 20}),
}
GRID = np.logspace(-3.7, -1.3, 9)


def main() -> None:
    """Each picture x task x noise."""
    rows = []
    gains: dict[str, list[float]] = {way: [] for way in WAYS}
    for picture in ("camera", "astronaut"):
        truth = torch.as_tensor(photograph(picture), dtype=torch.float32)[None, None]
        for task, op in TASKS.items():
            for sigma in (0.01, 0.03):
                noise = {"name": "gaussian", "sigma": sigma}
                y = ipx.degrade(truth, op=op, noise=noise, seed=1)
                many = ipx.solve(
                    y.expand(len(GRID), -1, -1, -1), op=op, noise=noise, prior="tv",
                    lam=torch.as_tensor(GRID, dtype=torch.float32), iterations=100,
                )  # fmt: skip
                edges = float(psnr(many.x, truth.expand_as(many.x)).max())
                cells = []
                for way, (prior, solver) in WAYS.items():
                    began = time.perf_counter()
                    found = ipx.solve(
                        y, doubtful="keep", op=op, noise=noise, prior=prior, solver=solver
                    )
                    seconds = time.perf_counter() - began
                    gain = float(psnr(found.x, truth)) - edges
                    gains[way].append(gain)
                    cells.append(f"{edges + gain:.2f} ({gain:+.2f}, {seconds:.1f} s)")
                rows.append(f"| {picture} | {task} | {sigma} | {edges:.2f} | {' | '.join(cells)} |")
                print(rows[-1], flush=True)
    mean = " | ".join(f"{np.mean(g):+.2f}, least {min(g):+.2f}" for g in gains.values())
    rows.append(f"| all | mean over TV | | | {mean} |")
    head = f"{(__doc__ or '').strip()}\n\n| picture | task | sigma | best TV | "
    head += " | ".join(WAYS) + " |\n|" + "---|" * (4 + len(WAYS)) + "\n"
    publish("pnp", "Plug-and-play", head + "\n".join(rows))


if __name__ == "__main__":
    main()
