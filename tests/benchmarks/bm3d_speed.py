"""BM3D: decibels and seconds against the package bm3d, same noise, in turn.

``python tests/benchmarks/bm3d_speed.py PYTHON``: an interpreter that has bm3d (its licence
is non-commercial: nothing here depends on it) and numpy.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import peak_memory, publish
from skimage import color, data

import ipx

PEER = """
import sys, time, numpy, bm3d
for line in sys.stdin:
    path, sigma, out = line.split()
    y = numpy.load(path)
    began = time.perf_counter()
    z = (bm3d.bm3d_rgb if y.ndim == 3 else bm3d.bm3d)(y, float(sigma))
    seconds = time.perf_counter() - began
    numpy.save(out, z)
    print("seconds", seconds, flush=True)
"""
COUNT = 3


def halved(name: str, grey: bool = True) -> np.ndarray:
    """A picture of scikit-image at 256 x 256, means of 2 x 2 pixels."""
    image = getattr(data, name)() / 255.0
    if grey and image.ndim == 3:
        image = color.rgb2gray(image)
    return image.reshape(256, 2, 256, 2, -1).mean((1, 3)).squeeze()


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Decibels, peak 1."""
    return float(-10 * np.log10(((a - b) ** 2).mean()))


class Peer:
    """The package bm3d in a process of its own."""

    def __init__(self, python: str) -> None:
        self.child = subprocess.Popen(
            [python, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.folder = Path(tempfile.mkdtemp())

    def __call__(self, y: np.ndarray, sigma: float) -> tuple[np.ndarray, float]:
        """The estimate and the seconds it took."""
        np.save(self.folder / "y.npy", y)
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write(f"{self.folder}/y.npy {sigma} {self.folder}/z.npy\n")
        self.child.stdin.flush()
        while not (line := self.child.stdout.readline()).startswith("seconds"):
            pass
        return np.load(self.folder / "z.npy"), float(line.split()[1])


def ours(y: np.ndarray, sigma: float, profile: str) -> tuple[np.ndarray, float]:
    """The estimate and the seconds it took, single precision."""
    x = torch.as_tensor(y).float()
    x = x[None, None] if y.ndim == 2 else x.permute(2, 0, 1)[None]
    d = ipx.prior("bm3d", profile=profile)
    began = time.perf_counter()
    z = d.denoise(x, sigma)
    seconds = time.perf_counter() - began
    return z[0].permute(1, 2, 0).squeeze(2).numpy() if y.ndim == 2 else (
        z[0].permute(1, 2, 0).numpy()
    ), seconds  # fmt: skip


def main() -> None:
    """Quality, then time, then batches and memory."""
    peer = Peer(sys.argv[1])
    rows, gaps, lost = [], [], []
    pictures = {n: halved(n) for n in ("camera", "astronaut", "brick")}
    pictures["astronaut, colour"] = halved("astronaut", grey=False)
    for name, clean in pictures.items():
        for level in (15, 25, 50):
            y = clean + level / 255 * np.random.default_rng(0).standard_normal(clean.shape)
            p, a, f = (
                psnr(z, clean)
                for z in (
                    peer(y, level / 255)[0],
                    ours(y, level / 255, "auto")[0],
                    ours(y, level / 255, "fast")[0],
                )
            )
            gaps.append(a - p)
            lost.append(f - p)
            rows.append(f"| {name} | {level} | {p:.2f} | {a:.2f} | {f:.2f} |")
    rows.append(f"| mean gap | | | {np.mean(gaps):+.2f} | {np.mean(lost):+.2f} |")
    times = []
    for size, clean in ((256, pictures["camera"]), (512, data.camera() / 255.0)):
        y = clean + 25 / 255 * np.random.default_rng(0).standard_normal(clean.shape)
        runs = {
            "bm3d": lambda y=y: peer(y, 25 / 255)[1],
            "auto": lambda y=y: ours(y, 25 / 255, "auto")[1],
            "fast": lambda y=y: ours(y, 25 / 255, "fast")[1],
        }
        found: dict[str, list[float]] = {n: [] for n in runs}
        for _ in range(COUNT):
            for n, run in runs.items():
                found[n].append(run())
        b, a, f = (statistics.median(found[n]) for n in runs)
        times.append(
            f"| {size} x {size} | {b:.2f} | {a:.2f} | {a / b:.2f} | {f:.2f} | {f / b:.3f} |"
        )
    x = torch.as_tensor(pictures["camera"]).float()[None, None]
    x = x + 0.1 * torch.randn(8, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    d = ipx.prior("bm3d")
    single, batch = [], []
    for _ in range(COUNT):
        for xs, to in ((x[:1], single), (x, batch)):
            began = time.perf_counter()
            d.denoise(xs, 0.1)
            to.append(time.perf_counter() - began)
    eight = statistics.median(batch) / statistics.median(single)
    before = peak_memory()
    d.denoise(torch.rand(1, 1, 1024, 1024, generator=torch.Generator().manual_seed(0)), 0.1)
    peak = peak_memory()
    publish(
        "bm3d_speed",
        "BM3D",
        "The peer is the package bm3d 4.0.3, profile np, in double precision; ipx works in single. "
        "Its interpreter is the argument of the command. PSNR in dB, sigma in 1/255.\n\n"
        "| picture | sigma | bm3d | ipx | ipx, fast |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\nSeconds, medians of {COUNT}, sigma 25. The cores were shared, so only the ratios "
        "count.\n\n"
        "| size | bm3d | ipx | ratio | ipx, fast | ratio |\n|---|---|---|---|---|---|\n"
        + "\n".join(times)
        + f"\n\nA batch of 8 images takes {eight:.1f} times as long as one. Peak memory of the "
        f"process {peak / 2**30:.2f} GB after 1024 x 1024 ({before / 2**30:.2f} GB before).",
    )


if __name__ == "__main__":
    main()
