"""A hole of 24 x 24 in photographs of 96 x 96: PSNR within the hole, in dB.

The four photographs are of scikit-image and in no training set. ``exemplar`` takes its patches from
the rest of the picture. ``exemplar, folder`` has a folder of other pictures too, all but the one
that is filled, and takes patches of the four most alike; ``folder only`` has these alone.
``photograph`` is the look-up table that has seen everything: the folder is the whole photograph, of
which the hole is a part. glow-map has the weights ``photos``. No noise, and all else is left
to its default.

Means of squares favour smooth filling, which is least wrong on average: a copied texture is judged
by eye, in the picture of docs/texture.md.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from common import publish
from PIL import Image
from skimage import data
from torch import Tensor

import ipx

SIDE, HOLE = 96, 24
CROPS = {
    "brick": (data.brick, 200, 160),
    "gravel": (data.gravel, 100, 200),
    "chelsea": (data.chelsea, 90, 120),
    "astronaut": (data.astronaut, 330, 40),
}
OP = {"name": "inpaint", "kind": "box", "box": (HOLE, HOLE)}
NOISE = {"name": "gaussian", "sigma": 0.0}


def crop(name: str) -> Tensor:
    """``(1, C, 96, 96)`` in [0, 1]."""
    load, top, left = CROPS[name]
    x = load()[top : top + SIDE, left : left + SIDE]
    x = x[None] if x.ndim == 2 else x.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(x, np.float32) / 255)[None]


def folder(root: Path, name: str, itself: bool) -> Path:
    """The photograph that is filled, whole; or all others."""
    made = root / f"{name}-{itself}"
    made.mkdir()
    others = {"grass": data.grass, "coffee": data.coffee} | {k: v[0] for k, v in CROPS.items()}
    for other, load in others.items():
        if (other == name) == itself:
            Image.fromarray(load()).save(made / f"{other}.png")
    return made


def ways(root: Path, name: str) -> dict[str, dict[str, object]]:
    """Solver or prior of each column."""
    others = {"name": "exemplar", "pictures": str(folder(root, name, False)), "nearest": 4}
    whole = {**others, "pictures": str(folder(root, name, True)), "patches": 300_000}
    return {
        "harmonic": {"solver": "harmonic"},
        "biharmonic": {"solver": "biharmonic"},
        "tv": {"prior": "tv"},
        "drunet": {"prior": "drunet"},
        "glow-map": {"prior": "glow-map", "iterations": 150},
        "exemplar": {"solver": "exemplar"},
        "exemplar, folder": {"solver": others},
        "folder only": {"solver": {**others, "own": False}},
        "photograph": {"solver": {**whole, "own": False}},
    }


def within(x: Tensor, clean: Tensor) -> float:
    """PSNR of the hole in dB."""
    start = (SIDE - HOLE) // 2
    spot = (..., slice(start, start + HOLE), slice(start, start + HOLE))
    return float(-10 * (x[spot].clamp(0, 1) - clean[spot]).square().mean().log10())


def main() -> None:
    """Fill all holes, write the page; an argument is a file for the sheet of pictures."""
    rows: dict[str, list[float]] = {}
    pictures = []
    with tempfile.TemporaryDirectory() as place:
        for name in CROPS:
            clean = crop(name)
            y = ipx.degrade(clean, op=OP, noise=NOISE)
            line = [clean, y]
            for label, how in ways(Path(place), name).items():
                x = ipx.solve(y, doubtful="keep", op=OP, noise=NOISE, **how).x  # type: ignore[arg-type]
                rows.setdefault(label, []).append(within(x, clean))
                line.append(x)
                print(name, label, f"{rows[label][-1]:.2f}", flush=True)
            pictures += [p.expand(1, 3, -1, -1)[0].float().numpy() for p in line]
    head = ["method", *CROPS, "mean"]
    table = [
        [k, *(f"{v:.2f}" if v < np.inf else "exact" for v in [*cells, sum(cells) / len(cells)])]
        for k, cells in rows.items()
    ]
    text = "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *table])
    assert __doc__ is not None
    publish("inpainting", "Filling a hole", f"{__doc__.strip()}\n\n{text}", ("scikit-image",))
    if sys.argv[1:]:
        from ipx.files.images import write
        from ipx.files.sheets import sheet

        write(sys.argv[1], sheet(pictures, 2 + len(rows)), dtype="uint8")


if __name__ == "__main__":
    main()
