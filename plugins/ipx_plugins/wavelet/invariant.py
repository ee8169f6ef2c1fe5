"""The translation-invariant (undecimated) wavelet transform, circular, through the FFT.

It holds the coefficients of the decimated transform for all shifts. Divided by 2 at each level, it
is a tight frame for an orthogonal wavelet: K^T K = I.
"""

from __future__ import annotations

import math

import numpy as np
import pywt
import torch
from torch import Tensor

from ipx import LinearOperator, Shape, Spectral, irfft2
from ipx_plugins.wavelet import ORTHOGONAL, WaveletOptions
from ipx_plugins.wavelet.decimated import level_sizes


class Invariant(LinearOperator[WaveletOptions]):
    """K, ``(B, C, H, W)`` to ``(B, S C, H, W)``.

    The S = 3 levels + 1 bands follow each other: for each level from the finest, low-high,
    high-low, high-high (rows, columns); last the approximation.
    """

    def __init__(
        self, image_shape: Shape, options: WaveletOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        self.levels = len(level_sizes(self.image_shape, self.options.levels))
        channels, height, width = self.image_shape
        self.bands = 3 * self.levels + 1
        self.data_shape = (self.bands * channels, height, width)

    def _response(self) -> Tensor:
        """Transfer functions of all bands, ``(S, 1, H, W//2+1)`` complex128."""
        height, width = self.image_shape[-2:]
        wavelet = pywt.Wavelet(self.options.wavelet)
        rows = _filters(wavelet, height, self.levels)
        columns = [
            (low[: width // 2 + 1], high[: width // 2 + 1])
            for low, high in _filters(wavelet, width, self.levels)
        ]
        bands = []
        smooth = np.ones((height, width // 2 + 1), dtype=complex)
        for (rl, rh), (cl, ch) in zip(rows, columns, strict=True):
            bands += [smooth * np.outer(a, b) for a, b in ((rl, ch), (rh, cl), (rh, ch))]
            smooth = smooth * np.outer(rl, cl)
        return torch.from_numpy(np.stack([*bands, smooth]))[:, None]

    def _pairs(self) -> Tensor:
        """H_1 + i H_2, H_3 + i H_4, ... of full transfer functions, ``(S/2, 1, H, W)``."""
        half, width = self._response(), self.image_shape[-1]
        if self.bands % 2:
            half = torch.cat([half, torch.zeros_like(half[:1])])
        full = torch.empty(*half.shape[:-1], width, dtype=half.dtype)
        full[..., : half.shape[-1]] = half
        # the filters are real: H(-k) is the conjugate of H(k)
        rest = half[..., 1 : (width + 1) // 2].conj().flip((-2, -1))
        full[..., half.shape[-1] :] = rest.roll(1, -2)
        return full[::2] + 1j * full[1::2]

    def forward(self, x: Tensor) -> Tensor:
        """K x: all bands, ``(B, S C, H, W)``.

        One complex inverse transform gives two real bands, which halves the time.
        """
        h = self.buffer("pairs", x, self._pairs)
        c = torch.fft.ifft2(torch.fft.fft2(x).unsqueeze(1) * h)
        bands = torch.view_as_real(c).movedim(-1, 2).flatten(1, 2)
        return bands[:, : self.bands].flatten(1, 2)

    def adjoint(self, y: Tensor) -> Tensor:
        """K^T; for an orthogonal wavelet a left inverse."""
        h = self.buffer("response", y, self._response)
        c = torch.fft.rfft2(torch.unflatten(y, 1, (self.bands, -1)))
        return irfft2((c * h.conj()).sum(1), (y.shape[-2], y.shape[-1]))

    def _gram(self) -> Tensor:
        gram: Tensor = (self._response().abs() ** 2).sum((0, 1))
        return gram

    def spectrum(self, like: Tensor) -> Spectral:
        """Eigenvalues of K^T K: all 1 for an orthogonal wavelet."""
        if self.options.wavelet in ORTHOGONAL:
            return Spectral("any", torch.ones((), dtype=like.dtype, device=like.device))
        return Spectral("fft", self.buffer("gram", like, self._gram))

    def norm(self) -> float:
        """The largest singular value, exactly; 1 for an orthogonal wavelet."""
        return math.sqrt(float(self._gram().max()))

    def weights(self, like: Tensor) -> Tensor:
        """2^-j for the details of level j, 0 for the approximation, ``(S, 1, 1, 1)``.

        With these, |weights * K x|_1 is the average of the decimated |Wx|_1 over all shifts.
        """

        def make() -> Tensor:
            steps = [2.0 ** -(j + 1) for j in range(self.levels) for _ in range(3)]
            return torch.tensor([*steps, 0.0], dtype=torch.float64).view(-1, 1, 1, 1)

        return self.buffer("weights", like, make)


def _filters(wavelet: pywt.Wavelet, n: int, levels: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Low- and high-pass transfer functions along one axis at each level, divided by sqrt 2."""
    out = []
    k = np.arange(n)
    taps = len(wavelet.dec_lo)
    position = np.arange(taps) - taps // 2
    for j in range(levels):
        wave = np.exp(-2j * np.pi / n * np.outer(k, position * 2**j))
        low, high = (wave @ np.asarray(f) / math.sqrt(2) for f in (wavelet.dec_lo, wavelet.dec_hi))
        out.append((low, high))
    return out
