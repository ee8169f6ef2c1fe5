"""The forward operators: adjoints, shapes, capabilities, norms and spectra."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings, strategies as st

import ipx
from ipx_plugins.blur.operator import Blur
from ipx_plugins.identity.operator import Identity
from ipx_plugins.inpaint.operator import Inpaint
from ipx_plugins.super_resolution.operator import SuperResolution
from small_operators import BOUNDARIES, FILTERS, MASKS, PSFS, matrix, noise_like

blurs = st.builds(
    lambda psf, boundary, shape: Blur(shape, boundary=boundary, **psf),
    st.sampled_from(PSFS),
    st.sampled_from(BOUNDARIES),
    st.tuples(st.integers(1, 2), st.integers(12, 19), st.integers(12, 19)),
)
inpaints = st.builds(
    lambda kind, shape: Inpaint(shape, kind=kind, font=8),
    st.sampled_from(MASKS),
    st.tuples(st.integers(1, 3), st.integers(9, 17), st.integers(9, 17)),
)
coarse = st.builds(
    lambda s, f, c, h, w: SuperResolution((c, s * h, s * w), factor=s, filter=f),
    st.sampled_from((2, 3, 4, 8)),
    st.sampled_from(FILTERS),
    st.integers(1, 2),
    st.integers(1, 5),
    st.integers(1, 5),
)
operators = st.one_of(blurs, inpaints, coarse, st.just(Identity((2, 3, 4))))


@settings(max_examples=80, deadline=None)
@given(operator=operators, seed=st.integers(0, 10**6))
def test_adjoint(operator: Any, seed: int) -> None:
    x = noise_like(operator.image_shape, seed)
    y = noise_like(operator.data_shape, seed + 1)
    ax, aty = operator(x), operator.adjoint(y)
    assert ax.shape == y.shape
    assert aty.shape == x.shape
    gap = (ax * y).flatten(1).sum(1) - (x * aty).flatten(1).sum(1)
    assert bool((gap.abs() <= 1e-12 * (1 + ax.norm() * y.norm())).all())


@settings(max_examples=40, deadline=None)
@given(operator=operators, single=st.booleans())
def test_dtype_purity_batches_and_shapes(operator: Any, single: bool) -> None:
    dtype = torch.float32 if single else torch.float64
    tol = 1e-6 if single else 1e-13
    x = noise_like(operator.image_shape).to(dtype)
    y = noise_like(operator.data_shape, 1).to(dtype)
    keep = x.clone(), y.clone()
    for call, arg in ((operator.forward, x), (operator.adjoint, y), (operator.preview, y)):
        out = call(arg)
        assert out.dtype == dtype
        assert torch.equal(out, call(arg))
        assert torch.allclose(out[1:], call(arg[1:]), atol=tol)
    assert operator.preview(y).shape == x.shape
    assert torch.equal(x, keep[0])
    assert torch.equal(y, keep[1])
    again = type(operator).image_shape_of(operator.data_shape, operator.options)
    assert again == operator.image_shape


@settings(max_examples=25, deadline=None)
@given(
    operator=st.one_of(
        blurs.map(lambda b: Blur((1, *b.image_shape[1:]), b.options)),
        inpaints.map(lambda b: Inpaint((1, *b.image_shape[1:]), b.options)),
        coarse.map(lambda b: SuperResolution((1, *b.image_shape[1:]), b.options)),
    )
)
def test_norm_and_spectrum_against_the_dense_matrix(operator: Any) -> None:
    a = matrix(operator)
    if ipx.has(operator, ipx.Norm):
        assert operator.norm() == pytest.approx(float(torch.linalg.matrix_norm(a, 2)), rel=1e-10)
    if ipx.has(operator, ipx.Diagonal):
        x = noise_like(operator.image_shape)
        assert torch.equal(operator.diagonal(x) * x, operator(x))
    if ipx.has(operator, ipx.Spectrum):
        x = noise_like(operator.image_shape)
        spectral = operator.spectrum(x)
        size = operator.image_shape[-2], operator.image_shape[-1]
        gram = spectral.inverse(spectral.forward(x) * spectral.gram, size)
        assert torch.allclose(gram.flatten(1), x.flatten(1) @ (a.T @ a), atol=1e-12)


def test_operators_compose_by_name() -> None:
    chain = ipx.operator("super-resolution", (1, 16, 16)) @ ipx.operator(
        "blur", (1, 16, 16), sigma=1
    )
    assert chain.data_shape == (1, 8, 8)
    x, y = noise_like((1, 16, 16)), noise_like((1, 8, 8))
    gap = (chain(x) * y).sum() - (x * chain.adjoint(y)).sum()
    assert abs(float(gap)) < 1e-12
