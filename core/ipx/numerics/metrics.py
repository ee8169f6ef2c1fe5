"""PSNR and SSIM against the truth, per image of a batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ipx.errors import ShapeError

WINDOW = 11
SIGMA = 1.5
C1 = 0.01**2
C2 = 0.03**2
_BRIGHTEST = 1e-5  # mean square error at 50 dB


def _pair(x: Tensor, ref: Tensor, clip: bool) -> tuple[Tensor, Tensor]:
    """Both in float64: the variances of SSIM are differences of nearly equal numbers."""
    if x.shape != ref.shape:
        raise ShapeError(
            f"images of different shapes cannot be compared: {tuple(x.shape)} and "
            f"{tuple(ref.shape)}"
        )
    x, ref = x.detach().double(), ref.detach().to(x.device).double()
    return (x.clamp(0, 1), ref.clamp(0, 1)) if clip else (x, ref)


def psnr(x: Tensor, ref: Tensor, clip: bool = True) -> Tensor:
    """Peak signal-to-noise ratio in dB, peak 1: ``-10 log10 mean((x - ref)^2)``.

    Args:
        x: images ``(B, C, H, W)`` or ``(B, C, D, H, W)``, nominally in [0, 1].
        ref: the truth, same shape.
        clip: clip both to [0, 1] first, as a file or a screen does.

    Returns:
        ``(B,)`` float64; infinite for equal images, NaN where ``x`` has NaN.

    Raises:
        ShapeError: the shapes differ.
    """
    x, ref = _pair(x, ref, clip)
    return -10 * torch.log10((x - ref).square().flatten(1).mean(1))


def psnr_of_bands(x: Tensor, ref: Tensor, clip: bool = True) -> Tensor:
    """PSNR of each channel, ``(B, C)``, see `psnr`."""
    x, ref = _pair(x, ref, clip)
    return -10 * torch.log10((x - ref).square().flatten(2).mean(2))


def spectral_angle(x: Tensor, ref: Tensor) -> Tensor:
    """Mean angle between the spectra of two images in degrees, whatever their lengths.

    Args:
        x: images ``(B, C, H, W)``, C > 1.
        ref: the truth, same shape.

    Returns:
        ``(B,)`` float64 in [0, 180]; pixels where a spectrum is zero are left out.

    Raises:
        ShapeError: the shapes differ.

    Source: Kruse et al., "The spectral image processing system", Remote Sens. Environ. 44, 1993.
    """
    x, ref = _pair(x, ref, clip=False)
    lengths = (x.norm(dim=1) * ref.norm(dim=1)).flatten(1)
    cosine = (x * ref).sum(1).flatten(1) / lengths.clamp_min(1e-300)
    angle = torch.rad2deg(torch.arccos(cosine.clamp(-1, 1)))
    seen = lengths > 0
    mean: Tensor = torch.where(seen, angle, 0.0).sum(1) / seen.sum(1).clamp_min(1)
    return mean


def log_error(x: Tensor, ref: Tensor) -> Tensor:
    """log10 of the mean square error, for training: -PSNR / 10, saturating at 50 dB, ``(B,)``.

    It is differentiable and clips nothing.

    Args:
        x: images ``(B, C, H, W)``.
        ref: the truth, same shape.
    """
    return (x - ref).square().flatten(1).mean(1).add(_BRIGHTEST).log10()


def ssim(x: Tensor, ref: Tensor, clip: bool = True) -> Tensor:
    """Structural similarity, mean over channels and window positions.

    As in the paper: Gaussian window of 11x11 with sigma 1.5, K1 = 0.01, K2 = 0.03, range 1,
    weighted (biased) covariances, only windows inside the image. Equal to scikit-image's
    ``structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    data_range=1, channel_axis=0)``. Along a side shorter than 11 pixels the window has the largest
    odd length that fits, and the same sigma.

    Args:
        x: images ``(B, C, H, W)``, nominally in [0, 1]; or volumes ``(B, C, D, H, W)``, whose SSIM
            is the mean over their planes.
        ref: the truth, same shape.
        clip: clip both to [0, 1] first.

    Returns:
        ``(B,)`` float64 in [-1, 1].

    Raises:
        ShapeError: the shapes differ, or are those of neither.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE TIP 2004, equation 13.
    """
    x, ref = _pair(x, ref, clip)
    if x.ndim == 5:
        x, ref = x.flatten(1, 2), ref.flatten(1, 2)
    if x.ndim != 4:
        raise ShapeError(f"ssim compares images (B, C, H, W) or volumes, not {tuple(x.shape)}")
    rows, columns = (_window(side) for side in x.shape[2:])

    def mean(u: Tensor) -> Tensor:
        return _filtered(_filtered(u, rows, 2), columns, 3)

    mx, mr = mean(x), mean(ref)
    means, product = mx * mx + mr * mr, mx * mr
    variances, cov = mean(x * x + ref * ref) - means, mean(x * ref) - product
    score = (2 * product + C1) * (2 * cov + C2) / ((means + C1) * (variances + C2))
    return score.flatten(1).mean(1)


def _filtered(u: Tensor, weights: list[float], axis: int) -> Tensor:
    """Weighted means along one axis, valid positions only; faster than torch's float64 conv."""
    size = u.shape[axis] - len(weights) + 1
    out = u.narrow(axis, 0, size) * weights[0]
    for shift, weight in enumerate(weights[1:], 1):
        out.add_(u.narrow(axis, shift, size), alpha=weight)
    return out


def _window(side: int) -> list[float]:
    length = min(WINDOW, side - 1 + side % 2)
    weights = [math.exp(-0.5 * ((i - length // 2) / SIGMA) ** 2) for i in range(length)]
    return [weight / sum(weights) for weight in weights]
