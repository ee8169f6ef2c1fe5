"""`restore` and `solve` on arrays and tensors."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ipx.declare.capabilities import Shape
from ipx.errors import MemoryExhaustedError
from ipx.files.storage import Storage
from ipx.numerics.memory import keep_freed, memory_errors
from ipx.parts.noise import Noise
from ipx.planning.plan import Plan
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO, Description
from ipx.solving.batches import halves, joined_images, joined_results, joined_weights
from ipx.solving.choose_lam import Weighed
from ipx.solving.degrade import Image
from ipx.solving.doubts import doubts
from ipx.solving.estimate import drawn, pictures, remarks as remarks_of
from ipx.solving.fallback import numbers
from ipx.solving.observers import AnyObserver
from ipx.solving.pipeline import solution
from ipx.solving.posterior import Posterior
from ipx.solving.prepare import Asked, Ready, changed_settings, prepare
from ipx.solving.progress import Result, Status
from ipx.solving.rivals import by_data, refuge
from ipx.solving.tile_course import Course
from ipx.solving.tiled import Opening
from ipx.solving.tiled_array import in_tiles


@dataclass(frozen=True, repr=False)
class Restoration:
    """A restored image and how it was obtained.

    Attributes:
        image: the restored image, of the type and layout of the input.
        outputs: all images by name, ``(B, C, H, W)``: ``restored`` always, others from observers
            (``mean``, ``std``).
        before: the data as an image, `ipx.Problem.preview`, ``(B, C, H, W)``.
        status: per image, see `ipx.Result`.
        plan: the solver and its bridges.
        lam: weight of the prior per image; of a sum of several priors with a weight such a list
            for each; None for a prior without weight. `solve` takes the same as ``lam``.
        level: noise level per image, given or estimated, in the unit of the noise model: standard
            deviation in image units (gaussian), photons at intensity 1 (poisson), share of wrong
            values (impulse).
        result: the final run of the solver, in the unit of its problem: data far from [0, 1] are
            divided by their largest value, which ``warnings`` tell. ``lam`` is for that unit, too.
        posterior: what the draws tell, in the unit of the problem; None without draws. The outputs
            ``std``, ``lower``, ``upper`` and ``sample-1``, ... are of them.
        rule: how lam was found and why so, in one line; empty without a weight.
        trace: the trials of the tuner, in order: ``lam`` and a criterion, each a list of one number
            per image. The criterion is ``log_ratio``, log of the data term over its target
            (discrepancy), or ``score``, log |A x - y|^2 - 2 log(m - df) (gcv), beside ``noise``,
            |A x - y| / sqrt(m - df). For a sum ``prior``
            tells the one that is tried alone; the trials of all have a list for each in ``lam``.
        op: the operator, with what was found in place of ``auto``.
        prior: the prior; ``plan.why`` tells why it was taken in place of another, or ``auto``.
        seconds: wall-clock time of the whole call.
        warnings: reasons to doubt the result, one line each.
        wrong: per image, true if it is surely wrong: far outside the range of the data.
        tiles: of an image that was restored in tiles, how they lay and how well they fitted, see
            `ipx.solving.tiles.Tiling`; ``result`` is then that of a representative window.
    """

    image: Any
    outputs: dict[str, Tensor]
    before: Tensor
    status: list[Status]
    plan: Plan
    lam: list[Any] | None
    level: list[float]
    result: Result
    rule: str = ""
    posterior: Posterior | None = None
    trace: list[dict[str, Any]] = field(default_factory=list)
    op: Description = None
    prior: Description = None
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)
    wrong: list[bool] = field(default_factory=list)
    tiles: dict[str, Any] | None = None

    @property
    def x(self) -> Tensor:
        """The restored image as a tensor ``(B, C, H, W)``."""
        return self.outputs["restored"]

    @property
    def iterations(self) -> list[int]:
        """Iterations of the final run, per image."""
        return [int(n) for n in self.result.iterations]

    def __repr__(self) -> str:
        size = " x ".join(str(n) for n in self.x.shape)
        weight = "" if self.lam is None else f", lam {numbers(self.lam)} ({self.rule})"
        return (
            f"<Restoration {size} by {self.plan.solver.name} with prior {self.plan.prior}: "
            f"{', '.join(self.status)} after {', '.join(map(str, self.iterations))} iterations"
            f"{weight}, {self.seconds:.2f} s>"
        )

    def _repr_png_(self) -> bytes | None:
        """The images side by side, for notebooks; None unless they are grey or colour.

        Of volumes their middle planes.
        """
        if self.x.shape[1] not in (1, 3):
            return None
        from PIL import Image as Pillow

        x = self.x if self.x.ndim == 4 else self.x[:, :, self.x.shape[2] // 2]
        row = torch.cat(list(x.detach().cpu()), -1).clamp(0, 1).permute(1, 2, 0)
        pixels = (row * 255).round().to(torch.uint8).numpy()
        file = io.BytesIO()
        Pillow.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
        return file.getvalue()


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
    """The restoration of all images at once."""
    with memory_errors():
        ready = by_data(asked)
        done = solution(ready.prepared)
        found = drawn(ready.prepared, done, ready.units.restored)
        how = _restoration(done, found, ready, began)
        # what diverged is told; another prior would hide the fault
        doubtful = how.warnings and "diverged" not in how.status
        other = refuge(asked, ready, done) if doubtful else None
        if other is None:
            return how
        ready = prepare(replace(asked, picked=other))
        safe = _restoration(solution(ready.prepared), None, ready, began)
        told = (
            f"the result of {how.plan.title} is doubtful, and {safe.plan.title} predicts the data "
            f"better: the result is that of {safe.plan.title}"
        )
        return replace(safe, warnings=[told, *dict.fromkeys([*how.warnings, *safe.warnings])])


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
    remarks = [*ready.found.remarks, *units.remarks, *noise.remarks, *done.remarks, *found]
    remarks += [] if posterior is None else remarks_of(posterior)
    return Restoration(
        image=ready.back(outputs["restored"]),
        outputs={**outputs, **ready.found.outputs},
        before=units.restored(before),
        status=result.status,
        plan=result.plan,
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
    made = [_whole_or_halves(part, why, began) for part in parts]
    one, other = made
    outputs = joined_images(one.outputs, other.outputs)
    return replace(
        one,
        image=back(outputs["restored"]),
        outputs=outputs,
        before=torch.cat([one.before, other.before]),
        status=one.status + other.status,
        lam=joined_weights(one.lam, other.lam),
        level=one.level + other.level,
        result=joined_results(one.result, other.result),
        trace=one.trace + other.trace,
        seconds=time.perf_counter() - began,
        warnings=[*dict.fromkeys([*one.warnings, *other.warnings])],
        wrong=one.wrong + other.wrong,
    )


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
