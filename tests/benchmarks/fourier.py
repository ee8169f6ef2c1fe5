"""Undersampled Fourier measurements: zero-filled, total variation, a denoiser.

    python tests/benchmarks/fourier.py [FILE]

A quarter of the frequencies. PSNR in dB. FILE keeps the figures, so that a run that is broken off
goes on.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from common import Figures, photograph, publish, table
from skimage.data import shepp_logan_phantom
from skimage.transform import resize

import ipx
from ipx.files import images

MASKS = ("lines", "radial", "random")
PICTURES = ("astronaut", "coffee", "camera")
SIGMA = 0.02
PRIORS = ("tv", "drunet")
STEPS = (100, 300, 1000)
QUIET = {"name": "gaussian", "sigma": 0.0}


def picture(name: str) -> torch.Tensor:
    """``(1, C, H, W)``: the bundled astronaut, 256 x 256 in colour; the others grey, 128 x 128."""
    if name == "astronaut":
        return torch.from_numpy(images.bundled().pixels).float()[None]
    return torch.from_numpy(photograph(name, 128)).float()[None, None]


def phantom() -> torch.Tensor:
    """Shepp and Logan's, 64 x 64, double precision, ``(1, 1, 64, 64)``."""
    pixels = resize(shepp_logan_phantom(), (64, 64), anti_aliasing=True)
    return torch.from_numpy(pixels).double()[None, None]


def zero_filled(y: torch.Tensor, truth: torch.Tensor, mask: str) -> float:
    """PSNR of A^T y."""
    operator = ipx.operator("fourier", tuple(truth.shape[1:]), kind=mask)
    return float(ipx.psnr(operator.adjoint(y), truth))


def restored(
    y: torch.Tensor, truth: torch.Tensor, mask: str, prior: str, sigma: float | None
) -> ipx.Restoration:
    """The restoration with the weight automatic."""
    op, noise = {"name": "fourier", "kind": mask}, {"name": "gaussian", "sigma": sigma}
    return ipx.solve(y, op=op, noise=noise, prior=prior, doubtful="keep")


def psnr(y: torch.Tensor, truth: torch.Tensor, *how: Any) -> float:
    """That of the restoration."""
    return float(ipx.psnr(restored(y, truth, *how).x, truth))


def level(y: torch.Tensor, truth: torch.Tensor, mask: str) -> float:
    """The noise level that total variation goes by where none is told."""
    return restored(y, truth, mask, "tv", None).level[0]


def photographs(figures: Figures) -> str:
    """Three masks, three photographs, the weight automatic."""
    rows = []
    for name in PICTURES:
        truth = picture(name)
        for mask in MASKS:
            op = {"name": "fourier", "kind": mask}
            y = ipx.degrade(truth, op=op, noise={"name": "gaussian", "sigma": SIGMA}, seed=1)
            cells = [f"{zero_filled(y, truth, mask):.2f}"]
            for prior, sigma in itertools.product(PRIORS, (SIGMA, None)):
                key = f"{name} {mask} {prior} {sigma}"
                cells.append(f"{figures.of(key, psnr, y, truth, mask, prior, sigma):.2f}")
            found = figures.of(f"{name} {mask} level", level, y, truth, mask)
            rows.append([name, mask, *cells, f"{found:.4f}"])
    head = [f"`{p}`{how}" for p in PRIORS for how in ("", ", sigma not told")]
    return table(["picture", "mask", "zero-filled", *head, "sigma that is found"], rows)


def steps_of(y: torch.Tensor, truth: torch.Tensor, mask: str, solver: str, steps: int) -> float:
    """PSNR after so many steps, without noise."""
    how = ipx.solve(
        y, op={"name": "fourier", "kind": mask}, noise=QUIET, prior="tv", lam=1e-4,
        solver=solver, iterations=steps, tol=0.0, doubtful="keep",
    )  # fmt: skip
    return float(ipx.psnr(how.x, truth))


def convergence(figures: Figures) -> str:
    """The phantom without noise: two solvers after some numbers of steps."""
    truth, rows = phantom(), []
    for mask in ("radial", "random"):
        y = ipx.degrade(truth, op={"name": "fourier", "kind": mask}, noise=QUIET)
        for solver in ("pdhg", "admm"):
            keys = [(f"phantom {mask} {solver} {n}", n) for n in STEPS]
            found = [figures.of(key, steps_of, y, truth, mask, solver, n) for key, n in keys]
            cells = [f"{cell:.2f}" for cell in (zero_filled(y, truth, mask), *found)]
            rows.append([mask, cells[0], f"`{solver}`", *cells[1:]])
    return table(["mask", "zero-filled", "solver", *(f"{n} steps" for n in STEPS)], rows)


def main() -> None:
    """Measure and publish."""
    figures = Figures()
    text = (
        f"{(__doc__ or '').strip()}\n\n## Photographs\n"
        f"Noise {SIGMA}, the weight automatic; astronaut in colour.\n\n{photographs(figures)}\n\n"
        "`admm-net` along spokes has [its own table]"
        "(unrolled.md#fourier-sampling-along-spokes-means-over-12-pictures).\n\n"
        "## Without noise\nShepp and Logan's phantom, 64 x 64, total variation with the weight "
        "1e-4, as in Candes, Romberg, Tao 2006. `admm` is the solver that `auto` takes.\n\n"
        f"{convergence(figures)}"
    )
    publish("fourier", "Undersampled Fourier measurements", text, ("scikit-image",))


if __name__ == "__main__":
    main()
