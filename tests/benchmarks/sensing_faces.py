"""Compressed sensing of faces 64x64: 999 Gaussian measurements of 12,288 values, sigma 0.01.

Each channel is measured as a whole, with the same 333 x 4,096 matrix. Faces that no weights were
trained on, the first tiles of the mosaic given as argument. The noise level is given, lam is left
to its default. PSNR in dB; CPU seconds for all faces. With names as arguments after the mosaic it
measures these priors only, and keeps the rows of the others; NAME=WEIGHTS takes other weights.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from common import DOCS, publish
from PIL import Image
from torch import Tensor

import ipx
from ipx import psnr

COUNT, SIGMA = 4, 0.01
OP = {"name": "compressed-sensing", "share": 333 / 4096, "block": 64}
PRIORS = (
    "tv",
    "wavelet",
    "dictionary",
    "pca-gaussian",
    "vae-synthesis",
    "glow-synthesis",
    "glow-analysis",
    "glow-map",
)


def faces(mosaic: Path) -> Tensor:
    """The first tiles of a mosaic, ``(COUNT, 3, 64, 64)``."""
    pixels = np.asarray(Image.open(mosaic).convert("RGB"), dtype=np.float32) / 255
    tiles = [pixels[:64, 64 * i : 64 * i + 64] for i in range(COUNT)]
    return torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2).contiguous()


def kept() -> dict[str, str]:
    """The rows of the page as it stands."""
    page = DOCS / "sensing_faces.md"
    lines = page.read_text().splitlines() if page.exists() else []
    return {line.split("`")[1]: line for line in lines if line.startswith("| `")}


def main() -> None:
    """A row for each prior."""
    truth, noise = faces(Path(sys.argv[1])), {"name": "gaussian", "sigma": SIGMA}
    y = ipx.degrade(truth, op=OP, noise=noise, seed=1)
    rows = kept()
    for asked in sys.argv[2:] or PRIORS:
        prior, _, weights = asked.partition("=")
        named = {"name": prior, "weights": weights} if weights else prior
        began = time.process_time()
        how = ipx.solve(y, doubtful="keep", op=OP, noise=noise, prior=named)
        took, scores = time.process_time() - began, psnr(how.x, truth)
        shown = " | ".join(f"{float(s):.2f}" for s in scores)
        ended = ", ".join(sorted(set(how.status)))
        assert how.plan is not None
        rows[prior] = (
            f"| `{prior}` | {how.plan.solver.name} | {shown} | {float(scores.mean()):.2f} | "
            f"{max(how.iterations)}, {ended} | {took:.0f} |"
        )
        print(rows[prior], flush=True)
    names = " | ".join(f"face {i + 1}" for i in range(COUNT))
    head = f"| prior | solver | {names} | mean | iterations | s |\n" + "|---" * (COUNT + 5) + "|"
    table = "\n".join([head, *(rows[p] for p in PRIORS if p in rows)])
    text = f"{(__doc__ or '').strip()}\n\n{table}"
    publish("sensing_faces", "Compressed sensing of faces", text)


if __name__ == "__main__":
    main()
