"""What tiles of a restoration cost, and whether it can be cut into tiles at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from ipx.declare.capabilities import Local, Shape, has, using
from ipx.errors import UsageError
from ipx.parts.operator import Operator
from ipx.planning.settings import bytes_in
from ipx.planning.tree import tree
from ipx.solving.build import image_shape_of, operator_from
from ipx.solving.cost import BASE, Work, budget_of
from ipx.solving.prepare import Asked
from ipx.solving.tiles import GRID, Cost, Tiling, tiled

SEEN = 1e-3
"""Share of the largest value of a response that counts as seen."""

GUESS = 4
"""Reach of a restoration over that of its operator, before it is measured."""

IMPULSE = 256
"""Largest side of the window in which the response of a pixel is looked at."""


class Source(Protocol):
    """Data that are read by rows.

    Attributes:
        shape: ``(C, H, W)`` of the data.
        device, dtype: of the tensors that it gives.
        held: bytes for each row of the data that are read, and in all.
    """

    shape: Shape
    device: torch.device
    dtype: torch.dtype

    @property
    def held(self) -> tuple[float, float]: ...

    def read(self, top: int, bottom: int, left: int, right: int) -> Tensor:
        """A window of the data ``(1, C, h, w)``, nominally in [0, 1]."""
        ...


def check(asked: Asked) -> None:
    """Refuse what is about an image as a whole.

    Raises:
        UsageError: see above.
    """
    reasons = {
        "draws from the posterior are": asked.settings.sampled,
        "a start x0 is": asked.x0 is not None,
        "the best of several starts is": asked.settings.restarts > 1,
        "a truth for the tuner is": asked.truth is not None,
        "an image shape is": asked.image_shape is not None,
    }
    for what, given in reasons.items():
        if given:
            raise UsageError(f"{what} of the whole image: not with --tile or --max-memory")


def whole_operator(op: Any, shape: Shape) -> tuple[Operator[Any], int]:
    """The operator on all data of ``shape``, and restored pixels along an axis for each of them.

    Raises:
        UsageError: its data cannot be cut into windows.
    """
    operator, title = operator_from(op, image_shape_of(op, shape)), tree("operator", op).title
    able = has(operator, Local)  # in a variable: it would narrow the type of the operator
    if not able:
        raise UsageError(
            f"operator {title} cannot be restored in tiles, since each value of its data depends "
            "on the whole image; leave out --tile and --max-memory"
        )
    shown = shown_shape(operator)[-2:]
    factors = {a / b for a, b in zip(shown, shape[-2:], strict=True)}
    if len(factors) > 1 or not float(factor := factors.pop()).is_integer():
        raise UsageError(
            f"operator {title} restores {shown[0]} x {shown[1]} pixels of {shape[-2]} x "
            f"{shape[-1]}: such borders cannot be cut into tiles (boundary unknown can)"
        )
    return operator, int(factor)


def tiling_for(
    asked: Asked, source: Source, reach: int, cost: Cost, side: int | None = None
) -> Tiling:
    """The tiles for a reach, of the side that was asked for or of the largest that fits.

    Raises:
        IpxError: see `ipx.solving.tiles.tiled`.
    """
    told = asked.settings.tile if isinstance(asked.settings.tile, int) else None
    size = source.shape[-2:]
    return tiled(size, reach, side or told, cost, budget_for(asked, source))


def budget_for(asked: Asked, source: Source) -> int | None:
    """Bytes that the process may take; None if that is not to be checked."""
    s = asked.settings
    if s.memory == "ignore":
        return None
    return budget_of(source.device, None if s.max_memory is None else bytes_in(s.max_memory))


def cost_of(work: Work, source: Source, shape: Shape) -> Cost:
    """What tiles take; ``work`` is that of all data, ``shape`` that of the restored image."""

    def window(height: int, width: int) -> float:
        part = using(work.operator, Local).part(0, 0, height, width)
        return replace(work, operator=part, tuners=(), estimated=False).arrays()

    by_row, fixed = source.held
    channels, high, wide = shape
    factor = high // source.shape[-2]
    blended = 3 * channels * wide * factor * source.dtype.itemsize
    return Cost(window, by_row + blended, fixed + (0 if source.device.type == "cuda" else BASE))


def guessed(asked: Asked, source: Source, work: Work) -> Tiling:
    """The tiles before anything is measured, for a reach of `GUESS` times that of the operator.

    Args:
        asked: what was asked for.
        source: the data.
        work: that of the restoration of all data.

    Raises:
        UsageError: the restoration cannot be cut into tiles.
        MemoryExhaustedError: no tile fits.
    """
    check(asked)
    reach = max(GRID, GUESS * response(work.operator))
    shape = shown_shape(work.operator)
    return tiling_for(asked, source, reach, cost_of(work, source, shape))


@torch.no_grad()
def response(operator: Operator[Any]) -> int:
    """How far a pixel reaches in the data, in pixels of these, from its response."""
    height, width = (min(n, IMPULSE) for n in operator.data_shape[-2:])
    part = using(operator, Local).part(0, 0, height, width)
    x = torch.zeros(1, *part.image_shape, dtype=torch.float64)
    x[..., x.shape[-2] // 2, x.shape[-1] // 2] = 1
    y = part.forward(x).abs().amax((0, 1))
    rows, columns = torch.nonzero(y > SEEN * y.amax(), as_tuple=True)
    if not len(rows):  # a pixel that was not measured
        return 0
    spread = max(int(i.max() - i.min()) for i in (rows, columns))
    return (spread + 1) // 2


def shown_shape(operator: Operator[Any]) -> Shape:
    """``(C, H, W)`` of the restored image."""
    return tuple(operator.view(torch.empty(1, *operator.image_shape, device="meta")).shape[1:])
