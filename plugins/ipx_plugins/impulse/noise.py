"""Impulse noise: each value is, with probability ``amount``, replaced by one that says nothing.

Data term ``|pred - y|_1``: its minimiser fits most values exactly and leaves the wrong ones out
(Nikolova 2004).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ipx import Noise, Scalar, image_sum, per_image
from ipx_plugins.impulse import ImpulseOptions

_FAR = 0.1  # from the local median: further is taken for wrong
_BLACK = 0.02  # a zero among values no brighter than this may well be true


class Impulse(Noise[ImpulseOptions]):
    """f = |pred - y|_1. ``level`` is the share of wrong values, in [0, 1]."""

    simulated = 0.1

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """``clean`` with wrong values, drawn on the CPU; a share of 0.1 where not given."""
        amount = self.simulated if self.level is None else self.level
        hit = torch.rand(clean.shape, generator=generator, dtype=clean.dtype).to(clean.device)
        value = torch.rand(clean.shape, generator=generator, dtype=clean.dtype).to(clean.device)
        if self.options.kind == "salt-pepper":
            value = value.round()
        elif self.options.kind == "dead":
            value = torch.zeros_like(value)
        return torch.where(hit < per_image(amount, clean), value, clean)

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        """|pred - y|_1 per image, ``(B,)``."""
        return image_sum((pred - y).abs())

    def prox(self, v: Tensor, y: Tensor, t: Scalar) -> Tensor:
        """y + soft(v - y, t): v moved towards y by t, at most onto it."""
        step = torch.as_tensor(per_image(t, v), dtype=v.dtype, device=v.device)
        return v + torch.minimum(torch.maximum(y - v, -step), step)

    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        """amount x (mean distance of a wrong value from the true one u), for each value.

        1/2 for salt and pepper, whatever u is. ``u^2 / 2 + (1 - u)^2 / 2`` for random values
        and u for dead ones are averaged over the data, which stand in for u.
        """
        level = self.level if self.level is not None else self._share(y, None)
        amount = torch.as_tensor(per_image(level, count), dtype=y.dtype, device=y.device)
        if self.options.kind == "salt-pepper":
            return 0.5 * amount * count
        if self.options.kind == "dead":
            # the mean over the values that live: dead ones, and holes, add nothing to the sum
            alive = (count * (1 - amount)).clamp_min(1.0)
            return amount * count * image_sum(y.clamp(0, 1)) / alive
        u = y.clamp(0, 1)
        holes = y[0].numel() - count  # they are 0 in y: 1/2 each
        return amount * (image_sum(0.5 * (u**2 + (1 - u) ** 2)) - 0.5 * holes)

    def estimated(self, y: Tensor, known: Tensor | None = None) -> Impulse:
        """With the share of wrong values per image, unless it was given."""
        if self.level is not None:
            return self
        made = Impulse(self.options)
        made.level = self._share(y, known)
        return made

    def _share(self, y: Tensor, known: Tensor | None) -> Tensor:
        """Share of wrong values, ``(B,)``.

        Salt and pepper: the values at 0 or 1 exactly (in a picture with true black or white
        they count too, which errs on the safe side). Dead: those at 0 among brighter ones.
        Random: those more than 0.1 from all but two or so of their neighbours (after Garnett
        et al. 2005, which spares edges), and as many again as come within 0.1 by chance.
        """
        if self.options.kind == "salt-pepper":
            wrong = (y <= 0) | (y >= 1)
        elif self.options.kind == "dead":
            alive = y > 0 if known is None else (y > 0) & known
            wrong = (y <= 0) & (_median(y, alive) > _BLACK)
        else:
            wrong = _distance(y, known) > _FAR
        seen = torch.ones_like(y) if known is None else known.to(y.dtype).expand_as(y)
        share = image_sum(wrong * seen) / image_sum(seen).clamp_min(1.0)
        if self.options.kind == "random":
            share = share / (1 - 2 * _FAR)
        return share.clamp_max(1.0)


def _near(y: Tensor, known: Tensor | None) -> Tensor:
    """The values around each, itself among them, NaN where unknown: ``(*picture, 9)``.

    3 x 3 neighbourhoods; 5 in a row for data that are no picture.
    """
    picture = y if y.ndim == 4 else y.reshape(y.shape[0], 1, 1, -1)
    if known is not None:
        nan = torch.full((), torch.nan, dtype=y.dtype, device=y.device)
        picture = torch.where(known.expand_as(y).reshape(picture.shape), picture, nan)
    rows, columns = (3, 3) if picture.shape[-2] > 1 else (1, 5)
    border = (columns // 2, columns // 2, rows // 2, rows // 2)
    padded = functional.pad(picture, border, value=torch.nan)
    return padded.unfold(-2, rows, 1).unfold(-2, columns, 1).flatten(-2)


def _median(y: Tensor, known: Tensor | None) -> Tensor:
    """Median of the known values of each neighbourhood; NaN where there are none."""
    return _near(y, known).nanmedian(-1).values.reshape(y.shape)


def _distance(y: Tensor, known: Tensor | None) -> Tensor:
    """How far each value is from its third nearest of 8 neighbours (as large a share of fewer)."""
    near = _near(y, known)
    middle = near.shape[-1] // 2
    away = (near - near[..., middle : middle + 1]).abs()
    away = torch.cat([away[..., :middle], away[..., middle + 1 :]], -1)
    there = (~away.isnan()).sum(-1, keepdim=True)
    ordered = away.nan_to_num(nan=torch.inf).sort(-1).values
    third = ordered.gather(-1, (3 * there / 8).round().long().clamp_min(1) - 1)
    return torch.where(there > 0, third, 0.0).reshape(y.shape)
