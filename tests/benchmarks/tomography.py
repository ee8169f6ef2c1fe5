"""Parallel-beam tomography of the Shepp-Logan phantom.

Times are for 256 x 256 pixels, 180 angles and 256 bins, float32, against scikit-image's `radon`
and `iradon`. Quality is for 128 x 128 pixels, 30 angles, and noise of 1 % of the largest value,
whose level is given.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from common import DOCS, interleaved, publish
from PIL import Image
from skimage.data import shepp_logan_phantom
from skimage.transform import iradon, radon, resize

import ipx

SIZE, SMALL = 256, 128
SOLVERS = (
    ("FBP, ram-lak", {"solver": {"name": "fbp", "filter": "ram-lak"}}),
    ("FBP, shepp-logan", {"solver": {"name": "fbp", "filter": "shepp-logan"}}),
    ("FBP, hann", {"solver": {"name": "fbp", "filter": "hann"}}),
    ("SIRT, x >= 0", {"solver": "sirt", "prior": {"name": "range", "upper": None}}),
    ("Landweber", {"solver": "landweber", "prior": "none"}),
    ("TV, lam auto", {"prior": "tv"}),
)


def phantom(size: int) -> torch.Tensor:
    image = resize(shepp_logan_phantom(), (size, size), anti_aliasing=True)
    return torch.from_numpy(image).float()[None, None]


def timings(x: torch.Tensor) -> str:
    op = ipx.operator("tomography", (1, SIZE, SIZE))
    began, cpu = time.perf_counter(), time.process_time()
    y = op.forward(x)
    op.adjoint(y)
    setup, used = time.perf_counter() - began, time.process_time() - cpu
    angles, image = np.arange(180.0), x[0, 0].numpy().astype(float)
    sinogram = radon(image, angles)
    ms = interleaved(
        {
            "forward": lambda: op.forward(x),
            "radon": lambda: radon(image, angles),
            "adjoint": lambda: op.adjoint(y),
            "fbp": lambda: op.backproject(y, "ram-lak"),
            "iradon": lambda: iradon(sinogram, angles),
        },
        5,
    )
    return (
        f"| what | ms | scikit-image, ms | times faster |\n|---|---|---|---|\n"
        f"| A x | {ms['forward']:.0f} | {ms['radon']:.0f} | "
        f"{ms['radon'] / ms['forward']:.0f} |\n"
        f"| A^T y | {ms['adjoint']:.0f} | | |\n"
        f"| filtered back-projection | {ms['fbp']:.0f} | {ms['iradon']:.0f} | "
        f"{ms['iradon'] / ms['fbp']:.1f} |\n\n"
        f"The first products, which make the matrices, took {setup:.1f} s ({used:.1f} s of "
        "processor time)."
    )


def quality(x: torch.Tensor) -> tuple[str, list[np.ndarray]]:
    op = {"name": "tomography", "angles": 30}
    clean = ipx.degrade(x, op=op, noise={"name": "gaussian", "sigma": 0.0})
    noise = {"name": "gaussian", "sigma": 0.01 * float(clean.max())}
    y = ipx.degrade(x, op=op, noise=noise, seed=0)
    rows, pictures = [], [x[0, 0].numpy()]
    for name, how in SOLVERS:
        found = ipx.solve(y, op=op, noise=noise, **how)
        psnr = float(ipx.psnr(found.x, x))
        rows.append(f"| {name} | {psnr:.2f} | {found.iterations[0]} |")
        pictures.append(found.x[0, 0].numpy())
    return "| method | PSNR, dB | iterations |\n|---|---|---|\n" + "\n".join(rows), pictures


def main() -> None:
    """Both tables, and the picture: truth, FBP (ram-lak, hann), SIRT, TV."""
    scores, pictures = quality(phantom(SMALL))
    shown = [pictures[i] for i in (0, 1, 3, 4, 6)]
    grey = (255 * np.concatenate(shown, 1).clip(0, 1)).astype(np.uint8)
    Image.fromarray(grey).save(DOCS / "tomography.png", optimize=True)
    publish(
        "tomography",
        "Tomography",
        f"{(__doc__ or '').strip()}\n\n{timings(phantom(SIZE))}\n\n{scores}\n\n"
        "![truth, FBP ram-lak, FBP hann, SIRT, TV](tomography.png)\n\n"
        "From the left: truth, FBP ram-lak, FBP hann, SIRT, TV.",
        ("scikit-image",),
    )


if __name__ == "__main__":
    main()
