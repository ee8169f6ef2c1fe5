"""Application of NumPy denoisers image by image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ipx import Scalar, levels


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
    sigmas = levels(sigma, torch.empty(len(x), dtype=torch.float64)).tolist()
    out = [one(image, level) for image, level in zip(work, sigmas, strict=True)]
    return torch.stack(out).to(x) if out else x.clone()
