"""A batch in two halves, where the memory is too small for all of it; and their results as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ipx.files.arrays import Back, rounding, to_tensor
from ipx.files.storage import Storage
from ipx.parts.noise import Noise
from ipx.solving.prepare import Asked, changed_settings
from ipx.solving.progress import Result


def halves(asked: Asked) -> tuple[list[Asked], Back] | None:
    """The restorations of both halves of a batch, and the way back to what was given.

    None for one image, and where something is asked for or given that belongs to the whole batch:
    draws, observers, weights or a noise level for each image.
    """
    s = asked.settings
    single = isinstance(asked.lam, str | int | float)
    levels = isinstance(asked.noise, Noise) and isinstance(asked.noise.level, Tensor)
    if s.sampled or asked.observers or not single or levels:
        return None
    precision = None if s.precision is None else getattr(torch, s.precision)
    y, back = to_tensor(asked.image, s.device, precision, s.axes, s.sample_type)
    count = len(y)
    if count < 2:
        return None
    storage = Storage(rounding(asked.image)) if asked.storage is None else asked.storage
    images: dict[str, Any] = {"truth": asked.truth, "x0": asked.x0}
    for name, image in images.items():
        if image is not None:
            images[name] = to_tensor(image, y.device, y.dtype)[0]
    made = []
    for part in (slice(count // 2), slice(count // 2, count)):
        own = {
            name: x if x is None or len(x) == 1 else x[part].contiguous()
            for name, x in images.items()
        }
        axes = changed_settings(s, {"axes": "BCDHW" if y.ndim == 5 else "BCHW"})
        half = replace(asked, image=y[part].contiguous(), storage=storage, settings=axes, **own)
        made.append(half)
    return made, back


def joined_images(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Images by name of both halves, of those names that both have."""
    return {name: torch.cat([x, other[name]]) for name, x in one.items() if name in other}


def joined_weights(one: list[Any] | None, other: list[Any] | None) -> list[Any] | None:
    """Weights of both halves, in the form of `ipx.Restoration`."""
    if one is None or other is None:
        return None
    if one and isinstance(one[0], list):
        return [a + b for a, b in zip(one, other, strict=True)]
    return one + other


def joined_results(one: Result, other: Result) -> Result:
    """The results of both halves; problem, state and history are those of the first."""
    return replace(
        one,
        x=torch.cat([one.x, other.x]),
        unknown=torch.cat([one.unknown, other.unknown]),
        status=one.status + other.status,
        iterations=torch.cat([one.iterations, other.iterations]),
        residual=torch.cat([one.residual, other.residual]),
        objective=torch.cat([one.objective, other.objective]),
        seconds=one.seconds + other.seconds,
        outputs=joined_images(one.outputs, other.outputs),
    )
