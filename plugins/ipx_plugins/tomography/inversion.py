"""Filtered back-projection for parallel rays, and for a fan with a flat detector."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ipx_plugins.tomography import Window
from ipx_plugins.tomography.rays import Rays


def backprojected(rays: Rays, y: Tensor, window: Window) -> Tensor:
    """The picture from its sinogram (Kak, Slaney 1988, equations 3.61 and 3.170).

    Angles that are missing from the half turn (for a fan: the full turn) count as 0.

    Args:
        rays: the geometry.
        y: ``(B, C, angles, bins)``, in units of the side of the picture.
        window: that of the ramp filter.

    Returns:
        ``(B, C, N, N)``.
    """
    fan = math.isfinite(rays.source)
    q = y * rays.side  # line integrals in pixels
    if fan:
        q = q * (rays.source / torch.hypot(rays.bins, torch.tensor(rays.source))).to(q)
    q = _filtered(q, rays.spacing, window) * _shares(rays).to(q)[:, None]
    # zeros at both ends for what is seen beside the detector
    bins = torch.nn.functional.pad(q.flatten(0, 1), (1, 2)).movedim(1, 0)  # (A, M, S + 3)
    slopes, last = bins.diff(dim=-1), bins.shape[-1] - 2
    across, up = rays.positions[None, :], -rays.positions[:, None]
    x = torch.zeros(bins.shape[1], rays.side**2, dtype=q.dtype, device=q.device)
    for values, slope, angle in zip(bins, slopes, rays.angles, strict=True):
        seen, grown = rays.shadow(across, up, angle)
        at = ((seen - rays.bins[0]) / rays.spacing + 1).clamp(0, last).reshape(-1)
        low = at.long()
        part, low = (at - low).to(q), low.to(q.device)
        value = values[:, low] + part * slope[:, low]
        x += value * grown.reshape(-1).to(q) ** 2 if fan else value
    return (0.5 * x if fan else x).reshape(*y.shape[:2], rays.side, rays.side)


def _filtered(q: Tensor, spacing: float, window: Window) -> Tensor:
    """The ramp filter along the bins; its kernel is sampled, so that the mean is right.

    (Kak, Slaney, equation 3.29.) Padded to twice the length, so that it does not wrap.
    """
    bins = q.shape[-1]
    length = 2 ** math.ceil(math.log2(max(2 * bins, 2)))
    k = torch.arange(length, dtype=torch.float64)
    k = torch.minimum(k, length - k)
    odd = k % 2 == 1
    kernel = torch.where(odd, -1 / (math.pi * k.clamp_min(1)) ** 2, 0.0)
    kernel[0] = 0.25
    f = torch.fft.rfftfreq(length, dtype=torch.float64)
    ramp = torch.fft.rfft(kernel).real / spacing
    if window == "shepp-logan":
        ramp = ramp * torch.sinc(f)
    elif window == "hann":
        ramp = ramp * torch.cos(math.pi * f) ** 2
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(q, n=length) * ramp.to(q), n=length)
    return filtered[..., :bins]


def _shares(rays: Rays) -> Tensor:
    """The angle that each projection stands for, ``(A,)``: half of the gaps to its neighbours.

    A gap counts as at most twice the usual one: beyond that nothing was measured.
    """
    turn = math.pi if math.isinf(rays.source) else 2 * math.pi
    angles, order = (rays.angles % turn).sort()
    gaps = torch.diff(angles, append=angles[:1] + turn)
    # an angle that is measured twice has a gap of 0, up to rounding
    usual = gaps[gaps > 1e-9].median() if bool((gaps > 1e-9).any()) else gaps.max()
    gaps = gaps.clamp(0, 2 * float(usual))
    shares = torch.empty_like(gaps)
    shares[order] = (gaps + gaps.roll(1)) / 2
    return shares
