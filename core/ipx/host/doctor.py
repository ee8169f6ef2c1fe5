"""Diagnosis of the installation: plugins, components, versions, devices, folders."""

from __future__ import annotations

import os
import shutil
import tempfile
import traceback
from pathlib import Path
from typing import Any

from ipx.declare.kinds import KINDS
from ipx.declare.registry import registry
from ipx.files.record import environment


def diagnose() -> dict[str, Any]:
    """Import every component and look at the system.

    Returns:
        Plain values; ``ok`` is False if a plugin or a component is broken. ``broken`` lists
        ``{name, distribution, error, trace}`` of each.
    """
    reg = registry()
    broken = [
        {"name": p.name, "distribution": p.distribution, "error": p.error, "trace": p.trace}
        for p in reg.broken
    ]
    count = 0
    for kind in KINDS:
        for spec in reg.all(kind):
            count += 1
            try:
                spec.load()
            except Exception as e:
                broken.append(
                    {
                        "name": f"{kind} {spec.id}",
                        "distribution": "",
                        "error": " ".join(str(e).split()),
                        "trace": traceback.format_exc(),
                    }
                )
    return {
        "ok": not broken,
        "broken": broken,
        "plugins": len(reg.plugins),
        "components": count,
        "environment": environment(),
        "devices": _devices(),
        "compiler": shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++"),
        "writable": {str(p): _writable(p) for p in (Path.cwd(), Path(tempfile.gettempdir()))},
    }


def _devices() -> list[str]:
    """The devices that torch can use."""
    import torch

    found = ["cpu"]
    if torch.cuda.is_available():
        found += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
