"""The problems that all libraries get, and what a library makes of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import ipx

Table = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """An operator, a noise level and a prior.

    Attributes:
        title: heading of its rows.
        op: the operator with its options; the border of the picture is known or periodic.
        sigma: standard deviation of white Gaussian noise.
        prior: ``tv``, the minimum of ``|Ax - y|^2 / 2 + lam |Dx|_{2,1}``; or ``bm3d``, which is
            told sigma.
        lam: weight of the total variation: the best of a logarithmic grid on coins, brick and
            grass, which are not the picture of the table.
    """

    title: str
    op: Table
    sigma: float
    prior: str = "tv"
    lam: float = 0.0


TASKS = {
    "denoise": Task("denoising", {"name": "identity"}, 0.05, lam=0.028),
    "deblur": Task(
        "deblurring", {"name": "blur", "sigma": 1.6, "boundary": "circular"}, 0.01, lam=0.0004
    ),
    "inpaint": Task("inpainting 60 %", {"name": "inpaint", "missing": 0.6}, 0.01, lam=0.006),
    "super-resolution": Task(
        "super-resolution x2", {"name": "super-resolution", "factor": 2}, 0.01, lam=0.002
    ),
    "bm3d": Task("denoising by BM3D", {"name": "identity"}, 0.1, prior="bm3d"),
}


@dataclass(frozen=True)
class Problem:
    """One task on one picture.

    Attributes:
        task: its operator, noise and prior.
        truth: ``(H, W)``, in [0, 1].
        op: the operator for this size, linear.
        y: data, ``(1, 1, h, w)``, float32.
    """

    task: Task
    truth: np.ndarray
    op: Any
    y: torch.Tensor

    @property
    def kind(self) -> str:
        """Name of the operator."""
        return str(self.task.op["name"])

    @property
    def data(self) -> np.ndarray:
        """``(h, w)``."""
        return self.y[0, 0].numpy()

    @property
    def size(self) -> tuple[int, int]:
        """``(H, W)``."""
        h, w = self.truth.shape
        return h, w

    def impulse(self) -> np.ndarray:
        """The answer to one bright pixel at (0, 0): the PSF wrapped around, ``(H, W)``."""
        x = torch.zeros(1, *self.op.image_shape)
        x[..., 0, 0] = 1
        return np.asarray(self.op.forward(x)[0, 0])

    def psf(self, radius: int = 16) -> np.ndarray:
        """The PSF within this radius of its middle."""
        centred = np.fft.fftshift(self.impulse())
        h, w = (n // 2 for n in self.size)
        return centred[h - radius : h + radius + 1, w - radius : w + radius + 1]

    def mask(self) -> np.ndarray:
        """1 where a pixel is measured, ``(H, W)``."""
        return np.asarray(self.op.forward(torch.ones(1, *self.op.image_shape))[0, 0])

    def psnr(self, x: np.ndarray) -> float:
        """Decibels of an estimate, peak 1."""
        return float(-10 * np.log10(np.mean((np.asarray(x, np.float64) - self.truth) ** 2)))


@dataclass(frozen=True)
class Rival:
    """A way to solve a problem.

    Attributes:
        label: software and algorithm.
        run: number of steps to the image ``(H, W)``; of a direct method for any number.
        direct: True if the method has no steps.
    """

    label: str
    run: Callable[[int], np.ndarray]
    direct: bool = False


Rivals = Callable[[Problem], Iterator[Rival]]


def pose(task: Task, truth: np.ndarray, seed: int) -> Problem:
    """Simulate the data of a task.

    Args:
        task: what is asked.
        truth: ``(H, W)``, in [0, 1].
        seed: of mask and noise.

    Raises:
        InputError: the picture does not fit the operator.
    """
    op = ipx.operator(**task.op, image_shape=(1, *truth.shape))
    x = torch.as_tensor(truth, dtype=torch.float32)[None, None]
    y = ipx.degrade(x, op=op, noise={"name": "gaussian", "sigma": task.sigma}, seed=seed)
    return Problem(task, truth, op, y)
