"""Devices by name."""

from __future__ import annotations

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
