"""Large pictures in tiles: peak memory, processor time by size, and seams.

    python tests/benchmarks/large.py memory --size 4096 --max-memory 1GB
    python tests/benchmarks/large.py time --sizes 1024 2048 4096
    python tests/benchmarks/large.py seam --size 2048 --prior tv --tile 512
    python tests/benchmarks/large.py page --rows large.jsonl

``memory`` restores a 16-bit TIFF in a process of its own and prints its peak of resident memory.
``time`` does so for each size, with processor time, which other work on the machine changes little.
``seam`` restores a picture in tiles and as a whole, both with the same weight, noise level and
number of steps, and prints their largest difference.
``--rows FILE`` keeps what was measured; ``page`` writes it into docs/benchmarks/large.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch

import ipx
from ipx.files import images

SIGMA, NOISE = 1.5, 0.02
PAGE = Path(__file__).parents[2] / "docs/benchmarks/large.md"
BEGIN, END = "<!-- measured -->", "<!-- end -->"
BAND = 512
"""Rows of the picture that are made at once."""


def scene() -> np.ndarray[Any, Any]:
    """The bundled photograph blurred, grey, to be repeated in mirrored copies."""
    grey = images.bundled().pixels.mean(0)
    op = {"name": "blur", "sigma": SIGMA, "boundary": "reflect"}
    return np.asarray(ipx.degrade(grey, op=op, noise={"name": "gaussian", "sigma": 0.0}))


def bands(size: int) -> Iterator[np.ndarray[Any, Any]]:
    """Rows of the degraded picture ``(n, size)``, in [0, 1]; noise of its own in each."""
    small = scene()
    block = np.block([[small, small[:, ::-1]], [small[::-1], small[::-1, ::-1]]])
    wide = np.tile(block, (1, -(-size // block.shape[1])))[:, :size]
    for top in range(0, size, BAND):
        rows = np.arange(top, min(top + BAND, size)) % len(wide)
        noise = np.random.default_rng(top).normal(0, NOISE, (len(rows), size))
        yield (wide[rows] + noise).astype(np.float32)


def write(path: Path, size: int) -> None:
    """The degraded picture as a 16-bit TIFF, uncompressed."""
    mapped = tifffile.memmap(path, shape=(size, size), dtype=np.uint16, photometric="minisblack")
    top = 0
    for band in bands(size):
        mapped[top : top + len(band)] = np.rint(band.clip(0, 1) * 65535)
        top += len(band)
    mapped.flush()


def command(source: Path, a: argparse.Namespace) -> list[str]:
    """The command line that restores a file."""
    words = ["solve", str(source), "-o", str(source.with_name("out.tif")), "--json", "--force"]
    words += ["--op", "blur", "--op.sigma", str(SIGMA), "--prior", a.prior]
    words += ["--op.boundary", a.boundary, "--max-memory", a.max_memory]
    words += [] if a.lam is None else ["--lam", str(a.lam)]
    words += [] if a.tile is None else ["--tile", str(a.tile)]
    words += [] if a.iterations is None else ["--iterations", str(a.iterations)]
    return words


def measured(size: int, a: argparse.Namespace) -> dict[str, Any]:
    """A restoration in a process of its own."""
    with tempfile.TemporaryDirectory(dir=a.folder) as folder:
        source = Path(folder) / "scan.tif"
        write(source, size)
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        run = subprocess.run(
            [sys.executable, __file__, "child", *command(source, a)], stdout=subprocess.PIPE
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        *rows, peak = run.stdout.decode().splitlines()
        if run.returncode:
            sys.exit(run.returncode)
    row = json.loads(rows[0])
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "size": size,
        "peak_mb": int(peak) / 1e6,
        "cpu_s": round(processor, 1),
        "cpu_us_per_pixel": round(1e6 * processor / size**2, 3),
        "wall_s": round(time.perf_counter() - began, 1),
        "iterations": row["iterations"],
        "lam": row["lam"],
        "sigma": row["sigma"],
        "tiles": row.get("tiles"),
    }


def child(words: list[str]) -> None:
    """The command line, and then the peak of the resident memory of this process in bytes."""
    from ipx_cli.main import cli

    try:
        cli.main(words)  # it ends the process
    finally:
        from common import peak_memory  # after the work: it imports more than a restoration does

        print(peak_memory())


def seam(a: argparse.Namespace) -> dict[str, Any]:
    """Tiles against the whole."""
    y = np.concatenate([*bands(a.size)])
    op = {"name": "blur", "sigma": SIGMA, "boundary": a.boundary}
    told: dict[str, Any] = {"op": op, "prior": a.prior, "memory": "ignore"}
    told |= {} if a.iterations is None else {"iterations": a.iterations}
    tiles = ipx.solve(y, lam=a.lam or "auto", tile=a.tile or 512, **told)
    lam = tiles.lam[0] if tiles.lam else "auto"
    noise = {"name": "gaussian", "sigma": tiles.level[0]}
    told |= {"iterations": tiles.iterations[0], "tol": 0}
    whole = ipx.solve(y, lam=lam, noise=noise, **told)
    gap = np.abs(tiles.image - whole.image)
    return {
        "size": a.size, "prior": a.prior, "worst": float(gap.max()),
        "rms": float(np.sqrt((gap**2).mean())), "lam": tiles.lam, "sigma": tiles.level,
        "iterations": tiles.iterations, "of_whole": whole.iterations, "tiles": tiles.tiles,
    }  # fmt: skip


def _cut(tiles: dict[str, Any] | None) -> str:
    if tiles is None:
        return "whole"
    return f"{tiles['count']} of {' x '.join(map(str, tiles['window']))}"


def write_page(rows: list[dict[str, Any]]) -> None:
    """Put the tables of what was measured into the page, between its marks."""
    costs = [
        f"| {r['prior']}, {r['boundary']}, {r['limit']} | {r['size']} | {_cut(r['tiles'])} | "
        f"{r['peak_mb']:.0f} | {r['tiles']['memory'] / 1e6 if r['tiles'] else math.nan:.0f} | "
        f"{r['cpu_s']:.0f} | {r['cpu_us_per_pixel']:.1f} | {r['iterations']} |"
        for r in rows if r["what"] != "seam"
    ]  # fmt: skip
    seams = [
        f"| {r['prior']}, {r['boundary']} | {r['size']} | {_cut(r['tiles'])} | "
        f"{r['tiles']['overlap']} | {r['tiles']['reach']} | {r['tiles']['seam']:.1e} | "
        f"{r['worst']:.1e} | {r['rms']:.1e} |"
        for r in rows if r["what"] == "seam"
    ]  # fmt: skip
    head = [
        "| restoration, limit | side | tiles | peak, MB | estimate, MB | processor time, s | "
        "microseconds a pixel | steps |",
        "|---" * 8 + "|",
    ]
    middle = [
        "", "Tiles against the whole, with the same weight, level and steps:", "",
        "| | side | tiles | overlap | measured reach | neighbours differ by | from the whole at "
        "most | root mean square |",
        "|---" * 8 + "|",
    ]  # fmt: skip
    text = "\n".join([*head, *costs, *middle, *seams]).replace("| nan |", "| |")
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{datetime.date.today()}\n\n{text}\n{END}{after}")


def main() -> None:
    """The measurement named on the command line."""
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["memory", "time", "seam", "page"])
    parser.add_argument("--rows", help="JSON lines of what was measured")
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048, 4096])
    parser.add_argument("--prior", default="tv")
    parser.add_argument("--boundary", default="unknown")
    parser.add_argument("--lam", type=float)
    parser.add_argument("--tile", type=int)
    parser.add_argument("--iterations", type=int, help="of each tile; without it until it is done")
    parser.add_argument("--max-memory", default="1GB")
    parser.add_argument("--folder", help="where the files are made")
    a = parser.parse_args()
    if a.what == "page":
        rows = [json.loads(line) for line in Path(a.rows).read_text().splitlines()]
        write_page(rows)
        return
    torch.set_num_threads(1)
    for size in a.sizes if a.what == "time" else [a.size]:
        told = {"what": a.what, "prior": a.prior, "boundary": a.boundary, "limit": a.max_memory}
        line = json.dumps({**told, **(seam(a) if a.what == "seam" else measured(size, a))})
        print(line, flush=True)
        if a.rows:
            with Path(a.rows).open("a") as file:
                file.write(line + "\n")


if __name__ == "__main__":
    main()
