"""Classical priors against total variation: denoising and deblurring, 128x128.

Denoising with sigma 25/255, and a Gaussian blur of 1.6 pixels with sigma 0.02. The noise level is
given and lam is left to its default, auto. PSNR in dB; seconds are the median over the six cells,
with the choice of lam.
"""

from __future__ import annotations

import statistics
import time

import torch
from common import photograph, publish

import ipx
from ipx.numerics.metrics import psnr

PRIORS = (
    "tv", "huber-tv", "tgv", "hessian", "wavelet", "group", "dct", "low-rank", "l0", "smooth",
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


def main() -> None:
    """Each prior x task x picture."""
    cells: dict[str, list[float]] = {p: [] for p in ("data", *PRIORS)}
    seconds: dict[str, list[float]] = {p: [] for p in PRIORS}
    for _, op, sigma in TASKS:
        for name, grey in PICTURES:
            truth, noise = picture(name, grey), {"name": "gaussian", "sigma": sigma}
            y = ipx.degrade(truth, op=op, noise=noise, seed=1)
            cells["data"].append(float(psnr(y, truth)))
            for prior in PRIORS:
                began = time.perf_counter()
                found = ipx.solve(y, op=op, noise=noise, prior=prior)
                seconds[prior].append(time.perf_counter() - began)
                cells[prior].append(float(psnr(found.x, truth)))
                print(name, prior, f"{cells[prior][-1]:.2f}", flush=True)
    names = [f"{task} {name}" for task, *_ in TASKS for name, _ in PICTURES]
    rows = [f"| prior | {' | '.join(names)} | mean over tv | s |", "|---" * (len(names) + 3) + "|"]
    for prior, scores in cells.items():
        gain = statistics.mean(a - b for a, b in zip(scores, cells["tv"], strict=True))
        took = f"{statistics.median(seconds[prior]):.1f}" if prior in seconds else ""
        shown = " | ".join(f"{s:.2f}" for s in scores)
        told = f"`{prior}`" if prior in seconds else prior
        rows.append(f"| {told} | {shown} | {gain:+.2f} | {took} |")
    head = (__doc__ or "").strip()
    publish("priors", "Classical priors", head + "\n\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
