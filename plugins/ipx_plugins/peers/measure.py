"""Steps to convergence, and times of all libraries in turn."""

from __future__ import annotations

import importlib
import importlib.metadata
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from ipx_plugins.peers.problem import Problem, Rival, Rivals

LIBRARIES = {
    "ipx": "ours:rivals",
    "ipx-reflect": "ours:mirrored",
    "scico": "scico:rivals",
    "deepinv": "deepinverse:rivals",
    "pyproximal": "pyproximal:rivals",
    "scikit-image": "scikit:rivals",
    "bm3d": "bm3d_package:rivals",
}
"""Name to ``module:function``, ipx first."""

STEPS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20, 24, 28, 34, 40, 48, 57, 68, 80, 100, 130,
         170, 220)  # fmt: skip
LONG = 400
"""Steps after which a method counts as converged."""

NEAR = 0.05
"""Decibels around where a method ends, within which it is there."""

FAR = 0.3
"""Decibels below ipx, from which a rival that ends there has not converged."""

Note = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """What one library took for one task.

    Attributes:
        task: heading.
        software: library and algorithm.
        steps: steps until it stays within `NEAR` of where it ends; None of a direct method.
        psnr: decibels where it ends.
        ms: median milliseconds of one solution from nothing with this number of steps.
        ratio: ``ms`` over that of ipx.
    """

    task: str
    software: str
    steps: int | None
    psnr: float
    ms: float
    ratio: float

    def cells(self) -> tuple[str, ...]:
        """As text, in the order of `HEAD`."""
        steps = "" if self.steps is None else str(self.steps)
        return (
            self.task, self.software, steps, f"{self.psnr:.2f}", f"{self.ms:.0f}",
            f"{self.ratio:.2f}",
        )  # fmt: skip


HEAD = ("task", "software", "steps", "PSNR (dB)", "ms", "time / ipx")


def interleaved(runs: Mapping[str, Callable[[], object]], count: int) -> dict[str, float]:
    """Median milliseconds of each, run in turn after one warm-up, which compiles."""
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(count):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - began))
    return {name: statistics.median(t) for name, t in times.items()}


def first_near(score: Callable[[int], float], final: float) -> int | None:
    """The first of `STEPS` from which on the score stays within `NEAR`; None if there is none."""
    steps = None
    for n in reversed(STEPS):
        if abs(score(n) - final) > NEAR:
            return steps
        steps = n
    return steps


@dataclass(frozen=True)
class _Found:
    rival: Rival
    steps: int | None
    psnr: float

    def run(self) -> np.ndarray:
        return self.rival.run(self.steps or 1)


def compare(problem: Problem, libraries: list[str], count: int, note: Note) -> list[Row]:
    """Each library's fastest way to its own answer, all timed in turn.

    Args:
        problem: what is solved.
        libraries: names in `LIBRARIES`; ``ipx`` is the first, the measure of the ratios.
        count: timed runs of each.
        note: takes a line about what is left out.

    Returns:
        A row for each library that has a method for the task.
    """
    chosen: dict[str, _Found] = {}
    for name in libraries:
        module, _, function = LIBRARIES[name].partition(":")
        rivals: Rivals = getattr(importlib.import_module(f"{__package__}.{module}"), function)
        floor = chosen["ipx"].psnr - FAR if "ipx" in chosen else -np.inf
        try:
            if best := _best(problem, rivals, floor, note):
                chosen[name] = best
        except (ImportError, RuntimeError) as error:  # not installed, or another operator
            note(f"{name} is left out: {error}")
    times = interleaved({name: found.run for name, found in chosen.items()}, count)
    return [
        Row(
            problem.task.title, found.rival.label, found.steps, found.psnr, times[name],
            times[name] / times["ipx"],
        )
        for name, found in chosen.items()
    ]  # fmt: skip


def _best(problem: Problem, rivals: Rivals, floor: float, note: Note) -> _Found | None:
    """The fastest of the ways of one library that converge."""
    best, least = None, np.inf
    for rival in rivals(problem):
        final = problem.psnr(rival.run(LONG))
        steps = None
        if not rival.direct:
            if final > floor:
                steps = first_near(partial(_score, problem, rival), final)
            if steps is None:
                note(f"{problem.task.title}: {rival.label} is not there after {STEPS[-1]} steps")
                continue
        found = _Found(rival, steps, final)
        cost = interleaved({"": found.run}, 3)[""]
        if cost < least:
            best, least = found, cost
    return best


def _score(problem: Problem, rival: Rival, steps: int) -> float:
    return problem.psnr(rival.run(steps))


def versions(libraries: list[str]) -> dict[str, str]:
    """Versions of those that are installed."""
    found = {}
    for name in ("ipx-toolbox", "torch", *libraries):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
