"""The analysis formulation: a penalty on the code E(x) of the picture."""

from __future__ import annotations

from torch import Tensor

from ipx import image_sum
from ipx_plugins.generative import AnalysisOptions
from ipx_plugins.generative.network import Formulation, by_image, gradient, image_by_image

DEVIATION = 0.1
"""gamma where the model states none: rms distance of pictures from the range of its decoder."""


class Analysis(Formulation[AnalysisOptions]):
    """R(x) = |E(x)|^2 (Oberlin and Verm 2021, equation 4), + |x - D(E(x))|^2 / gamma^2 if D E != I.

    The second term keeps x near the range of a decoder that is not invertible. R is then twice
    -log p(x, z) at z = E(x) (Gonzalez et al. 2022, equation 8).
    """

    @image_by_image
    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        model, net, shown = self.generator, self.net(x), self.into(x)
        z = model.encode(net, shown)
        size = image_sum(z * z)
        if model.invertible:
            return size
        weight = self.options.range_weight
        if weight is None:
            weight = 1 / (model.deviation(net) or DEVIATION) ** 2
        apart = shown - model.decode(net, z, tuple(shown.shape[1:]))
        return size + weight * image_sum(apart * apart)

    @image_by_image
    def grad(self, x: Tensor) -> Tensor:
        """Gradient of R, shape of ``x``; 2 J_E^T E(x) for an invertible model."""
        return gradient(self.value, x)

    def value_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """R and its gradient."""
        return by_image(self.value, x)
