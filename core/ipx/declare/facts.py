"""Facts of declarations besides options and traits: what to ask, and what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ask:
    """What the user must say about real data: their defaults suit simulations only.

    Attributes:
        what: the missing fact in words, such as ``"which pixels are missing"``.
        options: the options that state it.
        files: options of which one, a file, states it too.
        guess: True if the defaults may be assumed, with a note; False if a default, such as a
            random mask, says nothing about real data, so that it is an error.
    """

    what: str
    options: tuple[str, ...]
    files: tuple[str, ...] = ()
    guess: bool = False


PATIENCE = 0.1
"""dB that ten times the time have to gain."""


@dataclass(frozen=True, kw_only=True)
class Gain:
    """How good a prior, or a solver that is its own prior, was found, and on what.

    What is measured everywhere, with neither ``operators`` nor ``noises``, is a reference: it is
    taken where nothing better is known, and where a weight, a tuner or draws are asked for.

    Attributes:
        operators: the families of operators, see the trait ``family``; empty for all.
        noises: the families of noise models; empty for all.
        channels: numbers of channels of the pictures of its training; empty for any.
        psnr: that above that of total variation, mean over the pictures, in dB.
        seconds: time for a picture of 128 x 128 pixels on one core, with the choice of the weight;
            0 if it was not taken.
        where: the page or the script of the measurement.
    """

    operators: tuple[str, ...] = ()
    noises: tuple[str, ...] = ()
    channels: tuple[int, ...] = ()
    psnr: float = 0.0
    seconds: float = 0.0
    where: str = ""

    @property
    def reference(self) -> bool:
        """True if it holds for all operators and noises."""
        return not self.operators and not self.noises

    @property
    def worth(self) -> float:
        """The gain, less what the time costs (`PATIENCE`), in dB: ``--prior auto`` compares it."""
        return self.psnr - PATIENCE * math.log10(self.seconds or 1.0)

    def covers(self, operator: str, noise: str, channels: int | None) -> bool:
        """True if it was measured for such data; ``channels`` None: they are not known yet."""
        return (
            (not self.operators or operator in self.operators)
            and (not self.noises or noise in self.noises)
            and (not self.channels or channels is None or channels in self.channels)
        )


def held(
    gains: Iterable[Gain], operators: Iterable[str], noise: str, channels: int | None
) -> Gain | None:
    """What is known of a composed operator: the least of what holds for its parts.

    None if a part is not covered.
    """
    table = tuple(gains)
    found = []
    for operator in operators:
        fitting = [m for m in table if m.covers(operator, noise, channels)]
        if not fitting:
            return None
        # what is said of this family comes before what is said of all
        found.append(max(fitting, key=lambda m: (bool(m.operators), bool(m.noises), m.worth)))
    return min(found, key=lambda m: m.worth, default=None)
