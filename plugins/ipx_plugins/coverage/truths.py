"""Clean pictures: crops of photographs, and draws from a prior."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import ipx
from ipx.files.images import read

PHOTOGRAPHS = ("astronaut", "camera", "chelsea", "coffee", "coins", "rocket")
"""Pictures of scikit-image."""

SIDE = 256
"""Photographs are shrunk to this height or width, whichever is less, before they are cut."""

_LUMA = (0.2125, 0.7154, 0.0721)


def crops(
    files: Sequence[Path], count: int, size: int, colour: bool, seed: int
) -> tuple[Tensor, Tensor]:
    """Random crops of pictures, the pictures in turn.

    Args:
        files: pictures; those of scikit-image if there are none.
        count: number of crops.
        size: their side.
        colour: 3 channels instead of 1.
        seed: of the places.

    Returns:
        ``(count, C, size, size)`` in [0, 1], and for each which of two halves of the pictures it
        is from, ``(count,)``.

    Raises:
        InputError: a picture cannot be read, or is smaller than ``size``.
    """
    sources = [*map(_read, files)] if files else [*map(_photograph, PHOTOGRAPHS)]
    rng, found = np.random.default_rng(seed), []
    for i in range(count):
        x = _coloured(sources[i % len(sources)], colour)
        if min(x.shape[1:]) < size:
            raise ipx.InputError(f"a picture of {x.shape[2]} x {x.shape[1]} pixels is below {size}")
        top, left = (int(rng.integers(n - size + 1)) for n in x.shape[1:])
        found.append(x[:, top : top + size, left : left + size])
    half = torch.arange(count) % len(sources) % 2
    return torch.stack(found), half if len(sources) > 1 else torch.arange(count) % 2


def _read(path: Path) -> Tensor:
    x = torch.from_numpy(read(path).pixels).float()
    factor = min(x.shape[1:]) / SIDE
    return x if factor <= 1 else _resized(x, factor)


def _photograph(name: str) -> Tensor:
    import skimage.data

    x = torch.from_numpy(getattr(skimage.data, name)() / 255.0).float()
    x = x[None] if x.ndim == 2 else x[..., :3].permute(2, 0, 1)
    return _resized(x, min(x.shape[1:]) / SIDE)


def _resized(x: Tensor, factor: float) -> Tensor:
    from skimage import transform

    resize: Any = transform.resize  # without types
    shape = (x.shape[0], *(round(n / factor) for n in x.shape[1:]))
    return torch.from_numpy(resize(x.numpy(), shape, anti_aliasing=True)).float()


def _coloured(x: Tensor, colour: bool) -> Tensor:
    """3 channels or 1."""
    if colour:
        return x.expand(3, -1, -1) if len(x) == 1 else x[:3]
    return x if len(x) == 1 else torch.einsum("c,chw->hw", torch.tensor(_LUMA), x[:3])[None]


def from_prior(
    prior: dict[str, Any],
    weight: float,
    sampler: dict[str, Any],
    shape: tuple[int, ...],
    count: int,
    spread: float,
    thin: int | None,
    seed: int,
) -> Tensor:
    """Draws from exp(-weight R(x) - |x - 1/2|^2 / (2 spread^2)), evenly from one long chain.

    Args:
        prior: R.
        weight: lam over the variance of the noise.
        sampler: what draws.
        shape: ``(C, H, W)``.
        count: number of draws.
        spread: standard deviation that keeps the mean of the picture near 1/2, which most R do not
            see.
        thin: steps between two draws; None: those of the sampler.
        seed: of the chain.

    Returns:
        ``(count, C, H, W)``.

    Raises:
        PlanError: the sampler does not fit the prior.
    """
    y = torch.full((1, *shape), 0.5, dtype=torch.float64)
    how = ipx.solve(
        y, op="identity", noise={"name": "gaussian", "sigma": spread}, prior=prior,
        lam=weight * spread**2, sampler=sampler, estimate="mmse", samples=count, draws=count,
        chains=1, thin=thin, seed=seed, x0=y,
    )  # fmt: skip
    found = how.posterior
    assert found is not None
    return torch.cat(found.samples).float()
