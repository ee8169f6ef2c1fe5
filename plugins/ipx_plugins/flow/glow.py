"""Glow (Kingma and Dhariwal, 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from ipx_plugins.flow import GlowOptions
from ipx_plugins.flow.common import Flow
from ipx_plugins.flow.layers import Coupling, Layer, Mix, Shift, Squeeze


class Glow(Flow[GlowOptions]):
    """At each scale: squeeze, then steps of actnorm, 1x1 convolution and affine coupling.

    The network is fully convolutional: trained on 64 x 64 pictures, it encodes larger ones too.
    Learned split priors whiten the codes, so that all of z is N(0, I).
    """

    def layers(self, level: int, channels: int) -> Sequence[Layer]:
        """Squeeze, then the steps of flow."""
        o, c = self.options, 4 * channels
        coupling = Shift if self.traits.constant_volume else Coupling
        steps = [layer for _ in range(o.steps) for layer in (Mix(c), coupling(c, o.width))]
        return [Squeeze(), *steps]
