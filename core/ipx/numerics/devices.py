"""Devices by name."""

from __future__ import annotations

import torch

from ipx.errors import UsageError


def open_device(name: str | None) -> torch.device:
    """The device of this name (``cpu``, ``cuda``, ``cuda:1``, ``mps``); the CPU for None.

    Raises:
        UsageError: there is no such device, or a test allocation on it fails.
    """
    try:
        device = torch.device(name or "cpu")
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as e:
        reason = str(e).split("\n")[0][:100]
        raise UsageError(
            f"device {name} cannot be used; take cpu, cuda or mps, if available ({reason})"
        ) from e
    return device
