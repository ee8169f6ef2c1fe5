"""`compare`: one picture restored with several priors and solvers, side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ipx.errors import IpxError, UsageError
from ipx.files import panel
from ipx.files.arrays import to_tensor
from ipx.files.atomic import write_atomic
from ipx.files.format import Array
from ipx.jobs.reported import check_report
from ipx.numerics.metrics import psnr, ssim
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO, Description, tree
from ipx.planning.weights import tuners_for
from ipx.report.comparison import COLUMNS, comparison_page, told, written
from ipx.report.pictures import Shown
from ipx.solving.build import build
from ipx.solving.choose_lams import Tuners, facts_of
from ipx.solving.observers import AnyObserver
from ipx.solving.prepare import changed_settings
from ipx.solving.problem import known_count
from ipx.solving.restore import Restoration, solve
from ipx.solving.trials import Trials

ACROSS = 4
"""Images in a row of the panel."""

Watch = Callable[[str], AbstractContextManager[Sequence[AnyObserver]]]


@dataclass(frozen=True)
class Compared:
    """The result of one prior and solver.

    Attributes:
        prior: name of the prior; of a sum all names.
        solver: name of the solver, the chosen one in place of ``auto``.
        error: why there is no result; empty if there is one.
        how: the result.
        psnr: against the truth, dB; None without a truth.
        ssim: against the truth.
        misfit: root of the data term over what the noise leaves of it; below 1 part of the noise is
            fitted. None where that is unknown.
        score: the tuners' score without a truth, less is better; see `ipx.Tuner.score`.
    """

    prior: str
    solver: str
    error: str = ""
    how: Restoration | None = field(default=None, repr=False)
    psnr: float | None = None
    ssim: float | None = None
    misfit: float | None = None
    score: float | None = None

    @property
    def row(self) -> dict[str, Any]:
        """Plain values, for tables and JSON."""
        found: dict[str, Any] = {"prior": self.prior, "solver": self.solver}
        measures = ("psnr", "ssim", "misfit", "score")
        found |= {name: getattr(self, name) for name in measures}
        how = self.how
        if how is None:
            return {**found, "lam": None, "iterations": None, "seconds": None,
                    "status": "failed", "error": self.error, "warnings": []}  # fmt: skip
        lam = how.lam
        plain = lam if lam is None or isinstance(lam[0], list) else lam[0]
        return {
            **found,
            "lam": [each[0] for each in plain] if isinstance(plain, list) else plain,
            "iterations": how.iterations[0],
            "seconds": how.seconds,
            "status": "doubtful" if how.wrong[0] else how.status[0],
            "error": None,
            "warnings": how.warnings,
        }


@dataclass(frozen=True)
class Comparison:
    """Several restorations of one image; prints as a table.

    Attributes:
        results: in the order in which they were asked for.
        before: the data as an image ``(C, H, W)``; None if nothing could be restored.
        truth: the clean image ``(C, H, W)``; None without one.
        what: operator and noise.
    """

    results: list[Compared]
    before: Array | None = field(repr=False)
    truth: Array | None = field(repr=False)
    what: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The results as plain values."""
        return [result.row for result in self.results]

    @property
    def best(self) -> Compared | None:
        """The result of highest PSNR; without a truth of the least score."""
        at = self._best()
        return None if at is None else self.results[at]

    def _best(self) -> int | None:
        key, sign = ("psnr", -1.0) if self.truth is not None else ("score", 1.0)
        known = [(i, getattr(r, key)) for i, r in enumerate(self.results)]
        known = [(i, sign * value) for i, value in known if value is not None]
        return min(known, key=lambda pair: pair[1])[0] if known else None

    def __str__(self) -> str:
        rows = self.rows
        keys, best = told(rows), self._best()
        lines = [["", *(COLUMNS[key][0] for key in keys)]]
        for i, row in enumerate(rows):
            line = ["*" if i == best else "", *(written(row, key) for key in keys)]
            line[-1] += f": {row['error']}" if row["error"] else ""
            lines.append(line)
        widths = [max(len(line[i]) for line in lines) for i in range(len(keys))]
        ends = [False, *(COLUMNS[key][1] for key in keys)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if number else cell.ljust(width)
                for cell, width, number in zip(line, [*widths, 0], ends, strict=True)
            ).rstrip()
            for line in lines
        )

    __repr__ = __str__

    def images(self) -> list[Shown]:
        """The data, the truth, and each result with its figures."""
        found = []
        if self.before is not None:
            found.append(Shown("degraded", "Degraded", self.before))
        if self.truth is not None:
            found.append(Shown("truth", "Truth", self.truth))
        for i, result in enumerate(self.results):
            if result.how is not None:
                title = f"{result.prior} · {result.solver}"
                image = result.how.x[0].detach().cpu().numpy()
                found.append(Shown(f"result-{i}", title, image, note=_figures(result)))
        return found

    def panel(self, path: str | os.PathLike[str]) -> None:
        """Save all images side by side, `ACROSS` in a row.

        Raises:
            InputError: the format cannot be written.
        """
        write_atomic(path, self.panel_of(path))

    def panel_of(self, path: str | os.PathLike[str]) -> bytes:
        """The content of the file of `panel`."""
        columns = [(shown.title, shown.pixels, shown.note) for shown in self.images()]
        return panel.drawn(path, columns, ACROSS)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Save a page in HTML: the table, and all images with one zoom and a slider.

        Raises:
            UsageError: the file is not named .html.
            InputError: it cannot be written.
        """
        check_report(Path(path))
        write_atomic(path, self.page())

    def page(self, title: str = "Comparison") -> bytes:
        """The content of the file of `report`."""
        return comparison_page(title, self.what, self.rows, self.images(), self._best())


def _figures(result: Compared) -> str:
    if result.psnr is not None:
        return f"{result.psnr:.2f} dB, SSIM {result.ssim:.3f}"
    parts = [] if result.misfit is None else [f"residual / noise {result.misfit:.3f}"]
    parts += [] if result.score is None else [f"score {result.score:.4f}"]
    return ", ".join(parts)


def compare(
    image: Any,
    *,
    prior: Sequence[Description],
    solver: Sequence[Description] = (AUTO,),
    truth: Any = None,
    settings: SolveSettings | None = None,
    watch: Watch = lambda name: nullcontext(()),
    **how: Any,
) -> Comparison:
    """Restore an image with each of several priors and solvers.

    A pair that does not fit is a row with the reason. Without a truth the rows tell the residual
    over the noise, and the tuners' score (cross-validation), which takes one more solve each.

    >>> import numpy as np, ipx
    >>> y = np.clip(np.eye(32), 0.2, 0.8)
    >>> both = ipx.compare(y, prior=["tv", "smooth"], op="blur", lam=0.01, truth=np.eye(32))
    >>> [result.prior for result in both.results]
    ['tv', 'smooth']

    Args:
        image: one degraded image, see `ipx.solve`.
        prior: the priors: names, tables, instances; a list is a sum of priors.
        solver: the solvers; each goes with each prior.
        truth: the clean image, like ``image``.
        settings: as for `ipx.solve`.
        watch: called with the name of each pair; gives a context of observers for its solve.
        **how: further arguments of `ipx.solve`.

    Returns:
        A `Comparison`.

    Raises:
        UsageError: no prior, an unknown name, or a stack of images.
        InputError: the truth is not like the image.
    """
    pairs = list(_pairs(prior, solver))
    if not pairs:
        raise UsageError("compare needs at least one prior and one solver")
    changed = {n: how.pop(n) for n in SolveSettings.infos() if n in how}
    # each row is of the prior that it names
    settings = changed_settings(settings, {"doubtful": "keep", **changed})
    clean = None if truth is None else to_tensor(truth, axes=how.get("axes"))[0].cpu()
    if truth is not None and tree("tuner", how.get("tuner", AUTO)).name != AUTO:
        how["truth"] = truth
    results = []
    for title, one, other in pairs:
        with watch(title) as observers:
            results.append(_compared(image, one, other, clean, settings, observers, how))
    before = next((r.how.before for r in results if r.how is not None), None)
    parts = (
        tree("operator", how.get("op", "identity")),
        tree("noise", how.get("noise", "gaussian")),
    )
    return Comparison(
        results,
        None if before is None else before[0].detach().cpu().numpy(),
        None if clean is None else clean[0].numpy(),
        " · ".join(part.title for part in parts),
    )


def _pairs(
    priors: Sequence[Description], solvers: Sequence[Description]
) -> Iterator[tuple[str, Description, Description]]:
    """Each prior with each solver, and their names; unknown names are refused at once."""
    for one in priors:
        for other in solvers:
            title = tree("prior", one).title
            name = tree("solver", other).title
            yield (title if name == AUTO else f"{title}, {name}"), one, other


def _compared(
    image: Any,
    prior: Description,
    solver: Description,
    clean: Tensor | None,
    settings: SolveSettings,
    observers: Sequence[AnyObserver],
    how: dict[str, Any],
) -> Compared:
    names = tree("prior", prior).title, tree("solver", solver).title
    try:
        done = solve(
            image, prior=prior, solver=solver, settings=settings, observers=observers, **how
        )
    except IpxError as why:
        return Compared(*names, error=str(why))
    if len(done.x) != 1:
        raise UsageError(f"compare takes one image, not {len(done.x)}")
    names = names[0], done.plan.solver.name
    misfit = _misfit(done)
    if clean is None:
        return Compared(*names, how=done, misfit=misfit, score=_score(done, solver, settings))
    after = done.x.detach().cpu()
    return Compared(
        *names, how=done, misfit=misfit, psnr=float(psnr(after, clean)[0]),
        ssim=float(ssim(after, clean)[0]),
    )  # fmt: skip


@torch.no_grad()
def _misfit(done: Restoration) -> float | None:
    """Root of the data term over its expectation."""
    problem = done.result.problem
    expected = float(problem.noise.expected(problem.y, known_count(problem))[0])
    value = float(problem.data.value(done.result.unknown)[0])
    return (value / expected) ** 0.5 if expected > 0 and np.isfinite(value) else None


def _score(done: Restoration, solver: Description, settings: SolveSettings) -> float | None:
    """The score of the best tuner that has one; None where none fits."""
    problem = done.result.problem
    described = tree("solver", solver)
    algorithm = build("solver", done.plan.solver.id if described.auto else described)
    trials = Trials(settings, ())
    try:
        tuners = Tuners(tuners_for(facts_of(problem), tree("tuner", AUTO), not problem.estimated))
        found = tuners.score(problem, done.result, trials.by(algorithm))
    except IpxError:
        return None
    return None if found is None or not bool(found.isfinite()[0]) else float(found[0])
