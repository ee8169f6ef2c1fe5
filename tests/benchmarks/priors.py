"""Classical priors against total variation: denoising and deblurring, 128x128.

Denoising with sigma 25/255, and a Gaussian blur of 1.6 pixels with sigma 0.02. The noise level is
given and lam is left to its default, auto. PSNR in dB; seconds are the median over the six cells,
with the choice of lam. With names as arguments it measures these priors only, and keeps the rows of
the others; so rows may be of different days.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch
from common import DOCS, photograph, publish

import ipx
from ipx.numerics.metrics import psnr

PRIORS = (
    "tv", "huber-tv", "tgv", "hessian", "wavelet", "group", "dct", "low-rank", "l0", "smooth",
    "dictionary", "patch-low-rank", "epll", "bm3d",
)  # fmt: skip
TASKS = (
    ("denoising", "identity", 25 / 255),
    ("deblurring", {"name": "blur", "sigma": 1.6}, 0.02),
)
PICTURES = (("camera", True), ("coins", True), ("astronaut", False))
SIZE = 128


def picture(name: str, grey: bool) -> torch.Tensor:
    """``(1, C, H, W)``."""
    image = torch.as_tensor(photograph(name, SIZE, grey), dtype=torch.float32)
    return image[None, None] if grey else image.permute(2, 0, 1)[None]


def known() -> dict[str, list[str]]:
    """The rows of the page as it stands: the cells after the name."""
    page = DOCS / "priors.md"
    lines = page.read_text().splitlines() if page.exists() else []
    rows = [[c.strip(" `") for c in line.strip("|").split("|")] for line in lines if "|" in line]
    return {row[0]: row[1:] for row in rows[2:]}


def measured(prior: str) -> tuple[list[float], float]:
    """PSNR of all cells, and the median of the seconds."""
    cells, seconds = [], []
    for _, op, sigma in TASKS:
        for name, grey in PICTURES:
            truth, noise = picture(name, grey), {"name": "gaussian", "sigma": sigma}
            y = ipx.degrade(truth, op=op, noise=noise, seed=1)
            began = time.perf_counter()
            x = (
                y
                if prior == "data"
                else ipx.solve(y, doubtful="keep", op=op, noise=noise, prior=prior).x
            )
            seconds.append(time.perf_counter() - began)
            cells.append(float(psnr(x, truth)))
            print(name, prior, f"{cells[-1]:.2f}", flush=True)
    return cells, statistics.median(seconds)


def main() -> None:
    """Each prior x task x picture."""
    told = known()
    for prior in sys.argv[1:] or ("data", *PRIORS):
        cells, took = measured(prior)
        told[prior] = [f"{c:.2f}" for c in cells] + ["", "" if prior == "data" else f"{took:.1f}"]
    count = len(TASKS) * len(PICTURES)
    names = [f"{task} {name}" for task, *_ in TASKS for name, _ in PICTURES]
    rows = [f"| prior | {' | '.join(names)} | mean over tv | s |", "|---" * (count + 3) + "|"]
    for prior in ("data", *PRIORS):
        if prior in told:
            *cells, _, took = told[prior]
            pairs = zip(map(float, cells), map(float, told["tv"][:count]), strict=True)
            gain = statistics.mean(a - b for a, b in pairs)
            name = prior if prior == "data" else f"`{prior}`"
            rows.append(f"| {name} | {' | '.join(cells)} | {gain:+.2f} | {took} |")
    publish("priors", "Classical priors", (__doc__ or "").strip() + "\n\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
