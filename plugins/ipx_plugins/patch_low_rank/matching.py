"""Similar patches around each patch of a grid."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad


def starts(length: int, side: int, step: int) -> Tensor:
    """First pixels of patches along an axis: every ``step``, and the last patch."""
    at = torch.arange(0, length - side + 1, step)
    last = length - side
    return at if int(at[-1]) == last else torch.cat([at, at.new_tensor([last])])


def similar(image: Tensor, side: int, step: int, radius: int, count: int) -> Tensor:
    """Flat pixel numbers of the first pixels of similar patches, ``(R, count)``.

    Args:
        image: ``(H, W)``, at least ``side`` in each direction.
        side: that of the patches.
        step: distance of the R reference patches, row by row.
        radius: largest shift in each direction.
        count: patches of a group, the reference patch among them; fewer where there are not as
            many patches in reach.
    """
    height, width = image.shape
    rows, columns = (starts(n, side, step).to(image.device) for n in (height, width))
    wide = pad(image, (radius, radius, radius, radius), value=float("inf"))
    far: list[Tensor] = []
    span = range(-radius, radius + 1)
    for down in span:
        band = wide[radius + down : radius + down + height]
        shifts = torch.stack([band[:, radius + a : radius + a + width] for a in span])
        squares = avg_pool2d((shifts - image).square()[:, None], side, 1)[:, 0]
        far.append(squares[:, rows][:, :, columns].flatten(1))
    distance = torch.cat(far).T  # (R, shifts)
    count = min(count, distance.shape[1])
    value, nearest = distance.topk(count, largest=False)
    home = (rows[:, None] * width + columns).reshape(-1, 1)
    moved = torch.as_tensor([a * width + b for a in span for b in span], device=image.device)
    # where patches in reach are few the reference patch stands in for those beyond the border
    return home + torch.where(value.isfinite(), moved[nearest], 0)


def pixels(first: Tensor, width: int, side: int) -> Tensor:
    """Flat pixel numbers of whole patches, ``(..., side^2)``."""
    i = torch.arange(side, device=first.device)
    return first[..., None] + (i[:, None] * width + i).reshape(-1)
