"""Portraits from line drawings (`unet`, adversarial) and colour for old portraits (`cyclegan`).

The first argument is a folder of mosaics of 64 x 64 portraits, ``train-000.webp``, ... and
``test-000.webp``, with ``index.tsv``, whose columns split, position and colour tell which tiles are
modern colour photographs. Two further arguments are weights, of `unet` for operator edges and of
`cyclegan`; without them the script trains both with `muon`: 500 steps of 8 pairs, and 160 steps of
4 colour and 4 other portraits. Measured on the colour portraits of the test mosaic, and on the last
64 others, which are held out. Sharpness is the mean difference of neighbouring pixels over that of
the photographs, the distance that of `cyclegan` (values and differences of neighbours).
"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import publish
from PIL import Image
from torch import Tensor

import ipx
from ipx.training import Data, Training
from ipx.training.loop import train
from ipx_plugins.regression.chroma import colourfulness
from ipx_plugins.regression.cyclegan import distance

SIDE, OLD = 64, 64
EDGES: dict[str, Any] = {
    "op": "edges", "varied": (), "colors": 3, "loss": "adversarial", "widths": (16, 32, 64, 96),
    "critic": 16,
}  # fmt: skip
CYCLE: dict[str, Any] = {"widths": (8, 16, 32), "critic": 16, "cycle": 3.0, "identity": 0.0}
NOISE = {"name": "gaussian", "sigma": 0.0}


def portraits(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colour portraits to train on, others, and colour portraits to test on, ``(N, 3, 64, 64)``."""
    tiles: dict[str, list[np.ndarray]] = {}
    for file in sorted(folder.glob("*.webp")):
        whole = np.asarray(Image.open(file).convert("RGB"))
        rows, columns = (n // SIDE for n in whole.shape[:2])
        grid = whole.reshape(rows, SIDE, columns, SIDE, 3).transpose(0, 2, 4, 1, 3)
        tiles.setdefault(file.stem.partition("-")[0], []).extend(grid.reshape(-1, 3, SIDE, SIDE))
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    with (folder / "index.tsv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            tile = tiles[row["split"]][int(row["position"])]
            found.setdefault((row["split"], row["colour"]), []).append(tile)
    return tuple(np.stack(found[key]) for key in (("train", "1"), ("train", "0"), ("test", "1")))


def trained(new: Path, old: Path, room: Path) -> list[Path]:
    """Weights of `unet` for drawings, and of `cyclegan`."""
    how: dict[str, Any] = {"optimiser": "muon", "final": 0.05}
    made = [room / "edges.safetensors", room / "cyclegan.safetensors"]
    data = Data(data=new, hold_out=("last:40",), augment="mirror")
    steps = Training(steps=500, lr=4e-3, batch=8, warmup=20, ema=0.98, validate_every=50, **how)
    train(ipx.model("unet", **EDGES), "regression/unet", data, made[0], steps)
    data = Data(data=new, inputs=old, hold_out=(f"last:{OLD}",), augment="mirror")
    steps = Training(steps=160, lr=5e-3, batch=4, warmup=10, ema=0.95, validate_every=40, **how)
    train(ipx.model("cyclegan", **CYCLE), "regression/cyclegan", data, made[1], steps)
    return made


def translated(y: Tensor, op: str, model: str, weights: Path, **options: Any) -> Tensor:
    """The output of a network, ``(N, 3, 64, 64)``."""
    solver = {"name": "feedforward", "model": model, "weights": str(weights), **options}
    return ipx.solve(y, op=op, noise=NOISE, solver=solver).x.clamp(0, 1)


def slopes(x: Tensor) -> float:
    """Mean difference of neighbouring pixels."""
    return float(x.diff(dim=2).abs().mean() + x.diff(dim=3).abs().mean())


def drawn(truth: Tensor, mean: Tensor, weights: Path) -> list[str]:
    """Rows of the table for drawings."""
    operator = ipx.operator("edges", (3, SIDE, SIDE))
    made = translated(operator.forward(truth), "edges", "unet", weights)
    rows = ["| | PSNR | sharpness | colourfulness |", "|---|---|---|---|"]
    results = {"the mean portrait": mean, "from the drawing": made, "the photograph": truth}
    for name, x in results.items():
        score = "" if name == "the photograph" else f"{float(ipx.psnr(x, truth).mean()):.2f}"
        sharp, colours = slopes(x) / slopes(truth), float(colourfulness(x).mean())
        rows.append(f"| {name} | {score} | {sharp:.2f} | {colours:.1f} |")
    return rows


def cycled(new: Tensor, old: Tensor, weights: Path) -> list[str]:
    """Rows of the table for two sets without pairs."""
    there = translated(old, "identity", "cyclegan", weights)
    back = translated(new[: len(old)], "identity", "cyclegan", weights, direction="back")
    again = translated(there, "identity", "cyclegan", weights, direction="back")
    rows = ["| | colourfulness | distance from the other set |", "|---|---|---|"]
    for name, x, other in (
        ("old portraits", old, new),
        ("old ones translated", there, new),
        ("colour portraits", new, old),
        ("colour ones translated", back, old),
    ):
        count = min(len(x), len(other))
        far = float(distance(x[:count], other[:count]))
        rows.append(f"| {name} | {float(colourfulness(x).mean()):.1f} | {far:.3f} |")
    lost = float(ipx.psnr(again, old).mean())
    rows.append(f"\nThere and back, an old portrait comes out with {lost:.1f} dB.")
    return rows


def main(folder: Path, weights: list[Path]) -> None:
    """Measure, publish the tables."""
    colour, others, held = portraits(folder)
    with tempfile.TemporaryDirectory() as room:
        new, old = Path(room) / "new.npy", Path(room) / "old.npy"
        np.save(new, colour)
        np.save(old, others)
        pairs, sets = weights or trained(new, old, Path(room))
        truth, aged = (torch.from_numpy(x).float() / 255 for x in (held, others[-OLD:]))
        mean = torch.from_numpy(colour[:-40].mean(0)).float()[None] / 255
        table = drawn(truth, mean.expand_as(truth), pairs)
        more = cycled(truth, aged, sets)
    text = [
        __doc__.split("\n\n", 1)[1].strip(),
        f"**Drawings.** Means over {len(truth)} portraits.",
        "\n".join(table),
        f"**Two sets.** Means over {len(aged)} old and {len(truth)} colour portraits.",
        "\n".join(more),
        "A drawing, and what is made of it: [course](../course/image_generation.md).",
    ]
    publish("translation", "Portraits from drawings, and from old portraits", "\n\n".join(text))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(a) for a in sys.argv[2:]])
