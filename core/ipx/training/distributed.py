"""Several processes, started by ``torchrun``: equal weights, each with a share of the batch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from ipx.numerics.devices import open_device


@dataclass(frozen=True)
class World:
    """This process among the others.

    Attributes:
        rank: its number; process 0 validates and writes.
        size: the number of processes.
        device: its device.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """True for the process that validates and writes."""
        return self.rank == 0

    def average(self, tensors: list[Tensor]) -> list[Tensor]:
        """The mean over all processes of each tensor, in one exchange.

        Unlike DistributedDataParallel it works for losses that do not call ``forward`` (as of a
        flow) and for several optimisers on one network.
        """
        if self.size == 1:
            return tensors
        flat = torch.cat([t.reshape(-1) for t in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        parts = torch.split(flat, [t.numel() for t in tensors])
        return [p.view_as(t) for p, t in zip(parts, tensors, strict=True)]

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite the tensors with those of the first process."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def agree(self, flag: bool) -> bool:
        """The flag of the first process."""
        if self.size == 1:
            return flag
        said = torch.tensor([float(flag)], device=self.device)
        dist.broadcast(said, 0)
        return bool(said.item())


@contextmanager
def joined(device: str) -> Iterator[World]:
    """Join the process group described by torchrun's environment; a group of one without it.

    Raises:
        UsageError: there is no such device.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    local = os.environ.get("LOCAL_RANK", "0")
    name = f"cuda:{local}" if device == "cuda" and size > 1 else device
    place = open_device(name)
    if size == 1:
        yield World(0, 1, place)
        return
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield World(dist.get_rank(), dist.get_world_size(), place)
    finally:
        dist.destroy_process_group()
