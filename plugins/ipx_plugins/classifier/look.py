"""What units of a classifier see: the patches that excite them most, and pictures made for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from ipx import normal_like
from ipx_plugins.classifier.model import Classifier, Net

FIELDS = {"first": (5, 1), "second": (10, 2), "third": (20, 4)}
"""Side of the receptive field of a unit and distance between neighbours, in pixels."""


@dataclass(frozen=True)
class Top:
    """The patches that excite a filter most.

    Attributes:
        patches: ``(count, C, side, side)``; black beyond the border.
        activations: ``(count,)``, falling.
    """

    patches: Tensor
    activations: Tensor


@torch.no_grad()
def top_patches(net: nn.Module, x: Tensor, layer: str, count: int) -> list[Top]:
    """For each filter of a layer the patches of pictures ``(N, C, H, W)`` with the largest
    activations, one a picture (Zeiler, Fergus, ECCV 2014, without the deconvolution)."""
    maps = torch.cat([cast("Net", net).features(part)[layer] for part in torch.split(x, 128)])
    best, place = maps.flatten(2).max(2)  # (N, F)
    side, stride = FIELDS[layer]
    border = side // 2
    padded = nn.functional.pad(x, [border] * 4)
    found = []
    for f in range(maps.shape[1]):
        order = best[:, f].argsort(descending=True, stable=True)[:count]
        cut = []
        for i in order.tolist():
            row, column = divmod(int(place[i, f]), maps.shape[3])
            # the middle of the field, in pixels of the picture; padding shifts by the border
            top, left = (int((k + 0.5) * stride) for k in (row, column))
            cut.append(padded[i, :, top : top + side, left : left + side])
        found.append(Top(torch.stack(cut), best[order, f]))
    return found


def maximised(
    model: Classifier, net: nn.Module, layer: str, steps: int = 200, seed: int = 0
) -> Tensor:
    """A picture for each unit that it answers to most, ``(units, C, H, W)`` in [0, 1].

    Gradient ascent on the activation minus total variation and |x|^2 (Simonyan, Vedaldi,
    Zisserman, ICLR workshop 2014; Mahendran, Vedaldi, CVPR 2015).

    Args:
        model: the classifier.
        net: its network.
        layer: one of `LAYERS`, whose filters are taken at the middle, or ``classes``, whose
            logits are taken.
        steps: of Adam.
        seed: of the first picture, weak noise.
    """
    n = cast("Net", net)
    c, h, w = model.only_shape
    units = model.classes if layer == "classes" else getattr(n, layer).out_channels
    rng = torch.Generator().manual_seed(seed)
    like = torch.zeros(units, c, h, w)
    v = (0.1 * normal_like(like, rng) - 2).requires_grad_(True)
    moments = torch.optim.Adam([v], lr=0.1)
    for _ in range(steps):
        x = v.sigmoid()
        if layer == "classes":
            logits = n(x)
            answers = logits - logits.mean(1, keepdim=True)  # apart from what excites all
        else:
            maps = n.features(x)[layer]
            answers = maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]
        rough = (x.diff(dim=2).abs().sum() + x.diff(dim=3).abs().sum()) / units
        loss = -answers.diagonal().sum() + 0.002 * units * rough + 0.002 * x.square().sum()
        (v.grad,) = torch.autograd.grad(loss, v)
        moments.step()
    return v.sigmoid().detach()
