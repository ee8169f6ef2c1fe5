"""Noise that grows with the signal, denoised: peak or looks unknown, nothing told but its kind.

    python tests/benchmarks/variable_noise.py

Photographs of scikit-image, 128 x 128. ``behind T``: the denoiser once, behind the transform that
makes the noise white (Anscombe's for photons, the logarithm for speckle), the default. ``8 steps``:
half-quadratic splitting with the data term of the noise. PSNR in dB, and CPU seconds of one thread,
median.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from common import photograph, publish

import ipx
from ipx import psnr

PICTURES = ("astronaut", "chelsea", "coffee", "rocket")
NOISES: tuple[dict[str, Any], ...] = (
    {"name": "poisson", "peak": 3.0},
    {"name": "poisson", "peak": 30.0},
    {"name": "poisson-gaussian", "peak": 30.0, "sigma": 0.05},
    {"name": "speckle", "looks": 1.0},
)
COLUMNS: tuple[tuple[str, str, int | None], ...] = (
    ("tv", "tv", None),
    ("bm3d, 8 steps", "bm3d", 8),
    ("bm3d behind T", "bm3d", None),
    ("drunet, 8 steps", "drunet", 8),
    ("drunet behind T", "drunet", None),
)


def measure(noise: dict[str, Any], seconds: dict[str, list[float]]) -> list[float]:
    """The numbers of a row: means over the pictures."""
    found: list[list[float]] = []
    for picture in PICTURES:
        clean = torch.from_numpy(photograph(picture, 128)).float()[None, None]
        y = ipx.degrade(clean, noise=noise, seed=1)
        row = [float(psnr(y, clean)[0])]
        for name, prior, steps in COLUMNS:
            solver = {} if steps is None else {"solver": {"name": "pnp-hqs", "steps": steps}}
            start = time.process_time()
            x = ipx.solve(y, doubtful="keep", noise=noise["name"], prior=prior, **solver).x
            seconds.setdefault(name, []).append(time.process_time() - start)
            row.append(float(psnr(x, clean)[0]))
        found.append(row)
    return [statistics.mean(column) for column in zip(*found, strict=True)]


def main() -> None:
    """Measure and publish."""
    names = [name for name, _, _ in COLUMNS]
    lines = [f"| noise | data | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    seconds: dict[str, list[float]] = {}
    for noise in NOISES:
        told = ", ".join(f"{k} {v:g}" for k, v in noise.items() if k != "name")
        cells = " | ".join(f"{v:.2f}" for v in measure(noise, seconds))
        lines.append(f"| {noise['name']}, {told} | {cells} |")
        print(lines[-1], flush=True)
    cells = " | ".join(f"{statistics.median(seconds[name]):.1f}" for name in names)
    lines.append(f"| seconds | | {cells} |")
    text = (__doc__ or "").strip() + "\n\n" + "\n".join(lines)
    publish("variable_noise", "Noise that grows with the signal", text)


if __name__ == "__main__":
    main()
