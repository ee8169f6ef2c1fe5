"""Impulse noise: each value is replaced with probability ``amount`` by one unrelated to it.

The data term is ``|pred - y|_1`` over the values that are no detected impulses. Its minimiser fits
most values exactly and ignores the wrong ones that were not detected (Nikolova 2004).
"""

from __future__ import annotations

import weakref

import torch
from torch import Tensor

from ipx import Noise, Scalar, Storage, column, image_sum, per_image
from ipx_plugins.impulse import ImpulseOptions
from ipx_plugins.impulse.detection import credible, hidden, neighbours

_FAR = 0.1  # values that differ more from their neighbours, see `_distance`, are wrong
_BLACK = 0.02  # zeros are wrong only where the local median is above this


class Impulse(Noise[ImpulseOptions]):
    """f = |m (pred - y)|_1, m the mask `trusted`; ``level`` is the share of wrong values.

    ``holes`` is True where some values are unknown.
    """

    holes = False
    simulated = 0.1
    _latest: tuple[weakref.ref[Tensor], Tensor] | None = None  # the last data, and their mask

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """``clean`` with wrong values, drawn on the CPU; their fraction is 0.1 by default."""
        amount = self.simulated if self.level is None else self.level
        hit = torch.rand(clean.shape, generator=generator, dtype=clean.dtype).to(clean.device)
        value = torch.rand(clean.shape, generator=generator, dtype=clean.dtype).to(clean.device)
        if self.options.kind == "salt-pepper":
            value = value.round()
        elif self.options.kind == "dead":
            value = torch.zeros_like(value)
        return torch.where(hit < per_image(amount, clean), value, clean)

    def trusted(self, y: Tensor) -> Tensor | None:
        """True for values that are no detected impulses, see `credible`; None without detection."""
        if not self.options.detect:
            return None
        if self._latest is None or self._latest[0]() is not y:
            with torch.no_grad():
                self._latest = (weakref.ref(y), credible(y, self.options.kind, self.holes))
        return self._latest[1]

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        """|pred - y|_1 over the trusted values per image, ``(B,)``."""
        away, mask = (pred - y).abs(), self.trusted(y)
        return image_sum(away if mask is None else away * mask)

    def prox(self, v: Tensor, y: Tensor, t: Scalar) -> Tensor:
        """y + soft(v - y, t): v moved towards y by at most t; v where y is not trusted."""
        step = torch.as_tensor(per_image(t, v), dtype=v.dtype, device=v.device)
        moved, mask = v + torch.minimum(torch.maximum(y - v, -step), step), self.trusted(y)
        return moved if mask is None else torch.where(mask, moved, v)

    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        """What undetected impulses are expected to leave, ``(B,)``.

        Without detection it is count x amount x (mean distance of a wrong value from the true one
        u). The distance is 1/2 for salt and pepper, ``u^2 / 2 + (1 - u)^2 / 2`` for random values
        and u for dead ones. The last two are averaged over the data, used in place of u.

        Salt and pepper and dead values are all detected. A random value within T = `hidden` of u is
        not: the distances of such values have the mean T^2. On photographs this is right within a
        factor of two.
        """
        level = self.level if self.level is not None else self._share(y, None)
        amount = torch.as_tensor(per_image(level, count), dtype=y.dtype, device=y.device)
        if self.options.detect:
            if self.options.kind != "random":
                return torch.zeros_like(count)
            return amount * image_sum((y != 0) * hidden(y, self.holes) ** 2)
        if self.options.kind == "salt-pepper":
            return 0.5 * amount * count
        if self.options.kind == "dead":
            # the mean over values that are not dead; dead and unknown ones are 0 in the sum
            alive = (count * (1 - amount)).clamp_min(1.0)
            return amount * count * image_sum(y.clamp(0, 1)) / alive
        u = y.clamp(0, 1)
        holes = y[0].numel() - count  # unknown values are 0 in y: 1/2 each
        return amount * (image_sum(0.5 * (u**2 + (1 - u) ** 2)) - 0.5 * holes)

    def deviation(self, y: Tensor) -> Tensor:
        """The expected data term of a value: the mean deviation, one per image."""
        count = torch.full_like(y.flatten(1)[:, 0], y[0].numel())
        return column(self.expected(y, count) / count, y)

    def estimated(
        self, y: Tensor, known: Tensor | None = None, storage: Storage = Storage()
    ) -> Impulse:
        """This model with the fraction of wrong values per image, unless it is given."""
        if self.level is not None:
            return self
        made = Impulse(self.options)
        made.level = self._share(y, known)
        made.holes = known is not None and not bool(known.all())
        return made

    def _share(self, y: Tensor, known: Tensor | None) -> Tensor:
        """Fraction of wrong values, ``(B,)``.

        Salt and pepper: values at 0 or 1; true black and white count too, which errs on the safe
        side. Dead: zeros among brighter values. Random: values more than 0.1 from all but about
        two of their neighbours (after Garnett et al. 2005, which spares edges); the fraction is
        scaled up for wrong values that are within 0.1 by chance.
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


def _median(y: Tensor, known: Tensor | None) -> Tensor:
    """Median of the known values of each neighbourhood; NaN where there are none."""
    return neighbours(y, known).nanmedian(-1).values.reshape(y.shape)


def _distance(y: Tensor, known: Tensor | None) -> Tensor:
    """Distance of each value from the third closest of its 8 neighbours (3/8 of fewer)."""
    near = neighbours(y, known)
    middle = near.shape[-1] // 2
    away = (near - near[..., middle : middle + 1]).abs()
    away = torch.cat([away[..., :middle], away[..., middle + 1 :]], -1)
    there = (~away.isnan()).sum(-1, keepdim=True)
    ordered = away.nan_to_num(nan=torch.inf).sort(-1).values
    third = ordered.gather(-1, (3 * there / 8).round().long().clamp_min(1) - 1)
    return torch.where(there > 0, third, 0.0).reshape(y.shape)
