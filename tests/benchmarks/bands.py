"""Images of many bands: visited spectra, two instruments, demosaicking, grey images of colours.

    python tests/benchmarks/bands.py [FILE]

PSNR in dB, sigma told unless said otherwise, weights automatic unless they are given. FILE keeps
the figures, so that a run that is broken off goes on.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Figures, peak_memory, photograph, publish, table
from torch import Tensor

import ipx
from ipx.files import images
from ipx.testing.scenes import spectra, spectral_cube

LOW_RANK = {"name": "low-rank", "block": None, "patch": 1}
SUM = [LOW_RANK, "smooth"]
SCAN = {"name": "spectral-inpaint", "share": 0.1}
VISITED: dict[str, dict[str, Any]] = {
    "`tv`, each band for itself": {"prior": {"name": "tv", "coupled": False}},
    "`tv`, bands coupled": {"prior": "tv"},
    "`low-rank` + `smooth`": {"prior": SUM, "iterations": 200},
    "`subspace` with `smooth`": {"prior": "smooth", "solver": "subspace"},
    "`subspace` with `hessian`": {"prior": "hessian", "solver": "subspace"},
}
TOLD = "`low-rank` + `smooth`, weights best on another cube"
LEVELS = (0.1, 0.05)
SHARES = ((7.5, 15.0, 30.0), (1.0, 2.0, 4.0))
"""Weights of the sum over sigma that are tried on another cube."""

QUIET = {"name": "gaussian", "sigma": 0.01}
CIRCULAR = {"boundary": "circular"}
LARGE = {"name": "spectral-fusion", "bands": 90, "factor": 4, "channels": 4, "size": (300, 500)}
MAPS = ("camera", "astronaut", "coffee", "rocket")


def cube(bands: int, side: int, seed: int = 0) -> Tensor:
    """Four spectra times the maps of their shares, ``(1, bands, side, side)``."""
    return torch.from_numpy(spectral_cube(bands, side, side, seed=seed)).float()[None]


def score(y: Tensor, truth: Tensor, **how: Any) -> float:
    """PSNR of the restoration."""
    return float(ipx.psnr(ipx.solve(y, doubtful="keep", **how).x, truth))


# ---------------------------------------------------------------- visited spectra


def scanned(sigma: float, seed: int, **how: Any) -> float:
    """PSNR of a cube of which a tenth was visited."""
    truth, noise = cube(32, 48, seed), {"name": "gaussian", "sigma": sigma}
    y = ipx.degrade(truth, op=SCAN, noise=noise, seed=seed)
    return score(y, truth, op=SCAN, noise=noise, **how)


def of_sum(sigma: float, seed: int, shares: tuple[float, ...]) -> float:
    """That of the sum with these weights over sigma."""
    lam = [share * sigma for share in shares]
    return scanned(sigma, seed, prior=SUM, lam=lam, iterations=200)


def visited(figures: Figures) -> str:
    """Both noise levels; the weights of the sum also those that are best on another cube."""
    rows, chosen = [[name] for name in (*VISITED, TOLD)], []
    for sigma in LEVELS:
        found = [
            figures.of(f"visited {sigma} {k}", scanned, sigma, 0, **VISITED[k]) for k in VISITED
        ]
        tried = {
            s: figures.of(f"other cube {sigma} {s}", of_sum, sigma, 1, s)
            for s in itertools.product(*SHARES)
        }
        best = max(tried, key=tried.__getitem__)
        found.append(figures.of(f"visited {sigma} {best}", of_sum, sigma, 0, best))
        chosen.append(f"{best[0]:g} and {best[1]:g} times sigma at sigma {sigma}")
        for row, after in zip(rows, found, strict=True):
            row.append(f"{after:.2f} ({after - found[0]:+.2f})")
    return (
        "32 bands of 48 x 48 pixels, four spectra (`ipx.testing.scenes.spectral_cube`, seed 0), "
        "10 % of the pixels; in brackets what is above the first row.\n\n"
        f"{table(['', *(f'sigma {sigma}' for sigma in LEVELS)], rows)}\n\n"
        f"The other cube has seed 1; of {len(tried)} pairs of weights the best there are "
        f"{', '.join(chosen)}."
    )


# ---------------------------------------------------------------- two instruments


def instruments(figures: Figures) -> str:
    """Cubes and a photograph, the coarse image interpolated against restorations."""
    fusion = {"name": "spectral-fusion", "bands": 24, "factor": 4, "channels": 3}
    photo = torch.from_numpy(images.bundled().pixels)[None, :, 60:124, 80:144].float()
    scenes: dict[str, tuple[dict[str, Any], Tensor, str]] = {
        "`spectral-fusion`, cube": (fusion, cube(24, 64), "subspace"),
        "`pansharpen`, cube": ({"name": "pansharpen", "bands": 24}, cube(24, 48), "subspace"),
        "`pansharpen`, photograph": ({"name": "pansharpen"}, photo, "auto"),
    }
    rows = []
    for name, (op, truth, solver) in scenes.items():
        y = ipx.degrade(truth, op=op, noise=QUIET, seed=1)
        before = float(
            ipx.psnr(ipx.operator(**op, image_shape=tuple(truth.shape[1:])).preview(y), truth)
        )
        cells = [f"{before:.2f}"]
        for prior in ("smooth", "tv"):
            how = {"op": op, "noise": QUIET, "prior": {"name": prior, **CIRCULAR}, "solver": solver}
            after = figures.of(f"{name} {prior}", score, y, truth, **how)
            cells.append(f"{after:.2f} ({after - before:+.2f})")
        bare = figures.of(f"{name} bare", score, y, truth, op=op)
        rows.append([name, *cells, f"{bare:.2f} ({bare - before:+.2f})"])
    head = ["", "bicubic", "`smooth`", "`tv`", "nothing told but the operator"]
    return (
        "Noise 0.01, coarse pixels of 4 x 4. Fusion of 24 bands with 3 channels at 64 x 64 pixels, "
        "pansharpening of 24 bands at 48 x 48, a part of 64 x 64 of the bundled photograph. The "
        "cubes by `subspace`, the photograph by the solver of `auto`, borders circular. The last "
        "column is the bare `ipx solve data.npy --op spectral-fusion --op.bands 24 --op.channels "
        "3`, the noise level, prior, solver and weight left to it.\n\n" + table(head, rows)
    )


def scene() -> Tensor:
    """90 bands of 300 x 500 pixels: four spectra, their maps photographs, ``(1, 90, 300, 500)``."""
    maps = [photograph(name, 500)[100:400] + 0.05 for name in MAPS]
    shares = np.stack(maps) / np.sum(maps, 0)
    return torch.from_numpy(np.einsum("kc,khw->chw", spectra(90, 4), shares)).float()[None]


def large(prior: str, lam: str) -> dict[str, float]:
    """PSNR, CPU seconds and peak memory of this process, which restores the scene of 90 bands."""
    torch.set_num_threads(1)
    truth = scene()
    y = ipx.degrade(truth, op=LARGE, noise=QUIET, seed=1)
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is that of making the data
    began = time.process_time()
    how = ipx.solve(
        y, op=LARGE, noise=QUIET, prior={"name": prior, **CIRCULAR}, solver="subspace",
        lam=lam if lam == "auto" else float(lam), doubtful="keep",
    )  # fmt: skip
    assert how.lam is not None
    return {
        "seconds": time.process_time() - began,
        "memory": peak_memory() / 1e9,
        "lam": how.lam[0],
        "solves": 1 + 2 * len(how.trace),
        "before": float(ipx.psnr(how.before, truth)),
        "after": float(ipx.psnr(how.x, truth)),
    }


def instrument(figures: Figures) -> str:
    """The size of an instrument, each restoration in a process of its own."""
    rows = []
    for prior, lam in (("smooth", "0.005"), ("smooth", "auto"), ("tv", "0.003"), ("tv", "auto")):
        keys = [
            f"large {prior} {lam} {k}"
            for k in ("before", "after", "lam", "solves", "seconds", "memory")
        ]
        if any(key not in figures.all for key in keys):
            words = [sys.executable, __file__, "--large", prior, lam]
            run = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
            for key, value in json.loads(run.stdout).items():
                figures.of(f"large {prior} {lam} {key}", float, value)
        before, after, weight, solves, seconds, memory = (figures.all[key] for key in keys)
        chosen = ", chosen" if lam == "auto" else ""
        rows.append(
            [
                f"`{prior}`", f"{weight:.4f}{chosen}", f"{after:.2f}", f"{after - before:+.2f}",
                f"{solves:.0f}", f"{seconds:.0f}", f"{memory:.1f}",
            ]
        )  # fmt: skip
    head = ["prior", "lam", "PSNR", "above bicubic", "solves", "CPU s", "peak memory, GB"]
    return (
        "90 bands of 300 x 500 pixels, 4 channels, factor 4, noise 0.01. The cube has four "
        f"spectra, their maps are photographs ({', '.join(MAPS)}). Bicubic interpolation of the "
        f"spectrometer has {figures.all['large smooth auto before']:.2f} dB. By `subspace` with "
        "circular borders, one thread. A weight that is chosen takes two solves for each that is "
        f"tried.\n\n{table(head, rows)}"
    )


# ---------------------------------------------------------------- colours


def demosaicked(figures: Figures) -> str:
    """Four photographs of 96 x 96 pixels."""
    rows = []
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        truth = torch.from_numpy(photograph(name, 256, grey=False)[80:176, 80:176]).float()
        truth = truth.movedim(-1, 0)[None]
        y = ipx.degrade(truth, op="mosaic", noise=QUIET, seed=1)
        before = float(ipx.psnr(ipx.operator("mosaic", (3, 96, 96)).preview(y), truth))
        cells = [f"{before:.2f}"]
        for prior in ("tv", "bm3d", "drunet", "auto"):
            how = {"op": "mosaic", "noise": QUIET, "prior": prior}
            after = figures.of(f"mosaic {name} {prior}", score, y, truth, **how)
            cells.append(f"{after:.2f} ({after - before:+.2f})")
        rows.append([name, *cells])
    head = ["photograph", "bilinear", "`tv`", "`bm3d`", "`drunet`", "`auto`"]
    return (
        "The middle 96 x 96 pixels of photographs of 256 x 256, noise 0.01; bilinear interpolation "
        "of the same data.\n\n" + table(head, rows)
    )


def coloured(figures: Figures) -> str:
    """The bundled face behind `luminance`, and with some colours known."""
    truth = torch.from_numpy(images.bundled("face").pixels).float()[None]
    grey = ipx.operator("luminance", tuple(truth.shape[1:]))
    y = ipx.degrade(truth, op="luminance", noise=QUIET, seed=1)
    hints = {
        "name": "stack",
        "parts": [{"name": "luminance"}, {"name": "inpaint", "missing": 0.95}],
    }
    some = ipx.degrade(truth, op=hints, noise=QUIET, seed=1)
    how = {"op": hints, "noise": QUIET, "prior": "tv", "image_shape": tuple(truth.shape[1:])}
    cells = [
        float(ipx.psnr(grey.preview(y), truth)),
        figures.of(
            "luminance drunet", score, y, truth, op="luminance", noise=QUIET, prior="drunet"
        ),
        figures.of("hints tv", score, some, truth, **how),
    ]
    head = [
        "grey image",
        "`drunet`, which leaves it grey",
        "`tv`, colours of 5 % of the pixels known",
    ]
    return "The bundled face behind `luminance`, noise 0.01.\n\n" + table(
        head, [[f"{cell:.2f}" for cell in cells]]
    )


def main() -> None:
    """Measure and publish."""
    if sys.argv[1:2] == ["--large"]:
        print(json.dumps(large(*sys.argv[2:])))
        return
    figures = Figures()
    parts = {
        "Visited spectra": visited, "Two instruments": instruments,
        "Two instruments, at the size of such data": instrument,
        "Demosaicking": demosaicked, "Grey images": coloured,
    }  # fmt: skip
    text = "\n\n".join(f"## {title}\n{part(figures)}" for title, part in parts.items())
    about = f"{(__doc__ or '').strip()}\n\n{text}"
    publish("bands", "Images of many bands", about, ("scikit-image",))


if __name__ == "__main__":
    main()
