"""What a restoration will take: its memory, and the time found by restoring a crop."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ipx.declare.kinds import ROLES
from ipx.errors import IpxError
from ipx.files.arrays import to_tensor
from ipx.files.planes import single
from ipx.jobs.assumed import for_measured, with_axes
from ipx.jobs.records import read_data
from ipx.jobs.reporter import Ahead
from ipx.numerics.free import free_memory
from ipx.planning.request import Request
from ipx.planning.settings import SolveSettings, bytes_in
from ipx.planning.tree import tree
from ipx.solving.build import build, image_shape_of, operator_from
from ipx.solving.cost import Work, weighed
from ipx.solving.observers import Observer
from ipx.solving.progress import Progress
from ipx.solving.restore import solve
from ipx.solving.tiles import Tiling
from ipx.solving.unknowns import settled

SMALL, LARGE = 96, 288
"""Sides of the crops, in pixels of the data: one is restored, in the other steps are timed."""

LIMIT = 1.0
"""Seconds after which work on a crop is broken off."""

FEWEST = 2
"""Steps that are made at least: the first one also sets up what all need, such as norms."""


@dataclass(frozen=True)
class Foreseen:
    """What the restoration of an image will take.

    Attributes:
        memory: estimated peak of the memory of the process, in bytes.
        free: bytes that are free on the device; None if unknown.
        seconds: estimated time of the solver, with the choice of lam; None if unknown. Three times
            more or less is possible: the image may take other steps than its middle.
        at_most: the crop was not restored within `LIMIT`, so that ``seconds`` supposes the largest
            number of steps; or the data decide between priors, and it is that of the slowest.
        refused: why it would not start; None if it would.
        tiles: how it is cut, with an overlap that is guessed; None if it is restored as a whole.
    """

    memory: int
    free: int | None
    seconds: float | None
    at_most: bool
    refused: str | None
    tiles: Tiling | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "tiles": None if self.tiles is None else self.tiles.to_json()}


def foresee(request: Request, source: Path) -> Foreseen:
    """Memory and time of the restoration of a file, within some seconds; nothing is written.

    Raises:
        IpxError: the file cannot be read, or the request does not fit it.
    """
    y, count = _data(request, source)
    measured = _measured(request, source, y)
    request = measured.settled(y.shape[1])[0]
    work, refused = work_of(request, y), None
    most = request.settings.max_memory
    try:
        work.check(None if most is None else bytes_in(most))
    except IpxError as e:
        refused = str(e)
    found = longest(measured, y)
    seconds, at_most = (None, False) if found is None else (found[0] * count, found[1])
    return Foreseen(round(work.peak()), free_memory(y.device), seconds, at_most, refused)


def foresee_memory(request: Request, source: Path) -> Work:
    """What determines the memory of the restoration of a file."""
    y = _data(request, source)[0]
    return work_of(_measured(request, source, y).settled(y.shape[1])[0], y)


def _measured(request: Request, source: Path, y: Tensor) -> Request:
    """The request for these data, with what they tell of the operator."""
    axes = "CZYX" if y.ndim == 5 else "CYX"
    return with_known(with_axes(for_measured(request, source), axes), y)


def _data(request: Request, source: Path) -> tuple[Tensor, int]:
    """The data, of a stack its middle picture, and the number of pictures."""
    s = request.settings
    precision = None if s.precision is None else getattr(torch, s.precision)
    picture = read_data(request, source)
    y = torch.from_numpy(single(picture.pixels, picture.axes))
    axes = picture.axes.removeprefix("T")
    return to_tensor(y, s.device, precision, axes, s.sample_type)[0], len(picture)


def work_of(request: Request, y: Tensor) -> Work:
    """What determines the memory of the restoration of data ``(1, C, H, W)``."""
    plan = request.plan()
    op = settled(request.op, y).op
    operator = operator_from(op, image_shape_of(op, tuple(y.shape[1:])))
    noise, prior = build("noise", request.noise), build("prior", request.prior)
    algorithm = build("solver", request.tree("solver").chosen(plan.solver))
    rule = request.rule(plan, truth=True)
    drawing = request.drawing()
    asked = request.tree("sampler")
    draws = None if drawing is None else build("sampler", asked.chosen(drawing.solver))
    return weighed(plan, operator, noise, prior, algorithm, rule, y, draws)


def with_known(request: Request, y: Tensor) -> Request:
    """The request with what is unknown of the operator found in the data, once for all that ask."""
    if not request.tree("op").unknown:
        return request
    return replace(request, op=tree("operator", settled(request.op, y).op).to_mapping())


def longest(request: Request, y: Tensor) -> tuple[float, bool] | None:
    """`seconds_of` with the prior that takes the longest, where the data decide between several."""
    rivals = [each for each, _ in request.rivals(y.shape[1])]
    if len(rivals) == 1:
        return seconds_of(rivals[0], y)
    tried = [(each, _first(each, y)) for each in rivals]
    known = [(each, *found) for each, found in tried if found is not None]
    if len(known) < len(rivals):
        return None
    return _whole(*max(known, key=lambda each: each[2].seconds), y)[0], True


def seconds_of(request: Request, y: Tensor) -> tuple[float, bool] | None:
    """The time of ``y`` in seconds, and whether it is an upper bound; None if it cannot be told."""
    found = _first(request, y)
    return None if found is None else _whole(request, *found, y)


def _first(request: Request, y: Tensor) -> tuple[Tensor, _Watch] | None:
    """The small crop, and the work on it; the whole where the operator takes one size only."""
    for small in (_crop(y, SMALL), y):
        first = _watched(request, small)
        if first is not None:
            return small, first
    return None


def _whole(request: Request, small: Tensor, first: _Watch, y: Tensor) -> tuple[float, bool]:
    """What `seconds_of` gives, from the work on the small crop and some steps on the large one."""
    if small.shape == y.shape:
        return first.seconds, not first.ended
    large = _crop(y, LARGE)
    second = _watched(request, large, steps=8)
    least, sizes = first.step / small.numel(), (small.numel(), large.numel())
    at = sizes[1]
    if second is not None and sizes[1] > sizes[0]:
        slope = max((second.step - first.step) / (sizes[1] - sizes[0]), 0.5 * second.step / at)
        step = second.step + slope * (y.numel() - at)
    else:
        step = least * y.numel()
    return first.seconds * max(step / first.step, 1.0), not first.ended


def _crop(y: Tensor, side: int) -> Tensor:
    """The middle of an image ``(1, C, H, W)`` or a volume, of side^2 values at most a channel."""
    left, axes = side**2, sorted(range(2, y.ndim), key=lambda axis: y.shape[axis])
    for done, axis in enumerate(axes):  # what the shortest lack, the others have
        n = y.shape[axis]
        taken = min(n, max(1, int(left ** (1 / (len(axes) - done)))))
        y, left = y.narrow(axis, (n - taken) // 2, taken), left // taken
    return y.contiguous()


@dataclass(frozen=True)
class _Watch:
    """Work on a crop: median time of a step, time of all steps, and whether it came to its end."""

    step: float
    seconds: float
    ended: bool


class _Enough(Exception):  # noqa: N818  # no error
    """The time for a crop is used up."""


class _Timer(Observer):
    """Measures steps, and ends the work after `LIMIT`, or after ``most`` steps."""

    def __init__(self, most: float) -> None:
        self.most, self.ahead, self.steps = most, Ahead(), list[float]()
        self.began = self.before = time.perf_counter()
        self.left: float | None = None

    def begin(self, progress: Progress) -> None:
        self.ahead.begin(progress)
        self.before = time.perf_counter()

    def __call__(self, progress: Progress) -> None:
        now = time.perf_counter()
        self.steps.append(now - self.before)
        self.before = now
        self.ahead.step(progress)
        self.left = self.ahead.left(progress, 0)
        late = now - self.began > LIMIT and len(self.steps) >= FEWEST
        if late or len(self.steps) >= self.most:
            raise _Enough


def _watched(request: Request, y: Tensor, steps: float = math.inf) -> _Watch | None:
    """Work on a crop; None if it cannot be restored by itself."""
    timer = _Timer(steps)
    s = request.settings
    kept = {name: getattr(s, name) for name in SolveSettings.infos()}
    changed = {"memory": "ignore", "tile": None, "max_memory": None, "doubtful": "keep"}
    settings = SolveSettings(**{**kept, **changed})
    parts: dict[str, Any] = {role: getattr(request, role) for role in ROLES}
    ended = False
    try:
        solve(y, **parts, lam=request.lam, settings=settings, observers=[timer], axes=None)
        ended = True
    except _Enough:
        pass
    except IpxError:
        return None
    if not timer.steps:
        return None
    step = statistics.median(timer.steps[1:] or timer.steps)
    total = sum(timer.steps)
    if not ended:
        if timer.left is None and steps == math.inf:
            return None
        total += step / (total / len(timer.steps)) * (timer.left or 0.0)
    return _Watch(step, total, ended)
