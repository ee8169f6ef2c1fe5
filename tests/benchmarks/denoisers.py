"""Denoisers on photographs of scikit-image: `drunet` against `bm3d`, `tv` and DnCNN.

    python tests/benchmarks/denoisers.py [--dncnn NAME] [--held-out FOLDER] [PATTERN...]

The middle square of each picture, 256 x 256, in grey and in colour; white noise whose level is
told. ``--dncnn`` adds the network of Zhang et al. 2017 for sigma 25 in grey, with published weights
by the name under which `ipx weights import` has stored them. ``--held-out`` adds the photographs of
a folder whose names match a pattern, their middle 128 x 128: those that the weights were not
trained on. `drunet` is the prior as it stands, mixed with a shrinkage of patches; `network` is the
network alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from common import photograph, publish
from PIL import Image
from torch import Tensor

import ipx

GREY = (
    "camera", "astronaut", "chelsea", "coffee", "rocket", "coins",
    "brick", "grass", "gravel", "moon", "text", "stereo_motorcycle",
)  # fmt: skip
COLOUR = ("astronaut", "chelsea", "coffee", "rocket", "immunohistochemistry", "retina")
SIGMAS = (15, 25, 50)
DNCNN = 25
"""The one level of the weights of DnCNN."""

Method = Callable[[Tensor, float], Tensor]


def pictures(names: tuple[str, ...], grey: bool) -> Iterator[tuple[str, Tensor]]:
    """Name and picture ``(1, C, 256, 256)``."""
    for name in names:
        pixels = photograph(name, grey=grey) if name != "stereo_motorcycle" else _first_of_two()
        planes = pixels[None] if grey else pixels.transpose(2, 0, 1)
        yield name, torch.from_numpy(np.ascontiguousarray(planes)).float()[None]


def _first_of_two() -> np.ndarray:
    from skimage import color, data, transform

    image = color.rgb2gray(data.stereo_motorcycle()[0])
    side = min(image.shape)
    top, left = ((n - side) // 2 for n in image.shape)
    cut = image[top : top + side, left : left + side]
    return transform.resize(cut, (256, 256), anti_aliasing=True)


def held_out(folder: Path, patterns: list[str], grey: bool) -> Iterator[Tensor]:
    """The middle 128 x 128 of photographs."""
    for pattern in patterns:
        for path in sorted(folder.glob(f"{pattern}.*")):
            with Image.open(path) as image:
                rgb = image.convert("L" if grey else "RGB")
                left, top = (rgb.width - 128) // 2, (rgb.height - 128) // 2
                pixels = np.asarray(rgb.crop((left, top, left + 128, top + 128)), np.float32) / 255
            planes = pixels[None] if grey else pixels.transpose(2, 0, 1)
            yield torch.from_numpy(np.ascontiguousarray(planes))[None]


def methods(grey: bool, dncnn: str | None) -> dict[str, Method]:
    """The columns."""

    def prior(name: str, **options: object) -> Method:
        made = ipx.prior(name, **options)
        return lambda y, sigma: made.denoise(y, sigma)

    def tv(y: Tensor, sigma: float) -> Tensor:
        noise = {"name": "gaussian", "sigma": sigma}
        return ipx.solve(y, prior="tv", noise=noise, doubtful="keep").x

    found = {
        "tv": tv,
        "bm3d": prior("bm3d"),
        "drunet": prior("drunet"),
        "network": prior("drunet", mix=False),
    }
    if dncnn is not None and grey:
        loaded = ipx.prior("dncnn", weights=dncnn)
        found["dncnn"] = lambda y, sigma: loaded.denoise(y, sigma)
    return found


def scores(x: Tensor, level: int, tried: dict[str, Method]) -> list[float]:
    """PSNR of each method; NaN where it has no weights for this level."""
    sigma = level / 255
    y = x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    return [
        float(ipx.psnr(f(y, sigma).clamp(0, 1), x)) if name != "dncnn" or level == DNCNN else np.nan
        for name, f in tried.items()
    ]


def table(names: tuple[str, ...], grey: bool, a: argparse.Namespace) -> list[str]:
    """A row for each picture and level, the means, and how often `drunet` is above."""
    tried = methods(grey, a.dncnn)
    lines = [f"| sigma | picture | {' | '.join(tried)} |", "|---" * (len(tried) + 2) + "|"]
    for level in SIGMAS:
        rows = {name: scores(x, level, tried) for name, x in pictures(names, grey)}
        lines += [_line(level, name, row) for name, row in rows.items()]
        lines.append(_line(level, "**mean**", np.mean(list(rows.values()), 0)))
        if a.held_out is not None:
            every = [scores(x, level, tried) for x in held_out(a.held_out, a.patterns, grey)]
            lines.append(_line(level, f"{len(every)} held out", np.mean(every, 0)))
    return lines


def _line(level: int, name: str, row: object) -> str:
    told = (f"{v:.2f}" if np.isfinite(v) else "" for v in np.asarray(row))
    return f"| {level} | {name} | {' | '.join(told)} |"


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dncnn")
    parser.add_argument("--held-out", type=Path)
    parser.add_argument("patterns", nargs="*", default=["*"])
    a = parser.parse_args()
    torch.set_num_threads(1)
    text = [(__doc__ or "").split("\n\n", 2)[2].strip(), "", "## Grey", ""]
    with torch.no_grad():
        text += [*table(GREY, True, a), "", "## Colour", "", *table(COLOUR, False, a)]
        net, took = methods(False, None)["network"], []
        for _ in range(5):
            began = time.perf_counter()
            net(next(pictures(COLOUR, False))[1], 0.1)
            took.append(time.perf_counter() - began)
    text += ["", f"The network alone takes {np.median(took):.2f} s for 256 x 256 in colour."]
    publish("denoisers", "Denoisers", "\n".join(text))


if __name__ == "__main__":
    main()
