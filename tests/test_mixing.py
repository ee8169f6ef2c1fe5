"""Effective sample size, R-hat and quantiles of streams."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from ipx.numerics.histogram import BINS, SPAN, Histogram
from ipx.numerics.mixing import ess, rhat

PHI = {"smooth": 0.8, "alternating": -0.5, "apart": 0.8, "ties": 0.8, "tails": 0.5}


def chains(kind: str, length: int = 200) -> Tensor:
    """Four autoregressive chains; apart, rounded, or with heavy tails of which one is wider."""
    fresh = np.random.default_rng(5).standard_normal((4, length))
    x = np.zeros_like(fresh)
    x[:, 0] = fresh[:, 0]
    for t in range(1, length):
        x[:, t] = PHI[kind] * x[:, t - 1] + fresh[:, t]
    if kind == "apart":
        x += np.arange(4)[:, None] * 0.5
    if kind == "ties":
        x = np.round(x)
    if kind == "tails":
        x = np.sinh(2 * x) * np.array([1, 1, 1, 3.0])[:, None]
    return torch.from_numpy(x)


@pytest.mark.parametrize(
    ("kind", "size", "ratio"),
    [
        ("smooth", 66.0756607877025, 1.0933612592448665),
        ("alternating", 2229.229729213594, 0.9994764297199821),
        ("apart", 18.159520575430445, 1.2034693692817713),
        ("ties", 66.9301171896543, 1.0914415333088934),
        ("tails", 568.212897499932, 1.0457339152753449),
    ],
)
def test_against_arviz(kind: str, size: float, ratio: float) -> None:
    """The values of arviz 0.19: ess(method="mean"), rhat(method="rank")."""
    x = chains(kind)
    assert float(ess(x)) == pytest.approx(size, rel=1e-6)
    assert float(rhat(x)) == pytest.approx(ratio, rel=1e-9)


@pytest.mark.parametrize("kind", ["smooth", "alternating"])
def test_autoregression(kind: str) -> None:
    """A chain x+ = p x + n of N draws is worth N (1 - p) / (1 + p) independent ones."""
    length, p = 5000, PHI[kind]
    expected = min((1 - p) / (1 + p), np.log10(4 * length))
    assert float(ess(chains(kind, length))) / (4 * length) == pytest.approx(expected, rel=0.15)


def test_axes_are_separate() -> None:
    """Further axes are treated one by one."""
    x = torch.stack([chains("smooth"), chains("apart")], -1)
    for measure in (ess, rhat):
        alone = torch.stack([measure(x[..., 0]), measure(x[..., 1])])
        torch.testing.assert_close(measure(x), alone)


def test_constant_chains() -> None:
    """Equal constants have mixed; different ones never will."""
    x = torch.ones(2, 10)
    assert (float(rhat(x)), float(ess(x))) == (1.0, 20.0)
    assert float(rhat(x * torch.tensor([[1.0], [2.0]]))) == float("inf")
    assert rhat(x[:, :3]).isnan()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shift=st.floats(-3, 3),
    spread=st.floats(0.05, 20),
    share=st.sampled_from([0.05, 0.25, 0.5, 0.95]),
)
def test_quantiles(seed: int, shift: float, spread: float, share: float) -> None:
    """Quantiles are those of the values to within a bin, whatever the histogram was made for."""
    x = shift + spread * torch.randn(200, 3, generator=torch.Generator().manual_seed(seed)).double()
    histogram = Histogram.around(torch.zeros(3).double(), torch.ones(3).double())
    for value in x:
        histogram = histogram.add(value)
    assert histogram.counts.sum(0).tolist() == [200] * 3
    width = 2 * histogram.half / BINS
    low = x.sort(0).values[max(round(200 * share) - 2, 0)]
    high = x.sort(0).values[min(round(200 * share) + 1, 199)]
    found = histogram.quantile(share)
    assert bool(((found > low - width) & (found < high + width)).all())
    assert bool((histogram.half >= SPAN).all())
    assert torch.equal(histogram.add(torch.full((3,), torch.inf)).half, histogram.half)
