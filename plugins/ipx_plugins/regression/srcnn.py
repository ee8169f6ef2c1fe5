"""SRCNN (Dong et al. 2016): patch extraction, non-linear mapping, reconstruction."""

from __future__ import annotations

import torch
from torch import nn

from ipx_plugins.regression import SRCNNOptions
from ipx_plugins.regression.common import Regression


class SRCNN(Regression[SRCNNOptions]):
    """The paper's 9-5-5, 57 thousand parameters."""

    def body(self, outputs: int) -> nn.Module:
        """The untrained network, which passes the picture unchanged through one feature channel.

        The random initialisation of the paper needs 10^8 crops to reach the same accuracy.
        """
        o = self.options
        first, second = o.widths
        c = o.colors
        net = nn.Sequential(
            nn.Conv2d(c, first, 9, padding=4, padding_mode="replicate"),
            nn.ReLU(),
            nn.Conv2d(first, second, 5, padding=2, padding_mode="replicate"),
            nn.ReLU(),
            nn.Conv2d(second, outputs, 5, padding=2, padding_mode="replicate"),
        )
        if outputs != c:
            return net
        with torch.no_grad():
            for i, wide in ((0, first), (2, second), (4, c)):
                conv = net[i]
                assert isinstance(conv, nn.Conv2d)
                middle = conv.kernel_size[0] // 2
                if i == 4:
                    conv.weight.mul_(0.1)
                for channel in range(min(c, wide)):
                    conv.weight[channel] = 0.0
                    conv.weight[channel, channel, middle, middle] = 1.0
                if conv.bias is not None:
                    conv.bias.zero_()
        return net
