"""What the draws of a sampler tell about the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor

from ipx.errors import UsageError
from ipx.numerics.mixing import trend, usual
from ipx.solving.solver import State

CHANCE = 0.05
"""Probability that draws without any correlation count as not mixed."""

MIXED = (1.05, 1.1)
"""Bounds of the largest R-hat of chains that count as mixed.

Vehtari et al. 2021 advise 1.01 to 1.05 for long chains; Gelman and Rubin (Statistical Science 7(4),
1992) and Brooks and Gelman 1998 take 1.1.
"""

DRIFT = 0.8
"""Correlation with time, in all chains, above which a watched number drifts."""


@dataclass(frozen=True)
class Lengths:
    """The lengths of chains.

    Attributes:
        chains: number of chains.
        draws: draws that are kept of each.
        thin: steps between two of these.
        warmup: steps before the first.
    """

    chains: int
    draws: int
    thin: int
    warmup: int

    @property
    def steps(self) -> int:
        """Steps of a chain."""
        return self.warmup + self.draws * self.thin

    @property
    def total(self) -> int:
        """Draws that are kept of all chains."""
        return self.chains * self.draws


@dataclass(frozen=True)
class Statistic:
    """A watched number: per image its mean, standard deviation, effective sample size and R-hat.

    ``trace`` holds its values, ``(chains, draws, B)``.
    """

    mean: list[float]
    std: list[float]
    ess: list[float]
    rhat: list[float]
    trace: Tensor = field(compare=False, repr=False)

    def share(self) -> list[tuple[float, float]]:
        """For a number that is 0 or 1: its probability and the standard error, per image."""
        pairs = zip(self.mean, self.ess, strict=True)
        return [(p, math.sqrt(max(p * (1 - p), 0.25 / max(n, 1)) / max(n, 1))) for p, n in pairs]


@dataclass(frozen=True)
class Posterior:
    """Moments, quantiles and statistics of the draws.

    Attributes:
        mean: the posterior mean, ``(B, C, H, W)``: the estimate of least mean square error.
        std: standard deviation of each pixel.
        median: median of each pixel.
        lower: lower bound of the interval that was asked for; None without one, see `bounds`.
        upper: upper bound.
        samples: draws that were kept whole.
        ess: effective sample size of each pixel, by batch means.
        rhat: split R-hat of each pixel.
        statistics: the watched numbers by name: ``objective`` ((f + lam R) / T), ``misfit`` (2 f /
            T for each measured value, 1 if the noise is as told), ``mean``, ``contrast``, the means
            of 16 parts of the picture, and those of sampler and user.
        predictive: posterior predictive p-values, per image: the share of draws from which new
            data are at least as far (``misfit``), or have neighbouring residuals at least as
            correlated (``correlation``). Values near 0 say that noise level, operator or prior are
            wrong, or that the weight is too large; a misfit near 1 that the noise level is.
        sound: per image, false if a chain left the finite numbers.
        independent: the draws are independent by construction.
        lengths: number and lengths of the chains.
        sampler: its name.
        state: the whole run.
        seconds: wall-clock time.
    """

    mean: Tensor
    std: Tensor
    median: Tensor
    lower: Tensor | None
    upper: Tensor | None
    samples: tuple[Tensor, ...]
    ess: Tensor
    rhat: Tensor
    statistics: dict[str, Statistic]
    predictive: dict[str, list[float]]
    sound: Tensor
    independent: bool
    lengths: Lengths
    sampler: str
    state: State
    seconds: float = field(compare=False)

    def worst(self) -> list[tuple[str, float]]:
        """Per image the watched number of largest R-hat, and that R-hat; NaN for short chains."""
        found = []
        for i in range(len(self.mean)):
            told = [(name, s.rhat[i]) for name, s in self.statistics.items()]
            found.append(max(told, key=lambda t: math.inf if math.isnan(t[1]) else t[1]))
        return found

    @property
    def limit(self) -> float:
        """Largest R-hat of chains that count as mixed, within `MIXED`.

        The largest R-hat of many numbers of few draws is above 1 by chance. The limit is what
        independent draws stay below with the probability 1 - `CHANCE`.
        """
        count = 2 * max(len(self.statistics), 1)  # of values, and of distances to the median
        chance = usual(2 * self.lengths.chains, self.lengths.draws // 2, CHANCE / count)
        return min(max(chance, MIXED[0]), MIXED[1])

    @property
    def mixed(self) -> list[bool]:
        """Per image: sound, and R-hat of all watched numbers at most `limit`."""
        sound = self.sound.tolist()
        if self.independent:
            return list(sound)
        return [ok and r <= self.limit for ok, (_, r) in zip(sound, self.worst(), strict=True)]

    @property
    def needed(self) -> int:
        """Draws of all chains after which R-hat is expected to be `limit`, if it is not yet.

        R-hat^2 - 1 falls as one over the number of draws.
        """
        total = self.lengths.total
        largest = max((r for _, r in self.worst() if not math.isnan(r)), default=math.nan)
        if math.isnan(largest):
            return max(4 * total, 100)
        if math.isinf(largest):
            return 100 * total
        grown = (largest**2 - 1) / (self.limit**2 - 1)
        return math.ceil(total * max(1.2 * grown, 1.0) / 10) * 10

    def bounds(self) -> tuple[Tensor, Tensor]:
        """``lower`` and ``upper``.

        Raises:
            UsageError: no interval was asked for, or the chains have not mixed; says how many draws
                it would take.
        """
        if self.lower is None or self.upper is None:
            raise UsageError("no interval was asked for")
        if not all(self.mixed):
            raise UsageError(self.refusal())
        return self.lower, self.upper

    def refusal(self) -> str:
        """Why there are no bounds: one line."""
        if not bool(self.sound.all()):
            return "a chain left the finite numbers; its draws mean nothing"
        name, largest = max(self.worst(), key=lambda t: math.inf if math.isnan(t[1]) else t[1])
        value = "unknown" if math.isnan(largest) else f"{largest:.3f}"
        told = (
            f"the chains have not mixed: R-hat of {name} is {value}, above {self.limit:.3g}; no "
            "interval is given. "
        )
        if float(trend(self.statistics[name].trace).amax()) > DRIFT:
            return told + (
                f"All chains still drift the same way: try a longer --warmup than "
                f"{self.lengths.warmup}; if they still do, this sampler does not hold with this "
                "prior, and its draws and their mean are not to be trusted"
            )
        return told + f"About {self.needed} draws would do (--draws {self.needed})"
