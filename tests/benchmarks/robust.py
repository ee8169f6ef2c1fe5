"""Defaults on images that nobody tuned for: is any result below the data, or below `smooth`?

    python tests/benchmarks/robust.py [--minutes M] [--json FILE] [--against FILE] [--named]

Twelve images (photographs, text, line art, saturated, dim 16 bit, star field, tiny, odd sizes, grey
and colour) in eight degradations, at four noise levels, each stored as PNG, 16-bit TIFF or JPEG and
restored with four priors; the operator is told, sigma and lam are not. A row is one image and one
degradation. The cells come in a random order, the same each time; after ``--minutes`` the page is
made of those that were reached. Cells that the file of ``--json`` holds are not measured again.
``--against`` compares with the ``--json`` of an earlier version. ``--named`` measures the named
cases only and replaces their table at the end of this page.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import math
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
from common import DOCS, publish
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import ipx
from ipx.files import images

SIDE = 96
SIGMAS = (0.0, 0.004, 0.02, 0.08)
PRIORS = ("tv", "bm3d", "drunet", "unrolled-admm")
OPERATORS: dict[str, dict[str, Any]] = {
    "denoise": {"name": "identity"},
    "gaussian": {"name": "blur", "sigma": 1.6},
    "motion": {"name": "blur", "kind": "motion", "length": 9, "angle": 30},
    "shake": {"name": "blur", "kind": "random-motion", "length": 15, "seed": 2},
    "inpaint": {"name": "inpaint", "missing": 0.5, "seed": 1},
    "x2 mean": {"name": "super-resolution"},
    "x2 bicubic": {"name": "super-resolution", "filter": "bicubic"},
    "fourier": {"name": "fourier", "seed": 1},
}

HEADING = "\n## Named cases\n"
REPORTS = "\n## Reported cases\n"
"""The section that `named.py` writes."""

EQUAL = 60.0
"""PSNR in dB above which results count as equal: an error of a thousandth of the range, less than
the rounding to 8 bits."""

NAMED = {
    "text | denoise | 0.004 | drunet": 49.35,
    "text | denoise | 0.02 | drunet": 35.23,
    "coffee | denoise | 0.02 | drunet": 36.84,
    "dim | gaussian | 0.004 | drunet": 51.60,
    "camera | motion | 0.02 | drunet": 28.33,
    "text | motion | 0.004 | drunet": 20.33,
    "lines | denoise | 0.0 | unrolled-admm": 37.63,
    "text | denoise | 0.004 | unrolled-admm": 35.67,
    "text | denoise | 0.02 | unrolled-admm": 32.79,
    "camera | denoise | 0.02 | unrolled-admm": 37.59,
    "camera | fourier | 0.004 | drunet": 30.94,
    "camera | fourier | 0.004 | bm3d": 28.55,
    "dim | shake | 0.004 | bm3d": 57.66,
    "tiny | x2 mean | 0.0 | tv": 39.64,
}
"""Cells that were mended or watched, with the PSNR of the version before.

