"""Peak memory of restorations against the estimate made before they start.

Each runs in a process of its own, a copy of one that has imported everything and read nothing, with
few iterations: the peak is reached in the first.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ipx
from ipx.files import images
from ipx.jobs.foresee import foresee_memory
from ipx.jobs.solve import solve_file
from ipx.planning.request import Request

MB = 1e6


@dataclass(frozen=True)
class Case:
    """A restoration of images of two sides."""

    name: str
    op: str
    sides: tuple[int, int]
    grey: bool = False
    prior: str = "tv"
    solver: str = "auto"
    lam: float | str = 0.02
    noise: dict[str, Any] = field(default_factory=lambda: {"sigma": 0.02})
    steps: int = 3
    evaluations: int = 3
    options: dict[str, Any] = field(default_factory=dict)

    def request(self) -> Request:
        """The request."""
        op = {"blur": {"sigma": 2.0}, "inpaint": {"seed": 1}, "super-resolution": {"factor": 2}}
        return Request(
            op={"name": self.op, **op.get(self.op, {})},
            noise={"name": "gaussian", **self.noise},
            prior={"name": self.prior, **self.options},
            solver={"name": self.solver},
            tuner={"name": "discrepancy", "evaluations": self.evaluations},
            lam=self.lam,
            settings=ipx.SolveSettings(iterations=self.steps, memory="ignore"),
        )


BIG, MIDDLE, LITTLE = (512, 1024), (384, 768), (256, 512)
FIXED: dict[str, Any] = {"lam": 0.001, "steps": 1}
WAVELET: dict[str, Any] = {"prior": "wavelet", "sides": MIDDLE}
DRUNET: dict[str, Any] = {"prior": "drunet", "sides": (256, 640), **FIXED}
BM3D: dict[str, Any] = {"prior": "bm3d", "sides": (192, 448), **FIXED}
CASES = (
    Case("tv", "identity", BIG),
    Case("tv", "blur", BIG),
    Case("tv", "inpaint", BIG),
    Case("tv", "super-resolution", BIG),
    Case("tv, lam auto", "blur", BIG, lam="auto"),
    Case("tv, lam and noise auto", "identity", MIDDLE, lam="auto", noise={}),
    Case("tv", "blur", BIG, grey=True),
    Case("tv, pdhg", "blur", MIDDLE, solver="pdhg"),
    Case("smooth", "blur", MIDDLE, prior="smooth"),
    Case("smooth, lbfgs", "blur", MIDDLE, prior="smooth", solver="lbfgs", steps=12),
    Case("wavelet", "identity", **WAVELET),
    Case("wavelet", "blur", **WAVELET),
    Case("wavelet", "inpaint", **WAVELET),
    Case("wavelet", "super-resolution", **WAVELET),
    Case("wavelet, lam auto", "identity", LITTLE, prior="wavelet", lam="auto", evaluations=2),
    Case(
        "wavelet, decimated, fista", "identity", solver="fista", options={"invariant": False},
        **WAVELET,
    ),
    Case("bm3d", "blur", **BM3D),
    Case("bm3d", "blur", grey=True, **BM3D),
    Case("bm3d", "inpaint", **BM3D),
    Case("drunet", "blur", **DRUNET),
    Case("drunet", "blur", grey=True, **DRUNET),
    Case("drunet", "inpaint", **DRUNET),
    Case("drunet", "super-resolution", **DRUNET),
    Case("unrolled-admm", "blur", (192, 384), prior="none", solver="unrolled-admm"),
    Case("glow-map", "identity", (128, 256), prior="glow-map", **FIXED),
    Case("nlm", "identity", LITTLE, prior="nlm", **FIXED),
)  # fmt: skip


def apart(work: Callable[[], Any]) -> Any:
    """The plain value of the work, done in a copy of this process, which stays small itself."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(theirs, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as end:
        told = end.read()
    os.waitpid(child, 0)
    return json.loads(told)


def degraded(case: Case, side: int, source: Path) -> None:
    """Write the data of a case."""
    from common import photograph

    given = side // 2 if case.op == "super-resolution" else side
    clean = photograph("astronaut", given, case.grey).reshape(given, given, -1)
    noise = np.random.default_rng(0).normal(0, 0.02, clean.shape)
    images.write(source, (clean + noise).clip(0, 1).transpose(2, 0, 1))


def peak(case: Case, source: Path) -> int:
    """Peak of the resident memory of this process, which restores, in bytes."""
    solve_file(case.request(), source, source.with_name("out.png"), force=True)
    from common import peak_memory

    return peak_memory()


def row(case: Case, side: int, folder: Path) -> tuple[str, ...]:
    """The row of a case and a side."""
    source = folder / "data.png"
    apart(lambda: degraded(case, side, source))
    used: int = apart(lambda: peak(case, source))
    told: float = apart(lambda: foresee_memory(case.request(), source).peak())
    kind = "grey" if case.grey else "colour"
    found = (case.name, case.op, f"{side} {kind}")
    found += (f"{used / MB:.0f}", f"{told / MB:.0f}", f"{told / used:.2f}")
    print(*found, file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Measure and publish."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        table = [row(case, side, Path(name)) for case in CASES for side in case.sides]
    ratios = [float(row[-1]) for row in table]
    text = "\n".join(
        [
            "Peak of the resident memory of the process, MB of 10^6 bytes, and what "
            "`ipx solve --dry-run`",
            "tells before. 8-bit images, side of the restored image in pixels.",
            "",
            "| prior | operator | image | measured | estimated | ratio |",
            "|---|---|---|---|---|---|",
            *(f"| {' | '.join(row)} |" for row in table),
            "",
            f"The estimate is {min(ratios):.2f} to {max(ratios):.2f} times what was measured.",
        ]
    )
    from common import publish

    publish("memory", "Memory", text)


if __name__ == "__main__":
    main()
