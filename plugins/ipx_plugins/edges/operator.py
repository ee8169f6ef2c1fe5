"""y = tanh(gain |grad (g * luma x)|), not linear in x."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ipx import Operator, Shape, ShapeError
from ipx_plugins.edges import EdgesOptions

LUMA = (0.299, 0.587, 0.114)  # Rec. ITU-R BT.601
_SMOOTH = 1e-4  # in |grad|, so that the length has a slope where it is zero


class Edges(Operator[EdgesOptions]):
    """Pictures ``(C, H, W)`` to ``(1, H, W)`` in [0, 1): 0 where flat, near 1 on strong edges.

    Derivatives are those of a Gaussian cut at 3 sigma, with borders repeated. |g| is
    sqrt(g_x^2 + g_y^2 + e^2) - e, e = 1e-4, which is differentiable.

    Raises:
        ShapeError: the picture has not ``colors`` channels of two dimensions.
    """

    def __init__(
        self, image_shape: Shape, options: EdgesOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        colors = self.options.colors
        if len(self.image_shape) != 3 or self.image_shape[0] != colors:
            raise ShapeError(
                f"edges with colors={colors} takes images of shape ({colors}, H, W), not "
                f"{self.image_shape}; set its option colors to the number of channels"
            )
        self.data_shape = (1, *self.image_shape[1:])

    @classmethod
    def image_shape_of(cls, data_shape: Shape, options: EdgesOptions) -> Shape:
        """As many channels as the option ``colors`` says."""
        return (options.colors, *data_shape[1:])

    def _taps(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """A Gaussian of sum 1, and its derivative, of slope 1 for a ramp."""
        sigma = self.options.sigma
        half = math.ceil(3 * sigma)
        at = torch.arange(-half, half + 1, dtype=torch.float64)
        bell = torch.exp(-at.square() / (2 * sigma**2))
        slope = at * bell
        return (bell / bell.sum()).to(like), (slope / (slope * at).sum()).to(like)

    def forward(self, x: Tensor) -> Tensor:
        """The drawing."""
        grey = x
        if self.options.colors == 3:
            grey = torch.einsum("c,bchw->bhw", torch.tensor(LUMA).to(x), x)[:, None]
        smooth, slope = self._taps(x)
        half = len(smooth) // 2
        wide = F.pad(grey, (half,) * 4, mode="replicate")
        down = F.conv2d(F.conv2d(wide, slope.view(1, 1, -1, 1)), smooth.view(1, 1, 1, -1))
        right = F.conv2d(F.conv2d(wide, slope.view(1, 1, 1, -1)), smooth.view(1, 1, -1, 1))
        length = (down.square() + right.square() + _SMOOTH**2).sqrt() - _SMOOTH
        return (self.options.gain * length).tanh()

    def preview(self, y: Tensor) -> Tensor:
        """The drawing, dark lines on white, in all channels."""
        return (1 - y).expand(-1, *self.image_shape)
