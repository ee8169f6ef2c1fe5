"""The network that the options name."""

from __future__ import annotations

from ipx import load_weights
from ipx_plugins.texture import NetworkOptions
from ipx_plugins.texture.features import Features, random_features

WIDTHS = (24, 48, 96)
"""Of the network with random weights."""


def network(options: NetworkOptions, seed: int) -> Features:
    """The trained network, or one with random weights of this seed.

    Raises:
        IpxError: what `ipx.load_weights` raises.
    """
    if options.features == "random":
        return random_features(WIDTHS, seed)
    net = load_weights(options.weights, "texture-features").network()
    assert isinstance(net, Features)
    return net
