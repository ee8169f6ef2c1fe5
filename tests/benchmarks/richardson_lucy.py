"""Photon counts: Richardson-Lucy stopped by itself, and the data term of photons with tv.

    python tests/benchmarks/richardson_lucy.py

Four photographs of scikit-image, 128 x 128, behind a Gaussian blur of 1.5 pixels whose border is
unknown. ``best`` is the best of the iterates, by the truth; ``stop`` is the solver left alone,
``tv`` the same with its option tv at 0.002. scikit-image's `richardson_lucy` starts at 0.5 and
takes the scene beyond the border for black. The last columns: prior tv, lam automatic, with noise
poisson and with noise gaussian. PSNR in dB inside the data, so that all see the same pixels.
"""

from __future__ import annotations

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
    kl = ipx.solve(y, op=BLUR, noise=noise, prior="tv")
    white = ipx.solve(y, op=BLUR, prior="tv")
    return [
        score(y, inside), max(best), score(stop.x, inside), float(stop.iterations[0]),
        score(smooth.x, inside), *found, score(kl.x, inside), score(white.x, inside),
    ]  # fmt: skip


def score(x: Tensor, truth: Tensor) -> float:
    """PSNR in dB."""
    return float(psnr(x, truth)[0])


def main() -> None:
    """Measure and publish."""
    lines = [
        "| picture | peak | data | best | stop | steps | tv | skimage 10 | 30 | 100 "
        "| prior tv, poisson | gaussian |",
        "|---" * 12 + "|",
    ]
    for peak in (10.0, 30.0, 100.0):
        for name in PICTURES:
            row = measure(name, peak)
            cells = [f"{v:.0f}" if i == 3 else f"{v:.2f}" for i, v in enumerate(row)]
            lines.append(f"| {name} | {peak:g} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    page = (__doc__ or "").strip() + "\n\n" + "\n".join(lines)
    publish("richardson_lucy", "Photon counts", page, ("scikit-image",))


if __name__ == "__main__":
    main()
