"""CycleGAN: translation between two sets of pictures without pairs (Zhu et al., ICCV 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from ipx import Model, image_sum
from ipx_plugins.regression import CycleGANOptions
from ipx_plugins.regression.adversarial import Patches, critic_loss, fooling_loss
from ipx_plugins.regression.unet import Net as UNet


class Both(nn.Module):
    """The network from the inputs to the other set, that back, and a critic of each set."""

    def __init__(self, options: CycleGANOptions) -> None:
        super().__init__()
        o = options
        self.there = UNet(o.colors, o.colors, o.widths)
        self.back = UNet(o.colors, o.colors, o.widths)
        self.critic_there = Patches(o.colors, o.critic)
        self.critic_back = Patches(o.colors, o.critic)

    def forward(self, seen: Tensor) -> Tensor:
        """The picture translated from the inputs to the other set."""
        out: Tensor = self.there(seen)
        return out


class CycleGAN(Model[CycleGANOptions]):
    """Least-squares critics, ``cycle`` |F(G(y)) - y|_1 and ``identity`` |G(x) - x|_1, both ways.

    The networks start as the identity. The critics see what was made in this step; the paper also
    shows them pictures of the last 50 steps, which would be a state between steps.
    """

    score = "distance"

    @property
    def pairing(self) -> Literal["none", "pairs", "sets"]:
        """Two sets."""
        return "sets"

    def network(self) -> nn.Module:
        """The untrained networks."""
        return Both(self.options)

    def parts(self, net: nn.Module) -> Mapping[str, Iterable[nn.Parameter]]:
        """The critics, and the networks."""
        n = cast(Both, net)
        return {
            "critics": [*n.critic_there.parameters(), *n.critic_back.parameters()],
            "nets": [*n.there.parameters(), *n.back.parameters()],
        }

    def part_loss(
        self, part: str, net: nn.Module, batch: Tensor, rng: torch.Generator
    ) -> Tensor | Mapping[str, Tensor]:
        """The loss of the critics, or of the networks."""
        n = cast(Both, net)
        x, y = batch.chunk(2, 1)
        if part == "critics":
            with torch.no_grad():
                made_x, made_y = n.there(y), n.back(x)
            return critic_loss(n.critic_there, (x,), (made_x,)) + critic_loss(
                n.critic_back, (y,), (made_y,)
            )
        made_x, made_y = n.there(y), n.back(x)
        o = self.options
        fooling = fooling_loss(n.critic_there, (made_x,)) + fooling_loss(n.critic_back, (made_y,))
        again = (n.back(made_x) - y).abs().mean() + (n.there(made_y) - x).abs().mean()
        total = fooling + o.cycle * again
        if o.identity:
            same = (n.there(x) - x).abs().mean() + (n.back(y) - y).abs().mean()
            total = total + o.identity * same
        return {"nets": total, "cycle": again.detach()}

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """``distance``: between what is made and the set it should belong to, both ways.

        Of two sets, repeated for each picture: the W1 distance of values by channel and of
        differences of neighbours. ``cycle``: |F(G(y)) - y|_1 per value.
        """
        n = cast(Both, net)
        x, y = batch.chunk(2, 1)
        made = n.there(y)
        far = (distance(made, x) + distance(n.back(x), y)) / 2
        cycle = image_sum((n.back(made) - y).abs()) / y[0].numel()
        return {"distance": far.expand(len(x)), "cycle": cycle}


def distance(x: Tensor, y: Tensor) -> Tensor:
    """W1 distance of values of each channel, plus that of differences of neighbouring pixels."""
    total: Any = 0.0
    for a, b in ((x, y), (x.diff(dim=2), y.diff(dim=2)), (x.diff(dim=3), y.diff(dim=3))):
        a, b = (v.transpose(0, 1).flatten(1).sort(1).values for v in (a, b))
        total = total + (a - b).abs().mean()
    return cast(Tensor, total)
