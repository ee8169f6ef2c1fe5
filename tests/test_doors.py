"""Components out of functions, and functions of one line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.restoration import denoise_tv_chambolle

import ipx
from ipx.testing import check_instance

CAMERA = data.camera()[40:104, 200:264] / 255.0
COLOUR = data.astronaut()[20:68, 190:238] / 255.0


def noisy(x: np.ndarray, sigma: float = 0.1) -> np.ndarray:
    return x + sigma * np.random.default_rng(0).standard_normal(x.shape)


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a - b) ** 2).mean() ** 0.5)


def test_a_function_of_arrays_as_a_denoiser() -> None:
    """scikit-image's total variation in plug-and-play: below the data, and grey as in colour."""

    def chambolle(x, sigma):
        return denoise_tv_chambolle(x, weight=sigma, channel_axis=-1 if x.ndim == 3 else None)

    prior = ipx.denoiser(chambolle, arrays=True)
    for x in (CAMERA, COLOUR):
        y = ipx.degrade(x, op="blur", noise={"name": "gaussian", "sigma": 0.05}, seed=0)
        noise = {"name": "gaussian", "sigma": 0.05}
        out = ipx.restore(y, op="blur", noise=noise, prior=prior)
        assert error(out, x) < error(y, x)
    one = torch.as_tensor(noisy(COLOUR)).permute(2, 0, 1)[None]
    level = torch.tensor([0.1, 0.0], dtype=one.dtype)
    found = prior.denoise(torch.cat([one, one]), level)
    assert np.allclose(found[0].permute(1, 2, 0), chambolle(noisy(COLOUR), 0.1))
    assert torch.equal(found[1], one[0])


def test_a_function_of_tensors_as_a_denoiser() -> None:
    """It passes the contract of a denoiser, and gradients pass through it."""

    def wiener(x, sigma):
        noise = sigma.view(-1, 1, 1, 1) ** 2
        mean = torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        power = torch.nn.functional.avg_pool2d((x - mean) ** 2, 3, 1, 1, count_include_pad=False)
        signal = (power - noise).clamp_min(0)
        return mean + signal / (signal + noise + 1e-12) * (x - mean)

    prior = ipx.denoiser(wiener)
    results = {r.name: r.message for r in check_instance(prior) if not r.ok}
    assert not results
    x = torch.rand(1, 1, 8, 8, requires_grad=True)
    prior.denoise(x, 0.1).sum().backward()
    assert x.grad is not None
    with pytest.raises(ipx.ShapeError, match=r"gives \(1, 1, 4, 8\) for \(1, 1, 8, 8\)"):
        ipx.denoiser(lambda x, sigma: x[:, :, ::2]).denoise(x, 0.1)
    with pytest.raises(ipx.InputError, match="arrays=True is for functions of"):
        ipx.denoiser(lambda x, sigma: x.detach().numpy()).denoise(x, 0.1)


def shifted(x):
    return x[..., 1:, ::2] - 0.5 * x[..., :-1, ::2]


def test_a_function_as_a_linear_operator() -> None:
    """The adjoint by automatic differentiation keeps the whole contract, and restores."""
    a = ipx.linear(shifted, image_shape=(1, 64, 64), check=True)
    assert a.data_shape == (1, 63, 32)
    assert not {r.name: r.message for r in check_instance(a) if not r.ok}
    y = a.forward(torch.as_tensor(CAMERA)[None, None])
    assert y.requires_grad is False
    v = torch.rand(1, 1, 63, 32, requires_grad=True)
    a.adjoint(v).square().sum().backward()
    assert torch.allclose(v.grad, 2 * a.forward(a.adjoint(v)).detach(), atol=1e-5)
    how = ipx.solve(y, op=a, noise={"name": "gaussian", "sigma": 0.001}, prior="tv", lam=1e-4)
    assert error(how.x[0, 0].numpy(), CAMERA) < 0.1


def test_functions_of_arrays_as_a_linear_operator() -> None:
    def blur(x):
        return gaussian_filter(x, 1.0, mode="wrap", axes=(0, 1))

    for shape in ((1, 16, 20), (3, 16, 20)):
        a = ipx.linear(blur, blur, image_shape=shape, arrays=True, check=True)
        assert a.data_shape == shape
    x = torch.rand(2, 3, 16, 20, dtype=torch.float64)
    wanted = np.stack([np.moveaxis(blur(np.moveaxis(row, 0, -1)), -1, 0) for row in x.numpy()])
    assert np.allclose(a.forward(x), wanted)


def test_functions_that_are_wrong_are_told() -> None:
    for forward, adjoint, why in (
        (torch.abs, None, "forward is not linear"),
        (lambda x: x + 1, None, "forward is not linear"),
        (lambda x: 2 * x, lambda y: y, "adjoint is not that of forward"),
        (lambda x: x[..., ::2], lambda y: y, "adjoint gives"),
    ):
        with pytest.raises(ipx.InputError, match=why):
            ipx.linear(forward, adjoint, image_shape=(1, 8, 8), check=True)
    with pytest.raises(ipx.InputError, match="give the adjoint too"):
        ipx.linear(np.fft.fft, image_shape=(1, 8, 8), arrays=True)
    wrong = ipx.linear(lambda x: 2 * x, lambda y: y, image_shape=(1, 8, 8))
    assert "adjointness" in {r.name for r in check_instance(wrong) if not r.ok}


@pytest.mark.parametrize("x", [CAMERA, COLOUR], ids=["grey", "colour"])
def test_denoise(x: np.ndarray) -> None:
    y = noisy(x)
    for f in (ipx.denoise_bm3d, ipx.denoise_tv):
        out = f(y, 0.1)
        assert (out.shape, out.dtype) == (y.shape, y.dtype)
        assert error(out, x) < 0.6 * error(y, x)
    bytes_ = (y.clip(0, 1) * 255).astype(np.uint8)
    assert ipx.denoise_tv(bytes_, lam=0.1).dtype == np.uint8


def test_deconvolve() -> None:
    """A PSF of unequal even sides keeps its middle; the result is sharper than the data."""
    psf = np.zeros((3, 6))
    psf[1, 2:5] = (1.0, 2.0, 1.0)
    y = 0.25 * np.roll(CAMERA, -1, 1) + 0.5 * CAMERA + 0.25 * np.roll(CAMERA, 1, 1)
    y = noisy(y, 0.01)
    out = ipx.deconvolve(y, psf, 0.01, boundary="circular")
    assert out.shape == y.shape
    assert error(out, CAMERA) < 0.8 * error(y, CAMERA)
    for wrong in (np.ones(3), np.full((3, 3), np.nan), np.zeros((3, 0))):
        with pytest.raises(ipx.InputError, match=r"psf must be an array \(h, w\)"):
            ipx.deconvolve(y, wrong)


@pytest.mark.parametrize("x", [CAMERA, COLOUR], ids=["grey", "colour"])
def test_inpaint(x: np.ndarray) -> None:
    """NaN marks missing pixels, too; the known ones stay."""
    missing = np.random.default_rng(0).random(x.shape[:2]) < 0.5
    y = np.where(missing[(..., *[None] * (x.ndim - 2))], np.nan, x)
    out = ipx.inpaint(y, missing)
    assert out.shape == x.shape
    assert error(out[missing], x[missing]) < 0.12
    assert error(out[~missing], x[~missing]) < 0.02
    with pytest.raises(ipx.ShapeError, match="they must fit"):
        ipx.inpaint(x, np.ones_like(missing))
    with pytest.raises(ipx.ShapeError, match="they must fit"):
        ipx.inpaint(x, missing[1:])
