"""FFDNet: convolutions on pictures pixel-unshuffled by 2 (Zhang, Zuo, Zhang, 2018)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ipx_plugins.denoisers import FFDNetOptions
from ipx_plugins.denoisers.common import Denoiser, with_level


class FFDNet(Denoiser[FFDNetOptions]):
    """The paper's network without batch normalisation, by default predicting the noise.

    The paper's predicts the picture, which takes more than twice as many steps early in training.
    """

    @property
    def multiple(self) -> int:
        """2, the factor of the pixel unshuffle."""
        return 2

    def network(self) -> nn.Module:
        """The untrained network."""
        o = self.options
        return Net(o.colors, o.width, o.depth, o.picture, o.clamp)


class Net(nn.Module):
    """x - noise(x, sigma) on the unshuffled picture, with the noise level as a channel.

    Args:
        colors: channels of pictures.
        width: feature channels.
        depth: number of convolutions.
        picture: the last layer gives the picture in place of the noise.
        clamp: the input is clamped to [0, 1].
    """

    def __init__(self, colors: int, width: int, depth: int, picture: bool, clamp: bool) -> None:
        super().__init__()
        self.picture, self.clamp = picture, clamp
        layers: list[nn.Module] = []
        for i in range(depth):
            into = 4 * colors + 1 if i == 0 else width
            out = 4 * colors if i == depth - 1 else width
            conv = nn.Conv2d(into, out, 3, padding=1)
            nn.init.orthogonal_(conv.weight, 0.2 if i == depth - 1 else 2**0.5)
            layers += [conv, nn.ReLU()]
        self.noise = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The denoised picture, shape of ``x``; its sides must be even."""
        small = F.pixel_unshuffle(x.clamp(0, 1) if self.clamp else x, 2)
        # the mean of a noise map over each block
        level = F.avg_pool2d(sigma, 2) if sigma.shape[2] > 1 else sigma
        out = self.noise(with_level(small, level))
        return F.pixel_shuffle(out if self.picture else small - out, 2)
