"""The optimiser muon: its steps against closed forms, Adam's for vectors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ipx.training.muon import Muon, orthogonalised


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_singular_values_are_near_one(rng: torch.Generator) -> None:
    spread = torch.logspace(-2, 0, 20)[:, None] * torch.randn(20, 50, generator=rng)
    for matrix in (spread, spread.T):
        u, s, vt = torch.linalg.svd(orthogonalised(matrix), full_matrices=False)
        assert 0.6 < s.min() <= s.max() < 1.25
        exact = torch.linalg.svd(matrix, full_matrices=False)
        torch.testing.assert_close(u @ vt, exact.U @ exact.Vh, atol=1e-3, rtol=0)
    assert orthogonalised(torch.zeros(3, 4)).abs().max() == 0


@pytest.mark.parametrize("size", [1e-36, 1e-25, 1e-12, 1e25])
def test_the_size_of_a_matrix_does_not_matter(size: float, rng: torch.Generator) -> None:
    matrix = torch.randn(4, 9, generator=rng)
    torch.testing.assert_close(
        orthogonalised(matrix * size), orthogonalised(matrix), atol=1e-3, rtol=0
    )


def test_a_weight_without_effect_stays(rng: torch.Generator) -> None:
    weight = nn.Parameter(torch.zeros(2, 3))
    muon = Muon([weight], lr=0.1)
    weight.grad = torch.randn(2, 3, generator=rng)
    muon.step()
    before = weight.detach().clone()
    weight.grad = torch.zeros(2, 3)
    for _ in range(2000):  # its momentum falls below the least float32
        muon.step()
    torch.testing.assert_close(weight.detach(), before, atol=0, rtol=0)


def test_a_step_of_a_convolution(rng: torch.Generator) -> None:
    weight = nn.Parameter(torch.randn(6, 4, 3, 3, generator=rng))
    before = weight.detach().clone()
    weight.grad = torch.randn(weight.shape, generator=rng)
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    change = orthogonalised(weight.grad.reshape(6, 36)).reshape(weight.shape)
    torch.testing.assert_close(weight.detach(), before * 0.95 - 0.1 * 0.2 * 6 * change)


def test_steps_of_a_vector_are_those_of_adam(rng: torch.Generator) -> None:
    start, gradients = torch.randn(9, generator=rng), torch.randn(5, 9, generator=rng)
    mine, other = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    muon = Muon([mine], lr=0.1, betas=(0.9, 0.99))
    adam = torch.optim.AdamW([other], lr=0.1, betas=(0.9, 0.99), weight_decay=0.0)
    for gradient in gradients:
        mine.grad, other.grad = gradient.clone(), gradient.clone()
        muon.step()
        adam.step()
    torch.testing.assert_close(mine, other)
