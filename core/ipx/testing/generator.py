"""Checks of generators."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor

from ipx.errors import MissingExtraError, ShapeError, UsageError
from ipx.parts.generator import Size
from ipx.testing.common import Checks, draw, require

SIDE = 32


class GeneratorChecks(Checks):
    """On random pictures of `SIDE` pixels, in colour where these are taken.

    Those without their weights are left out.
    """

    @property
    def channels(self) -> int:
        """Of the pictures that are given."""
        return max(set(self.spec.channels) & {1, 3}, default=3)

    def _pictures(self, channels: int) -> list[Tensor]:
        return [draw(k, channels, SIDE, SIDE).float() for k in range(len(self.spec.takes))]

    def _made(self, channels: int, size: Size | None = None) -> Tensor:
        made: Tensor = self.made.generate(self._pictures(channels), size)
        return made

    def generates(self) -> None:
        """One picture (1, C, H, W), finite, the same for the same seed; arguments unchanged."""
        with contextlib.suppress(MissingExtraError):
            given = self._pictures(self.channels)
            found = self.made.generate(given)
            unchanged = map(torch.equal, given, self._pictures(self.channels))
            require(all(unchanged), "it changes its pictures")
            require(found.ndim == 4 and len(found) == 1, f"it gives {tuple(found.shape)}")
            require(found.isfinite().all(), "a picture is not finite")
            again = self._made(self.channels)
            require(torch.equal(found, again), "the same seed gives another picture")
            if given:
                require(found.shape[1] == self.channels, "the number of channels changes")

    def other_sizes(self) -> None:
        """The size that is asked for, or a ShapeError; the number of channels stays."""
        channels = 1 if 1 in (self.spec.channels or (1,)) else self.channels
        with contextlib.suppress(MissingExtraError, ShapeError):
            found = self._made(channels, (SIDE + 16, SIDE + 32))
            told = tuple(found.shape[2:])
            require(told == (SIDE + 16, SIDE + 32), f"it gives {told}")
            same = not self.spec.takes or found.shape[1] == channels
            require(same, f"{channels} channels become {found.shape[1]} at another size")

    def wrong_number(self) -> None:
        """A picture too many is refused with a UsageError."""
        with contextlib.suppress(UsageError):
            one_more = draw(9, self.channels, SIDE, SIDE).float()
            self.made.generate([*self._pictures(self.channels), one_more])
            raise AssertionError("it takes a picture too many")


checks = GeneratorChecks.of
