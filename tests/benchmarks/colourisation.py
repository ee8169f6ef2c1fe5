"""Colours from a grey picture by three losses: mean square error, classes, adversarial.

The first argument is a folder of photographs, of which every 20th is held out. Others are weights
of `unet` for operator luminance that were trained on the rest; without any the script trains them
with `muon`: 500 steps of 8 crops of 64 x 64 at rate 4e-3. Pictures are shrunk to a short side of 96
pixels, and the middle is cut to 96 x 96 for the test: those that are held out, and four of
scikit-image, in no training set. PSNR counts the lightness, which all share; chroma is a and b of
CIE Lab, and its error a root mean square. Colourfulness is that of Hasler and Suesstrunk (2003): 0
for grey. In the last column are the pictures whose chroma is nearer to the photograph than that of
grey.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import DOCS, photograph, publish
from PIL import Image
from torch import Tensor

import ipx
from ipx.files.sheets import sheet
from ipx.training import Data, Training
from ipx.training.loop import train
from ipx_plugins.regression.chroma import colourfulness, lab

NAMES = ("astronaut", "chelsea", "coffee", "rocket")
SIDE = 96


LOSSES = ("l2", "classes", "adversarial")
OPTIONS: dict[str, Any] = {"op": "luminance", "varied": (), "colors": 3, "bins": 20.0}


def shrunk(folder: Path, target: Path) -> list[Path]:
    """Photographs of a short side of 96 pixels, as files in ``target``."""
    files = sorted(f for f in folder.iterdir() if f.suffix in (".jpg", ".jpeg", ".png"))
    for file in files:
        with Image.open(file) as picture:
            picture.draft("RGB", (4 * SIDE, 4 * SIDE))
            small = picture.convert("RGB")
        scale = SIDE / min(small.size)
        sides = tuple(max(SIDE, round(n * scale)) for n in small.size)
        small.resize(sides, Image.Resampling.LANCZOS).save(target / f"{file.stem}.png")
    return [target / f"{file.stem}.png" for file in files]


def trained(folder: Path, room: Path) -> list[Path]:
    """Weights for each of `LOSSES`."""
    data = Data(data=folder, crop=64, validation_crop=64, augment="mirror")
    made = []
    for loss in LOSSES:
        model = ipx.model("unet", loss=loss, widths=(16, 32, 64, 96), **OPTIONS)
        settings = Training(
            steps=500, batch=8, lr=4e-3, optimiser="muon", ema=0.98, final=0.02, warmup=20,
            validate_every=50,
        )  # fmt: skip
        made.append(room / f"{loss}.safetensors")
        train(model, "regression/unet", data, made[-1], settings)
    return made


def pictures(files: list[Path]) -> dict[str, Tensor]:
    """Names and pictures ``(3, 96, 96)``."""
    found = {}
    for name in NAMES:
        x = photograph(name, SIDE, grey=False)
        found[name] = torch.from_numpy(x.transpose(2, 0, 1).astype(np.float32))
    for path in files:
        x = np.asarray(Image.open(path).convert("RGB"), np.float32).transpose(2, 0, 1) / 255
        top, left = ((n - SIDE) // 2 for n in x.shape[1:])
        found[path.stem] = torch.from_numpy(x[:, top : top + SIDE, left : left + SIDE].copy())
    return found


def chroma_error(x: Tensor, truth: Tensor) -> Tensor:
    """Root mean square of the differences in a and b, ``(B,)``."""
    away: Tensor = (lab(x) - lab(truth))[:, 1:].square().mean((1, 2, 3)).sqrt()
    return away


def main(folder: Path, weights: list[Path]) -> None:
    """Shrink the photographs, and train where no weights are given."""
    with tempfile.TemporaryDirectory() as room:
        small = Path(room) / "small"
        small.mkdir()
        files = shrunk(folder, small)
        compare(files[19::20], weights or trained(small, Path(room)))


def compare(held: list[Path], weights: list[Path]) -> None:
    """Colour all pictures with all weights, publish the table and the sheet."""
    known = pictures(held)
    truth = torch.stack(list(known.values()))
    y = ipx.operator("luminance", (3, SIDE, SIDE)).forward(truth)
    results = {"the grey picture": y.expand(-1, 3, -1, -1)}
    for path in weights:
        loss = ipx.load_weights(path, "unet").model.options.loss  # type: ignore[attr-defined]
        solver = {"name": "feedforward", "model": "unet", "weights": str(path)}
        noise = {"name": "gaussian", "sigma": 0.0}
        results[loss] = ipx.solve(y, op="luminance", noise=noise, solver=solver).x
    results["the photograph"] = truth
    head = ["", "PSNR", "error of chroma", "colourfulness", "mean a, b", "nearer than grey"]
    rows = [head, ["---"] * len(head)]
    plain = chroma_error(results["the grey picture"], truth)
    for name, x in results.items():
        away, whole = chroma_error(x, truth), name == "the photograph"
        a, b = lab(x)[:, 1:].mean((0, 2, 3)).tolist()
        rows.append(
            [
                name,
                "" if whole else f"{float(ipx.psnr(x, truth).mean()):.2f}",
                f"{float(away.mean()):.2f}",
                f"{float(colourfulness(x).mean()):.1f}",
                f"{a:+.1f}, {b:+.1f}",
                f"{int((away < plain).sum())} of {len(truth)}" if name in LOSSES else "",
            ]
        )
    shown = range(len(NAMES))  # the others are not ours to show
    whole_sheet = sheet([x[k].numpy() for x in results.values() for k in shown], len(shown))
    picture = (255 * whole_sheet.clip(0, 1)).round().astype(np.uint8).transpose(1, 2, 0)
    Image.fromarray(picture).save(DOCS / "colourisation.webp", quality=85)
    text = (
        __doc__.split("\n\n", 1)[1].strip()
        + f"\n\nMeans over {len(truth)} pictures.\n\n"
        + "\n".join(f"| {' | '.join(row)} |" for row in rows)
        + "\n\nIn rows, in the order of the table, the four of scikit-image:\n\n"
        + "![colourised](colourisation.webp)"
    )
    publish("colourisation", "Colours from grey", text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(a) for a in sys.argv[2:]])
