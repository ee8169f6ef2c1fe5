"""Impulse noise, nothing told but its kind: share, weight and wrong values come from the data.

    python tests/benchmarks/impulse.py

Four photographs of scikit-image, 128 x 128. ``median`` is the 3 x 3 median filter, ``all values``
the prior tv with the data term of all values (`--no-noise.detect`), ``tv`` and ``drunet`` the
priors with the default, which leaves out detected impulses. PSNR in dB.
"""

from __future__ import annotations

from typing import Any

import torch
from common import photograph, publish
from scipy.ndimage import median_filter

import ipx
from ipx import psnr

PICTURES = ("camera", "astronaut", "coins", "chelsea")
NOISES = (
    ("salt-pepper", 0.1),
    ("salt-pepper", 0.3),
    ("random", 0.1),
    ("random", 0.3),
    ("dead", 0.05),
)


def measure(kind: str, amount: float, picture: str) -> list[float]:
    """The numbers of a row."""
    clean = torch.from_numpy(photograph(picture, 128)).float()[None, None]
    told: dict[str, Any] = {"name": "impulse", "kind": kind}
    y = ipx.degrade(clean, noise={**told, "amount": amount}, seed=1)
    runs = [
        y,
        torch.from_numpy(median_filter(y[0, 0].numpy(), 3))[None, None],
        ipx.solve(y, noise={**told, "detect": False}, prior="tv").x,
        ipx.solve(y, noise=told, prior="tv").x,
        ipx.solve(y, noise=told, prior="drunet").x,
    ]
    return [float(psnr(x, clean)[0]) for x in runs]


def main() -> None:
    """Measure and publish."""
    lines = ["| noise | picture | data | median | all values | tv | drunet |", "|---" * 7 + "|"]
    for kind, amount in NOISES:
        for picture in PICTURES:
            cells = " | ".join(f"{v:.2f}" for v in measure(kind, amount, picture))
            lines.append(f"| {kind} {100 * amount:g} % | {picture} | {cells} |")
            print(lines[-1], flush=True)
    publish("impulse", "Impulse noise", (__doc__ or "").strip() + "\n\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
