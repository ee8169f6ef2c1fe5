"""What the benchmarks share. Run each as ``python tests/benchmarks/NAME.py``; it prints its table
and writes it to ``docs/benchmarks/NAME.md``. Times are medians of interleaved runs in one process.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from skimage import color, data, transform

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks"


def photograph(name: str, size: int = 256, grey: bool = True) -> np.ndarray:
    """A picture of scikit-image, its middle square, in [0, 1].

    ``(size, size)``, or ``(size, size, 3)`` for one in colour with ``grey`` False.
    """
    image = getattr(data, name)() / 255.0
    if image.ndim == 3:
        image = color.rgb2gray(image[..., :3]) if grey else image[..., :3]
    side = min(image.shape[:2])
    top, left = ((n - side) // 2 for n in image.shape[:2])
    square = image[top : top + side, left : left + side]
    return transform.resize(square, (size, size), anti_aliasing=True)


def interleaved(runs: dict[str, Callable[[], object]], count: int = 7) -> dict[str, float]:
    """Median milliseconds of each, run in turn after one warm-up."""
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(count):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - began))
    return {name: statistics.median(t) for name, t in times.items()}


def publish(name: str, title: str, text: str, packages: tuple[str, ...] = ()) -> None:
    """Print a report and write it to the docs."""
    versions = ", ".join(
        f"{p} {importlib.metadata.version(p)}" for p in ("ipx-toolbox", "torch", *packages)
    )
    head = (
        f"# {title}\n\n{datetime.date.today()}; {torch.get_num_threads()} threads; {versions}. "
        f"Made by `python tests/benchmarks/{name}.py`.\n\n"
    )
    DOCS.mkdir(exist_ok=True)
    (DOCS / f"{name}.md").write_text(head + text + "\n")
    print(head + text)
