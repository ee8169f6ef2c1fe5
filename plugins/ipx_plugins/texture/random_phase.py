"""Random phase noise: the spectrum of an example with random phases (Galerne et al. 2011)."""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import irfft2


def random_phase(example: Tensor, size: tuple[int, int], rng: torch.Generator) -> Tensor:
    """A texture of mean and power spectrum of the example: no edges, and nothing else.

    Args:
        example: ``(C, h, w)``; cut to the size if it is larger.
        size: height and width of the result.
        rng: source of the random phases, which are the same for all channels.

    Returns:
        ``(C, *size)``; values may leave the range of the example.
    """
    example = example[:, : size[0], : size[1]]
    mean = example.mean((1, 2), keepdim=True)
    # without the jump between opposite borders, which would be a cross in the spectrum
    spot = (example - mean) * _taper(example)
    spot = (
        spot * (example - mean).square().sum().sqrt() / spot.square().sum().sqrt().clamp_min(1e-12)
    )
    pixels = example.shape[1] * example.shape[2]
    scale = (size[0] * size[1] / pixels) ** 0.5
    noise = torch.fft.rfft2(torch.randn(size, generator=rng))
    phases = noise / noise.abs().clamp_min(1e-12)
    phases[0, 0] = 0  # the mean is that of the example
    made: Tensor = mean + scale * irfft2(torch.fft.rfft2(spot, s=size) * phases, size)
    return made


def _taper(x: Tensor) -> Tensor:
    """1 inside, falling to 0 over an eighth of the side at each border, ``(H, W)``."""
    sides = []
    for n in x.shape[1:]:
        from_border = torch.minimum(torch.arange(n) + 0.5, n - torch.arange(n) - 0.5)
        sides.append((from_border / max(1.0, n / 8)).clamp_max(1).mul(torch.pi / 2).sin() ** 2)
    return torch.outer(*sides).to(x)
