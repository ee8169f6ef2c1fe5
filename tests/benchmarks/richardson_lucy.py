"""Photon counts: Richardson-Lucy stopped by itself, and the data term of photons with tv.

    python tests/benchmarks/richardson_lucy.py [FILE [MINUTES]]

Photographs of scikit-image, 128 x 128, behind a Gaussian blur of 1.5 pixels whose border is
unknown. PSNR in dB inside the data, so that all see the same pixels. FILE keeps the figures, so
that a run goes on where the last one ended; the page has the rows that were reached.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import photograph, publish
from skimage.restoration import richardson_lucy
from torch import Tensor

import ipx
from ipx import psnr

PICTURES = ("camera", "astronaut", "coins", "chelsea")
DARK = "hubble_deep_field"
SIGMA, STEPS, GRID = 1.5, (10, 30, 100), 1.5
BLUR = {"name": "blur", "sigma": SIGMA, "boundary": "unknown"}
TERMS = {"kl": "KL", "constant": "one variance", "local": "local variances"}
WAYS = ("auto", "best")
Row = dict[str, float]


class Weighted(ipx.Noise[ipx.NoOptions]):
    """1/2 sum w (Ax - y)^2 with w = 1 / max(p, one photon), in the unit of the divergence.

    p is an estimate of the mean of each datum, so that w / peak is its variance.
    """

    provides = (ipx.NoiseGrad, ipx.NoiseProx)

    def __init__(self, mean: Tensor, peak: float) -> None:
        super().__init__()
        self.weight, self.level = 1 / mean.clamp_min(1 / peak), peak

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Not used: the data are drawn by noise poisson."""
        raise ipx.InputError("this noise is for data terms only")

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        """The weighted squares, ``(B,)``."""
        return 0.5 * ipx.image_sum(self.weight * (pred - y) ** 2)

    def grad(self, pred: Tensor, y: Tensor) -> Tensor:
        """w (p - y)."""
        return self.weight * (pred - y)

    def prox(self, v: Tensor, y: Tensor, t: ipx.Scalar) -> Tensor:
        """(v + t w y) / (1 + t w)."""
        step = ipx.per_image(t, v) * self.weight
        return (v + step * y) / (1 + step)

    def curvature(self, y: Tensor) -> ipx.Scalar:
        """The largest w, ``(B,)``."""
        return self.weight.flatten(1).amax(1)

    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        """count / (2 peak), ``(B,)``."""
        return count / (2 * self.level)

    def estimated(
        self, y: Tensor, known: Tensor | None = None, storage: ipx.Storage = ipx.Storage()
    ) -> Weighted:
        """Itself: the weights are the noise level."""
        return self


def counted(name: str, peak: float) -> tuple[ipx.Operator[Any], Tensor, Tensor]:
    """Operator, data, and the truth inside the data."""
    truth = torch.from_numpy(photograph(name, 128)).float()[None, None]
    a = ipx.operator(**BLUR, image_shape=(1, 128, 128))
    return a, ipx.degrade(truth, op=a, noise=photons(peak), seed=1), a.view(truth)


def photons(peak: float) -> dict[str, Any]:
    """The noise, told."""
    return {"name": "poisson", "peak": peak}


def stopped(name: str, peak: float) -> Row:
    """Richardson-Lucy by its steps, by itself, with tv, and scikit-image's."""
    a, y, inside = counted(name, peak)
    noise, every = photons(peak), []

    def look(now: ipx.Progress) -> None:
        every.append(score(a.view(now.x), inside))

    own = {"op": BLUR, "noise": noise, "solver": "richardson-lucy", "prior": "none"}
    problem = ipx.Problem(y, a, ipx.noise(**noise), ipx.prior("none"))
    ipx.iterate(problem, ipx.solver("richardson-lucy"), iterations=60, tol=0, observers=[look])
    stop = ipx.solve(y, **own)
    smooth = ipx.solve(y, **{**own, "solver": {"name": "richardson-lucy", "tv": 0.002}})
    psf = a.psf.numpy()
    plain = [richardson_lucy(y[0, 0].numpy(), psf, num_iter=n, clip=False) for n in STEPS]
    found = [score(torch.from_numpy(x.astype(np.float32))[None, None], inside) for x in plain]
    return {
        "data": score(y, inside), "best": max(every), "stop": score(stop.x, inside),
        "steps": float(stop.iterations[0]), "tv": score(smooth.x, inside),
        **{f"skimage {n}": v for n, v in zip(STEPS, found, strict=True)},
    }  # fmt: skip


def fitted(name: str, peak: float, term: str) -> Row:
    """Prior tv with a data term, its weight chosen and its best weight."""
    _, y, inside = counted(name, peak)
    noise: Any = {"kl": photons(peak), "constant": "gaussian"}.get(term)
    if noise is None:
        noise = Weighted(ipx.noise(**photons(peak)).deviation(y) ** 2 * peak, peak)
    how = {"op": BLUR, "noise": noise, "prior": "tv"}
    auto = ipx.solve(y, **how)
    assert auto.lam is not None
    chosen = score(auto.x, inside)

    def at(lam: float) -> float:
        return score(ipx.solve(y, **how, lam=lam, tol=3e-4).x, inside)

    return {"auto": chosen, "best": max(chosen, climbed(at, float(auto.lam[0])))}


