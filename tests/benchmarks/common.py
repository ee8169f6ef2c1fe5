"""What the benchmarks share. Run each as ``python tests/benchmarks/NAME.py``; it prints its table
and writes it to ``docs/benchmarks/NAME.md``. Times are medians of interleaved runs in one process.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage import color, data, transform

from ipx_plugins.peers.measure import interleaved as interleaved

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


def digits(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The 5,000 digits that `ipx data digits` puts into a folder, in random order, seed 0.

    Pictures ``(N, 1, 32, 32)`` in [0, 1], two pixels of it border, and labels ``(N,)``. The last
    250 are held out from the weights of `pixelcnn`.
    """
    files = sorted(folder.glob("[0-9]/*.png"))
    order = np.random.default_rng(0).permutation(len(files))
    x = np.stack([np.asarray(Image.open(files[k])) for k in order])
    y = [int(files[k].parent.name) for k in order]
    return torch.from_numpy(x).float()[:, None] / 255, torch.tensor(y)


def peak_memory() -> int:
    """The largest resident memory of this process so far, in bytes.

    Not `resource.RUSAGE_SELF`, which begins with that of the process by which it was started.
    """
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if "VmHWM" in line)) << 10


class Figures:
    """Figures by their names, kept in a file, so that a run that is broken off goes on.

    Args:
        path: a JSON file; by default the first argument of the script, without one no file.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = Path(sys.argv[1]) if path is None and sys.argv[1:] else path
        here = self.path is not None and self.path.exists()
        self.all: dict[str, float] = json.loads(self.path.read_text()) if here else {}

    def of(self, name: str, measure: Callable[..., float], *given: Any, **how: Any) -> float:
        """That of this name; ``measure(*given, **how)`` if it is not known yet."""
        if name not in self.all:
            self.all[name] = float(measure(*given, **how))
            print(f"{name}: {self.all[name]:.4g}", file=sys.stderr, flush=True)
            if self.path is not None:
                self.path.write_text(json.dumps(self.all, indent=1))
        return self.all[name]


def table(columns: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
