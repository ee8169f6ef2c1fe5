"""Tasks: the same data for every method, and the scores of its results."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

import ipx
from ipx import Operator
from ipx.numerics.metrics import psnr, ssim
from ipx_plugins.seeds import MASKS, TASKS

ROUNDING = 1 / (255 * math.sqrt(12))
"""Standard deviation of the error of rounding to 8 bits."""


@dataclass(frozen=True)
class Case:
    """The true pictures and the data of a task, with the operator and noise given to methods.

    Attributes:
        task: a name in `TASKS`.
        operator: A.
        level: noise standard deviation given to methods; with 0 they keep the known pixels.
        truth: ``(N, 3, H, W)``.
        y: the data ``(N, *operator.data_shape)``.
    """

    task: str
    operator: Operator[Any]
    level: float
    truth: Tensor
    y: Tensor

    @property
    def noise(self) -> dict[str, Any]:
        """The noise model given to methods."""
        return {"name": "gaussian", "sigma": self.level}

    def part(self, chunk: slice) -> Case:
        """The case with some of the pictures."""
        return replace(self, truth=self.truth[chunk], y=self.y[chunk])

    def scores(self, x: Tensor) -> dict[str, list[float]]:
        """PSNR (dB), SSIM, PSNR in the hole of a mask, and |Ax - y| / sqrt(m), per picture.

        All but the last use the pictures clipped to [0, 1].
        """
        found = {"psnr": psnr(x, self.truth), "ssim": ssim(x, self.truth)}
        known = self.operator.known(self.y)
        if known is not None:
            hole = (~known).expand(self.truth.shape[1:])
            error = (x.clamp(0, 1) - self.truth).double().square()[:, hole]
            found["hole"] = -10 * torch.log10(error.mean(1))
            m = int(known.expand(self.truth.shape[1:]).sum())
        else:
            m = self.y[0].numel()
        apart = (self.operator(x) - self.y).double().flatten(1).norm(dim=1)
        found["residual"] = apart / math.sqrt(m)
        return {name: [float(v) for v in values] for name, values in found.items()}


def measure(truth: Tensor, task: str, sigma: float, seed: int) -> Case:
    """The data of a task: y = A x + n, or A x rounded to 8 bits where sigma is 0.

    The noise of picture i depends on seed, task and i only; the mask is the same for all.
    Nothing is clipped. For rounded data with a mask the level is 0, so that known pixels are
    kept. For blur and super-resolution it is the rounding error, since no plausible picture fits
    rounded data exactly.
    """
    operator = ipx.operator(**TASKS[task].operator, image_shape=tuple(truth.shape[1:]))
    clean = operator(truth)
    if sigma == 0:
        level = 0.0 if task in MASKS else ROUNDING
        return Case(task, operator, level, truth, (255 * clean).round() / 255)
    draws = []
    for i in range(len(truth)):
        name = zlib.crc32(f"{seed}/{task}/{i}".encode())
        draws.append(torch.randn(clean.shape[1:], generator=torch.Generator().manual_seed(name)))
    y = clean + sigma * torch.stack(draws).to(clean)
    known = operator.known(y)
    if known is not None:
        y = torch.where(known, y, torch.zeros_like(y))
    return Case(task, operator, sigma, truth, y)
