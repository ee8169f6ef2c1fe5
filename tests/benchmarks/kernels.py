"""Plug-and-play with `drunet` on other kernels than Gaussians: PSNR in dB, mean of two images.

camera and chelsea, grey, 160 x 160; the noise level is told, lam is not. For kernels without
symmetry `pnp-fista` was taken before under the border ``reflect``; `tv` has its weight chosen.
"""

from __future__ import annotations

from typing import Any

import torch
from common import photograph, publish

import ipx

SIZE = 160
KERNELS: dict[str, dict[str, Any]] = {
    "Gaussian 0.8": {"sigma": 0.8},
    "Gaussian 1.6": {"sigma": 1.6},
    "uniform 7": {"kind": "uniform", "size": 7},
    "disk 3": {"kind": "disk", "radius": 3},
    "motion 11": {"kind": "motion", "length": 11, "angle": 30},
    "hand shake 1": {"kind": "random-motion", "length": 15, "seed": 1},
    "hand shake 2": {"kind": "random-motion", "length": 15, "seed": 2},
    "hand shake 3": {"kind": "random-motion", "length": 15, "seed": 3},
}
METHODS = ("pnp-admm", "pnp-hqs", "pnp-fista", "tv")


def score(kernel: dict[str, Any], boundary: str, sigma: float, method: str) -> float:
    """Mean PSNR over the images."""
    op = {"name": "blur", "boundary": boundary, **kernel}
    noise = {"name": "gaussian", "sigma": sigma}
    how = {"prior": "tv"} if method == "tv" else {"prior": "drunet", "solver": method}
    found = []
    for name in ("camera", "chelsea"):
        clean = torch.as_tensor(photograph(name, SIZE)).float()[None]
        y = ipx.degrade(clean, op=op, noise=noise, seed=1)
        found.append(
            float(
                ipx.psnr(ipx.solve(y, doubtful="keep", op=op, noise=noise, **how).x, clean[None])[0]
            )
        )
    return sum(found) / len(found)


def main() -> None:
    """Measure and publish."""
    rows = []
    for boundary in ("circular", "reflect"):
        for name, kernel in KERNELS.items():
            for sigma in (0.01, 0.03):
                scores = [score(kernel, boundary, sigma, m) for m in METHODS]
                cells = " | ".join(f"{s:.2f}" for s in scores)
                rows.append(f"| {name} | {boundary} | {sigma} | {cells} |")
    head = f"| kernel | border | sigma | {' | '.join(METHODS)} |\n" + "|---" * 7 + "|\n"
    text = f"{(__doc__ or '').strip()}\n\n{head}" + "\n".join(rows)
    publish("kernels", "Kernels in plug-and-play", text)


if __name__ == "__main__":
    main()
