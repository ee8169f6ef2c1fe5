"""The course of a solve for the record: objective, change and PSNR at growing intervals."""

from __future__ import annotations

import math

from torch import Tensor

from ipx.numerics.metrics import psnr
from ipx.planning.request import Table
from ipx.solving.observers import Observer
from ipx.solving.progress import Progress, Result

GROWTH = 1.25
"""Factor between the numbers of iterations that are kept: ten a decade, so that it costs little."""


class Curve(Observer):
    """Keeps iteration, objective, residual and PSNR of the last solve; trials are left out.

    Args:
        truth: the clean image ``(1, C, H, W)`` on the CPU, for the PSNR; None without one.

    Attributes:
        rows: plain values of the one image; None for what is unknown.
    """

    def __init__(self, truth: Tensor | None) -> None:
        self.truth = truth
        self.rows: list[Table] = []
        self.on = False
        self.shown: Tensor | None = None

    def begin(self, progress: Progress) -> None:
        """A solve begins."""
        self.on = not progress.trial and progress.phase == "restoring"
        if self.on:
            self.rows, self.due = [], 1

    def __call__(self, progress: Progress) -> None:
        """After a step."""
        if not self.on or progress.iteration < self.due:
            return
        self.due = max(progress.iteration + 1, round(progress.iteration * GROWTH))
        self._keep(progress.iteration, progress.x, progress.objective, progress.residual, progress)

    def finish(self, result: Result) -> Result:
        """Keep the end, too."""
        if self.on and self.rows:
            last = int(result.iterations[0])
            self.rows = [row for row in self.rows if row["iteration"] < last]
            self.shown = result.problem.shown(result.x)
            self._keep(last, result.x, result.objective, result.residual, result)
        return result

    def told(self, x: Tensor) -> list[Table]:
        """The rows, given the restored image ``(1, C, H, W)``.

        PSNR is left out where another image was restored in the end.
        """
        if self.shown is None or self.shown.shape != x.shape or not bool((self.shown == x).all()):
            return [{k: v for k, v in row.items() if k != "psnr"} for row in self.rows]
        return self.rows

    def _keep(
        self, iteration: int, x: Tensor, value: Tensor, change: Tensor, at: Progress | Result
    ) -> None:
        row: Table = {
            "iteration": iteration,
            "objective": _plain(value),
            "residual": _plain(change),
        }
        if self.truth is not None:
            seen = at.problem.shown(x).cpu()
            row["psnr"] = (
                float(psnr(seen, self.truth)[0]) if seen.shape == self.truth.shape else None
            )
        self.rows.append(row)


def _plain(values: Tensor) -> float | None:
    value = float(values[0])
    return value if math.isfinite(value) else None
