"""JPEG files: the decoded picture against restorations.

    python tests/benchmarks/jpeg.py [FILE]

Pictures of scikit-image, 192 x 192, colours stored at half the resolution. PSNR in dB, and what
each prior gains over the decoded picture. FILE keeps the figures, so that a run that is broken off
goes on.
"""

from __future__ import annotations

from typing import Any

import torch
from common import Figures, photograph, publish, table

import ipx

PICTURES = ("camera", "astronaut", "coffee", "chelsea", "page")
GREY = ("camera", "page")
PRIORS = ("tv", "drunet", "bm3d", "auto")
QUALITIES = (10, 30, 75)


def storage(quality: int) -> dict[str, Any]:
    """The noise."""
    return {"name": "jpeg", "quality": quality, "subsampling": True}


def pair(name: str, quality: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The picture and its decoded file, ``(1, C, 192, 192)``."""
    pixels = torch.from_numpy(photograph(name, 192, grey=name in GREY)).float()
    truth = pixels[None] if pixels.ndim == 2 else pixels.movedim(-1, 0)
    return truth[None], ipx.degrade(truth[None], noise=storage(quality))


def restored(y: torch.Tensor, truth: torch.Tensor, quality: int, prior: str) -> float:
    """PSNR of the restoration; ``auto`` is the bare default."""
    keep = "replace" if prior == "auto" else "keep"
    how = ipx.solve(y, noise=storage(quality), prior=prior, doubtful=keep)
    return float(ipx.psnr(how.x, truth))


def main() -> None:
    """Measure and publish."""
    figures, rows = Figures(), []
    for quality in QUALITIES:
        for name in PICTURES:
            truth, y = pair(name, quality)
            before = float(ipx.psnr(y, truth))
            keys = [(f"{quality} {name} {prior}", prior) for prior in PRIORS]
            after = [figures.of(key, restored, y, truth, quality, p) for key, p in keys]
            cells = [f"{a:.2f} ({a - before:+.2f})" for a in after]
            rows.append([f"{quality}", name, f"{before:.2f}", *cells])
    text = table(["quality", "picture", "decoded", *(f"`{p}`" for p in PRIORS)], rows)
    publish("jpeg", "JPEG files", f"{(__doc__ or '').strip()}\n\n{text}", ("scikit-image",))


if __name__ == "__main__":
    main()