def climbed(at: Callable[[float], float], lam: float) -> float:
    """The largest value on a grid of weights, uphill from lam both ways."""
    best = first = at(lam)
    for way in (GRID, 1 / GRID):
        here, now = first, lam
        while (after := at(now := now * way)) > here:
            here = after
        best = max(best, here)
    return best


def score(x: Tensor, truth: Tensor) -> float:
    """PSNR in dB."""
    return float(psnr(x, truth)[0])


def measured(path: Path, minutes: float) -> dict[str, Row]:
    """The rows reached in so many minutes; those in the file are not measured again."""
    ends = time.monotonic() + 60 * minutes
    rows: dict[str, Row] = json.loads(path.read_text()) if path.exists() else {}
    todo: dict[str, Callable[[], Row]] = {}
    for name, peak, term in itertools.product((*PICTURES, DARK), (10.0, 30.0), TERMS):
        todo[f"{term} {name} {peak:g}"] = functools.partial(fitted, name, peak, term)
    for peak in (10.0, 30.0, 100.0):
        for name in PICTURES:
            todo[f"stopped {name} {peak:g}"] = functools.partial(stopped, name, peak)
    for key, make in todo.items():
        if key not in rows and time.monotonic() < ends:
            rows[key] = make()
            print(key, rows[key], flush=True)
            path.write_text(json.dumps(rows))
    return rows


def steps_table(rows: dict[str, Row]) -> str:
    """Richardson-Lucy."""
    columns = ("data", "best", "stop", "steps", "tv", *(f"skimage {n}" for n in STEPS))
    lines = [
        "| picture | peak | data | best | stop | steps | tv | skimage 10 | 30 | 100 |",
        "|---" * 10 + "|",
    ]
    for peak, name in itertools.product((10, 30, 100), PICTURES):
        if row := rows.get(f"stopped {name} {peak}"):
            cells = (f"{row[c]:.0f}" if c == "steps" else f"{row[c]:.2f}" for c in columns)
            lines.append(f"| {name} | {peak} | {' | '.join(cells)} |")
    return "\n".join(lines)


def terms_table(rows: dict[str, Row]) -> str:
    """The data terms, then the gains of Kullback-Leibler."""
    names = " | ".join(f"{TERMS[term]}, auto | best" for term in TERMS)
    lines = [f"| picture | peak | {names} |", "|---" * (2 + 2 * len(TERMS)) + "|"]
    for peak, name in itertools.product((10, 30), (*PICTURES, DARK)):
        if all(f"{term} {name} {peak}" in rows for term in TERMS):
            found = [rows[f"{term} {name} {peak}"][way] for term in TERMS for way in WAYS]
            lines.append(f"| {name} | {peak} | {' | '.join(f'{v:.2f}' for v in found)} |")
    for term in list(TERMS)[1:]:
        gains = (f"{gain(rows, term, way):+.2f} ({way})" for way in WAYS)
        lines += ["", f"KL over {TERMS[term]}, mean of these rows: {', '.join(gains)} dB."]
    return "\n".join(lines)


def gain(rows: dict[str, Row], term: str, way: str) -> float:
    """Mean gain of Kullback-Leibler over the pictures that both were measured on."""
    found = [
        kl[way] - row[way]
        for key, row in rows.items()
        if key.startswith(f"{term} ") and (kl := rows.get(f"kl {key.removeprefix(f'{term} ')}"))
    ]
    return sum(found) / len(found)


def report(rows: dict[str, Row]) -> str:
    """Both tables, and the gains."""
    return (
        f"{(__doc__ or '').strip()}\n\n## Richardson-Lucy\n\n"
        "`best` is the best of the iterates, by the truth; `stop` is the solver left alone, `tv` "
        "the same with its option tv at 0.002. scikit-image's `richardson_lucy` starts at 0.5 and "
        f"takes the scene beyond the border for black.\n\n{steps_table(rows)}\n\n## Data terms\n\n"
        "Prior tv. `KL` is noise poisson, its peak told. The others are sums of squares: of one "
        "variance (noise gaussian, its level estimated), and of variances from the means of 5 x 5 "
        "counts. `auto` has the weight chosen, `best` the best weight by the truth, on a grid of "
        "steps of 1.5. Variances from each count by itself draw the image to the dark: camera at "
        f"peak 10 has 17.33 dB, astronaut 16.35 dB.\n\n{terms_table(rows)}"
    )


def main() -> None:
    """Measure and publish."""
    path = Path(sys.argv[1]) if sys.argv[1:] else Path(tempfile.gettempdir()) / "ipx-counts.json"
    rows = measured(path, float(sys.argv[2]) if sys.argv[2:] else math.inf)
    publish("richardson_lucy", "Photon counts", report(rows), ("scikit-image",))


if __name__ == "__main__":
    main()
