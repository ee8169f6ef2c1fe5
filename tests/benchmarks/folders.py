"""Batches that are killed, and their throughput.

    python tests/benchmarks/folders.py [kills|speed] [--count 2000] [--kills 10] [--side 64]
        [--iterations 5] [--rows FILE]

Without a word both are done. ``--rows FILE`` keeps each row, and
``page`` writes the rows into docs/benchmarks/folders.md.

``kills``: a folder is restored, killed with SIGKILL at random moments and resumed each time: in one
process, with ``--jobs 2``, in two shards, and on a cluster of Dask with two workers of which one is
killed. It prints a table and ends with status 1 unless each way gives every output, none corrupt,
none done twice but what was in flight, and the bits of the unbroken run.

``speed``: a folder against a loop of single commands, a loop of single calls of the library, and
calls of the library with batches of pictures, in seconds and in CPU seconds of all processes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

IPX = [sys.executable, "-m", "ipx_cli.main"]
WORDS = ["--op", "blur", "--op.sigma", "1", "--op.boundary", "reflect", "--lam", "0.01"]
WORDS += ["--noise.sigma", "0.04"]
HOW = {
    "op": {"name": "blur", "sigma": 1.0, "boundary": "reflect"},
    "noise": {"name": "gaussian", "sigma": 0.04},
    "prior": {"name": "tv"},
    "lam": 0.01,
}
WORKERS = 2

Keep = Callable[[dict[str, Any]], None]


def pictures(folder: Path, count: int, side: int) -> None:
    """Squares and noise, all different, in folders of a hundred."""
    rng = np.random.default_rng(0)
    for i in range(count):
        pixels = rng.normal(100, 10, (side, side))
        top, left = rng.integers(0, side // 2, 2)
        pixels[top : top + side // 3, left : left + side // 3] += 80
        at = folder / f"{i // 100:02}" / f"{i:04}.png"
        at.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(at)


def outputs(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.png")}


def done(folder: Path) -> dict[str, int]:
    """The time of the record of each output that is done."""
    found = {}
    for path in folder.rglob("*.png.json"):
        if b'"state": "done"' in path.read_bytes():
            found[str(path.relative_to(folder))] = path.stat().st_mtime_ns
    return found


def whole(folder: Path) -> int:
    """How many outputs are done; an image or a record in parts fails."""
    for path in folder.rglob("*.png.json"):
        assert json.loads(path.read_text())["state"] == "done"
        with Image.open(path.with_suffix("")) as image:
            image.load()
    return len(done(folder))


def records(folder: Path) -> int:
    """How many records there are, done or not."""
    return sum(1 for _ in folder.rglob("*.png.json"))


def start(*words: str | int | Path) -> subprocess.Popen[bytes]:
    """A command in a process group of its own."""
    return subprocess.Popen(
        [*IPX, "solve", *map(str, words), *WORDS, "-q"],
        process_group=0,
        stderr=subprocess.PIPE,
    )


def gone(run: subprocess.Popen[bytes]) -> None:
    """Wait until the workers of a killed command have ended, which they do by themselves."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            os.killpg(run.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    sys.exit(f"a worker of {run.pid} lives on")


def killed(
    source: Path, out: Path, kills: int, usual: float, rng: random.Random, *more: str | int
) -> dict[str, Any]:
    """Restore, kill at random moments, resume; then end it. How often an output was made again."""
    again, broken = 0, 0
    for _ in range(kills):
        before = done(out)
        run = start(source, "-o", out, "--resume", *more)
        while run.poll() is None and records(out) <= len(before):  # it has begun to work
            time.sleep(0.05)
        time.sleep(rng.random() * usual)
        run.kill()  # only the first process, as the system does for want of memory
        run.communicate()
        broken += run.returncode == -signal.SIGKILL
        gone(run)
        after = done(out)
        again += sum(after.get(name) != stamp for name, stamp in before.items())
    before = done(out)
    end = start(source, "-o", out, "--resume", *more)
    told = end.communicate()[1].decode()
    assert end.returncode == 0, told
    after = done(out)
    again += sum(after[name] != stamp for name, stamp in before.items())
    return {"kills": broken, "done before the last run": len(before), "done twice": again}


