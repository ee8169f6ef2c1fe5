"""The forward operators: adjoints, spectra, closed forms, norms, masks, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

import ipx
from ipx import Spectral
from ipx.registry import registry
from ipx_plugins.blur import BlurOptions
from ipx_plugins.blur.operator import Blur
from ipx_plugins.blur.psf import psf_for
from ipx_plugins.identity.operator import Identity
from ipx_plugins.inpaint.operator import Inpaint
from ipx_plugins.super_resolution.operator import SuperResolution

BOUNDARIES = ("circular", "zero", "reflect", "replicate", "valid")
PSFS: tuple[dict[str, Any], ...] = (
    {"kind": "gaussian", "sigma": 1.1},
    {"kind": "uniform", "size": 3},
    {"kind": "uniform", "size": 4},
    {"kind": "disk", "radius": 2.2},
    {"kind": "motion", "length": 5.0, "angle": 30.0},
    {"kind": "random-motion", "length": 6.0, "seed": 3},
    {"kind": "airy", "radius": 1.0},
)
MASKS = ("pixels", "values", "box", "scratches", "text")
FILTERS = ("mean", "gaussian", "bicubic")
CAPABILITIES = (ipx.Adjoint, ipx.Diagonal, ipx.Spectrum, ipx.NormalSolve, ipx.Norm)

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


def noise_like(shape: tuple[int, ...], seed: int = 0, count: int = 2) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, generator=g, dtype=torch.float64)


def matrix(operator: Any) -> Tensor:
    """The dense matrix of an operator, columns are responses to unit images."""
    n = int(np.prod(operator.image_shape))
    units = torch.eye(n, dtype=torch.float64).reshape(n, *operator.image_shape)
    return operator.forward(units).flatten(1).T


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


@settings(max_examples=40, deadline=None)
@given(operator=operators)
def test_declared_capabilities_are_the_real_ones(operator: Any) -> None:
    name = {"Identity": "identity", "Blur": "blur", "Inpaint": "inpaint"}.get(
        type(operator).__name__, "super-resolution"
    )
    declared = registry().get("operator", name).capabilities(operator.options)
    assert declared == {c for c in CAPABILITIES if ipx.has(operator, c)}


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


# ---------------------------------------------------------------- blur


@pytest.mark.parametrize("psf", PSFS, ids=str)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_blur_is_the_convolution_of_scipy(psf: dict[str, Any], boundary: str) -> None:
    operator = Blur((1, 17, 14), boundary=boundary, **psf)
    x = noise_like((1, 17, 14), count=1)
    modes = {"circular": "wrap", "zero": "constant", "reflect": "reflect", "replicate": "nearest"}
    h, w = operator.psf.shape
    reference = ndimage.convolve(
        x[0, 0].numpy(), operator.psf.numpy(), mode=modes.get(boundary, "constant")
    )
    if boundary == "valid":
        reference = reference[h - 1 - h // 2 : 17 - h // 2, w - 1 - w // 2 : 14 - w // 2]
    assert np.abs(operator(x)[0, 0].numpy() - reference).max() < 1e-13


@pytest.mark.parametrize("psf", PSFS, ids=str)
def test_psfs_sum_to_one_about_their_centre(psf: dict[str, Any]) -> None:
    h = psf_for(BlurOptions(**psf), None)
    assert float(h.sum()) == pytest.approx(1, abs=1e-14)
    assert bool((h >= 0).all())
    if h.shape[0] % 2:
        rows = torch.arange(h.shape[0]) - h.shape[0] // 2
        columns = torch.arange(h.shape[1]) - h.shape[1] // 2
        assert float((h.sum(1) * rows).sum()) == pytest.approx(0, abs=1e-10)
        assert float((h.sum(0) * columns).sum()) == pytest.approx(0, abs=1e-10)
    if BlurOptions(**psf).symmetric:
        assert torch.allclose(h, h.flip(0), atol=1e-16)
        assert torch.allclose(h, h.flip(1), atol=1e-16)


def test_psf_shapes() -> None:
    gaussian = psf_for(BlurOptions(sigma=1.5), None)
    x = torch.arange(gaussian.shape[0]) - gaussian.shape[0] // 2
    assert float((gaussian.sum(0) * x**2).sum()) == pytest.approx(1.5**2, rel=2e-3)
    disk = psf_for(BlurOptions(kind="disk", radius=5.0), None)
    assert float(disk.max()) == pytest.approx(1 / (np.pi * 25), rel=0.01)
    airy = psf_for(BlurOptions(kind="airy", radius=6.0), None)
    centre = airy.shape[0] // 2
    assert float(airy[centre, centre + 6]) == pytest.approx(0, abs=1e-12)  # the first dark ring
    line = psf_for(BlurOptions(kind="motion", length=7.0, angle=90.0), None)
    assert line.shape == (7, 1)
    one = psf_for(BlurOptions(kind="motion", length=7.0, angle=45.0), None)
    assert float(one[0, -1]) > float(one[0, 0])  # upwards to the right
    assert torch.equal(
        psf_for(BlurOptions(kind="random-motion", seed=5), None),
        psf_for(BlurOptions(kind="random-motion", seed=5), None),
    )


def test_valid_sees_no_border() -> None:
    x = noise_like((1, 20, 18))
    valid = Blur((1, 20, 18), kind="disk", boundary="valid")
    inner = Blur((1, 20, 18), kind="disk", boundary="zero")(x)[..., 3:-3, 3:-3]
    assert valid.data_shape == (1, 14, 12)
    assert torch.allclose(valid(x), inner, atol=1e-14)
    seen = valid.preview(valid(x))
    assert torch.equal(seen[..., 3:-3, 3:-3], valid(x))
    assert torch.equal(seen[..., 0, :], seen[..., 3, :])


def test_psf_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 65535, (5, 3, 3), dtype=np.uint16)
    grey = colour.astype(float).mean(-1)
    (tmp_path / "psf.png").write_bytes(imagecodecs.png_encode(colour))
    tifffile.imwrite(tmp_path / "psf.tif", grey)
    np.save(tmp_path / "psf.npy", grey)
    made = [Blur((1, 9, 9), kernel=tmp_path / f"psf.{e}").psf for e in ("png", "tif", "npy")]
    for psf in made:
        assert np.allclose(psf.numpy(), grey / grey.sum(), atol=1e-12)
    options = BlurOptions(kernel=tmp_path / "psf.npy", boundary="circular")
    assert ipx.has(Blur((1, 9, 9), options), ipx.Spectrum)
    np.save(tmp_path / "psf.npy", np.eye(3))  # a new file of the same name is read anew
    assert torch.allclose(Blur((1, 9, 9), options).psf, torch.eye(3).double() / 3)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((3, 3)), "sums to 0"),
        (-np.ones((3, 3)), "sums to -9"),
        (np.array([[1.0, -1.0]]), "sums to 0"),
        (np.array([[1.0, np.nan]]), "not finite"),
        (np.ones((11, 3)), "11 x 3 pixels is larger than the picture of 9 x 10"),
        (np.ones(3), r"shape \(3,\)"),
        (np.zeros((0, 0)), "shape"),
        (np.array(["a"]), "not numbers"),
    ],
)
def test_psf_files_that_cannot_be_used(tmp_path: Path, values: Any, words: str) -> None:
    np.save(tmp_path / "h.npy", values)
    with pytest.raises(ipx.InputError, match=words):
        Blur((1, 9, 10), kernel=tmp_path / "h.npy")


def test_errors_of_blur(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (tmp_path / "h.jpg").write_bytes(b"")
    shape = (1, 9, 9)
    with pytest.raises(ipx.InputError, match="there is no PSF file"):
        Blur(shape, kernel=tmp_path / "none.png")
    with pytest.raises(ipx.InputError, match="cannot be read"):
        Blur(shape, kernel=tmp_path / "bad.png")
    with pytest.raises(ipx.InputError, match="use PNG, TIFF or NPY"):
        Blur(shape, kernel=tmp_path / "h.jpg")
    with pytest.raises(ipx.OptionError, match="needs a PSF file"):
        Blur(shape, kind="file")
    with pytest.raises(ipx.OptionError, match="sigma must be > 0"):
        Blur(shape, sigma=-1)
    with pytest.raises(ipx.ShapeError, match="take a smaller sigma"):
        Blur(shape, sigma=50)
    with pytest.raises(ipx.ShapeError, match="larger than the picture"):
        Blur(shape, boundary="valid")
    with pytest.raises(ipx.ShapeError, match=r"\(C, H, W\)"):
        Blur((9, 9))
    assert Blur((1, 9, 9), sigma=2).psf.shape == (9, 9)  # the tails are cut at the border


# ---------------------------------------------------------------- inpaint


def test_masks() -> None:
    x = noise_like((3, 60, 80))
    pixels = Inpaint((3, 60, 80), missing=0.6)
    assert pixels.known(x).shape == (1, 60, 80)
    assert float(pixels.known(x).double().mean()) == pytest.approx(0.4, abs=0.03)
    values = Inpaint((3, 60, 80), kind="values", missing=0.2)
    assert values.known(x).shape == (3, 60, 80)
    assert float(values.known(x).double().mean()) == pytest.approx(0.8, abs=0.02)
    box = Inpaint((3, 60, 80), kind="box", box=(10, 20), position=(5, 6)).known(x)[0]
    assert int((~box).sum()) == 200
    assert not box[5, 6]
    assert not box[14, 25]
    assert not Inpaint((1, 9, 9), kind="box").known(x)[0, 4, 4]
    for kind in ("scratches", "text"):
        share = float(Inpaint((1, 60, 80), kind=kind).known(x).double().mean())
        assert 0.5 < share < 0.98
    for kind in MASKS:
        one, two = (Inpaint((3, 30, 30), kind=kind, seed=4).known(x) for _ in range(2))
        assert torch.equal(one, two)
    assert not torch.equal(pixels.known(x), Inpaint((3, 60, 80), seed=1).known(x))
    assert bool(Inpaint((1, 4, 4), missing=0.0).known(x).all())


def test_nothing_comes_out_of_a_hole() -> None:
    operator = Inpaint((1, 8, 8))
    x = noise_like((1, 8, 8))
    x[:, ~operator.known(x)] = torch.nan
    assert bool(operator(x).isfinite().all())
    assert torch.equal(operator.preview(operator(x)), operator(x))


def test_mask_files(tmp_path: Path) -> None:
    known = np.random.default_rng(0).random((6, 7)) > 0.4
    (tmp_path / "m.png").write_bytes(imagecodecs.png_encode(known.astype(np.uint8) * 255))
    opaque = np.dstack([known * 255] * 3 + [np.full((6, 7), 255)]).astype(np.uint8)
    (tmp_path / "rgba.png").write_bytes(imagecodecs.png_encode(opaque))
    tifffile.imwrite(tmp_path / "m.tif", known.astype(np.uint8))
    np.save(tmp_path / "m.npy", known)
    x = noise_like((2, 6, 7))
    for name in ("m.png", "rgba.png", "m.tif", "m.npy"):
        mask = Inpaint((2, 6, 7), mask=tmp_path / name).known(x)
        assert np.array_equal(mask.numpy(), known[None])
    each = np.stack([known, ~known])
    np.save(tmp_path / "each.npy", each)
    assert np.array_equal(Inpaint((2, 6, 7), mask=tmp_path / "each.npy").known(x).numpy(), each)


def test_errors_of_inpaint(tmp_path: Path) -> None:
    np.save(tmp_path / "none.npy", np.zeros((6, 7)))
    np.save(tmp_path / "nan.npy", np.full((6, 7), np.nan))
    np.save(tmp_path / "size.npy", np.ones((6, 8)))
    cases = {
        "none.npy": "leaves nothing known",
        "nan.npy": "not finite",
        "size.npy": "is 6 x 8 pixels, the picture 6 x 7",
        "absent.png": "there is no mask file",
        "mask.gif": "PNG, TIFF or NPY",
    }
    for name, words in cases.items():
        with pytest.raises(ipx.InputError, match=words):
            Inpaint((1, 6, 7), mask=tmp_path / name)
    with pytest.raises(ipx.OptionError, match="needs a mask file"):
        Inpaint((1, 6, 7), kind="file")
    with pytest.raises(ipx.ShapeError, match="does not fit into a picture of 6 x 7"):
        Inpaint((1, 6, 7), kind="box", box=(7, 7))
    with pytest.raises(ipx.InputError, match="leaves nothing known"):
        Inpaint((1, 6, 7), missing=1.0)
    with pytest.raises(ipx.OptionError, match="missing must be"):
        Inpaint((1, 6, 7), missing=1.2)


# ---------------------------------------------------------------- super-resolution


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


def test_operators_compose_by_name() -> None:
    chain = ipx.operator("super-resolution", (1, 16, 16)) @ ipx.operator(
        "blur", (1, 16, 16), sigma=1
    )
    assert chain.data_shape == (1, 8, 8)
    x, y = noise_like((1, 16, 16)), noise_like((1, 8, 8))
    gap = (chain(x) * y).sum() - (x * chain.adjoint(y)).sum()
    assert abs(float(gap)) < 1e-12
