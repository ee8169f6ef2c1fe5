"""Textures of 256 x 256 from examples of 128 x 128: distance of spectra and seconds of the CPU.

The distance is the root mean square difference of the mean power spectra of windows of 64 x 64, in
dB; lower is better. ``noise`` has the values of the example in random order. The row ``itself`` is
another part of the same photograph, the best that can be expected. The spectrum tells scale and
direction, not edges: random phases have it by construction, and look like noise. Seconds are those
of one core (CPU time). gram takes 60 steps on each of three grids, and makes 128 x 128. With names
as arguments it measures these textures only, and keeps the rows of the others.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from common import DOCS, publish
from skimage import data
from torch import Tensor
from torch.nn import functional

import ipx

METHODS: dict[str, dict[str, object]] = {
    "random-phase": {"method": "random-phase"},
    "quilting": {"method": "quilting"},
    "pixels": {"method": "pixels"},
    "gram, random": {"method": "gram", "features": "random", "iterations": 60},
    "gram, trained": {"method": "gram", "iterations": 60},
}
SIDE, MADE = 128, 256


def colour(x: np.ndarray) -> Tensor:
    """``(C, H, W)`` in [0, 1]."""
    x = x[None] if x.ndim == 2 else x.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(x, np.float32) / 255)


def halved(x: Tensor) -> Tensor:
    """Means of 2 x 2 pixels."""
    return functional.avg_pool2d(x[None], 2)[0]


TEXTURES = {
    "brick": lambda: halved(colour(data.brick())),
    "grass": lambda: colour(data.grass())[:, :256, :256],
    "gravel": lambda: colour(data.gravel())[:, :256, :256],
    "tissue": lambda: halved(colour(data.immunohistochemistry())),
    "fur": lambda: colour(data.chelsea())[:, 30:286, 0:256],
}
"""A part of 256 x 256 of each photograph; the last two are in colour."""


def spectrum(x: Tensor) -> Tensor:
    """Mean power spectrum of windows of 64 x 64, in dB, ``(C, 64, 33)``."""
    windows = x.unfold(1, 64, 32).unfold(2, 64, 32)
    hann = torch.hann_window(64)
    windows = (windows - x.mean((1, 2))[:, None, None, None, None]) * hann[:, None] * hann
    power = torch.fft.rfft2(windows).abs().square().mean((1, 2))
    return 10 * power.clamp_min(1e-9).log10()


def distance(x: Tensor, y: Tensor) -> float:
    """Root mean square difference of two spectra in dB."""
    return float((spectrum(x) - spectrum(y)).square().mean().sqrt())


def measured(name: str) -> list[str]:
    """The cells of a texture."""
    whole = TEXTURES[name]()
    example = whole[:, :SIDE, :SIDE]
    other = whole[:, SIDE:, SIDE:]
    rng = torch.Generator().manual_seed(0)
    order = torch.randint(SIDE * SIDE, (MADE * MADE,), generator=rng)
    noise = example.flatten(1)[:, order].view(-1, MADE, MADE)
    cells = [f"{distance(other, example):.1f}", f"{distance(noise, example):.1f}"]
    for label, options in METHODS.items():
        side = SIDE if "gram" in label else MADE
        began = time.process_time()
        (made,) = ipx.generator("texture", **options).generate([example], (side, side))
        seconds = time.process_time() - began
        cells.append(f"{distance(made, example):.1f} ({seconds:.0f} s)")
        print(name, label, cells[-1], flush=True)
    return cells


def known() -> dict[str, list[str]]:
    """The rows of the page as it stands."""
    page = DOCS / "texture.md"
    lines = page.read_text().splitlines() if page.exists() else []
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in lines if "|" in line]
    return {row[0]: row[1:] for row in rows[2:]}


def main() -> None:
    """Measure the textures named, or all, and write the page."""
    rows = known()
    for name in sys.argv[1:] or TEXTURES:
        rows[name] = measured(name)
    head = ["texture", "itself", "noise", *METHODS]
    table = [head, ["---"] * len(head), *([k, *rows[k]] for k in TEXTURES if k in rows)]
    text = "\n".join(f"| {' | '.join(row)} |" for row in table)
    assert __doc__ is not None
    publish(
        "texture", "Textures from an example", f"{__doc__.strip()}\n\n{text}", ("scikit-image",)
    )


if __name__ == "__main__":
    main()
