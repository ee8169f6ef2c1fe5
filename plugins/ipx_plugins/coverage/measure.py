"""Intervals of simulated problems, their coverage, and a factor that calibrates them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

import ipx

Table = dict[str, Any]

BATCH = 16
"""Problems that are solved together; these share the random numbers of their chains."""


@dataclass(frozen=True)
class Intervals:
    """What the posteriors of N problems say, ``(N, C, H, W)`` each.

    Attributes:
        truth: the clean pictures.
        lower: lower bounds of the interval.
        median: medians of the pixels.
        upper: upper bounds.
        mean: posterior means.
        best: minimisers.
        std: standard deviations.
        lam: weights, ``(N,)``.
        misfit: posterior predictive p-values of the misfit, ``(N,)``.
        mixed: whether the chains have mixed, ``(N,)``.
        sampler: its name.
    """

    truth: Tensor
    lower: Tensor
    median: Tensor
    upper: Tensor
    mean: Tensor
    best: Tensor
    std: Tensor
    lam: Tensor
    misfit: Tensor
    mixed: Tensor
    sampler: str = ""

    def held(self, factor: float = 1.0) -> Tensor:
        """The share of pixels of each problem within bounds whose distance from the median is
        multiplied by ``factor``, ``(N,)``."""
        return (self.distance() <= factor).flatten(1).double().mean(1)

    def distance(self) -> Tensor:
        """Distance of the truth from the median, relative to that of the bound on its side."""
        off = self.truth - self.median
        side = torch.where(off > 0, self.upper - self.median, self.median - self.lower)
        return off.abs() / side.clamp_min(1e-12)

    def part(self, which: Tensor) -> Intervals:
        """The problems where ``which`` ``(N,)`` is true."""
        tensors: dict[str, Any] = {
            k: v[which] for k, v in vars(self).items() if isinstance(v, Tensor)
        }
        return replace(self, **tensors)


def intervals(
    truth: Tensor, request: Table, percent: float, seed: int, note: Callable[[str], None]
) -> Intervals:
    """Degrade, restore and draw.

    Args:
        truth: clean pictures ``(N, C, H, W)`` in [0, 1].
        request: arguments of `ipx.solve`: op, noise, prior, lam, sampler, and settings.
        percent: of the intervals.
        seed: of noise and chains.
        note: takes a line after each batch.

    Raises:
        UsageError: bounds are for another region than the truth.
    """
    found: list[Table] = []
    name = ""
    for first in range(0, len(truth), BATCH):
        x = truth[first : first + BATCH]
        y = ipx.degrade(x, op=request["op"], noise=request["noise"], seed=seed + first)
        how = ipx.solve(
            y, **{"estimate": "mmse", "seed": seed + first, **request, "interval": percent}
        )
        drawn = how.posterior
        assert drawn is not None
        assert drawn.lower is not None
        assert drawn.upper is not None
        if drawn.mean.shape != x.shape:
            raise ipx.UsageError(
                f"the posterior is of {tuple(drawn.mean.shape[1:])} pixels, the truth of "
                f"{tuple(x.shape[1:])}; take an operator without a hidden border"
            )
        name = drawn.sampler
        lam = torch.tensor(how.lam if how.lam is not None else [math.nan] * len(x))
        found.append({
            "truth": x, "lower": drawn.lower, "median": drawn.median, "upper": drawn.upper,
            "mean": drawn.mean, "best": how.result.x, "std": drawn.std, "lam": lam,
            "misfit": torch.tensor(drawn.predictive["misfit"]),
            "mixed": torch.tensor(drawn.mixed),
        })  # fmt: skip
        share = float(torch.cat([Intervals(**f).held() for f in found]).mean())
        note(f"{min(first + BATCH, len(truth))} of {len(truth)}: coverage {share:.3f}")
    return Intervals(**{k: torch.cat([f[k] for f in found]) for k in found[0]}, sampler=name)


def factor(found: Intervals, percent: float) -> float:
    """The factor on half-widths with which ``percent`` of these pixels are within their bounds."""
    ordered = found.distance().flatten().double().sort().values
    place = math.ceil(percent / 100 * len(ordered)) - 1
    return float(ordered[max(place, 0)])


def summary(found: Intervals, half: Tensor, percent: float) -> Table:
    """The figures of a table: plain values.

    Each half of the pictures, ``half`` ``(N,)`` 0 or 1, is calibrated by a factor learned on the
    other.
    """
    held, count = found.held(), len(found.truth)
    out: Table = {
        "problems": count,
        "mixed": int(found.mixed.sum()),
        "sampler": found.sampler,
        "lam": float(found.lam.double().median()),
        "percent": percent,
        "coverage": float(held.mean()),
        "error": _error(held),
    }
    parts = [found.part(half == k) for k in (0, 1)]
    if all(len(p.truth) for p in parts):
        factors = [factor(p, percent) for p in parts]
        calibrated = torch.cat([parts[1 - k].held(factors[k]) for k in (0, 1)])
        out |= {
            "factors": factors, "calibrated": float(calibrated.mean()),
            "calibrated_error": _error(calibrated),
        }  # fmt: skip
    off = (found.mean - found.truth).abs()
    pair = torch.stack([found.std.flatten(), off.flatten()])
    return out | {
        "correlation": float(torch.corrcoef(pair.double())[0, 1]),
        "psnr_map": _psnr(found.best, found.truth),
        "psnr_mmse": _psnr(found.mean, found.truth),
        "misfit_p": float(found.misfit.median()),
    }


def _error(shares: Tensor) -> float:
    """Standard error of a mean over problems."""
    return float(shares.std() / math.sqrt(len(shares))) if len(shares) > 1 else math.nan


def _psnr(x: Tensor, truth: Tensor) -> float:
    """Mean PSNR in dB."""
    return float(-10 * (x - truth).square().flatten(1).mean(1).log10().mean())


HEAD = (
    "| truth | operator | noise | prior | sampler | lam | problems (mixed) | coverage | factor |"
    " calibrated | std and error | PSNR map, mmse | p of misfit |\n" + "|---" * 13 + "|"
)
"""The head of a table of `row`."""


def row(title: str, request: Table, told: Table) -> str:
    """A row of a table."""
    factors = told.get("factors")
    cells = (
        title, described(request["op"]), described(request["noise"]), described(request["prior"]),
        told["sampler"], f"{told['lam']:.3g}", f"{told['problems']} ({told['mixed']})",
        f"{told['coverage']:.3f} +- {told['error']:.3f}",
        "" if factors is None else ", ".join(f"{f:.2f}" for f in factors),
        "" if factors is None else f"{told['calibrated']:.3f} +- {told['calibrated_error']:.3f}",
        f"{told['correlation']:.2f}", f"{told['psnr_map']:.2f}, {told['psnr_mmse']:.2f}",
        f"{told['misfit_p']:.2f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def described(table: Table) -> str:
    """A component with its options, such as ``blur sigma=1.5``."""
    return " ".join([table["name"], *(f"{k}={v}" for k, v in table.items() if k != "name")])
