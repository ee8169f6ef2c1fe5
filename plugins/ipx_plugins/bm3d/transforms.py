"""The matrices of BM3D, float64: block and group transforms, window, opponent colours."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pywt
import torch
from torch import Tensor

from ipx.toolkit import dct_matrix


def wavelet_matrix(name: str, n: int) -> Tensor:
    """All levels of a periodised wavelet transform of ``n`` = 2^k values, ``(n, n)``.

    Rows have norm 1, so that white noise keeps its variance in each coefficient.
    """
    low = np.eye(n)
    details: list[np.ndarray] = []
    while low.shape[0] > 1:
        low, detail = pywt.dwt(low, name, mode="periodization", axis=0)
        details.insert(0, detail)
    matrix = np.concatenate([low, *details])
    return torch.as_tensor(matrix / np.linalg.norm(matrix, axis=1, keepdims=True))


@lru_cache(maxsize=16)
def haar_matrix(n: int) -> Tensor:
    """The orthonormal Haar transform of ``n`` = 2^k values, ``(n, n)``; row 0 is the mean."""
    matrix = torch.ones(1, 1, dtype=torch.float64)
    while matrix.shape[0] < n:
        same = torch.ones(1, 2, dtype=torch.float64)
        apart = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
        eye = torch.eye(matrix.shape[0], dtype=torch.float64)
        matrix = torch.cat((torch.kron(matrix, same), torch.kron(eye, apart))) / math.sqrt(2.0)
    return matrix


@lru_cache(maxsize=16)
def block_transform(name: str, n: int) -> Tensor:
    """The separable transform of n x n blocks as one matrix, ``(n^2, n^2)``; row 0 is the mean."""
    matrix = dct_matrix(n) if name == "dct" else wavelet_matrix(name, n)
    return torch.kron(matrix, matrix)


def kaiser(n: int) -> Tensor:
    """The symmetric Kaiser window for aggregation, beta = 2, ``(n,)``."""
    return torch.kaiser_window(n, periodic=False, beta=2.0, dtype=torch.float64)


def opponent() -> Tensor:
    """The matrix from RGB to luminance and two colour differences, ``(3, 3)``."""
    return torch.tensor(
        [[1 / 3, 1 / 3, 1 / 3], [1 / 2, 0.0, -1 / 2], [1 / 4, -1 / 2, 1 / 4]], dtype=torch.float64
    )
