"""The failures that were reported of defaults: what they gave, and what they give now.

    python tests/benchmarks/named.py [--only WORD]

Each case is a function: its docstring names the case and what it gave, its value is what it gives
now. The photograph is `camera` of scikit-image unless a case says otherwise. The reports do not
tell every detail of their images, so figures compare in size, not in the second digit.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import skimage.data
import torch
from common import DOCS
from PIL import Image, ImageDraw, ImageFont
from robust import REPORTS
from torch import Tensor
from torch.nn import functional

import ipx
from ipx.files import images

BLUR = {"name": "blur", "sigma": 1.6}
SHAKE = {"name": "blur", "kind": "random-motion", "length": 15, "seed": 2}
Case = Callable[[], str]
CASES: list[Case] = []


def case(function: Case) -> Case:
    """A row of the table."""
    CASES.append(function)
    return function


def camera(side: int = 128, step: int = 1) -> Tensor:
    """The middle of the photograph, ``(1, side, side)``."""
    pixels = torch.from_numpy(skimage.data.camera()).float()[None] / 255
    start = (512 - side * step) // 2
    part = pixels[:, start : start + side * step, start : start + side * step]
    return functional.avg_pool2d(part, step) if step > 1 else part


def page(side: int = 256, shrink: int = 1) -> Tensor:
    """Black text on white, ``(1, side, side)``."""
    sheet = Image.new("L", (side * shrink, side * shrink), 255)
    pen = ImageDraw.Draw(sheet)
    for row in range(0, side * shrink, 18):
        pen.text((4, row), "The quick brown fox jumps over " * 9, 0, ImageFont.load_default(14))
    pixels = torch.tensor(list(sheet.tobytes())).reshape(1, side * shrink, side * shrink) / 255
    return functional.avg_pool2d(pixels, shrink)


def board(side: int = 256) -> Tensor:
    """A checkerboard of single pixels."""
    i = torch.arange(side)
    return 0.1 + 0.8 * ((i[:, None] + i) % 2).float()[None]


def spoilt(x: Tensor, sigma: float, op: object = "identity") -> Tensor:
    """Data with white noise."""
    return ipx.degrade(x, op=op, noise={"name": "gaussian", "sigma": sigma}, seed=1)  # type: ignore[arg-type]


def level(y: Tensor, op: object = "identity", storage: ipx.Storage | None = None) -> str:
    """The estimate of the noise level."""
    how = ipx.solve(y, op=op, prior="smooth", lam=0.01, storage=storage)  # type: ignore[arg-type]
    return f"{how.level[0]:.3g}"


def gain(x: Tensor, y: Tensor, **how: object) -> str:
    """PSNR after a restoration by defaults, dB, and its warnings, if there are any."""
    done = ipx.solve(y, **how)  # type: ignore[arg-type]
    told = "; warned" if done.warnings else ""
    return f"{float(ipx.psnr(done.x, x[None])[0]):.2f} dB{told}"


def jpeg(y: Tensor, quality: int) -> images.Picture:
    """Grey data through a JPEG file."""
    file = io.BytesIO()
    pixels = (255 * y[0].clamp(0, 1)).round().byte().numpy()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "y.jpg"
        path.write_bytes(file.getvalue())
        return images.read(path)


@case
def jpeg_levels() -> str:
    """JPEG of quality 95, 90, 80 behind a blur, noise 0.03: level | 0.022, 0.016, 0.0034"""
    read = [jpeg(spoilt(camera(256), 0.03, BLUR), q) for q in (95, 90, 80)]
    return ", ".join(level(torch.from_numpy(p.pixels), BLUR, p.storage) for p in read)


@case
def jpeg_tv() -> str:
    """The same at quality 80, `tv` | 5.8 dB"""
    p = jpeg(spoilt(camera(), 0.03, BLUR), 80)
    return gain(camera(), torch.from_numpy(p.pixels), op=BLUR, prior="tv", storage=p.storage)


@case
def jpeg_drunet() -> str:
    """The same, `drunet` | 9.1 dB"""
    p = jpeg(spoilt(camera(), 0.03, BLUR), 80)
    return gain(camera(), torch.from_numpy(p.pixels), op=BLUR, prior="drunet", storage=p.storage)


@case
def text_level() -> str:
    """A clean page of text: level | 0.35"""
    return level(page())


@case
def text_drunet() -> str:
    """The same with noise 0.02, `drunet`, and `bm3d` | 35.35 dB, 40.25 dB"""
    y = spoilt(page(), 0.02)
    return f"{gain(page(), y, prior='drunet')}, {gain(page(), y, prior='bm3d')}"


@case
def board_level() -> str:
    """A checkerboard of single pixels, noise 0.0196: level | 0.81"""
    return level(spoilt(board(), 5 / 255))


@case
def texture_level() -> str:
    """Fine texture, `grass` of scikit-image, clean: level | 0.16"""
    grass = torch.from_numpy(skimage.data.grass()).float()[None, :256, :256] / 255
    return level(grass)


@case
def shrunk_level() -> str:
    """Text shrunk by 2, noise 0.01: level | 0.105"""
    return level(spoilt(page(shrink=2), 0.01))


@case
def small_levels() -> str:
    """7 x 7 pixels, and a line of 256, noise 0.02: level | twice too high"""
    x = camera(256, 2)
    return f"{level(spoilt(x[:, 100:107, 100:107], 0.02))}, {level(spoilt(x[:, 100:101], 0.02))}"


@case
def light_level() -> str:
    """Noise of 0.004: level | 28 % too high"""
    return level(spoilt(camera(256, 2), 0.004))


@case
def operator_levels() -> str:
    """Noise 0.02 in `fourier`, super-resolution, inpainting: level | 0.043, 0.025, 0.025"""
    names = ("fourier", "super-resolution", "inpaint")
    return ", ".join(level(spoilt(camera(256), 0.02, name), name) for name in names)


@case
def clean_small() -> str:
    """Super-resolution without noise: level | 0.025"""
    return level(spoilt(camera(256, 2), 0.0, "super-resolution"), "super-resolution")


@case
def shake_drunet() -> str:
    """A hand-shake kernel, `drunet`, noise 0.01, 0.03 | 27.99 dB, 22.63 dB"""
    x = camera()
    return ", ".join(gain(x, spoilt(x, s, SHAKE), op=SHAKE, prior="drunet") for s in (0.01, 0.03))


@case
def saturated_drunet() -> str:
    """A saturated photograph, noise 0.02, `drunet`: data, restored | 35.86 dB, 34.40 dB"""
    x = (1.8 * camera() - 0.3).clamp(0, 1)
    y = spoilt(x, 0.02).clamp(0, 1)
    return f"{float(ipx.psnr(y[None], x[None])[0]):.2f} dB, {gain(x, y, prior='drunet')}"


@case
def small_tv() -> str:
    """Super-resolution, `tv`: data, restored | 29.36 dB, 28.91 dB"""
    x = camera()
    y = spoilt(x, 0.0, "super-resolution")
    start = ipx.solve(y, op="super-resolution", prior="smooth").before
    after = gain(x, y, op="super-resolution", prior="tv")
    return f"{float(ipx.psnr(start, x[None])[0]):.2f} dB, {after}"


@case
def borderless() -> str:
    """A blur whose scene goes on beyond the border, `tv`: `reflect`, `unknown` | 27.69, 30.12 dB"""
    x, wide = camera(), {**BLUR, "sigma": 3.0}
    y = spoilt(camera(160), 0.01, wide)[:, 16:-16, 16:-16].contiguous()
    borders = ({**wide, "boundary": name} for name in ("reflect", "unknown"))
    return ", ".join(gain(x, y, op=op, prior="tv") for op in borders)


@case
def thousandths() -> str:
    """Values in thousandths, noise of 5 %, `bm3d`, against [0, 1] | 10 dB lost"""
    x = camera()
    y = spoilt(x, 0.05)
    lost = [float(ipx.psnr(ipx.solve(u * y, prior="bm3d").x / u, x[None])[0]) for u in (1.0, 1e-3)]
    return f"{lost[0] - lost[1]:.2f} dB lost"


@case
def no_weight() -> str:
    """`bm3d` with weight 0 | IndexError"""
    try:
        return gain(camera(), spoilt(camera(), 0.02), prior="bm3d", lam=0.0)
    except ipx.IpxError as e:
        return str(e)


@case
def few_iterations() -> str:
    """A start by `tv` at 32 x 32 pixels with 3 iterations: processor time | 25 s"""
    y, began = spoilt(camera(32, 4), 0.02, BLUR), time.process_time()
    ipx.solve(y, op=BLUR, prior="wavelet", start="tv", iterations=3)
    return f"{time.process_time() - began:.1f} s"


def main() -> None:
    """Measure, and replace the section of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="measure and print the cases with this name")
    only = parser.parse_args().only
    lines = ["| case | was | is |", "|---|---|---|"]
    for each in CASES:
        if only in each.__name__:
            about, was = (each.__doc__ or "").split(" | ")
            lines.append(f"| {about} | {was} | {each()} |")
            print(lines[-1], flush=True)
    if not only:
        page_of = DOCS / "robust.md"
        rest = page_of.read_text().partition(REPORTS)[0]
        intro = (__doc__ or "").strip()
        page_of.write_text(f"{rest}{REPORTS}\n{intro}\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
