"""PixelCNN on digits: bits against independent pixels, and holes filled by the particle filter.

The argument is the folder that `ipx data digits` makes; 250 digits are held out. The independent
model has a histogram for each pixel, from the training digits, with 0.05 counts added to each grey
value. Holes are in the first 8 held-out digits, without noise. PSNR is of the whole picture; that
of one draw is an average over the digits, as are all. The flow of `glow-map` may have been
trained on some of these digits; `pixelcnn` was not.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import DOCS, digits, publish
from PIL import Image
from torch import Tensor

import ipx
from ipx.files.sheets import sheet

HELD, SHOWN = 250, 8
METHODS: dict[str, dict[str, Any]] = {
    "`harmonic`": {"solver": "harmonic"},
    "`biharmonic`": {"solver": "biharmonic"},
    "`tv`": {"prior": "tv"},
    "`drunet`": {"prior": "drunet"},
    "`exemplar`, 5 x 5": {"solver": {"name": "exemplar", "patch": 5}},
    "`glow-map`, digits": {"prior": {"name": "glow-map", "weights": "digits"}},
    "`pixelcnn`, mean of 64": {"solver": {"name": "pixelcnn", "particles": 64}},
    "`pixelcnn`, one draw": {"solver": {"name": "pixelcnn", "particles": 64, "estimate": "draw"}},
}


def holes() -> dict[str, np.ndarray]:
    """Masks of 28 x 28, 1 where a pixel is known."""
    rng = np.random.default_rng(0)
    box, low, left = (np.ones((28, 28), np.float32) for _ in range(3))
    box[9:19, 9:19] = 0
    low[14:] = 0
    left[:, :14] = 0
    random = (rng.random((28, 28)) > 0.6).astype(np.float32)
    return {"60 % at random": random, "box of 10 x 10": box, "lower half": low, "left half": left}


def independent(train: Tensor, held: Tensor, levels: int) -> float:
    """Bits per pixel of independent pixels, from numbers ``(N, 784)``."""
    counts = torch.nn.functional.one_hot(train, levels).sum(0).double() + 0.05
    p = counts / counts.sum(1, keepdim=True)
    return -float(p[None].expand(len(held), -1, -1).gather(2, held[..., None]).log2().mean())


def main(path: Path) -> None:
    """Measure, publish the tables and the sheet."""
    x = digits(path)[0][..., 2:-2, 2:-2]
    loaded = ipx.load_weights("digits", "pixelcnn")
    model: Any = loaded.model
    net = loaded.network()
    number = model.rounded(x).flatten(1)
    with torch.no_grad():
        bits = torch.cat([model.bits(net, part) for part in x[-HELD:].split(50)]).mean()
    levels = model.options.levels
    plain = independent(number[:-HELD], number[-HELD:], levels)
    truth = x[-HELD:][:SHOWN]
    rows = {name: f"| {name} |" for name in METHODS}
    shown = [truth]
    with tempfile.TemporaryDirectory() as folder:
        for hole, mask in holes().items():
            file = Path(folder) / "mask.npy"
            np.save(file, mask)
            y = truth * torch.from_numpy(mask)
            op = {"name": "inpaint", "mask": str(file)}
            if hole in ("box of 10 x 10", "lower half"):
                shown.append(0.5 * (1 - torch.from_numpy(mask)) + y)
            for name, how in METHODS.items():
                noise = {"name": "gaussian", "sigma": 0.0}
                try:
                    found = ipx.solve(y, doubtful="keep", op=op, noise=noise, **how).x
                except ipx.PlanError:
                    rows[name] += " - |"
                    continue
                rows[name] += f" {float(ipx.psnr(found, truth).mean()):.1f} |"
                if hole in ("box of 10 x 10", "lower half") and "pixelcnn" in name:
                    shown.append(found)
    whole = sheet([p.numpy() for batch in shown for p in batch], SHOWN)
    Image.fromarray((255 * whole[0].clip(0, 1)).round().astype(np.uint8)).save(
        DOCS / "pixelcnn.png"
    )
    text = (
        __doc__.split("\n\n", 1)[1].strip()
        + f"\n\nWith {levels} grey values the independent model needs {plain:.3f} bits per pixel, "
        f"`pixelcnn` with the shipped weights {float(bits):.3f}, {float(bits) / plain:.0%} of "
        "it.\n\n"
        "| PSNR | " + " | ".join(holes()) + " |\n" + "|---" * (1 + len(holes())) + "|\n"
        + "\n".join(rows.values())
        + "\n\nRows: the digits; the box, its mean and one draw; the lower half, its mean and one "
        "draw.\n\n![filled](pixelcnn.png)"
    )  # fmt: skip
    publish("pixelcnn", "PixelCNN on digits", text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
