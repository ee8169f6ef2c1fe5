"""Devices by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ipx.errors import UsageError


def open_device(name: str | None) -> torch.device:
    """The device of this name (``cpu``, ``cuda``, ``cuda:1``, ``mps``); the CPU for None.

    ``auto`` is the first of cuda, mps and cpu that the machine has.

    Raises:
        UsageError: there is no such device, or a test allocation on it fails.
    """
    if name == "auto":
        name = best_device()
    try:
        device = torch.device(name or "cpu")
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as e:
        reason = str(e).split("\n")[0][:100]
        raise UsageError(
            f"device {name} cannot be used; take auto, cpu, cuda or mps, if available ({reason})"
        ) from e
    return device


def best_device() -> str:
    """The fastest device of this machine: ``cuda``, ``mps`` or ``cpu``."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@contextmanager
def no_denormals() -> Iterator[None]:
    """Numbers below the least normal one (1.2e-38 in float32) become 0 on the CPU, in this thread.

    Arithmetic with them is slow. The momentum of a unit that is never
    active decays through them: it made a step of training three times as slow after 5,000 steps.
    """
    before = float(torch.full((1,), 1e-39).mul(1.0)) == 0  # nothing tells the setting
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
