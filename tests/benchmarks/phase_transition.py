"""Recovery of exactly sparse signals of 256 pixels from m Gaussian measurements without noise: 5
signals of k normal numbers for each of 12 x 12 values of m/n and k/m. A signal is recovered if
|x - truth| <= 0.02 |truth|. The curve is the limit for l1 (Donoho, Tanner 2005), by the formula of
Donoho, Maleki, Montanari, PNAS 106, 2009.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from common import DOCS, publish
from PIL import Image, ImageDraw

import ipx
from ipx import Problem
from ipx_plugins.greedy.iht import IHTState

SIDE, COUNT, GRID = 16, 5, 12
N = SIDE * SIDE
LAM = 1e-3  # of l1, with values of about 1


def signals(m: int, seed: int) -> torch.Tensor:
    """``(GRID COUNT, 1, SIDE, SIDE)``, COUNT for each k."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.zeros(GRID * COUNT, N)
    for i in range(GRID * COUNT):
        k = sparsity(m, i // COUNT)
        x[i, torch.randperm(N, generator=rng)[:k]] = torch.randn(k, generator=rng)
    return x.reshape(-1, 1, SIDE, SIDE)


def sparsity(m: int, row: int) -> int:
    return max(1, round((row + 0.5) / GRID * m))


def recovered(m: int, seed: int) -> dict[str, np.ndarray]:
    """The share of recovered signals for each k, by each solver."""
    x = signals(m, seed)
    op = ipx.operator("compressed-sensing", (1, SIDE, SIDE), share=m / N, block=SIDE, seed=seed)
    noise = ipx.noise("gaussian", sigma=0.0)
    problem = Problem(op.forward(x), op, noise, ipx.prior("l1"), LAM, hard=True)

    def share(found: torch.Tensor) -> np.ndarray:
        good = ipx.image_norm(found - x) <= 0.02 * ipx.image_norm(x)
        return good.reshape(GRID, COUNT).float().mean(1).numpy()

    k = torch.tensor([sparsity(m, i // COUNT) for i in range(GRID * COUNT)])
    started = IHTState(torch.zeros_like(x), k)
    iht = ipx.iterate(problem, ipx.solver("iht", k=1), iterations=300, tol=1e-5, state=started)
    l1 = ipx.iterate(problem, ipx.solver("fista"), iterations=1000, tol=1e-6).x
    return {
        "l1": share(l1),
        "OMP": share(ipx.iterate(problem, ipx.solver("omp"), iterations=m, tol=1e-4).x),
        "IHT": share(iht.x),
    }


def limit(share: float) -> float:
    """The largest k/m for l1 at m/n, for n to infinity."""
    z = np.linspace(0.01, 6, 3000)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    tail = np.array([0.5 * math.erfc(v / math.sqrt(2)) for v in z])
    b = (1 + z**2) * tail - z * density
    return float(np.max((1 - 2 / share * b) / (1 + z**2 - 2 * b)))


def drawn(shares: dict[str, np.ndarray]) -> Image.Image:
    """A panel for each solver, white where all signals are recovered, and the curve."""
    cell, gap = 20, 40
    side = cell * GRID
    sheet = Image.new("RGB", (len(shares) * (side + gap) + gap, side + 2 * gap), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (name, share) in enumerate(shares.items()):
        left, top = gap + i * (side + gap), gap
        grey = (40 + 190 * share[::-1]).astype(np.uint8)  # k/m upwards
        panel = Image.fromarray(grey).resize((side, side), Image.Resampling.NEAREST)
        sheet.paste(panel.convert("RGB"), (left, top))
        draw.text((left, top - 16), f"{name}: k/m upwards, m/n to the right, 0 to 1", "black")
        at = (np.arange(1, 60)) / 60
        line = [(left + side * d, top + side * (1 - limit(d))) for d in at]
        draw.line(line, fill=(220, 40, 40), width=2)
    return sheet


def half(share: np.ndarray) -> float:
    """The largest k/m at which at least half of the signals are recovered, without a gap below."""
    below = np.flatnonzero(share < 0.5)
    return float(below[0] if len(below) else GRID) / GRID


def main() -> None:
    """All cells, the picture, and a table of the transitions."""
    torch.set_num_threads(1)
    sizes = [max(1, round((i + 0.5) / GRID * N)) for i in range(GRID)]
    columns = [recovered(m, seed) for seed, m in enumerate(sizes)]
    shares = {name: np.stack([c[name] for c in columns], 1) for name in columns[0]}
    DOCS.mkdir(exist_ok=True)
    drawn(shares).save(DOCS / "phase_transition.png", optimize=True)
    rows = [
        f"| {m / N:.2f} | {limit(m / N):.2f} | "
        + " | ".join(f"{half(shares[name][:, i]):.2f}" for name in shares)
        + " |"
        for i, m in enumerate(sizes)
        if i % 2 == 1
    ]
    head = "| m/n | limit for l1 | " + " | ".join(shares) + " |\n|---|---|" + "---|" * len(shares)
    publish(
        "phase_transition",
        "Phase transition of sparse recovery",
        f"{(__doc__ or '').strip()}\n\n![Recovered signals](phase_transition.png)\n\nThe largest "
        f"k/m, in steps of {1 / GRID:.2f}, at which at least half of the signals are recovered:\n\n"
        + "\n".join([head, *rows]),
    )


if __name__ == "__main__":
    main()
