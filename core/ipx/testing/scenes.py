"""Seeded scenes for tests and documentation: images of many bands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spectra(bands: int, materials: int = 4, seed: int = 0) -> NDArray[np.float64]:
    """Spectra of materials: a falling background with an edge and two lines, as of EELS.

    Args:
        bands: their number.
        materials: the number of spectra.
        seed: of the random numbers.

    Returns:
        ``(materials, bands)`` in [0, 1].
    """
    rng, at = np.random.default_rng(seed), np.linspace(0, 1, bands)
    found = []
    for k in range(materials):
        edge = (k + rng.uniform(0.3, 0.7)) / materials
        step = 0.4 / (1 + np.exp(-(at - edge) / 0.02)) * np.exp(-2 * (at - edge).clip(0))
        lines = sum(
            rng.uniform(0.2, 0.5) * np.exp(-0.5 * ((at - rng.uniform(0, 1)) / 0.03) ** 2)
            for _ in range(2)
        )
        found.append(0.5 * np.exp(-rng.uniform(1, 4) * at) + step + lines)
    return np.asarray(np.stack(found) / np.max(found))


def abundances(height: int, width: int, materials: int = 4, seed: int = 0) -> NDArray[np.float64]:
    """Maps of the shares of materials: grains with soft borders, and gradients within them.

    Args:
        height: of the maps.
        width: of the maps.
        materials: the number of maps.
        seed: of the random numbers.

    Returns:
        ``(materials, height, width)``, >= 0, with sum 1 in each pixel.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    grains = 3 * materials
    centres = rng.uniform(0, 1, (grains, 2)) * (height, width) / max(height, width)
    far = (rows - centres[:, :1, None]) ** 2 + (columns - centres[:, 1:, None]) ** 2
    near = np.exp(-300 * (far - far.min(0)))
    logits = np.stack([near[k::materials].sum(0) for k in range(materials)])
    slope = rng.normal(0, 1, (materials, 2, 1, 1))
    share = logits * np.exp(0.7 * (slope[:, 0] * rows + slope[:, 1] * columns))
    return np.asarray(share / share.sum(0))


def spectral_cube(
    bands: int, height: int, width: int, materials: int = 4, seed: int = 0
) -> NDArray[np.float64]:
    """An image of many bands: a few spectra times the maps of their shares.

    Returns:
        ``(bands, height, width)`` in [0, 1], of rank ``materials``.
    """
    maps = abundances(height, width, materials, seed)
    return np.asarray(np.einsum("kc,khw->chw", spectra(bands, materials, seed), maps))
