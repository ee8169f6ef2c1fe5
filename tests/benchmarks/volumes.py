"""A volume behind a PSF of three axes, with photon noise: Richardson-Lucy and total variation.

    python tests/benchmarks/volumes.py [--size 32 128 128]

A made-up specimen, threads and beads on a dark ground, behind a Gaussian PSF of 1.5 voxels in the
plane and 3 along the depth, black beyond the border. Each method runs in a process of its own,
whose largest resident memory is told. scikit-image's `richardson_lucy` starts at 0.5 and takes a
number of steps; ipx stops by itself. The weight of total variation is given. With another size the
table is only printed. `--rows FILE` keeps what is measured, so that a run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage
import torch
from common import peak_memory, publish
from skimage.restoration import richardson_lucy

import ipx

OP = {"name": "blur", "sigma": 1.5, "sigma_z": 3.0, "boundary": "zero"}
SIZE = (128, 512, 512)
METHODS = ("data", "richardson-lucy", "tv", "skimage 10", "skimage 30")


def specimen(size: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Threads and beads in [0, 1], float32, with as many in each volume element."""
    rng, x = np.random.default_rng(0), np.zeros(size, np.float32)
    for _ in range(math.prod(size) // 16384):
        start, turn = rng.uniform(0, 1, 3) * size, rng.normal(0, 1, 3)
        steps = np.cumsum(turn / np.linalg.norm(turn) + 0.3 * rng.normal(0, 1, (80, 3)), 0)
        at = np.rint(start + steps).astype(int)
        inside = ((at >= 0) & (at < size)).all(1)
        x[tuple(at[inside].T)] = rng.uniform(0.3, 1)
    x = scipy.ndimage.grey_dilation(x, (2, 3, 3))
    return np.clip(x + 0.02, 0, 1)


def measure(
    method: str, size: tuple[int, ...], peak: float, lam: float, iterations: int
) -> dict[str, Any]:
    """Seconds, megabytes and PSNR of one method."""
    truth = specimen(size)
    noise = {"name": "poisson", "peak": peak}
    y = ipx.degrade(truth, op=OP, noise=noise, axes="ZYX", seed=1)
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is that of making the data
    before, wall, cpu = peak_memory() / 1e6, time.perf_counter(), time.process_time()
    steps: int | None = None
    if method == "data":
        x = y
    elif method.startswith("skimage"):
        steps = int(method.split()[1])
        psf = ipx.operator(**OP, image_shape=(1, *size)).psf.numpy().astype(np.float32)
        x = richardson_lucy(y, psf, num_iter=steps, clip=False)
    else:
        how: dict[str, Any] = {"solver": "richardson-lucy", "prior": "none"}
        if method == "tv":
            how = {"prior": {"name": "tv", "depth": 0.5}, "lam": lam, "solver": "pdhg"}
            how["iterations"] = iterations
        done = ipx.solve(y, op=OP, noise=noise, axes="ZYX", **how)
        x, steps = done.image, done.iterations[0]
    return {
        "method": method, "steps": steps, "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu, "before": before, "rss": peak_memory() / 1e6,
        "psnr": float(ipx.psnr(np.asarray(x, np.float32), truth, axes="ZYX")),
    }  # fmt: skip


def measured(words: list[str], rows: Path | None) -> dict[str, Any]:
    """What a process of its own measures, added to the rows."""
    run = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    if rows is not None:
        with rows.open("a") as file:
            file.write(run.stdout)
    row: dict[str, Any] = json.loads(run.stdout)
    return row


def main() -> None:
    """Measure each method in a process of its own, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, nargs=3, default=SIZE)
    parser.add_argument("--peak", type=float, default=100.0)
    parser.add_argument("--lam", type=float, default=0.01)
    parser.add_argument("--iterations", type=int, default=100, help="of total variation")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--rows", type=Path, help="JSON lines of what was measured before")
    parser.add_argument("--one")
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    size = tuple(told.size)
    if told.one:
        print(json.dumps(measure(told.one, size, told.peak, told.lam, told.iterations)))
        return
    kept = told.rows.read_text().splitlines() if told.rows and told.rows.exists() else []
    before = {row["method"]: row for row in map(json.loads, kept)}
    lines = ["| method | steps | seconds | CPU seconds | largest memory, MB | PSNR, dB |"]
    lines.append("|---" * 6 + "|")
    for method in told.methods:
        words = [sys.executable, __file__, "--one", method, "--size", *map(str, size)]
        for name in ("peak", "lam", "iterations", "threads"):
            words += [f"--{name}", str(getattr(told, name))]
        m = before.get(method) or measured(words, told.rows)
        steps = "" if m["steps"] is None else m["steps"]
        lines.append(
            f"| {method} | {steps} | {m['wall']:.1f} | {m['cpu']:.1f} | {m['rss']:.0f} | "
            f"{m['psnr']:.2f} |"
        )
        print(lines[-1], flush=True)
    shape = " x ".join(map(str, size))
    text = f"{shape} voxels, {told.peak:g} photons at intensity 1.\n\n" + "\n".join(lines)
    if size == SIZE:
        publish("volumes", "Volumes", text, ("scikit-image",))
    else:
        print(text)


if __name__ == "__main__":
    main()