That is 143a70c, and 92068e8 for the last four.
"""


def crop(name: str, top: int, left: int, colour: bool = False, step: int = 1) -> Tensor:
    """A part of an image of scikit-image, ``(C, 96, 96)``."""
    pixels = getattr(skimage.data, name)() / 255.0
    part = pixels[top : top + SIDE * step : step, left : left + SIDE * step : step]
    part = part[..., None] if part.ndim == 2 else part[..., :3]
    part = part if colour else part.mean(-1, keepdims=True)
    return torch.from_numpy(np.ascontiguousarray(part.transpose(2, 0, 1))).float()


def drawn(kind: str) -> Tensor:
    """Text, line art or a star field, ``(1, 96, 96)``."""
    sheet = Image.new("L", (SIDE, SIDE), 0 if kind == "stars" else 255)
    pen, rng = ImageDraw.Draw(sheet), np.random.default_rng(0)
    if kind == "text":
        for k in range(0, SIDE, 14):
            pen.text((2, k), "jumps over the lazy dog", 0, ImageFont.load_default(11))
    for _ in range(12 if kind == "lines" else 40 if kind == "stars" else 0):
        x, y, dx, dy = (int(v) for v in rng.integers(0, SIDE, 4))
        if kind == "lines":
            pen.line((x, y, dx, dy), fill=0)
        else:
            pen.point((x, y), fill=int(rng.integers(80, 256)))
    return torch.from_numpy(np.asarray(sheet) / 255.0)[None].float()


def pictures() -> dict[str, tuple[Tensor, str]]:
    """Name to image and the way in which it is stored."""
    return {
        "camera": (crop("camera", 160, 200), "png"),
        "astronaut": (crop("astronaut", 60, 180, colour=True), "png"),
        "chelsea": (crop("chelsea", 90, 120, colour=True), "jpg90"),
        "coffee": (crop("coffee", 150, 250, colour=True), "jpg75"),
        "rocket": (crop("rocket", 120, 280), "jpg60"),
        "brick": (crop("brick", 0, 0, step=2), "png"),
        "text": (drawn("text"), "png"),
        "lines": (drawn("lines"), "png"),
        "stars": (drawn("stars"), "png"),
        "saturated": ((1.8 * crop("coins", 20, 40) - 0.3).clamp(0, 1), "png"),
        "dim": (0.05 * crop("moon", 200, 200), "tiff"),
        "tiny": (crop("camera", 160, 200)[:, :24, :30], "png"),
    }


def stored(y: Tensor, way: str, folder: Path) -> images.Picture | None:
    """The data after a way through a file; None if the format cannot hold them."""
    if y.shape[0] not in (1, 3) or float(y.min()) < -0.5:
        return None
    path = folder / {"png": "y.png", "tiff": "y.tif"}.get(way, "y.jpg")
    if path.suffix == ".jpg":
        file, pixels = io.BytesIO(), (255 * y.clamp(0, 1)).round().byte().permute(1, 2, 0).numpy()
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        picture.save(file, "JPEG", quality=int(way[3:]), subsampling=0)
        path.write_bytes(file.getvalue())
    else:
        images.write(path, y.numpy(), dtype="uint16" if way == "tiff" else "uint8")
    return images.read(path)


def restored(y: Tensor, storage: ipx.Storage, op: dict[str, Any], prior: str) -> Any:
    """The restoration by bare defaults."""
    how = {"solver": prior} if prior == "unrolled-admm" else {"prior": prior}
    return ipx.solve(y, op=op, storage=storage, **how)


def cells() -> list[tuple[str, str, float, str]]:
    """Image, degradation, sigma, prior, so that any first few are a fair sample."""
    whole = list(itertools.product(pictures(), OPERATORS, SIGMAS, PRIORS))
    random.Random(0).shuffle(whole)
    return whole


def measure(picture: str, degradation: str, sigma: float, prior: str, folder: Path) -> Any:
    """PSNR of the data as an image, of `smooth` and of the prior, warnings; or the refusal."""
    clean, way = pictures()[picture]
    op = OPERATORS[degradation]
    noise = {"name": "gaussian", "sigma": sigma}
    y = ipx.degrade(clean, op=op, noise=noise, seed=1)
    read = stored(y, way, folder) if op["name"] != "fourier" else None
    storage = ipx.Storage() if read is None else read.storage
    y = y if read is None else torch.from_numpy(read.pixels)
    try:
        found = restored(y, storage, op, prior)
        plain = restored(y, storage, op, "smooth")
    except ipx.IpxError as e:
        return {"refused": str(e)}
    score = {k: float(ipx.psnr(v, clean[None])[0]) for k, v in
             (("before", found.before), ("after", found.x), ("smooth", plain.x))}  # fmt: skip
    return score | {"level": found.level[0], "warnings": found.warnings}


def loss(v: dict[str, Any]) -> float:
    """How far a result is below the data or `smooth`, dB, see `EQUAL`."""
    return min(max(v["before"], v["smooth"]), EQUAL) - min(v["after"], EQUAL)


def report(found: dict[str, Any], old: dict[str, Any]) -> str:
    """The page, with a comparison if there is an earlier measurement."""
    ran = {k: v for k, v in found.items() if "refused" not in v}
    lower = {k: v for k, v in ran.items() if loss(v) > 0.3}
    quiet = sum(not v["warnings"] for v in lower.values())
    much = [v for v in lower.values() if loss(v) > 1]
    below = [v for v in ran.values() if loss(v | {"smooth": 0.0}) > 0.3]
    lines = [
        (__doc__ or "").strip(),
        f"\n{len(found)} of {len(cells())} cells, {len(found) - len(ran)} refused. Above the data: "
        f"{sum(v['after'] > v['before'] for v in ran.values())} of {len(ran)}; more than 0.3 dB "
        f"below them: {len(below)}, {sum(not v['warnings'] for v in below)} without a warning. "
        f"Below the data or `smooth` by more than 0.3 dB: {len(lower)}, {quiet} without a warning; "
        f"by more than 1 dB: {len(much)}, {sum(not v['warnings'] for v in much)} without one. "
        f"Above {EQUAL:g} dB all count as equal. Those below:",
        "\n| image | degradation | sigma | prior | data | smooth | restored | warned |",
        "|---" * 8 + "|",
    ]
    for key, v in sorted(lower.items(), key=lambda i: i[1]["after"] - i[1]["before"]):
        scores = " | ".join(f"{v[k]:.2f}" for k in ("before", "smooth", "after"))
        lines.append(f"| {key} | {scores} | {'yes' if v['warnings'] else 'no'} |")
    both = [k for k in ran if k in old and "refused" not in old[k]]
    if both:
        change = {k: ran[k]["after"] - old[k]["after"] for k in both}
        better, worse = (sum(s * c > 0.05 for c in change.values()) for s in (1, -1))
        mean = sum(change.values()) / len(change)
        lines.append(
            f"\nAgainst an earlier version: {len(both)} cells, mean {mean:+.2f} dB, {better} "
            f"better and {worse} worse by more than 0.05 dB. The largest losses:\n"
        )
        least = sorted(change, key=lambda k: change[k])[:8]
        lines += [f"- {change[k]:+.2f} dB: {k.replace(' | ', ', ')}" for k in least]
    return "\n".join(lines)


def named(folder: Path) -> str:
    """The table of the named cases."""
    lines = [
        "| image | degradation | sigma | prior | data | smooth | before | now |",
        "|---" * 8 + "|",
    ]
    for cell, before in NAMED.items():
        picture, degradation, sigma, prior = cell.split(" | ")
        v = measure(picture, degradation, float(sigma), prior, folder)
        scores = f"{v['before']:.2f} | {v['smooth']:.2f} | {before:.2f} | {v['after']:.2f}"
        lines.append(f"| {cell} | {scores} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print the table, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--named", action="store_true")
    args = parser.parse_args()
    page = DOCS / "robust.md"
    rest, _, kept = page.read_text().partition(HEADING) if page.exists() else ("", "", "")
    if args.named:
        reports = kept.partition(REPORTS)[2]
        with tempfile.TemporaryDirectory() as folder:
            text = rest + HEADING + "\n" + named(Path(folder))
        page.write_text(text + (REPORTS + reports if reports else ""))
        return
    found = json.loads(args.json.read_text()) if args.json and args.json.exists() else {}
    end = time.monotonic() + 60 * args.minutes
    with tempfile.TemporaryDirectory() as folder:
        for cell in cells():
            key = " | ".join(map(str, cell))
            if key not in found and time.monotonic() < end:
                found[key] = measure(*cell, Path(folder))
                if args.json:
                    args.json.write_text(json.dumps(found, indent=1))
    old = json.loads(args.against.read_text()) if args.against else {}
    publish("robust", "Defaults on images that nobody tuned for", report(found, old))
    if kept:
        page.write_text(page.read_text() + HEADING + kept)


if __name__ == "__main__":
    main()
