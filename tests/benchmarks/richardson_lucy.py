"""Photon counts: Richardson-Lucy stopped by itself, and the data term of photons with tv.

    python tests/benchmarks/richardson_lucy.py

Four photographs of scikit-image, 128 x 128, behind a Gaussian blur of 1.5 pixels whose border is
unknown. ``best`` is the best of the iterates, by the truth; ``stop`` is the solver left alone,
``tv`` the same with its option tv at 0.002. scikit-image's `richardson_lucy` starts at 0.5 and
takes the scene beyond the border for black. PSNR in dB inside the data, so that all see the same
pixels.

The second table: prior tv, lam automatic and the best of five, with the data term of photons and
with that of Gaussian noise. With the argument ``tv`` it alone is measured, and printed.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from common import photograph, publish
from skimage.restoration import richardson_lucy
from torch import Tensor

import ipx
from ipx import psnr

PICTURES = ("camera", "astronaut", "coins", "chelsea")
SIGMA, STEPS = 1.5, (10, 30, 100)
LAMS = (0.02, 0.04, 0.08, 0.16, 0.32)
BLUR = {"name": "blur", "sigma": SIGMA, "boundary": "unknown"}


def measure(name: str, peak: float) -> list[float]:
    """The numbers of a row."""
    truth = torch.from_numpy(photograph(name, 128)).float()[None, None]
    a = ipx.operator(**BLUR, image_shape=(1, 128, 128))
    noise: dict[str, Any] = {"name": "poisson", "peak": peak}
    y, inside = ipx.degrade(truth, op=a, noise=noise, seed=1), a.view(truth)
    best: list[float] = []

    def look(now: ipx.Progress) -> None:
        best.append(score(a.view(now.x), inside))

    own = {"op": BLUR, "noise": noise, "solver": "richardson-lucy", "prior": "none"}
    problem = ipx.Problem(y, a, ipx.noise(**noise), ipx.prior("none"))
    ipx.iterate(problem, ipx.solver("richardson-lucy"), iterations=60, tol=0, observers=[look])
    stop = ipx.solve(y, **own)
    smooth = ipx.solve(y, **{**own, "solver": {"name": "richardson-lucy", "tv": 0.002}})
    psf = a.psf.numpy()
    plain = [richardson_lucy(y[0, 0].numpy(), psf, num_iter=n, clip=False) for n in STEPS]
    found = [score(torch.from_numpy(x.astype(np.float32))[None, None], inside) for x in plain]
    return [
        score(y, inside), max(best), score(stop.x, inside), float(stop.iterations[0]),
        score(smooth.x, inside), *found,
    ]  # fmt: skip


def terms(name: str, peak: float) -> list[float]:
    """Prior tv with both data terms: lam automatic, the best of `LAMS`."""
    truth = torch.from_numpy(photograph(name, 128)).float()[None, None]
    a = ipx.operator(**BLUR, image_shape=(1, 128, 128))
    noise: dict[str, Any] = {"name": "poisson", "peak": peak}
    y, inside, found = ipx.degrade(truth, op=a, noise=noise, seed=1), a.view(truth), []
    for told in (noise, "gaussian"):
        asked = {"op": BLUR, "noise": told, "prior": "tv"}
        found.append(score(ipx.solve(y, **asked).x, inside))
        tried = (ipx.solve(y, **asked, lam=lam, iterations=80) for lam in LAMS)
        found.append(max(score(how.x, inside) for how in tried))
    return found


def score(x: Tensor, truth: Tensor) -> float:
    """PSNR in dB."""
    return float(psnr(x, truth)[0])


def main() -> None:
    """Measure and publish."""
    lines = [
        "| picture | peak | data | best | stop | steps | tv | skimage 10 | 30 | 100 |",
        "|---" * 10 + "|",
    ]
    below = [
        "| picture | peak | poisson, auto | best lam | gaussian, auto | best lam |",
        "|---" * 6 + "|",
    ]
    alone = sys.argv[1:] == ["tv"]
    for peak in (10.0, 30.0, 100.0):
        for name in PICTURES:
            row = [] if alone else measure(name, peak)
            cells = [f"{v:.0f}" if i == 3 else f"{v:.2f}" for i, v in enumerate(row)]
            lines.append(f"| {name} | {peak:g} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    for peak in (10.0, 30.0):
        for name in PICTURES:
            cells = [f"{v:.2f}" for v in terms(name, peak)]
            below.append(f"| {name} | {peak:g} | {' | '.join(cells)} |")
            print(below[-1], flush=True)
    page = "\n\n".join([(__doc__ or "").strip(), "\n".join(lines), "\n".join(below)])
    if not alone:
        publish("richardson_lucy", "Photon counts", page, ("scikit-image",))


if __name__ == "__main__":
    main()
