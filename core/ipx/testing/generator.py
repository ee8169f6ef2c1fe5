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
    """On random colour pictures of `SIDE` pixels, on grey ones where these are refused.

    Those without their weights are left out.
    """

    def _channels(self) -> int:
        """3, or 1 if it refuses colours with a ShapeError."""
        try:
            self.made.generate(self._pictures(3))
        except ShapeError:
            return 1
        return 3

    def _pictures(self, channels: int = 3) -> list[Tensor]:
        return [draw(k, channels, SIDE, SIDE).float() for k in range(len(self.spec.takes))]

    def _made(self, size: Size | None = None, seed: int = 0, channels: int = 3) -> Tensor:
        made: Tensor = self.made.generate(self._pictures(channels), size, 1, seed)
        return made

    def generates(self) -> None:
        """One picture (1, C, H, W), finite, the same for the same seed; arguments unchanged."""
        with contextlib.suppress(MissingExtraError):
            channels = self._channels()
            given = self._pictures(channels)
            found = self.made.generate(given)
            unchanged = map(torch.equal, given, self._pictures(channels))
            require(all(unchanged), "it changes its pictures")
            require(found.ndim == 4 and len(found) == 1, f"it gives {tuple(found.shape)}")
            require(found.isfinite().all(), "a picture is not finite")
            again = self._made(channels=channels)
            require(torch.equal(found, again), "the same seed gives another picture")
            if given:
                require(found.shape[1] == channels, "the number of channels changes")

    def other_sizes(self) -> None:
        """The size that is asked for, or a ShapeError; grey pictures give grey ones."""
        with contextlib.suppress(MissingExtraError, ShapeError):
            found = self._made((SIDE + 16, SIDE + 32), channels=1 if self.spec.takes else 3)
            told = tuple(found.shape[2:])
            require(told == (SIDE + 16, SIDE + 32), f"it gives {told}")
            require(not self.spec.takes or found.shape[1] == 1, "grey does not stay grey")

    def wrong_number(self) -> None:
        """A picture too many is refused with a UsageError."""
        with contextlib.suppress(UsageError):
            self.made.generate([*self._pictures(), draw(9, 3, SIDE, SIDE).float()])
            raise AssertionError("it takes a picture too many")


checks = GeneratorChecks.of
