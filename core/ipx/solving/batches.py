"""Parts of a batch: some of its images by themselves, and the results of all parts as one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from ipx.files.arrays import Back, rounding, to_tensor
from ipx.files.storage import Storage
from ipx.parts.noise import Noise
from ipx.solving.prepare import Asked, changed_settings
from ipx.solving.progress import Result
from ipx.solving.restoration import Restoration

T = TypeVar("T")

Part = tuple[Sequence[int], Restoration]
"""Numbers of images of a batch, from 0, and their restoration."""


def batch_of(asked: Asked) -> tuple[Tensor, Back]:
    """The data as a batch, and the way back to what was given."""
    s = asked.settings
    precision = None if s.precision is None else getattr(torch, s.precision)
    return to_tensor(asked.image, s.device, precision, s.axes, s.sample_type)


def part(asked: Asked, y: Tensor, images: Sequence[int]) -> Asked:
    """The restoration of some images of the batch ``y``, by their numbers from 0.

    Weights are to be one for all images.
    """
    given: dict[str, Any] = {"truth": asked.truth, "x0": asked.x0}
    for name, image in given.items():
        if image is not None:
            x = asked.like(image, y)
            given[name] = x if len(x) == 1 else _some(x, images)
    noise = asked.noise.taken(images) if isinstance(asked.noise, Noise) else asked.noise
    storage = Storage(rounding(asked.image)) if asked.storage is None else asked.storage
    settings = changed_settings(asked.settings, {"axes": "BCDHW" if y.ndim == 5 else "BCHW"})
    return replace(
        asked, image=_some(y, images), noise=noise, storage=storage, settings=settings, **given
    )  # fmt: skip


def _some(x: Tensor, images: Sequence[int]) -> Tensor:
    """Some images of a batch; a range is not copied."""
    if isinstance(images, range):
        return x[images.start : images.stop].contiguous()
    return x[list(images)]


def halves(asked: Asked) -> tuple[list[tuple[Sequence[int], Asked]], Back] | None:
    """The restorations of both halves of a batch, and the way back to what was given.

    None for one image, and where something is asked for or given that belongs to the whole batch:
    draws, observers, weights or a noise level for each image.
    """
    s = asked.settings
    single = isinstance(asked.lam, str | int | float)
    levels = isinstance(asked.noise, Noise) and isinstance(asked.noise.level, Tensor)
    if s.sampled or asked.observers or not single or levels:
        return None
    y, back = batch_of(asked)
    count = len(y)
    if count < 2:
        return None
    both = range(count // 2), range(count // 2, count)
    return [(images, part(asked, y, images)) for images in both], back


def joined(parts: Sequence[Part], back: Back, began: float) -> Restoration:
    """The restorations of all images of a batch as one.

    Args:
        parts: each image is in one of them.
        back: gives the images the type of the data.
        began: when the work began, on the clock `time.perf_counter`.

    Returns:
        What is told of the whole, such as the operator, is that of the first image. Outputs are
        those that all parts have.
    """
    given = [number for images, _ in parts for number in images]
    order = sorted(range(len(given)), key=given.__getitem__)
    hows = [how for _, how in parts]
    _, first = min(parts, key=lambda each: min(each[0]))

    def listed(lists: Iterable[list[T]]) -> list[T]:
        every = [value for values in lists for value in values]
        return [every[k] for k in order]

    names = [n for n in first.outputs if all(n in how.outputs for how in hows)]
    outputs = {n: torch.cat([how.outputs[n] for how in hows])[order] for n in names}
    return replace(
        first,
        image=back(outputs["restored"]),
        outputs=outputs,
        before=torch.cat([how.before for how in hows])[order],
        status=listed(how.status for how in hows),
        plans=listed(how.plans for how in hows),
        lam=_weights(hows, listed),
        level=listed(how.level for how in hows),
        result=_results([how.result for how in hows], first.result, order),
        rule="; ".join(dict.fromkeys(how.rule for how in hows if how.rule)),
        trace=[trial for how in hows for trial in how.trace],
        seconds=time.perf_counter() - began,
        warnings=[*dict.fromkeys(line for how in hows for line in how.warnings)],
        wrong=listed(how.wrong for how in hows),
    )


def images_of(how: Restoration, images: Sequence[int]) -> Restoration:
    """Some images of a restoration; its weights are one for each image of a batch."""
    chosen = list(images)
    outputs = {name: x[chosen] for name, x in how.outputs.items()}
    return replace(
        how,
        outputs=outputs,
        before=how.before[chosen],
        status=[how.status[k] for k in chosen],
        plans=[how.plans[k] for k in chosen],
        lam=None if how.lam is None else [how.lam[k] for k in chosen],
        level=[how.level[k] for k in chosen],
        result=how.result.taken(chosen),
        wrong=[how.wrong[k] for k in chosen],
    )


def _weights(hows: Sequence[Restoration], listed: Any) -> list[Any] | None:
    """Weights in the form of `ipx.Restoration`."""
    lams = [how.lam for how in hows]
    if all(lam is None for lam in lams):
        return None
    if any(lam and isinstance(lam[0], list) for lam in lams):  # a list for each prior of a sum
        return [listed(each) for each in zip(*(lam or [] for lam in lams), strict=True)]
    whole: list[Any] = listed(
        [None] * len(how.status) if lam is None else lam
        for how, lam in zip(hows, lams, strict=True)
    )  # fmt: skip
    return whole


def _results(results: Sequence[Result], first: Result, order: list[int]) -> Result:
    """The results of all parts; problem, state and history are those of the first image."""

    def whole(tensors: list[Tensor]) -> Tensor:
        return torch.cat(tensors)[order]

    x = whole([r.x for r in results])
    alike = len({r.unknown.shape[1:] for r in results}) == 1  # else some are codes
    names = [n for n in first.outputs if all(n in r.outputs for r in results)]
    status = [s for r in results for s in r.status]
    return replace(
        first,
        x=x,
        unknown=whole([r.unknown for r in results]) if alike else x,
        status=[status[k] for k in order],
        iterations=whole([r.iterations for r in results]),
        residual=whole([r.residual for r in results]),
        objective=whole([r.objective for r in results]),
        seconds=sum(r.seconds for r in results),
        outputs={n: whole([r.outputs[n] for r in results]) for n in names},
    )
