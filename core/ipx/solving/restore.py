"""`restore` and `solve` on arrays and tensors."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ipx.declare.capabilities import Shape
from ipx.errors import MemoryExhaustedError
from ipx.files.storage import Storage
from ipx.numerics.memory import keep_freed, memory_errors
from ipx.parts.noise import Noise
from ipx.planning.choice import Candidate
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO, Description
from ipx.solving.batches import Part, batch_of, halves, images_of, joined, part
from ipx.solving.choose_lam import Weighed
from ipx.solving.degrade import Image
from ipx.solving.doubts import doubts
from ipx.solving.estimate import drawn, pictures, remarks as remarks_of
from ipx.solving.observers import AnyObserver
from ipx.solving.pipeline import solution
from ipx.solving.posterior import Posterior
from ipx.solving.prepare import Asked, Ready, changed_settings, prepare
from ipx.solving.restoration import Restoration as Restoration
from ipx.solving.rivals import Group, by_data, refuge, replaceable
from ipx.solving.tile_course import Course
from ipx.solving.tiled import Opening
from ipx.solving.tiled_array import in_tiles


def solve(
    image: Any,
    *,
    op: Description = "identity",
    noise: Description = "gaussian",
    prior: Description | None = None,
    solver: Description = "auto",
    lam: float | Sequence[Any] | Tensor | str = "auto",
    tuner: Description = AUTO,
    truth: Any = None,
    sampler: Description = AUTO,
    image_shape: Shape | None = None,
    x0: Any = None,
    storage: Storage | None = None,
    observers: Sequence[AnyObserver] = (),
    checkpoint: str | None = None,
    unit: float | None = None,
    settings: SolveSettings | None = None,
    **changed: Any,
) -> Restoration:
    """Restore a degraded image.

    Args:
        image: the data y: NumPy ``(H, W)`` or ``(H, W, C)``, or a tensor ``(H, W)``,
            ``(C, H, W)`` or ``(B, C, H, W)``, nominally in [0, 1] (integers in their range);
            nested lists and Pillow images count as arrays. Data all below 0.05, or of which 1 %
            exceed 3, are divided by the largest value, and the result is multiplied by it.
        op: forward operator: a name, a table ``{"name": "blur", "sigma": 2}``, or an instance.
        noise: noise model, likewise; its level is estimated from y unless it is given.
        prior: prior, likewise; by default ``"auto"``, the best by what was measured for operator
            and noise (`ipx.planning.choice`), or ``"none"`` for a solver that is a trained network.
            With a number for ``lam`` ``"auto"`` is ``"tv"``. A list of priors is their sum.
        solver: solver, likewise; ``"auto"`` takes the best one that fits.
        lam: weight of the prior, >= 0, one or per image; ``"auto"`` derives it from the noise or
            lets the tuner choose it. With a sum of several priors that have a weight it is a list
            of as many, each one or per image, in their order.
        tuner: the rule for ``lam="auto"``; ``"auto"`` takes the best that fits, where lam does not
            follow from the noise.
        truth: the clean image, an image like the result, for a tuner that needs it.
        sampler: where the settings ask for draws from the posterior (``estimate``, ``interval``,
            ``samples``, ``claim``), their sampler; ``"auto"`` takes the best that fits.
        image_shape: ``(C, H, W)`` of the result, where the data do not determine it.
        x0: start of the iterations, an image like the result.
        storage: how precisely the file of ``image`` stores, as `ipx.files.images.read` tells, for
            [0, 1]; by default integers are rounded, and floats are exact.
        observers: called with an `ipx.Progress` after each step, also of the tuner's trials.
        checkpoint: a file in which the draws are kept while they are made, see `ipx.sample`.
        unit: the data are divided by it for the restoration, and lam is for the divided ones; by
            default told from each image.
        settings: the rest, an `ipx.SolveSettings`.
        **changed: single settings, as in ``solve(y, iterations=50)``. ``axes`` are those of
            ``image``, the truth and the start where they are others, or more than 4 channels:
            ``"BHW"`` is a stack of grey images, ``"DHW"`` a volume, ``"HWC"`` and ``"CHW"`` have
            channels.

    Returns:
        A `Restoration`; its ``image`` has the type and layout of ``image``.

    Raises:
        IpxError: one line; see `ipx.errors`.
    """
    began = time.perf_counter()
    keep_freed()
    asked = Asked(
        image=image, op=op, noise=noise, prior=prior, solver=solver, lam=lam, tuner=tuner,
        truth=truth, sampler=sampler, image_shape=image_shape, x0=x0, storage=storage,
        observers=observers, checkpoint=checkpoint, unit=unit,
        settings=changed_settings(settings, changed),
    )  # fmt: skip
    return _as_memory_allows(asked, began)


def _as_memory_allows(asked: Asked, began: float) -> Restoration:
    """The restoration at once, else in tiles or half after half."""
    if isinstance(asked.settings.tile, int):
        return _in_tiles(asked, began)
    try:
        return _solved(asked, began)
    except MemoryExhaustedError as e:
        why = e
    # outside of the handler, whose traceback keeps the arrays of the attempt
    if asked.settings.tiled:
        return _in_tiles(asked, began)
    return _by_halves(asked, why, began)


def _solved(asked: Asked, began: float) -> Restoration:
    """The restoration of all images at once, or of all with the same prior."""
    with memory_errors():
        groups = by_data(asked)
        made: list[Part] = []
        for group in groups:
            made += [(group.images, _safe(group, began))]
        return made[0][1] if len(made) == 1 else joined(made, batch_of(asked)[1], began)


def _safe(group: Group, began: float) -> Restoration:
    """The restoration with a prior, or with one of last resort where that predicts the data better.

    It is decided image by image.
    """
    asked, ready = group.asked, group.ready
    done = solution(ready.prepared)
    how = _restoration(done, drawn(ready.prepared, done, ready.units.restored), ready, began)
    if not how.warnings or not replaceable(asked, ready):
        return how
    y, back = batch_of(asked)
    count, other, lost = len(y), None, list[int]()
    for image, status in enumerate(how.status):
        if status == "diverged":  # which is told; another prior would hide the fault
            continue
        found = _refuge(asked, ready, done, y, image, began)
        if found is not None:
            other, lost = found, [*lost, image]
    if other is None:
        return how
    less = asked if len(lost) == count else part(asked, y, lost)
    better = prepare(replace(less, picked=other))
    safe = _restoration(solution(better.prepared), None, better, began)
    which = (
        ""
        if count == 1
        else f" of {'images' if lost[1:] else 'image'} "
        + ", ".join(str(group.images[image] + 1) for image in lost)
    )
    told = (
        f"the result{which} of {how.plan.title} is doubtful, and {safe.plan.title} predicts the "
        f"data better: the result{which} is that of {safe.plan.title}"
    )
    safe = replace(safe, warnings=[told, *dict.fromkeys([*how.warnings, *safe.warnings])])
    if len(lost) == count:
        return safe
    kept = [image for image in range(count) if image not in lost]
    return joined([(lost, safe), (kept, images_of(how, kept))], back, began)


def _refuge(
    asked: Asked, ready: Ready, done: Weighed, y: Tensor, image: int, began: float
) -> Candidate | None:
    """The prior to go back to for an image of the batch ``y``, by its number; None to keep it.

    Only a result with warnings is compared.
    """
    if len(y) == 1:
        return refuge(asked, ready, done)
    one = part(replace(asked, observers=()), y, [image])
    alone = prepare(one)
    solved = done.taken([image], alone.prepared.weighted(done.settled[:, [image]]))
    if not _restoration(solved, None, alone, began).warnings:
        return None
    return refuge(one, alone, solved)


def _restoration(
    done: Weighed, posterior: Posterior | None, ready: Ready, began: float
) -> Restoration:
    """The solution, with what led to it, in the units and the type of the data."""
    result, problem, units = done.solution, ready.prepared.problem, ready.units
    noise, view = problem.noise, problem.operator.view
    before = view(problem.preview())
    made, settings = {"restored": result.x, **result.outputs}, ready.prepared.settings
    made |= {} if posterior is None else pictures(posterior, result.x, settings)
    outputs = {name: view(x) for name, x in made.items()}
    seconds = time.perf_counter() - began
    found, wrong = doubts(result, outputs["restored"], before, ready.prepared.automatic)
    outputs = {name: units.restored(x) for name, x in outputs.items()}
    remarks = [*ready.found.remarks, *units.remarks, *ready.doubts, *noise.remarks]
    remarks += [*done.remarks, *found]
    remarks += [] if posterior is None else remarks_of(posterior)
    return Restoration(
        image=ready.back(outputs["restored"]),
        outputs={**outputs, **ready.found.outputs},
        before=units.restored(before),
        status=result.status,
        plans=[result.plan] * len(before),
        lam=done.lam,
        rule=done.rule,
        level=_level(units.level(noise), before.shape[0]),
        result=result,
        posterior=posterior,
        trace=done.trace,
        op=ready.found.op,
        prior=ready.prior,
        seconds=seconds,
        warnings=remarks,
        wrong=wrong,
    )


def _by_halves(asked: Asked, why: MemoryExhaustedError, began: float) -> Restoration:
    """The restoration of a batch that exceeds the memory, half after half.

    Raises:
        MemoryExhaustedError: ``why``, for one image, or where halves are no problems of their own.
    """
    found = halves(asked)
    if found is None:
        raise why
    parts, back = found
    made = [(images, _whole_or_halves(half, why, began)) for images, half in parts]
    return joined(made, back, began)


def _whole_or_halves(asked: Asked, why: MemoryExhaustedError, began: float) -> Restoration:
    try:
        return _solved(asked, began)
    except MemoryExhaustedError:
        pass
    return _by_halves(asked, why, began)


def _in_tiles(asked: Asked, began: float) -> Restoration:
    """The restoration in tiles of an image in memory."""
    x, before, back, opening, course = in_tiles(asked)
    how = of_tiles(opening, course, began)
    return replace(how, image=back(x), outputs={**how.outputs, "restored": x}, before=before)


def of_tiles(opening: Opening, course: Course, began: float) -> Restoration:
    """The restoration of the representative window, with the course of all tiles.

    Args:
        opening: what the tiles have in common.
        course: how they went.
        began: when the work began, on the clock `time.perf_counter`.
    """
    how = _restoration(opening.done, None, replace(opening.ready, found=opening.found), began)
    steps = torch.full_like(how.result.iterations, course.iterations)
    return replace(
        how,
        status=[course.status],
        result=replace(how.result, iterations=steps),
        warnings=[*how.warnings, *course.remarks()],
        op=opening.found.op,
        seconds=time.perf_counter() - began,
        tiles=course.to_json(),
    )


def _level(noise: Noise[Any], count: int) -> list[float]:
    """The noise level per image; NaN if there is none."""
    level = noise.level
    if isinstance(level, Tensor):
        flat = level.reshape(-1).tolist()
        return [float(v) for v in (flat if len(flat) == count else flat * count)]
    return [float("nan") if level is None else float(level)] * count


def restore(image: Image, **how: Any) -> Image:
    """Restore a degraded image: the ``image`` of `solve`.

    >>> import numpy as np, ipx
    >>> y = np.clip(np.eye(32), 0.2, 0.8)
    >>> ipx.restore(y, op="blur", prior="tv", lam=0.01).shape
    (32, 32)

    Args:
        image: the degraded image, see `solve`.
        **how: the arguments of `solve`.

    Returns:
        The restored image, of the type and layout of ``image``.
    """
    image_back: Image = solve(image, **how).image
    return image_back
