"""Super-resolution: closed forms, filters, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import ipx
from ipx import Spectral
from ipx_plugins.super_resolution.operator import SuperResolution
from small_operators import FILTERS, matrix, noise_like


def gradient_gram(height: int, width: int) -> Tensor:
    """|D|^2 of the periodic forward differences, on the half spectrum; 0 at the mean."""
    k = 2 * torch.pi * torch.arange(height, dtype=torch.float64) / height
    l = 2 * torch.pi * torch.arange(width // 2 + 1, dtype=torch.float64) / width  # noqa: E741
    return (2 - 2 * torch.cos(k))[:, None] + (2 - 2 * torch.cos(l))


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize(
    ("factor", "size"), [(2, (8, 12)), (4, (8, 12)), (3, (9, 6)), (8, (8, 16))]
)
@pytest.mark.parametrize("rho", [1e-3, 1.0, 1e3])
def test_normal_equations_against_a_dense_solve(
    filter: str, factor: int, size: tuple[int, int], rho: float
) -> None:
    operator = SuperResolution((1, *size), factor=factor, filter=filter)
    a = matrix(operator)
    b = noise_like((1, *size))
    rhos = torch.tensor([rho, 3 * rho], dtype=torch.float64).view(2, 1, 1, 1)
    units = torch.eye(size[0] * size[1], dtype=torch.float64).reshape(-1, 1, *size)
    for basis, gram in (
        ("any", torch.ones((), dtype=torch.float64)),
        ("fft", torch.ones((), dtype=torch.float64)),
        ("fft", gradient_gram(*size)),
    ):
        one = Spectral(basis, gram)  # type: ignore[arg-type]  # a literal, in a loop
        penalty = one.inverse(one.forward(units) * one.gram, size).flatten(1).T
        x = operator.solve_normal(b, one.scaled(rhos))
        for i in range(2):
            system = a.T @ a + rhos[i].item() * penalty
            reference = torch.linalg.solve(system, b[i].flatten())
            gap = (x[i].flatten() - reference).abs().max() / reference.abs().max()
            assert float(gap) < 1e-9
        alone = operator.solve_normal(b[1:], one.scaled(rhos[1:]))
        assert torch.allclose(alone, x[1:], rtol=0, atol=1e-12 * float(x.abs().max()))


@pytest.mark.parametrize("filter", FILTERS)
def test_normal_equations_in_single_precision(filter: str) -> None:
    operator = SuperResolution((1, 32, 48), factor=2, filter=filter)
    b = noise_like((1, 32, 48))
    weight = Spectral("fft", 0.02 * gradient_gram(32, 48))
    exact = operator.solve_normal(b, weight)
    single = operator.solve_normal(b.float(), Spectral("fft", weight.gram.float()))
    assert single.dtype == torch.float32
    assert float((single - exact).abs().max() / exact.abs().max()) < 1e-5


def test_block_mean_is_the_block_mean_and_constants_stay() -> None:
    x = noise_like((2, 12, 9))
    mean = SuperResolution((2, 12, 9), factor=3)
    assert torch.allclose(mean(x), x.reshape(2, 2, 4, 3, 3, 3).mean((3, 5)), atol=1e-15)
    assert mean.norm() == pytest.approx(1 / 3, abs=1e-15)
    for filter in FILTERS:
        for factor in (2, 3, 4, 8):
            operator = SuperResolution((1, 16 * factor, 16 * factor), factor=factor, filter=filter)
            ones = torch.ones(1, 1, 16 * factor, 16 * factor, dtype=torch.float64)
            assert torch.allclose(operator(ones), torch.ones(1, 1, 16, 16).double(), atol=1e-14)
            # centred: a ramp comes out as the ramp of the block centres, off the borders
            ramp = torch.arange(16.0 * factor, dtype=torch.float64).expand_as(ones)
            centre = factor * torch.arange(16).double() + (factor - 1) / 2
            assert torch.allclose(operator(ramp)[0, 0, 8, 4:12], centre[4:12], atol=1e-11)
            seen = operator.preview(operator(ramp))[0, 0, 8 * factor]
            middle = slice(6 * factor, 10 * factor)
            off = seen[middle] - ramp[0, 0, 0, middle]  # torch's bicubic bends a ramp a little
            assert float(off.mean()) == pytest.approx(0, abs=1e-9)
            assert float(off.abs().max()) < 0.06 * factor


def test_errors_of_super_resolution() -> None:
    with pytest.raises(ipx.OptionError, match="must be 2, 3, 4 or 8"):
        SuperResolution((1, 10, 10), factor=5)
    with pytest.raises(ipx.ShapeError, match="not 10 x 13; crop to 9 x 12"):
        SuperResolution((1, 10, 13), factor=3)
    with pytest.raises(ipx.OptionError, match="must be one of"):
        SuperResolution((1, 8, 8), filter="lanczos")
    operator = SuperResolution((1, 8, 8))
    with pytest.raises(ipx.PlanError, match="not the dct"):
        operator.solve_normal(torch.zeros(1, 1, 8, 8), Spectral("dct", torch.ones(8, 8)))


@pytest.mark.parametrize(("factor", "sigma"), [(4, 0.3), (8, 0.8), (2, 0.1)])
def test_a_gaussian_narrower_than_a_block_has_an_adjoint(factor: int, sigma: float) -> None:
    a = ipx.operator("super-resolution", (1, 32, 32), factor=factor, filter="gaussian", sigma=sigma)
    x = torch.rand(1, 1, 32, 32, dtype=torch.float64)
    y = torch.rand(1, *a.data_shape, dtype=torch.float64)
    assert float((a(x) * y).sum()) == pytest.approx(float((x * a.adjoint(y)).sum()))
