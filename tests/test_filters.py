"""Classical denoisers: what their definitions say, and that they beat doing nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy import ndimage
from skimage import data, transform

import ipx
from ipx.numerics.metrics import psnr

NAMES = ("nlm", "median", "bilateral", "tv-filter", "wavelet-filter")


def photograph(size: int = 96) -> torch.Tensor:
    image = transform.resize(data.astronaut()[20:212, 130:322] / 255.0, (size, size, 3))
    return torch.as_tensor(image.transpose(2, 0, 1))[None]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sigma", [10 / 255, 25 / 255, 50 / 255])
def test_it_improves_colour_and_grey(name: str, sigma: float) -> None:
    denoiser = ipx.prior(name)
    for clean in (photograph(), photograph().mean(1, keepdim=True)):
        generator = torch.Generator().manual_seed(1)
        y = clean + sigma * torch.randn(clean.shape, generator=generator, dtype=clean.dtype)
        gain = psnr(denoiser.denoise(y, sigma), clean) - psnr(y, clean)
        assert float(gain) > (0.0 if sigma < 0.05 else 1.5)


@pytest.mark.parametrize("name", NAMES)
@given(height=st.integers(1, 20), width=st.integers(1, 20), channels=st.sampled_from([1, 2, 3]))
@settings(max_examples=12, deadline=None)
def test_any_size_constants_and_no_noise(name: str, height: int, width: int, channels: int) -> None:
    denoiser = ipx.prior(name)
    x = torch.rand(2, channels, height, width, dtype=torch.float64)
    flat = torch.full_like(x, 0.4)
    assert torch.allclose(denoiser.denoise(flat, 0.1), flat, atol=1e-6)
    assert torch.allclose(denoiser.denoise(x, 0.0), x, atol=1e-7)
    out = denoiser.denoise(x, torch.tensor([0.05, 0.2]))
    assert out.shape == x.shape
    assert torch.isfinite(out).all()


def test_the_median_is_scipys_once_the_noise_explains_it() -> None:
    x = torch.rand(1, 1, 17, 23, dtype=torch.float64)
    expected = ndimage.median_filter(x[0, 0].numpy(), 3, mode="mirror")
    assert np.allclose(ipx.prior("median").denoise(x, 10.0)[0, 0].numpy(), expected)


def test_the_bilateral_filter_of_much_contrast_is_the_gaussian_one() -> None:
    x = torch.rand(1, 1, 21, 21, dtype=torch.float64)
    out = ipx.prior("bilateral", contrast=1e6).denoise(x, 1.0)[0, 0].numpy()
    d = np.arange(-4, 5)
    kernel = np.exp(-(d[:, None] ** 2 + d**2) / (2 * 1.5**2))
    near = ndimage.convolve(x[0, 0].numpy(), kernel / kernel.sum(), mode="mirror")
    assert np.abs(out - near)[5:-5, 5:-5].max() < 2e-3  # the window has one pixel more


def test_the_bilateral_filter_keeps_an_edge() -> None:
    x = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    x[..., 8:] = 1.0
    assert float((ipx.prior("bilateral").denoise(x, 0.02) - x).abs().max()) < 1e-6


def test_a_median_of_even_width_is_refused() -> None:
    with pytest.raises(ipx.OptionError, match="size must be odd"):
        ipx.prior("median", size=4)