def summed(rows: Iterable[dict[str, int]]) -> dict[str, int]:
    """The figures of several runs, added."""
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row)
    return dict(total)


def on_a_cluster(source: Path, out: Path, usual: float, *more: str | int) -> dict[str, Any]:
    """A scheduler and two workers; one is killed in the middle."""
    found = out.with_name("scheduler.json")

    def program(name: str, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *words]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, stdout=quiet, stderr=quiet, cwd=out.parent)

    ours = [
        program("scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", ":0",
                "--scheduler-file", str(found))
    ]  # fmt: skip
    words = ("--scheduler-file", str(found), "--nthreads", "1", "--no-nanny")
    ours += [program("worker", *words) for _ in range(WORKERS)]
    try:
        while not found.exists():
            time.sleep(0.1)
        address = json.loads(found.read_text())["address"]
        run = start(source, "-o", out, "--cluster", address, *more)
        while run.poll() is None and records(out) < 5:
            time.sleep(0.2)
        time.sleep(0.3 * usual)
        before = done(out)
        ours[-1].kill()
        told = run.communicate()[1].decode()
        assert run.returncode == 0, told
    finally:
        for each in ours:
            each.kill()
            each.wait()
    after = done(out)
    again = sum(after[name] != stamp for name, stamp in before.items())
    return {"kills": 1, "done before the last run": len(before), "done twice": again}


