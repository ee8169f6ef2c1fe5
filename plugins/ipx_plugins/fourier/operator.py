"""A x = M F x: the discrete Fourier transform of each channel where it was measured.

For a real x the frequencies k and -k are conjugate to each other, and a measurement of one says
as much about the other: A^T A = Re F* M F is diagonal in the transform with
``(M(k) + M(-k)) / 2``, for a mask M without symmetry too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import LinearOperator, Shape, ShapeError, Spectral
from ipx_plugins.fourier import FourierOptions
from ipx_plugins.fourier.masks import mask_for


class Fourier(LinearOperator[FourierOptions]):
    """A x = M F x, F the unitary two-dimensional transform, M of zeros and ones.

    The data are real, ``(2 C, H, W)``: the real parts of all channels, then the imaginary parts,
    frequencies in the order of ``torch.fft.fft2``, 0 where nothing was measured. White noise of
    the data with deviation sigma is, where all is measured, white noise of the picture with sigma.

    Args:
        image_shape: ``(C, H, W)``.
        options: see `FourierOptions`.

    Raises:
        ShapeError: the images have no channels, height and width.
    """

    def __init__(
        self, image_shape: Shape, options: FourierOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        if len(self.image_shape) != 3:
            raise ShapeError(f"fourier takes images (C, H, W), not of shape {self.image_shape}")
        channels, height, width = self.image_shape
        self.data_shape = (2 * channels, height, width)
        self._mask = torch.from_numpy(mask_for(self.options, height, width))

    @classmethod
    def image_shape_of(cls, data_shape: Shape, options: FourierOptions) -> Shape:  # type: ignore[override]  # its own options
        """Half the channels: the other half are imaginary parts."""
        channels, *size = data_shape
        if channels % 2:
            raise ShapeError(
                f"data of fourier are real, then imaginary parts: an even number of channels, "
                f"not {channels}"
            )
        return (channels // 2, *size)

    def forward(self, x: Tensor) -> Tensor:
        """M F x, ``(B, C, H, W)`` to ``(B, 2 C, H, W)``."""
        c = torch.fft.fft2(x, norm="ortho")
        return self._measured(torch.cat([c.real, c.imag], 1))

    def adjoint(self, y: Tensor) -> Tensor:
        """Re F* M y, ``(B, 2 C, H, W)`` to ``(B, C, H, W)``: zeros where nothing was measured."""
        real, imaginary = self._measured(y).chunk(2, 1)
        x: Tensor = torch.fft.ifft2(torch.complex(real, imaginary), norm="ortho").real
        return x

    def known(self, like: Tensor) -> Tensor:
        """M as booleans, ``(1, H, W)``."""
        return self.buffer("known", like, lambda: self._mask[None])

    def _measured(self, y: Tensor) -> Tensor:
        return torch.where(self.known(y), y, torch.zeros((), dtype=y.dtype, device=y.device))

    def spectrum(self, like: Tensor) -> Spectral:
        """Eigenvalues of A^T A, (M(k) + M(-k)) / 2: 0, 1/2 or 1."""

        def gram() -> Tensor:
            mask = self._mask.double()
            mirrored = mask.flip(0, 1).roll((1, 1), (0, 1))
            return 0.5 * (mask + mirrored)[:, : mask.shape[1] // 2 + 1]

        return Spectral("fft", self.buffer("gram", like, gram))

    def norm(self) -> float:
        """1: the frequency 0 is measured, and is its own mirror."""
        return 1.0

    def preview(self, y: Tensor) -> Tensor:
        """The picture of least norm with these data: 0 for what was not measured.

        A frequency measured on one side only is taken from there.
        """
        return self.spectrum(y).solve(self.adjoint(y), rcond=0.25)
