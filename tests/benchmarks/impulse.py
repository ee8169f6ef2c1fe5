"""Impulse noise, nothing told but its kind: share, weight and wrong values come from the data.

    python tests/benchmarks/impulse.py

Four photographs of scikit-image, 128 x 128. ``median`` is the 3 x 3 median filter, ``all values``
the prior tv with the data term of all values (`--no-noise.detect`), ``tv`` and ``drunet`` the
priors with the default, which leaves out detected impulses. PSNR in dB.

Behind a Gaussian blur of 1.6 pixels, 96 x 96, data of 8 bits: ``auto`` is the prior tv with nothing
told; ``discrepancy`` has the weight by the discrepancy principle, which was the default before;
``best`` the weight of least error, by the truth; ``drunet`` nothing told.
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

BLUR = {"name": "blur", "sigma": 1.6}
BLURRED = (("salt-pepper", 0.3), ("random", 0.1), ("dead", 0.05))


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


def blurred(kind: str, amount: float, picture: str) -> list[float]:
    """The numbers of a row behind a blur."""
    clean = torch.from_numpy(photograph(picture, 96)).float()[None, None]
    noise: dict[str, Any] = {"name": "impulse", "kind": kind}
    y = ipx.degrade(clean, op=BLUR, noise={**noise, "amount": amount}, seed=1)
    y = (255 * y).round() / 255
    how: dict[str, Any] = {"op": BLUR, "noise": noise, "prior": "tv"}
    runs = [
        y,
        ipx.solve(y, **how, tuner="discrepancy").x,
        ipx.solve(y, **how).x,
        ipx.solve(y, **how, tuner="oracle", truth=clean).x,
        ipx.solve(y, **{**how, "prior": "drunet"}).x,
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
    lines += [
        "",
        "Behind a blur:",
        "",
        "| noise | picture | data | discrepancy | auto | best | drunet |",
        "|---" * 7 + "|",
    ]
    for kind, amount in BLURRED:
        for picture in PICTURES:
            cells = " | ".join(f"{v:.2f}" for v in blurred(kind, amount, picture))
            lines.append(f"| {kind} {100 * amount:g} % | {picture} | {cells} |")
            print(lines[-1], flush=True)
    publish("impulse", "Impulse noise", (__doc__ or "").strip() + "\n\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
