"""K x: the inner products of all patches with all atoms."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, pad

from ipx import LinearOperator, NoOptions, Shape, Spectral, Traits


def tight(atoms: Tensor) -> Tensor:
    """The Parseval frame of patches nearest to atoms ``(K, n)`` of mean 0: ``(K + 1, n)``.

    It is the polar factor of the atoms; its last row is the mean.
    """
    u, s, vh = torch.linalg.svd(atoms, full_matrices=False)
    kept = s > 1e-6 * s[0]
    frame = u[:, kept] @ vh[kept]
    return torch.cat([frame, atoms.new_full((1, atoms.shape[1]), atoms.shape[1] ** -0.5)])


class InnerProducts(LinearOperator[NoOptions]):
    """K, ``(B, C, H, W)`` to ``(B, C K, h, w)``, channel by channel; K^T K = I.

    Patches begin at multiples of the stride, the first ones before the image, which is zero
    outside for them. So each pixel is in (side / stride)^2 patches, by whose root K is divided.

    Args:
        image_shape: ``(C, H, W)``.
        frame: a Parseval frame of patches, ``(K, side^2)``.
        stride: distance of patches, a divisor of their side.
    """

    def __init__(self, image_shape: Shape, frame: Tensor, stride: int) -> None:
        super().__init__(image_shape)
        self.side = round(frame.shape[1] ** 0.5)
        self.stride, count = stride, len(frame)
        self._rim = self.side - stride
        channels, *size = self.image_shape
        self._more = tuple(-n % stride + self._rim for n in size)
        self._filters = (stride / self.side * frame).view(count, 1, self.side, self.side)
        counts = [(n + self._rim + m - self.side) // stride + 1 for n, m in self._sides()]
        self.data_shape = (channels * count, *counts)
        self.traits = Traits(basis="any")

    def _sides(self) -> list[tuple[int, int]]:
        return list(zip(self.image_shape[-2:], self._more, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """K x."""
        down, right = self._more
        planes = pad(x.flatten(0, 1)[:, None], (self._rim, right, self._rim, down))
        out = conv2d(planes, self._filters.to(x), stride=self.stride)
        return out.view(len(x), *self.data_shape)

    def adjoint(self, y: Tensor) -> Tensor:
        """K^T y."""
        planes = y.view(-1, len(self._filters), *self.data_shape[1:])
        out = conv_transpose2d(planes, self._filters.to(y), stride=self.stride)
        height, width = self.image_shape[-2:]
        rim = self._rim
        whole: Tensor = out[:, 0, rim : rim + height, rim : rim + width]
        return whole.reshape(-1, *self.image_shape)

    def spectrum(self, like: Tensor) -> Spectral:
        """All eigenvalues of K^T K are 1."""
        return Spectral("any", torch.ones((), dtype=like.dtype, device=like.device))

    def norm(self) -> float:
        """1."""
        return 1.0
