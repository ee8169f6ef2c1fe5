"""What a training tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Tick:
    """One step as plain numbers: ``loss`` of this step, ``score`` of the last validation."""

    step: int
    steps: int
    seconds: float
    loss: float
    score: float | None


@dataclass(frozen=True)
class TrainReporter:
    """The receiver of reports: ``tick`` after each step, ``note`` for notes to the user."""

    tick: Callable[[Tick], None] = lambda tick: None
    note: Callable[[str], None] = lambda line: None
