"""Application of NumPy denoisers image by image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ipx import Scalar


def levels(x: Tensor, sigma: Scalar) -> Tensor:
    """Sigma of each image, ``(B,)`` float64 on the CPU; for a map its root mean square."""
    level = torch.as_tensor(sigma, dtype=torch.float64, device="cpu")
    if level.ndim > 1:
        level = level.flatten(1).square().mean(1).sqrt()
    return level.expand(x.shape[0])


def each_image(
    x: Tensor, sigma: Scalar, denoise: Callable[[np.ndarray, float], np.ndarray], least: int
) -> Tensor:
    """``denoise(image (C, H, W), sigma)`` for each image; with sigma 0 the image itself.

    Sides shorter than ``least`` pixels are extended by mirroring and cropped afterwards.
    """
    height, width = x.shape[-2:]
    more = [(0, 0), (0, max(least - height, 0)), (0, max(least - width, 0))]

    def one(image: Tensor, level: float) -> Tensor:
        if level <= 0:
            return image
        out = denoise(np.pad(image.numpy(), more, mode="symmetric"), level)
        return torch.from_numpy(out[:, :height, :width]).to(image)

    work = x.detach().to("cpu", torch.float64 if x.dtype == torch.float64 else torch.float32)
    out = [one(image, float(level)) for image, level in zip(work, levels(x, sigma), strict=True)]
    return torch.stack(out).to(x) if out else x.clone()
