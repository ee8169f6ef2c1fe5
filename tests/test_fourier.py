"""Undersampled Fourier measurements: masks, closed forms, what is restored from a part."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings, strategies as st
from skimage import data, transform
from torch import Tensor

import ipx
from ipx import Problem, ShapeError, Spectral
from ipx.numerics.metrics import psnr
from ipx_plugins.fourier import FourierOptions
from ipx_plugins.fourier.masks import mask_for
from ipx_plugins.fourier.operator import Fourier

KINDS = ("lines", "radial", "random")

options = st.builds(
    lambda kind, share, centre, seed: FourierOptions(
        kind=kind, share=share, centre=centre, seed=seed
    ),
    st.sampled_from(KINDS),
    st.floats(0.02, 1.0),
    st.floats(0.0, 1.0),
    st.integers(0, 10**6),
)
sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))
small = st.sampled_from([(6, 5), (5, 6), (4, 4), (1, 7), (3, 1)])


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def matrix(operator: Fourier) -> Tensor:
    """A on vectors: the unitary DFT of each unit image, its real above its imaginary part."""
    _, height, width = operator.image_shape
    units = torch.eye(height * width, dtype=torch.float64).reshape(-1, height, width)
    waves = torch.fft.fft2(units.to(torch.complex128)) / (height * width) ** 0.5
    mask = torch.from_numpy(mask_for(operator.options, height, width))
    masked = (waves * mask).flatten(1).T
    return torch.cat([masked.real, masked.imag])


@settings(max_examples=150, deadline=None)
@given(o=options, size=sizes)
def test_share_mean_and_centre(o: FourierOptions, size: tuple[int, int]) -> None:
    height, width = size
    mask = mask_for(o, height, width)
    assert mask.shape == size
    assert mask[0, 0]
    # lines come as columns, spokes as a whole: half of one more or less
    spoke = 2 * (max(size) // 2) + 1
    grain = {"lines": height, "radial": spoke, "random": 1}[o.kind]
    assert abs(mask.sum() - o.share * mask.size) <= grain
    assert (mask_for(o, height, width) == mask).all()


@settings(max_examples=40, deadline=None)
@given(o=options)
def test_the_lowest_frequencies_are_measured(o: FourierOptions) -> None:
    mask = mask_for(o, 24, 32)
    down = torch.fft.fftfreq(24).abs()[:, None] * 2
    across = torch.fft.fftfreq(32).abs() * 2
    distance = across.expand(24, 32) if o.kind == "lines" else torch.hypot(down, across)
    promised = int(o.centre * o.share * mask.size) - 33  # less a column, ties of the distance
    if promised > 0:
        reach = distance.flatten().sort().values[promised - 1] - 1e-6
        assert mask[(distance < reach).numpy()].all()


def test_low_frequencies_come_more_often_and_seeds_differ() -> None:
    for kind in KINDS:
        masks = [mask_for(FourierOptions(kind=kind, seed=s), 64, 64) for s in (1, 2)]
        assert (masks[0] != masks[1]).any()
        low = (torch.fft.fftfreq(64).abs() < 0.25).numpy()
        assert masks[0][:, low].sum() > 1.5 * masks[0][:, ~low].sum()


@settings(max_examples=60, deadline=None)
@given(o=options, size=small, seed=st.integers(0, 99))
def test_against_the_dense_matrix(o: FourierOptions, size: tuple[int, int], seed: int) -> None:
    operator = Fourier((1, *size), o)
    a, x = matrix(operator), normal(2, 1, *size, seed=seed)
    y = normal(2, 2, *size, seed=seed + 1)
    assert torch.allclose(operator(x).flatten(1), x.flatten(1) @ a.T, atol=1e-12)
    assert torch.allclose(operator.adjoint(y).flatten(1), y.flatten(1) @ a, atol=1e-12)
    assert operator.norm() == pytest.approx(float(torch.linalg.matrix_norm(a, 2)), rel=1e-12)
    spectral = operator.spectrum(x)
    gram = spectral.inverse(spectral.gram * spectral.forward(x), size)
    assert torch.allclose(gram.flatten(1), x.flatten(1) @ a.T @ a, atol=1e-12)
    least = y.flatten(1) @ torch.linalg.pinv(a, rtol=1e-9).T
    assert torch.allclose(operator.preview(y).flatten(1), least, atol=1e-11)


@settings(max_examples=40, deadline=None)
@given(o=options, rho=st.floats(1e-2, 1e2), size=small)
def test_prox_of_the_data_term_against_a_dense_solve(
    o: FourierOptions, rho: float, size: tuple[int, int]
) -> None:
    operator = Fourier((1, *size), o)
    a, v = matrix(operator), normal(1, 1, *size)
    y = normal(1, 2, *size, seed=1)
    problem = Problem(y, operator, ipx.noise("gaussian", sigma=0.1), ipx.prior("none"))
    problem = ipx.attach(problem, ipx.plan_for(problem, ipx.solver("hqs")))
    x = problem.data.prox(v, 1 / rho)
    n = size[0] * size[1]
    system = a.T @ a + rho * torch.eye(n, dtype=torch.float64)
    dense = torch.linalg.solve(system, a.T @ y.flatten() + rho * v.flatten())
    assert torch.allclose(x.flatten(), dense, atol=1e-9)


def test_colours_are_measured_alike_and_each_alone() -> None:
    operator, x = Fourier((3, 12, 10)), normal(1, 3, 12, 10)
    y = operator(x)
    assert y.shape == (1, 6, 12, 10)
    one = Fourier((1, 12, 10))
    assert torch.allclose(one(x[:, 1:2]), y[:, [1, 4]], atol=1e-14)
    assert isinstance(operator.spectrum(x), Spectral)


def test_everything_measured_is_the_picture_itself() -> None:
    x = torch.rand(2, 1, 33, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for kind in KINDS:
        op = {"name": "fourier", "kind": kind, "share": 1.0}
        y = ipx.degrade(x, op=op, noise={"name": "gaussian", "sigma": 0.0})
        assert torch.allclose(ipx.operator(**op, image_shape=(1, 33, 20)).preview(y), x)
        how = ipx.solve(y, op=op, noise={"name": "gaussian", "sigma": 0.0}, prior="tv", lam=0.0)
        assert torch.allclose(how.x, x, atol=1e-6)


def test_what_was_not_measured_is_no_data() -> None:
    x = torch.rand(1, 1, 16, 18)
    noise = {"name": "gaussian", "sigma": 0.1}
    y = ipx.degrade(x, op="fourier", noise=noise)
    operator = Fourier((1, 16, 18))
    known = operator.known(y).expand_as(y)
    assert bool((y[~known] == 0).all())
    assert bool((y[known] != 0).all())
    problem = Problem(y, operator, ipx.noise("gaussian", sigma=0.1), ipx.prior("none"))
    assert int(ipx.known_count(problem)) == int(known.sum()) < y.numel()
    spoilt = torch.where(known, y, torch.nan)
    assert torch.equal(operator.adjoint(spoilt), operator.adjoint(y))
    assert torch.equal(Problem(spoilt, operator, problem.noise, problem.prior).y, y)


def phantom() -> Tensor:
    image = transform.resize(data.shepp_logan_phantom(), (64, 64), order=0, anti_aliasing=False)
    return torch.as_tensor(image, dtype=torch.float64)[None, None]


@pytest.mark.parametrize("kind", ["radial", "random"])
def test_total_variation_restores_a_phantom(kind: str) -> None:
    """Candes, Romberg, Tao 2006: piecewise constant pictures from few frequencies."""
    truth = phantom()
    op: dict[str, Any] = {"name": "fourier", "kind": kind}
    noise = {"name": "gaussian", "sigma": 0.0}
    y = ipx.degrade(truth, op=op, noise=noise)
    how = ipx.solve(y, op=op, noise=noise, prior="tv", lam=1e-3, iterations=150)
    assert float(psnr(how.before, truth)) < 21
    assert float(psnr(how.x, truth)) > 35


@pytest.mark.parametrize("kind", KINDS)
def test_a_photograph_with_everything_chosen(kind: str) -> None:
    face = transform.resize(data.camera() / 255.0, (64, 64), anti_aliasing=True)
    truth = torch.as_tensor(face, dtype=torch.float32)[None, None]
    op: dict[str, Any] = {"name": "fourier", "kind": kind, "share": 0.4}
    noise = {"name": "gaussian", "sigma": 0.02}
    y = ipx.degrade(truth, op=op, noise=noise)
    how = ipx.solve(y, op=op, noise=noise)
    assert how.plan is not None
    assert how.plan.solver.name == "admm"
    assert float(psnr(how.x, truth)) > float(psnr(how.before, truth)) + 1


def test_refusals() -> None:
    with pytest.raises(ShapeError, match="even number of channels, not 3"):
        Fourier.image_shape_of((3, 8, 8), FourierOptions())
    with pytest.raises(ShapeError, match="images"):
        Fourier((8, 8))
    with pytest.raises(ipx.OptionError):
        FourierOptions(share=0.0)


@pytest.mark.parametrize(
    "op", ["fourier", {"name": "compose", "parts": [{"name": "fourier"}, {"name": "blur"}]}]
)
def test_counts_of_signed_data_are_refused(op: Any) -> None:
    noise = {"name": "poisson", "peak": 100.0}
    operator = ipx.operator("fourier", (1, 8, 8))
    with pytest.raises(ipx.PlanError, match=r"poisson counts, and data of .* may be negative"):
        ipx.solve(torch.rand(1, 2, 8, 8), op=op, noise=noise, prior="tv", image_shape=(1, 8, 8))
    problem = Problem(torch.rand(1, 2, 8, 8), operator, ipx.noise(**noise), ipx.prior("tv"), 0.1)
    with pytest.raises(ipx.PlanError, match="may be negative"):
        ipx.iterate(problem, ipx.solver("pdhg"))
