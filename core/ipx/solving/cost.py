"""The memory of a restoration, estimated before it starts, against what is free.

The peak is that of three stages: the noise level is estimated, the solver runs, the result is
looked at and stored. While the solver runs, operator, prior, solver, bridges and tuner hold their
arrays at the same time. Each component says how many; `docs/benchmarks/memory.md` has measurements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ipx.declare.capabilities import Local, Shape, has
from ipx.errors import MemoryExhaustedError
from ipx.numerics.free import free_memory, resident, shared
from ipx.numerics.memory import KEPT
from ipx.numerics.text import size_text
from ipx.parts.component import bytes_of
from ipx.parts.noise import Noise
from ipx.parts.operator import Operator
from ipx.parts.prior import Prior
from ipx.planning.plan import Plan
from ipx.planning.weights import Rule
from ipx.solving.build import build
from ipx.solving.draws import HELD
from ipx.solving.sampler import Sampler
from ipx.solving.solver import Solver
from ipx.solving.tuner import Tuner
from ipx.solving.windows import is_large

BASE = 250 << 20
"""Bytes of a process that has imported what it needs and holds no image."""

AROUND = 10.0
"""Arrays of the size of the image around the solver: data, start, the image as it was read."""

AFTER = 18.0
"""Arrays of the size of the image while a result is looked at, encoded and stored."""

FREED = 0.4
"""Freed memory that the process keeps, as a share of what it holds; `KEPT` bytes at most."""


@dataclass(frozen=True)
class Work:
    """What determines the memory of a restoration.

    Attributes:
        plan: solver and bridges.
        operator, noise, prior, algorithm: the components.
        tuners: those that search for lam, one after the other.
        estimated: the noise level is estimated.
        count: images of the batch.
        sampler: draws from the posterior after the solution; None without.
        dtype: of the computation.
        device: where it runs.
    """

    plan: Plan
    operator: Operator[Any]
    noise: Noise[Any]
    prior: Prior[Any]
    algorithm: Solver[Any, Any]
    tuners: tuple[Tuner[Any], ...]
    estimated: bool
    count: int
    dtype: torch.dtype
    device: torch.device
    sampler: Sampler[Any, Any] | None = None

    @property
    def image_shape(self) -> Shape:
        """``(C, H, W)`` of the restored image."""
        return self.operator.image_shape

    def arrays(self) -> float:
        """Bytes of all arrays at the peak."""
        shape, size = self.image_shape, self.dtype.itemsize
        values = max(_count(shape), _count(self.operator.data_shape))
        run = sum(part.memory(shape, size) for part in (self.prior, self.algorithm))
        run += sum(bytes_of(b.traits_for(), b.kind, shape, size) for b in self.plan.bridges)
        # it keeps results, and these their states; those of windows are small
        if self.tuners and not is_large(self.operator):
            run += run + max(tuner.memory(shape, size) for tuner in self.tuners)
        run += self.operator.memory(shape, size)
        if self.sampler is not None:  # after the solver, whose states are gone
            run = max(run, self.sampler.memory(shape, size) + HELD * size * _count(shape))
        level = self.noise.memory(self.operator.data_shape, size) if self.estimated else 0.0
        around = size * values * AROUND
        # what happens after the solver is on the CPU, in float32
        held = self.count * (around + max(level, run, 4 * values * (AFTER - AROUND)))
        return held + (0.0 if self.device.type == "cuda" else min(FREED * held, KEPT))

    def peak(self) -> float:
        """Estimated peak of the resident memory of a process that does this alone, in bytes."""
        return BASE + self.arrays()

    def check(self, most: int | None = None) -> None:
        """Refuse what does not fit into the memory that is free.

        Args:
            most: bytes that the process may take in all, if that was told.

        Raises:
            MemoryExhaustedError: it does not fit; names estimate, free memory, and what would help.
        """
        own, left, may = self.arrays(), free_memory(self.device), "are free"
        may += " for each of the processes" if shared() else ""
        need = own if self.device.type == "cuda" else own + max(0, BASE - resident())
        if most is not None and self.peak() > most:
            need, left, may = self.peak(), most, "may be used"
        if left is None or need <= left:
            return
        local = has(self.operator, Local) and self.count == 1
        ways = ["fewer --jobs"] if shared() else []
        ways += ["--tile auto"] if local else []
        ways += ["a smaller image or a crop"]
        ways += ["fewer images at a time"] if self.count > 1 else []
        ways += ["--dtype float32"] if self.dtype == torch.float64 else []
        ways += ["a given --lam"] if self.tuners else []
        ways += ["another prior or solver"]
        raise MemoryExhaustedError(
            f"this needs about {size_text(need)} of memory and {size_text(left)} {may}; what would "
            f"help: {', '.join(ways)} (--memory ignore starts it anyway)"
        )


def budget_of(device: torch.device, most: int | None = None) -> int | None:
    """Bytes that the process may take in all, with what it holds; None if nobody tells.

    Args:
        device: on a CUDA device the memory of that device, without what is held.
        most: what the user allows it.
    """
    free = free_memory(device)
    if free is not None and device.type != "cuda":
        free += min(resident(), BASE)
    known = [size for size in (free, most) if size is not None]
    return min(known) if known else None


def weighed(
    plan: Plan,
    operator: Operator[Any],
    noise: Noise[Any],
    prior: Prior[Any],
    algorithm: Solver[Any, Any],
    rule: Rule,
    y: Tensor,
    sampler: Sampler[Any, Any] | None = None,
) -> Work:
    """The `Work` of restoring ``y``, with the weights found by ``rule``."""
    tuners = tuple(build("tuner", chosen.tuner) for chosen in rule.tuners)
    told = noise.level is not None
    return Work(
        plan, operator, noise, prior, algorithm, tuners, not told, len(y), y.dtype, y.device,
        sampler,
    )  # fmt: skip


def _count(shape: Shape) -> int:
    return int(torch.Size(shape).numel())
