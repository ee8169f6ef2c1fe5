"""How often intervals of 90 % hold the truth, pixel by pixel.

Truths drawn from `smooth` itself: 50 pictures of 16x16, blur of 1 pixel, noise 0.05, `gibbs`. The
photograph `camera` of scikit-image at 64x64: blur of 1.5 pixels, noise 0.02, `tv` by `skrock`, 300
draws, with three weights. The data are likelier under the second than under the others.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from common import photograph, publish
from samplers import SIGMA, deblurring
from torch import Tensor

import ipx
from ipx.solving.sample import sample

WEIGHTS = (5, 13, 40)
"""Weights of `tv` over the variance of the noise."""


def coverage(found: Any, truth: Tensor) -> float:
    """The share of pixels within their bounds."""
    return float(((truth >= found.lower) & (truth <= found.upper)).float().mean())


def gaussian(count: int = 50, size: int = 16, sigma: float = 0.05, spread: float = 0.1) -> str:
    """A row: truths from exp(-|D x|^2 / (2 spread^2)), of mean 0.5."""
    rng = torch.Generator().manual_seed(1)
    gram = 4 * torch.sin(math.pi * torch.arange(size, dtype=torch.float64) / size) ** 2
    gram = gram[:, None] + gram
    white = torch.randn(count, 1, size, size, generator=rng, dtype=torch.float64)
    scale = torch.where(gram > 0, spread / gram.clamp_min(1e-9).sqrt(), 0.0)
    truth = 0.5 + torch.fft.ifft2(torch.fft.fft2(white) * scale).real
    operator = ipx.operator("blur", (1, size, size), sigma=1.0, boundary="circular")
    noise = ipx.noise("gaussian", sigma=sigma)
    y = noise.sample(operator.forward(truth), rng)
    prior = ipx.prior("smooth", boundary="circular")
    problem = ipx.Problem(y, operator, noise, prior, sigma**2 / spread**2)
    found = sample(problem, ipx.sampler("gibbs"), draws=400, interval=90)
    return (
        f"| from `smooth` itself | {sigma**2 / spread**2:g} | {coverage(found, truth):.3f} | | | |"
    )


def photographed(weight: float) -> str:
    """A row: the photograph with one weight."""
    truth = torch.as_tensor(photograph("camera", 64)).float()[None, None]
    problem = deblurring("camera", 64, weight * SIGMA**2)
    best = ipx.iterate(problem, ipx.solver("admm")).x
    found = sample(problem, ipx.sampler("skrock"), draws=300, start=best, interval=90)
    off = (found.mean - truth).abs()
    together = float(torch.corrcoef(torch.stack([found.std.flatten(), off.flatten()]))[0, 1])
    map_, mmse = (-10 * math.log10(float((x - truth).square().mean())) for x in (best, found.mean))
    p, held = found.predictive["misfit"][0], coverage(found, truth)
    return (
        f"| `camera`, `tv` | {weight * SIGMA**2:g} | {held:.3f} | {together:.2f} | "
        f"{map_:.2f}, {mmse:.2f} | {p:.2f} |"
    )


def main() -> None:
    """All rows."""
    torch.set_num_threads(1)
    head = (
        "| truth | lam | coverage | correlation of std and error | PSNR of map, mmse | p of misfit |"
        "\n|---|---|---|---|---|---|\n"
    )
    rows = "\n".join([gaussian(), *(photographed(w) for w in WEIGHTS)])
    text = f"{(__doc__ or '').strip()}\n\n{head}{rows}"
    publish("coverage", "Coverage of intervals", text)


if __name__ == "__main__":
    main()