def kills(args: argparse.Namespace, work: Path, keep: Keep) -> bool:
    """Whether each way gives the files of the unbroken run."""
    source, few = work / "in", ("--prior", "smooth")
    pictures(source, args.count, args.side)
    began = time.monotonic()
    assert start(source, "-o", work / "whole", "--jobs", "1", *few).wait() == 0
    usual = (time.monotonic() - began) / (args.kills + 1)
    wanted, rng, good = outputs(work / "whole"), random.Random(0), True
    one, two = (("--jobs", n, *few) for n in (1, 2))
    ways: dict[str, Any] = {
        "one process": lambda out: killed(source, out, args.kills, usual, rng, *one),
        "--jobs 2": lambda out: killed(source, out, args.kills, usual, rng, *two),
        "--shard": lambda out: summed(
            killed(source, out, args.kills // 2, usual / 2, rng, "--shard", f"{i}/2", *one)
            for i in (1, 2)
        ),
        "dask": lambda out: on_a_cluster(source, out, usual, *few),
    }
    for name, way in ways.items():
        if args.only and name not in args.only:
            continue
        out = work / name.strip("-").replace(" ", "-")
        row = way(out)
        same, parts = outputs(out) == wanted, len(list(out.rglob("*.part")))
        good &= same and whole(out) == args.count and not parts and not row["done twice"]
        found = {"outputs": len(outputs(out)), "equal": same, "parts": parts}
        keep({"what": "kills", "way": name, "count": args.count, "side": args.side, **row, **found})
        shutil.rmtree(out)
    return good


def processor() -> float:
    """User and system seconds of this process and of those it has waited for."""
    return sum(os.times()[:4])


def speed(args: argparse.Namespace, work: Path, keep: Keep) -> bool:
    """Whether two processes are 1.7 times as fast as single calls of the library."""
    import torch

    import ipx
    from ipx.files import images

    source, rates = work / "in", {}
    usual = ("--prior", "tv", "--iterations", args.iterations)
    pictures(source, args.count, args.side)
    files = sorted(source.rglob("*.png"))
    few = files[: max(args.count // 20, 3)]

    def folder(jobs: int) -> None:
        out = work / f"out{jobs}"
        assert start(source, "-o", out, "--jobs", jobs, *usual).wait() == 0

    def commands() -> None:
        for file in few:
            assert start(file, "-o", work / "single" / file.name, *usual).wait() == 0

    def calls() -> None:
        for file in files:
            ipx.solve(images.read(file).pixels, axes="CHW", iterations=args.iterations, **HOW)

    def batch() -> None:
        y = np.stack([images.read(file).pixels for file in files])
        for at in range(0, len(y), args.batch):
            part = torch.from_numpy(y[at : at + args.batch])
            ipx.solve(part, iterations=args.iterations, **HOW)

    ways: dict[str, tuple[int, Callable[[], None]]] = {
        "single commands, a twentieth of the pictures": (len(few), commands),
        "library, one by one": (args.count, calls),
        f"library, batches of {args.batch}": (args.count, batch),
        "folder, `--jobs 1`": (args.count, lambda: folder(1)),
        "folder, `--jobs 2`": (args.count, lambda: folder(2)),
    }
    ipx.solve(images.read(files[0]).pixels, axes="CHW", iterations=2, **HOW)  # imports
    for way, (count, work_of) in ways.items():
        wall, cpu = time.monotonic(), processor()
        work_of()
        rates[way] = (time.monotonic() - wall) / count
        # workers of a fork server are no children that the command waits for
        used = None if way == "folder, `--jobs 2`" else (processor() - cpu) / count
        keep({"what": "speed", "way": way, "count": args.count, "side": args.side,
              "iterations": args.iterations, "threads": torch.get_num_threads(),
              "wall": rates[way], "cpu": used})  # fmt: skip
    return rates["library, one by one"] >= 1.7 * rates["folder, `--jobs 2`"]


def page(rows: list[dict[str, Any]]) -> str:
    """Tables of the rows."""
    killing = ["| way | pictures | kills | done before the end | done twice | outputs | "
               "bit-equal | parts left |", "|---" * 8 + "|"]  # fmt: skip
    rates = ["| way | pictures | steps | seconds a picture | CPU seconds a picture |",
             "|---" * 5 + "|"]  # fmt: skip
    for r in rows:
        size = f"{r['count']} of {r['side']} x {r['side']}"
        if r["what"] == "kills":
            names = ("kills", "done before the last run", "done twice", "outputs")
            cells = [size, *(r[n] for n in names), "yes" if r["equal"] else "NO", r["parts"]]
            killing.append(f"| {r['way']} | {' | '.join(map(str, cells))} |")
        else:
            cpu = "" if r["cpu"] is None else f"{r['cpu']:.3f}"
            cells = [r["way"], size, r["iterations"], f"{r['wall']:.3f}", cpu]
            rates.append(f"| {' | '.join(map(str, cells))} |")
    words = f"`{' '.join(WORDS)}`"
    return "\n".join([
        f"{words} and `--prior smooth`, which is solved at once:", "", *killing, "",
        f"{words} and `--prior tv` with a number of steps:", "", *rates,
    ])  # fmt: skip


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser()
    whats = ["kills", "speed", "both", "page"]
    parser.add_argument("what", nargs="?", default="both", choices=whats)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--only", action="append", help="a way, such as --jobs 2 or dask")
    parser.add_argument("--rows", type=Path, help="JSON lines of what was measured")
    parser.add_argument("--folder", help="where the files are made")
    args = parser.parse_args()
    if args.what == "page":
        from common import publish

        rows = [json.loads(line) for line in args.rows.read_text().splitlines()]
        return publish("folders", "Many files", page(rows))

    def keep(row: dict[str, Any]) -> None:
        print(row, flush=True)
        if args.rows:
            with args.rows.open("a") as file:
                file.write(json.dumps(row) + "\n")

    parts, good = {"kills": kills, "speed": speed}, True
    for name in [args.what] if args.what != "both" else [*parts]:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            good &= parts[name](args, Path(folder), keep)
    print("as it should be" if good else "NOT as it should be")
    sys.exit(not good)


if __name__ == "__main__":
    main()
