"""Compare restorations of an image file: the work of ``ipx compare``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from ipx.errors import InputError, UsageError
from ipx.files import images
from ipx.files.atomic import folder_for, move, staged
from ipx.files.images import Picture
from ipx.files.panel import check_kind
from ipx.files.storage import Storage
from ipx.jobs.assumed import assumptions, for_measured, of_other_size, scaled
from ipx.jobs.comparison import Comparison, Watch, compare
from ipx.jobs.indexed import check_replaced
from ipx.jobs.records import read_data
from ipx.jobs.restored import read_truth
from ipx.planning.request import Request, subject_for
from ipx.planning.tree import Description, tree
from ipx.solving.degrade import degrade


def compare_file(
    request: Request,
    source: Path | None,
    priors: Sequence[Description],
    solvers: Sequence[Description],
    *,
    truth: Path | None = None,
    watch: Watch = lambda name: nullcontext(()),
) -> tuple[Comparison, list[str]]:
    """Restore an image file with each prior and solver.

    Args:
        request: operator, noise, tuner, lam and settings; its prior and solver do not count.
        source: the degraded image; None degrades a bundled one that suits the first prior.
        priors: see `ipx.compare`.
        solvers: likewise.
        truth: the clean image.
        watch: see `ipx.compare`.

    Returns:
        The comparison, and notes on what was assumed, one line each.

    Raises:
        IpxError: the image cannot be read, or an argument is wrong.
    """
    clean: Picture | None = None
    storage: Storage | None = None
    notes: list[str] = []
    if source is None:
        picture = images.bundled(subject_for(tree("prior", priors[0])))
        y = degrade(
            torch.from_numpy(picture.pixels), op=request.op, noise=request.noise,
            seed=request.settings.seed, device=request.settings.device,
        )  # fmt: skip
        clean, actual = picture, request
    else:
        notes, actual = assumptions(request, source), for_measured(request, source)
        picture = read_data(request, source)
        if picture.axes != "CYX":
            raise InputError(f"{source}: is a stack or a volume; compare a plane of it")
        notes += scaled(actual, picture) + of_other_size(actual, picture)
        y, storage = torch.from_numpy(picture.pixels), picture.storage
        clean = None if truth is None else read_truth(truth, picture, request)
    found = compare(
        y,
        prior=priors,
        solver=solvers,
        truth=None if clean is None else torch.from_numpy(clean.pixels),
        settings=request.settings,
        watch=watch,
        op=actual.op,
        noise=actual.noise,
        lam=request.lam,
        tuner=request.tuner,
        storage=storage,
        axes="CHW",
    )
    return found, notes


def check_outputs(panel: Path | None, report: Path | None, force: bool) -> None:
    """Check where panel and report of a comparison would be written.

    Raises:
        InputError: the format of the panel is not one of panels.
        UsageError: a file would be lost.
    """
    if panel is not None:
        check_kind(panel)
        if panel.exists() and not force:
            raise UsageError(f"{panel} exists; --force replaces it")
    if report is not None:
        check_replaced(report, force)


def write_comparison(
    found: Comparison, title: str, panel: Path | None, report: Path | None
) -> None:
    """Write panel and report, both or none.

    Raises:
        InputError: one of them cannot be written.
    """
    with folder_for(panel), folder_for(report):
        files = [] if panel is None else [(panel, found.panel_of(panel))]
        files += [] if report is None else [(report, found.page(title))]
        with staged(files) as parts:
            move(parts)
