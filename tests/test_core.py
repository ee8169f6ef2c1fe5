"""The core's own mathematics: transforms, algebra, the SciPy bridge, conjugate gradients."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.sparse
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

import ipx
from ipx.numerics.cg import conjugate_gradient
from ipx.numerics.spectral import Spectral, dct2, idct2
from ipx.parts.linear import Identity


def dense(operator: ipx.LinearOperator) -> Tensor:
    """The matrix of an operator, column by column."""
    n = int(np.prod(operator.image_shape))
    eye = torch.eye(n, dtype=torch.float64).reshape(n, *operator.image_shape)
    return operator.forward(eye).reshape(n, -1).T


def random_operator(rows: int, shape: tuple[int, ...], seed: int) -> ipx.LinearOperator:
    matrix = np.random.default_rng(seed).normal(size=(rows, int(np.prod(shape))))
    return ipx.from_scipy(matrix, shape)


@settings(deadline=None)
@given(h=st.integers(1, 9), w=st.integers(1, 9), long=st.booleans(), graph=st.booleans())
def test_dct_is_scipys_and_inverts(h: int, w: int, long: bool, graph: bool) -> None:
    if long:  # the FFT route, or with no graph scipy's own
        w += 260
    x = torch.from_numpy(np.random.default_rng(h * 31 + w).normal(size=(2, 1, h, w)))
    ours = dct2(x.requires_grad_(graph))
    theirs = scipy.fft.dctn(x.detach().numpy(), axes=(-2, -1), norm="ortho")
    np.testing.assert_allclose(ours.detach().numpy(), theirs, atol=1e-11)
    torch.testing.assert_close(idct2(ours), x, atol=1e-11, rtol=0)


def test_algebra_is_matrix_algebra() -> None:
    a, b = random_operator(12, (1, 3, 4), 0), random_operator(12, (1, 3, 4), 1)
    c = ipx.from_scipy(np.random.default_rng(2).normal(size=(5, 12)), (12,))
    ma, mb, mc = dense(a), dense(b), dense(c)
    for made, matrix in [
        (a + b, ma + mb),
        (a - b, ma - mb),
        (-a, -ma),
        (3.5 * a, 3.5 * ma),
        (c @ a, mc @ ma),
        (a.T, ma.T),
        (ipx.vstack([a, b]), torch.cat([ma, mb])),
        ((2.0 * (c @ (a + b))).T, 2 * (mc @ (ma + mb)).T),
    ]:
        torch.testing.assert_close(dense(made), matrix, atol=1e-12, rtol=0)
        torch.testing.assert_close(dense(made.T), matrix.T, atol=1e-12, rtol=0)


def test_stack_of_unequal_data_is_flat_and_splits() -> None:
    a = ipx.operator("identity", (1, 4, 4))
    b = ipx.operator("super-resolution", (1, 4, 4), factor=2)
    both = ipx.vstack([a, b])
    assert both.data_shape == (20,)
    x = torch.rand(3, 1, 4, 4, dtype=torch.float64)
    y = both.forward(x)
    torch.testing.assert_close(both.split(y)[0], x)
    torch.testing.assert_close(both.adjoint(y), a.adjoint(x) + b.adjoint(b.forward(x)))


def test_shapes_that_do_not_fit_are_refused() -> None:
    a = ipx.operator("super-resolution", (1, 4, 4), factor=2)
    with pytest.raises(ipx.ShapeError, match="cannot compose"):
        a @ a
    with pytest.raises(ipx.ShapeError, match="takes images of shape"):
        a(torch.zeros(1, 1, 5, 5))
    with pytest.raises(ipx.ShapeError, match="cannot add"):
        a + ipx.operator("identity", (1, 4, 4))


def test_scipy_round_trip() -> None:
    blur = ipx.operator("blur", (2, 5, 6), sigma=1.0, boundary="zero")
    there = blur.to_scipy()
    assert there.shape == (60, 60)
    back = ipx.from_scipy(there, blur.image_shape, blur.data_shape)
    x = torch.rand(2, 2, 5, 6, dtype=torch.float64)
    torch.testing.assert_close(back.forward(x), blur.forward(x))
    torch.testing.assert_close(back.adjoint(x), blur.adjoint(x))
    sparse = ipx.from_scipy(scipy.sparse.eye(60, format="csr"), (2, 5, 6))
    torch.testing.assert_close(sparse.forward(x).reshape(x.shape), x)


def test_norm_of_a_made_operator() -> None:
    a = random_operator(20, (1, 3, 4), 5)
    true = float(torch.linalg.matrix_norm(dense(a), 2))
    assert true <= ipx.operator_norm(a) <= 1.02 * true
    assert ipx.operator_norm(-2.0 * Identity((1, 3, 3))) == pytest.approx(2.0)


def test_cg_solves_each_image_by_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    m = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    spd = m @ m.T + torch.eye(6, dtype=torch.float64)

    def system(x: Tensor) -> Tensor:
        return (x.flatten(1) @ spd).reshape(x.shape)

    b = torch.randn(3, 1, 2, 3, generator=generator, dtype=torch.float64)
    b[1] = 0
    x = conjugate_gradient(system, b, None, 50, 1e-12)
    torch.testing.assert_close(system(x), b, atol=1e-9, rtol=0)
    alone = conjugate_gradient(system, b[2:], None, 50, 1e-12)
    torch.testing.assert_close(x[2:], alone, atol=1e-12, rtol=0)


def test_cg_with_the_exact_inverse_takes_one_step() -> None:
    generator = torch.Generator().manual_seed(0)
    m = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    spd = m @ m.T + torch.eye(6, dtype=torch.float64)
    b = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    inverse = torch.linalg.inv(spd)
    x = conjugate_gradient(lambda x: x @ spd, b, None, 1, 1e-9, lambda r: r @ inverse)
    torch.testing.assert_close(x @ spd, b, atol=1e-10, rtol=0)


def test_spectral_pseudo_inverse_has_least_norm() -> None:
    gram = torch.tensor([[4.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    s = Spectral("dct", gram)
    b = idct2(torch.ones(1, 1, 2, 2, dtype=torch.float64))
    x = dct2(s.solve(b, rcond=1e-6))
    torch.testing.assert_close(x[0, 0], torch.tensor([[0.25, 0.0], [1.0, 0.0]]).double())
    with pytest.raises(ValueError, match="different transforms"):
        s + Spectral("fft", gram)


@given(n=st.integers(1, 9), length=st.integers(0, 40), first=st.integers(-30, 30))
def test_mirrored_continues_as_numpy_does(n: int, length: int, first: int) -> None:
    values = np.pad(np.arange(n), 80, mode="symmetric")
    index = ipx.mirrored(n, length, torch.device("cpu"), first)
    assert index.tolist() == values[80 + first : 80 + first + length].tolist()
