"""Unknown PSFs: the width of a Gaussian, and motion, found from the data, on six photographs.

The data show a part of the scene, so that nothing is known beyond their border. Restored by tv with
the weight chosen. A free PSF leaves the place of the picture open: there PSNR is that of the shift,
in quarters of a pixel, that suits best.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from common import photograph, publish
from scipy import ndimage
from torch import Tensor

import ipx

PICTURES = ("camera", "astronaut", "chelsea", "coffee", "rocket", "stereo_motorcycle")
NOISE = {"name": "gaussian", "sigma": 0.01}
MOTIONS = {
    "line": {"kind": "motion", "length": 12.0, "angle": 30.0},
    "shake": {"kind": "random-motion", "length": 20.0, "seed": 4},
}


def scene(name: str) -> Tensor:
    """``(1, 1, 288, 288)``."""
    from skimage import color, data, transform

    if name == "stereo_motorcycle":
        left = color.rgb2gray(data.stereo_motorcycle()[0])[:500, 120:620]
        pixels = transform.resize(left, (288, 288), anti_aliasing=True)
    else:
        pixels = photograph(name, 288)
    return torch.as_tensor(pixels, dtype=torch.float32)[None, None]


def blurred(name: str, psf: dict[str, object]) -> tuple[Tensor, Tensor]:
    """Data, and the part of the scene that they show."""
    x = scene(name)
    op = ipx.operator("blur", tuple(x.shape[1:]), boundary="valid", **psf)
    y = ipx.degrade(x, op=op, noise=NOISE, seed=1)
    return y, op.sample(x)


def psnr(x: Tensor, truth: Tensor, shifted: bool = False) -> float:
    """PSNR without 16 pixels of border; with ``shifted`` the best over shifts up to 3 pixels."""
    a, b = (v[0, 0, 16:-16, 16:-16].double().numpy() for v in (x, truth))
    whole = x[0, 0].double().numpy()

    def quality(shift: tuple[float, float]) -> float:
        moved = ndimage.shift(whole, shift, order=3, mode="nearest")[16:-16, 16:-16]
        return float(-10 * np.log10(((moved - b) ** 2).mean()))

    if not shifted:
        return float(-10 * np.log10(((a - b) ** 2).mean()))
    best = max(((float(i), float(j)) for i in range(-3, 4) for j in range(-3, 4)), key=quality)
    fine = np.arange(-0.75, 1.0, 0.25)
    return max(quality((best[0] + i, best[1] + j)) for i in fine for j in fine)


def restored(y: Tensor, psf: dict[str, object]) -> ipx.Restoration:
    """By tv, the border unknown."""
    op = {"name": "blur", "boundary": "unknown", **psf}
    return ipx.solve(y, op=op, prior="tv")


def widths() -> str:
    """The table of Gaussian blurs."""
    rows, good, near = [], 0, 0
    for name in PICTURES:
        for sigma in (1.0, 2.0, 3.0):
            y, truth = blurred(name, {"sigma": sigma})
            known = restored(y, {"sigma": sigma})
            began = time.process_time()
            op = {"name": "blur", "kernel": "auto", "boundary": "unknown"}
            found = ipx.solving.unknowns.settled(op, y)
            seconds = time.process_time() - began
            value = found.op.options.sigma
            auto = restored(y, {"sigma": value})
            there, here = psnr(known.x, truth), psnr(auto.x, truth)
            good += abs(value / sigma - 1) <= 0.15
            near += here > there - 0.7
            doubt = "yes" if len(found.remarks) > 1 else ""
            rows.append(
                f"| {name} | {sigma:g} | {value:.2f} | {psnr(y, truth):.2f} | {there:.2f} "
                f"| {here:.2f} | {doubt} | {seconds:.1f} |"
            )
            print(rows[-1], flush=True)
    return (
        f"Within 15 % in {good} of {len(rows)}; within 0.7 dB of the known width in {near}.\n\n"
        "| picture | sigma | found | blurred | known | found, restored | said to be undecided "
        "| CPU seconds |\n|---|---|---|---|---|---|---|---|\n" + "\n".join(rows)
    )


def motions() -> str:
    """The table of motion blurs."""
    rows, better, worse = [], 0, 0
    for kind, psf in MOTIONS.items():
        for name in PICTURES:
            y, truth = blurred(name, psf)
            known = restored(y, psf)
            began = time.process_time()
            op = {"name": "blur", "kernel": "auto", "kind": "motion", "boundary": "unknown"}
            found = ipx.solving.unknowns.settled(op, y)
            seconds = time.process_time() - began
            auto = ipx.solve(y, op=found.op, prior="tv")
            before, there = psnr(y, truth, True), psnr(known.x, truth, True)
            here = psnr(auto.x, truth, True)
            better += here >= before + 1
            told = len(found.remarks) > 1 or any(auto.wrong)
            worse += here < before - 0.2 and not told
            rows.append(
                f"| {kind} | {name} | {before:.2f} | {there:.2f} | {here:.2f} "
                f"| {found.remarks[0].rsplit(' ', 1)[1]} | {'yes' if told else ''} "
                f"| {seconds:.1f} |"
            )
            print(rows[-1], flush=True)
    return (
        f"At least 1 dB better than the data in {better} of {len(rows)}; worse by more than 0.2 dB "
        f"without a word in {worse}.\n\n"
        "| motion | picture | blurred | known | found, restored | halves agree "
        "| said to be undecided | CPU seconds |\n|---|---|---|---|---|---|---|---|\n"
        + "\n".join(rows)
    )


def main() -> None:
    """Both tables."""
    publish(
        "psf",
        "Unknown PSFs",
        f"## Gaussian blur of unknown width\n\n{widths()}\n\n## Unknown motion\n\n{motions()}",
    )


if __name__ == "__main__":
    if sys.argv[1:]:
        print({"widths": widths, "motions": motions}[sys.argv[1]]())
    else:
        main()
