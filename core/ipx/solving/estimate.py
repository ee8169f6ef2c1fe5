"""Estimates other than the minimiser: draws from the posterior of a restoration that is solved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ipx.planning.settings import SolveSettings
from ipx.solving.attach import attach
from ipx.solving.choose_lam import Weighed
from ipx.solving.claims import claims, is_probability
from ipx.solving.observers import announce
from ipx.solving.posterior import Posterior, Statistic
from ipx.solving.prepared import Prepared
from ipx.solving.sample import Watch, sample

SAMPLE = "sample-{}"
"""The name of the output of a draw, by its number from 1."""


DEVIATION = "std"
"""The name of the output of the standard deviation."""


def drawn(prepared: Prepared, done: Weighed, shown: Callable[[Tensor], Tensor]) -> Posterior | None:
    """Draws from the posterior with the weights of the solution, from which the chains start.

    Args:
        prepared: the problem.
        done: its solution.
        shown: a picture as it is handed out; claims are about that.

    Returns:
        None if the settings ask for the minimiser alone.
    """
    s = prepared.settings
    if prepared.sampler is None or prepared.drawing is None:
        return None
    announce(prepared.observers, "sampling")
    problem = prepared.unattached(done.settled)
    watch: dict[str, Watch] = {
        text: _of_shown(number, shown) for text, number in claims(s.claim).items()
    }
    return sample(
        attach(problem, prepared.drawing), prepared.sampler, start=done.solution.x, draws=s.draws,
        chains=s.chains, thin=s.thin, warmup=s.warmup, interval=s.interval, keep=s.samples,
        watch=watch, seed=s.seed, observers=prepared.observers, checkpoint=prepared.checkpoint,
    )  # fmt: skip


def _of_shown(number: Watch, shown: Callable[[Tensor], Tensor]) -> Watch:
    return lambda x: number(shown(x))


def pictures(found: Posterior, x: Tensor, settings: SolveSettings) -> dict[str, Tensor]:
    """The outputs by name; ``x`` is the minimiser.

    The bounds are missing if the chains have not mixed.
    """
    best = {"map": x, "mmse": found.mean, "median": found.median}[settings.estimate]
    out = {"restored": best, DEVIATION: found.std}
    if found.lower is not None and found.upper is not None and all(found.mixed):
        out |= {"lower": found.lower, "upper": found.upper}
    return out | {SAMPLE.format(i + 1): draw for i, draw in enumerate(found.samples)}


def remarks(found: Posterior) -> list[str]:
    """Reasons to doubt the draws, one line each."""
    out = []
    if not all(found.mixed):
        out.append(found.refusal())
    for name, values in found.predictive.items():
        if min(values) < 0.01:
            out.append(
                f"data drawn from the posterior rarely look like the data (p {min(values):.3f} for "
                f"{name}): the operator, the noise level or the prior may be wrong, or the weight "
                "too large (--tuner sapg finds the likeliest for priors such as tv)"
            )
    return out


def told(found: Posterior, image: int) -> dict[str, Any]:
    """The draws of one image as plain values, for rows and records."""
    name, largest = found.worst()[image]
    out: dict[str, Any] = {
        "sampler": found.sampler,
        "draws": found.lengths.total,
        "chains": found.lengths.chains,
        "thin": found.lengths.thin,
        "warmup": found.lengths.warmup,
        "mixed": found.mixed[image],
        "rhat": None if found.independent else {name: largest},
        "ess": _median(found.ess[image]),
        "predictive": {k: v[image] for k, v in found.predictive.items()},
        "seconds": found.seconds,
        "statistics": _statistics(found.statistics, image),
    }
    return out


def _median(x: Tensor) -> float:
    return float(x.flatten().median())


def _statistics(found: Mapping[str, Statistic], image: int) -> dict[str, dict[str, float]]:
    out = {}
    for name, s in found.items():
        if name.startswith("part "):
            continue
        values = {"mean": s.mean[image], "std": s.std[image], "ess": s.ess[image]}
        out[name] = {**values, "rhat": s.rhat[image]}
    return out


def probabilities(found: Posterior, image: int, text: str | None) -> dict[str, tuple[float, float]]:
    """Of each claim the probability and its standard error, or of a number mean and deviation."""
    out = {}
    for name in claims(text):
        s = found.statistics[name]
        probable = is_probability(name)
        out[name] = s.share()[image] if probable else (s.mean[image], s.std[image])
    return out
