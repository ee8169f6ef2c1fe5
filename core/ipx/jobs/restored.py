"""A restored image with the data of its row, record and panel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ipx.errors import InputError
from ipx.files import images, panel
from ipx.files.format import FEWEST, Array, drawable
from ipx.files.images import Picture
from ipx.files.planes import sections, single
from ipx.jobs.curve import Curve
from ipx.jobs.records import MAIN
from ipx.jobs.reporter import Reporter, Reporting
from ipx.numerics.metrics import psnr, psnr_of_bands, spectral_angle, ssim
from ipx.planning.request import Request, Table
from ipx.planning.tree import AUTO, tree
from ipx.solving.build import view_shape_of
from ipx.solving.estimate import DEVIATION, probabilities, told
from ipx.solving.observers import AnyObserver
from ipx.solving.restore import Restoration, solve

METRICS = ("psnr_before", "psnr_after", "ssim_before", "ssim_after")


@dataclass(frozen=True)
class Restored:
    """A restored image.

    Attributes:
        request: the restoration.
        how: the result of `ipx.solve`.
        data: the degraded image, ``(C, H, W)``; of a stack or volume as in `Picture`.
        metrics: PSNR (dB) and SSIM before and after; None without a truth. Of many bands also
            the spectral angle (degrees), and the PSNR of each band after.
        warnings: notes on the result for the row and the record, one line each.
        history: the course of the last solve, see `ipx.jobs.curve.Curve`.
        stacked: outputs are stacks, and ``how`` is that of the picture with the worst status.
    """

    request: Request
    how: Restoration
    data: Array
    metrics: Table = field(default_factory=lambda: dict.fromkeys(METRICS))
    warnings: list[str] = field(default_factory=list)
    history: list[Table] = field(default_factory=list)
    stacked: bool = False

    @property
    def pictures(self) -> dict[str, Array]:
        """All outputs by name, each like the data."""
        every = {name: x.detach().cpu().numpy() for name, x in self.how.outputs.items()}
        return every if self.stacked else {name: x[0] for name, x in every.items()}

    def shown(self, clean: Picture | None) -> tuple[Array, dict[str, Array], Array | None]:
        """Data, outputs and truth for a page: of a stack those of its middle picture."""
        axes = "T" if self.stacked else ""
        truth = None if clean is None else single(clean.pixels, clean.axes)
        return (
            single(self.data, axes),
            {name: single(x, axes) for name, x in self.pictures.items()},
            truth,
        )

    def row(self, source: str, where: dict[str, Path]) -> Table:
        """The result as plain values, given the name of the input and the file of each output."""
        how, level = self.how, self.how.level[0]
        return {
            "input": source,
            "output": str(where[MAIN]),
            "status": self._status(),
            "plan": how.plan.to_json(),
            "lam": self._lam(),
            "rule": how.rule,
            "sigma": None if level != level else level,
            "iterations": how.iterations[0],
            "seconds": how.seconds,
            **self.metrics,
            "outputs": {name: str(path) for name, path in where.items()},
            "warnings": self.warnings,
            "posterior": self._posterior(),
            **({} if how.tiles is None else {"tiles": how.tiles}),
        }

    def _status(self) -> str:
        """That of the solver, unless the image is surely wrong or bounds are missing."""
        how, asked = self.how, self.request.settings.interval is not None
        if how.status[0] == "diverged":
            return "diverged"
        if how.posterior is not None and asked and not how.posterior.mixed[0]:
            return "unmixed"
        return "doubtful" if how.wrong[0] else how.status[0]

    def _posterior(self) -> Table | None:
        """What the draws tell of the one image."""
        found = self.how.posterior
        if found is None:
            return None
        claimed = probabilities(found, 0, self.request.settings.claim)
        return {**told(found, 0), "claims": {name: list(v) for name, v in claimed.items()}}

    def _lam(self) -> float | list[float] | None:
        """The weight of the one image; of a sum of priors one for each."""
        lam = self.how.lam
        if lam is None:
            return None
        return [each[0] for each in lam] if isinstance(lam[0], list) else lam[0]

    def chosen(self) -> Table:
        """Weight, prior and solver that were taken in place of what was asked for; the operator."""
        lam = self._lam()
        found: Table = {"lam": "auto" if lam is None else lam}
        found["op"] = tree("operator", self.how.op).to_mapping()
        plan, solver = self.how.plan, self.request.tree("solver")
        if self.request.prior["name"] == AUTO or plan.why:
            found["prior"] = tree("prior", self.how.prior).to_mapping()
        if solver.spec is None or solver.spec.id != plan.solver.id:
            found["solver"] = tree("solver", plan.solver.id).to_mapping()
        return found

    def drawn(self, path: Path, clean: Picture | None) -> bytes:
        """The content of the panel at ``path``: degraded, restored, truth, deviation."""
        data, pictures, truth = self.shown(clean)
        shown = data if drawable(data) else self.how.before[0].cpu().numpy()
        columns = [
            ("degraded", shown, self._figures("before")),
            ("restored", pictures[MAIN], self._figures("after")),
        ]
        if truth is not None:
            columns.append(("truth", truth, ""))
        if self.how.posterior is not None:
            columns.append(_deviation(pictures[DEVIATION]))
        return panel.drawn(path, [(title, sections(x), text) for title, x, text in columns])

    def _figures(self, when: str) -> str:
        quality, likeness = self.metrics[f"psnr_{when}"], self.metrics[f"ssim_{when}"]
        return "" if quality is None else f"{quality:.2f} dB, SSIM {likeness:.3f}"


def _deviation(std: Array) -> panel.Column:
    """The column of the standard deviation: its mean over channels, 0 black, its largest white."""
    grey = std.mean(0, keepdims=True)
    top = max(float(np.quantile(grey, 0.999)), 1e-12)
    return ("standard deviation", grey / top, f"white: {top:.3g}")


def restored(
    request: Request,
    y: Tensor,
    clean: Picture | None,
    reporter: Reporter,
    observers: Sequence[AnyObserver] = (),
    picture: Picture | None = None,
    checkpoint: str | None = None,
    unit: float | None = None,
) -> Restored:
    """Restore ``y`` ``(C, H, W)`` and compute the metrics if there is a truth.

    ``picture`` tells the axes of ``y``, and how the file stores it; ``unit``: see `ipx.solve`.

    Raises:
        IpxError: see `ipx.solve`.
    """
    truth = None if clean is None else torch.from_numpy(clean.pixels)[None]
    looking = (
        []
        if reporter.report is None
        else [Reporting(reporter.report, truth, request.settings.restarts)]
    )
    curve = Curve(truth)
    how = solve(
        y,
        op=request.op,
        noise=request.noise,
        prior=request.prior,
        solver=request.solver,
        tuner=request.tuner,
        sampler=request.sampler,
        checkpoint=checkpoint,
        truth=truth if request.tuner["name"] != AUTO else None,
        lam=request.lam,
        settings=request.settings,
        observers=[*observers, *looking, curve],
        storage=None if picture is None else picture.storage,
        axes="CHW" if picture is None else picture.axes,
        unit=unit,
    )
    data = y.detach().cpu().numpy()
    done = Restored(request, how, data, warnings=[*how.warnings], history=curve.told(how.x))
    if truth is not None and clean is not None:
        check_truth(clean, tuple(how.x.shape[1:]))
        before, after = how.before.cpu(), how.x.cpu()
        measures: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"psnr": psnr, "ssim": ssim}
        if truth.shape[1] >= FEWEST:
            measures["sam"] = spectral_angle
            done.metrics["psnr_bands"] = psnr_of_bands(after, truth)[0].tolist()
        for name, measure in measures.items():
            done.metrics[f"{name}_before"] = float(measure(before, truth)[0])
            done.metrics[f"{name}_after"] = float(measure(after, truth)[0])
    return done


def read_truth(truth: Path, picture: Picture, request: Request) -> Picture:
    """The truth; of floats and counts in the units of the data, not scaled by its own range.

    Raises:
        InputError: it cannot be read, or its shape is not that of the result.
    """
    axes = request.settings.axes
    clean = images.read(truth, axes=axes, stacks=True)
    facts = request.tree("op")
    depths = {"uint8", "uint16"}  # each has its own range
    if not depths & {clean.dtype, picture.dtype} and not facts.facts.traits.complex:
        extent = (picture.offset, picture.offset + picture.scale)
        clean = images.read(truth, extent, axes=axes, stacks=True)
    if not facts.unknown:
        check_truth(clean, view_shape_of(request.op, picture.shape))
    return clean


def check_truth(clean: Picture, shape: tuple[int, ...]) -> None:
    """Check the shape of the truth.

    Raises:
        InputError: it is not that of the result.
    """
    if clean.shape != shape:
        raise InputError(f"{clean.path}: the truth has shape {clean.shape}, the result {shape}")
