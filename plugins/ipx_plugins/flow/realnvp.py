"""RealNVP (Dinh, Sohl-Dickstein and Bengio, 2017)."""

from __future__ import annotations

from collections.abc import Sequence

from ipx_plugins.flow import RealNVPOptions
from ipx_plugins.flow.common import Flow
from ipx_plugins.flow.layers import ActNorm, Checkerboard, Coupling, Layer, Squeeze


class RealNVP(Flow[RealNVPOptions]):
    """At each scale: checkerboard couplings, squeeze, channel couplings (section 3.6).

    Actnorm replaces batch normalisation, as in Glow; convolutions replace residual networks.
    """

    def layers(self, level: int, channels: int) -> Sequence[Layer]:
        """Checkerboard couplings, squeeze, channel couplings; the changed half alternates."""
        o, c = self.options, 4 * channels
        out: list[Layer] = []
        for i in range(o.steps):
            out += [ActNorm(channels), Checkerboard(channels, o.width, i % 2)]
        out.append(Squeeze())
        for i in range(o.steps):
            out += [ActNorm(c), Coupling(c, o.width, swap=i % 2 == 1)]
        return out
