"""A x = M F x: the measured coefficients of the discrete Fourier transform of each channel.

For real x the coefficients at k and -k are conjugate, so a measurement of one determines both.
Hence A^T A = Re F* M F is diagonal in the Fourier transform, with eigenvalues
``(M(k) + M(-k)) / 2``, also for a mask M without symmetry.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import LinearOperator, Shape, ShapeError, Spectral
from ipx_plugins.fourier import FourierOptions
from ipx_plugins.fourier.masks import mask_for

_PLANE = (-2, -1)
QUIET = 0.1
"""Share of the measured frequencies, the highest, that hold hardly any signal."""

PAIRED = 100
"""Least number of frequencies whose opposite is measured, too, that tell the noise."""


class Fourier(LinearOperator[FourierOptions]):
    """A x = M F x, F the unitary two-dimensional DFT, M a mask of zeros and ones.

    The data are real, ``(2 C, H, W)``: the real parts of all channels, then the imaginary parts.
    Frequencies are in the order of ``torch.fft.fft2``, or centred; unmeasured ones are 0. With all
    frequencies measured, white noise has the same standard deviation in y and in A^T y.

    Args:
        image_shape: ``(C, H, W)``.
        options: see `FourierOptions`.

    Raises:
        ShapeError: ``image_shape`` is not ``(C, H, W)``, or a mask file has another size.
        InputError: the mask file cannot be used.
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
    def image_shape_of(cls, data_shape: Shape, options: FourierOptions) -> Shape:
        """The shape with half of the channels; the others hold the imaginary parts."""
        channels, *size = data_shape
        if channels % 2:
            raise ShapeError(
                f"data of fourier are real and imaginary parts: an even number of channels, "
                f"not {channels}"
            )
        return (channels // 2, *size)

    def forward(self, x: Tensor) -> Tensor:
        """M F x, ``(B, C, H, W)`` to ``(B, 2 C, H, W)``."""
        centred = self.options.centred
        c = torch.fft.fft2(torch.fft.ifftshift(x, _PLANE) if centred else x, norm="ortho")
        c = torch.fft.fftshift(c, _PLANE) if centred else c
        return self._measured(torch.cat([c.real, c.imag], 1))

    def adjoint(self, y: Tensor) -> Tensor:
        """Re F* M y, ``(B, 2 C, H, W)`` to ``(B, C, H, W)``."""
        centred = self.options.centred
        c = torch.complex(*self._measured(y).chunk(2, 1))
        c = torch.fft.ifftshift(c, _PLANE) if centred else c
        x: Tensor = torch.fft.ifft2(c, norm="ortho").real
        if centred:
            x = torch.fft.fftshift(x, _PLANE)
        return x

    def known(self, like: Tensor) -> Tensor:
        """M as booleans, ``(1, H, W)``."""
        return self.buffer("known", like, lambda: self._mask[None])

    def quiet(self, y: Tensor) -> Tensor | None:
        """The quieter of two kinds of values, image by image.

        The frequencies k and -k of a real image are conjugate: what they disagree in is noise. The
        highest tenth of the measured frequencies holds little of any image.
        """
        far, apart = self._far(y), self._apart(y)
        if apart is None:
            return far
        most = torch.arange(max(far.shape[1], apart.shape[1]), device=y.device)
        far, apart = (v[:, most % v.shape[1]] for v in (far, apart))
        less = apart.abs().median(1).values < far.abs().median(1).values
        return torch.where(less[:, None], apart, far)

    def _far(self, y: Tensor) -> Tensor:
        """The measured values of highest frequency, ``(B, M)``."""
        height, width = self._mask.shape
        far = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width))
        far = torch.fft.fftshift(far) if self.options.centred else far
        far = torch.where(self._mask, far, -1.0).flatten()
        count = max(1, round(QUIET * int(self._mask.sum())))
        return y.flatten(2)[..., far.topk(count).indices.to(y.device)].flatten(1)

    def _apart(self, y: Tensor) -> Tensor | None:
        """(y(k) - conj y(-k)) / sqrt 2, ``(B, M)``; None if few pairs are measured."""
        paired = self._mask & self._opposite(self._mask)
        if int(paired.sum()) < PAIRED:
            return None
        real, imaginary = y.chunk(2, 1)
        apart = [real - self._opposite(real), imaginary + self._opposite(imaginary)]
        return torch.cat(apart, 1)[..., paired.to(y.device)].flatten(1) / 2**0.5

    def _opposite(self, planes: Tensor) -> Tensor:
        """The values at -k in the place of k, ``(..., H, W)``."""
        centred = self.options.centred
        planes = torch.fft.ifftshift(planes, _PLANE) if centred else planes
        planes = planes.flip(_PLANE).roll((1, 1), _PLANE)
        return torch.fft.fftshift(planes, _PLANE) if centred else planes

    def _measured(self, y: Tensor) -> Tensor:
        return torch.where(self.known(y), y, torch.zeros((), dtype=y.dtype, device=y.device))

    def spectrum(self, like: Tensor) -> Spectral:
        """Eigenvalues of A^T A, (M(k) + M(-k)) / 2: 0, 1/2 or 1."""

        def gram() -> Tensor:
            # shifts of the image do not change A^T A, a convolution
            mask = torch.fft.ifftshift(self._mask) if self.options.centred else self._mask
            mask = mask.double()
            mirrored = mask.flip(0, 1).roll((1, 1), (0, 1))
            return 0.5 * (mask + mirrored)[:, : mask.shape[1] // 2 + 1]

        return Spectral("fft", self.buffer("gram", like, gram))

    def norm(self) -> float:
        """1, the singular value at frequency 0, which is measured and its own conjugate."""
        return 1.0

    def preview(self, y: Tensor) -> Tensor:
        """The minimum-norm picture with these data; unmeasured frequencies are 0.

        A frequency measured at only one of k and -k takes its value from there.
        """
        return self.spectrum(y).solve(self.adjoint(y), rcond=0.25)
