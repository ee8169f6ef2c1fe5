"""Stripes: what is left of the columns, against bounds for what the data tell of them.

    python tests/benchmarks/stripes.py [FILE]

Grey photographs of scikit-image, 128 x 128, noise 0.05, offsets 0.05, gains 0.01, all told. PSNR
in dB. FILE keeps the figures, so that a run that is broken off goes on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from common import photograph, publish
from torch import Tensor

import ipx

PICTURES = ("astronaut", "camera", "coffee", "chelsea")
SIGMA, OFFSET, PERIOD = 0.05, 0.05, 64
WHITE = {"name": "gaussian", "sigma": SIGMA}
STRIPES = {"name": "stripes", "sigma": SIGMA, "gain": 0.01, "offset": OFFSET, "period": PERIOD}
PRIORS = ("drunet", "bm3d", "tv")


def restored(y: Tensor, noise: dict[str, object], prior: str, **how: object) -> Tensor:
    """The image."""
    return ipx.solve(y, doubtful="keep", noise=noise, prior=prior, **how).x


def off(x: Tensor, truth: Tensor) -> float:
    """Root mean square error of the means of columns."""
    return float((x - truth).mean(-2).square().mean().sqrt())


def best_linear(truth: Tensor) -> float:
    """Error of column means under the best filter, which knows the spectrum of the true ones.

    A column's mean is s + o, and noise of variance N = sigma^2 / H. At a period below PERIOD a
    Wiener filter leaves P (O + N) / (P + O + N), at a longer one, where o has nothing, P N / (P +
    N); P is the power of s, averaged over neighbouring frequencies, O that of the offsets.
    """
    height, width = truth.shape[-2:]
    means = truth.mean(-2).flatten().double()
    n = torch.arange(width)
    waves = torch.cos(torch.pi / width * (n + 0.5) * n[:, None])
    waves = waves.double() / waves.double().norm(dim=1, keepdim=True)
    power = (waves @ means) ** 2
    smooth = torch.nn.functional.avg_pool1d(
        power[None, None], 5, 1, 2, count_include_pad=False
    ).flatten()
    white = SIGMA**2 / height
    added = torch.where(n > 2 * width / PERIOD, OFFSET**2, 0.0) + white
    return float((smooth * added / (smooth + added)).mean().sqrt())


def measured(name: str, prior: str) -> dict[str, float]:
    """PSNR of a picture with a prior, and errors of the means of its columns."""
    truth = torch.from_numpy(photograph(name, 128)).float()[None, None]
    y = ipx.degrade(truth, noise=STRIPES, seed=1)
    free = ipx.degrade(truth, noise=WHITE, seed=1)
    images = {
        "with stripes": y,
        "found with the image": restored(y, STRIPES, prior),
        "without stripes": restored(free, WHITE, prior),
    }
    row = {key: float(ipx.psnr(x, truth)) for key, x in images.items()}
    row["columns, best linear"] = best_linear(truth)
    return row | {"columns, found": off(images["found with the image"], truth)}


def table(rows: dict[str, dict[str, float]], columns: list[str], digits: int) -> str:
    """A line for each picture and prior."""
    names = " | ".join(column.removeprefix("columns, ") for column in columns)
    lines = [f"| picture | prior | {names} |", "|---" * (len(columns) + 2) + "|"]
    for key, row in rows.items():
        cells = " | ".join(f"{row[column]:.{digits}f}" for column in columns)
        lines.append(f"| {key.replace(' ', ' | ')} | {cells} |")
    return "\n".join(lines)


def report(rows: dict[str, dict[str, float]]) -> str:
    """Both tables."""
    every = list(next(iter(rows.values())))
    return (
        f"{(__doc__ or '').strip()}\n\n{table(rows, every[:3], 2)}\n\n"
        "Root mean square error of the means of columns. `best linear` is a Wiener filter along "
        "the row of means, with the spectrum of the true means and of the offsets: a bound for "
        "what tells scene from stripes by their spectra. The noise alone has "
        f"{SIGMA / 128**0.5:.4f} in a column.\n\n{table(rows, every[3:], 4)}"
    )


def main() -> None:
    """Measure and publish."""
    path = Path(sys.argv[1]) if sys.argv[1:] else None
    kept = path is not None and path.exists()
    rows: dict[str, dict[str, float]] = json.loads(path.read_text()) if kept else {}
    for prior in PRIORS:
        for name in PICTURES:
            if f"{name} {prior}" not in rows:
                rows[f"{name} {prior}"] = measured(name, prior)
                print(name, prior, rows[f"{name} {prior}"], flush=True)
                if path is not None:
                    path.write_text(json.dumps(rows))
    publish("stripes", "Stripes", report(rows))


if __name__ == "__main__":
    main()
