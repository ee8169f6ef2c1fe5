"""Batches that are killed, and their throughput.

    python tests/benchmarks/folders.py [kills|speed] [--count 2000] [--kills 10] [--side 64]

Without a word both are done, and the page is written.

``kills``: a folder is restored, killed with SIGKILL at random moments and resumed each time: in one
process, with ``--jobs 2``, in two shards, and on a cluster of Dask with two workers of which one is
killed. It prints a table and ends with status 1 unless each way gives every output, none corrupt,
none done twice but what was in flight, and the bits of the unbroken run.

``speed``: a folder against a loop of single commands, a loop of single calls of the library, and
calls of the library with batches of pictures.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

IPX = [sys.executable, "-m", "ipx_cli.main"]
HOW = {
    "op": {"name": "blur", "sigma": 1.0},
    "prior": {"name": "tv"},
    "lam": 0.01,
    "iterations": 30,
}
WORDS = [
    *("--op", "blur", "--op.sigma", "1", "--prior", "tv"),
    "--lam",
    "0.01",
    "--iterations",
    "30",
]
WORKERS = 2


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


def done(folder: Path) -> dict[str, str]:
    """The time of the record of each output that is done; a record or an image in parts fails."""
    found = {}
    for path in folder.rglob("*.png.json"):
        record = json.loads(path.read_text())
        if record["state"] == "done":
            with Image.open(path.with_suffix("")) as image:
                image.load()
            found[str(path.relative_to(folder))] = f"{path.stat().st_mtime_ns}"
    return found


def records(folder: Path) -> int:
    """How many records there are, done or not."""
    return sum(1 for _ in folder.rglob("*.png.json"))


def start(*words: str | Path) -> subprocess.Popen[bytes]:
    """A command in a process group of its own."""
    return subprocess.Popen(
        [*IPX, "solve", *map(str, words), *WORDS, "-q"],
        start_new_session=True,
        stderr=subprocess.PIPE,
    )


def killed(
    source: Path, out: Path, kills: int, usual: float, rng: random.Random, *more: str
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
        time.sleep(1.0)  # its workers end by themselves
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


def on_a_cluster(source: Path, out: Path, usual: float) -> dict[str, Any]:
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
        run = start(source, "-o", out, "--cluster", json.loads(found.read_text())["address"])
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


def kills(args: argparse.Namespace, work: Path) -> tuple[bool, list[str]]:
    """Whether each way gives the files of the unbroken run, and a table."""
    source = work / "in"
    pictures(source, args.count, args.side)
    began = time.monotonic()
    whole = start(source, "-o", work / "whole", "--jobs", "1")
    assert whole.wait() == 0
    usual = (time.monotonic() - began) / (args.kills + 1)
    wanted, rng, good = outputs(work / "whole"), random.Random(0), True
    table = [
        "| way | kills | done before the end | done twice | outputs | bit-equal | parts left |",
        "|---|---|---|---|---|---|---|",
    ]
    ways: dict[str, Any] = {
        "one process": lambda out: killed(source, out, args.kills, usual, rng, "--jobs", "1"),
        "--jobs 2": lambda out: killed(source, out, args.kills, usual, rng, "--jobs", "2"),
        "--shard": lambda out: summed(
            killed(source, out, args.kills // 2, usual / 2, rng, "--shard", f"{i}/2", "--jobs", "1")
            for i in (1, 2)
        ),
        "dask": lambda out: on_a_cluster(source, out, usual),
    }
    for name, way in ways.items():
        if args.only and name not in args.only:
            continue
        out = work / name.strip("-").replace(" ", "-")
        row = way(out)
        same = outputs(out) == wanted
        parts = len(list(out.rglob("*.part")))
        ok = same and len(done(out)) == args.count and not parts and not row["done twice"]
        good &= ok
        cells = [name, *row.values(), len(outputs(out)), "yes" if same else "NO", parts]
        table.append(f"| {' | '.join(map(str, cells))} |")
        print(table[-1], flush=True)
        shutil.rmtree(out)
    return good, table


def timed(what: str, count: int, work: Any) -> tuple[str, float]:
    """What was done, and pictures a second."""
    began = time.monotonic()
    work()
    rate = count / (time.monotonic() - began)
    print(f"{what}: {rate:.2f} pictures/s", flush=True)
    return what, rate


def speed(args: argparse.Namespace, work: Path) -> tuple[bool, list[str]]:
    """Whether two processes are 1.7 times as fast as single commands, and a table."""
    import torch

    import ipx
    from ipx.files import images

    source = work / "in"
    pictures(source, args.count, args.side)
    files = sorted(source.rglob("*.png"))
    few = files[: max(args.count // 20, 3)]

    def command(*more: str) -> Any:
        def run() -> None:
            assert start(source, "-o", work / "-".join(more or ["plain"]), *more).wait() == 0

        return run

    def commands() -> None:
        for file in few:
            assert start(file, "-o", work / "single" / file.name, "--jobs", "1").wait() == 0

    def calls() -> None:
        for file in files:
            ipx.solve(images.read(file).pixels, axes="CHW", **HOW)

    def batch() -> None:
        y = np.stack([images.read(file).pixels for file in files])
        for at in range(0, len(y), args.batch):
            ipx.solve(torch.from_numpy(y[at : at + args.batch]), **HOW)

    rates = [
        timed("single commands (a twentieth of the pictures)", len(few), commands),
        timed("library, one by one, all threads", args.count, calls),
        timed(f"library, batches of {args.batch}, all threads", args.count, batch),
        timed("folder, `--jobs 1`", args.count, command("--jobs", "1")),
        timed("folder, `--jobs 2`", args.count, command("--jobs", "2")),
    ]
    last = rates[-1][1]
    table = ["| way | pictures a second | folder, `--jobs 2`, against it |", "|---|---|---|"]
    table += [f"| {what} | {rate:.2f} | {last / rate:.2f} |" for what, rate in rates]
    return last >= 1.7 * rates[0][1], table


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="?", default="both", choices=["kills", "speed", "both"])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--only", action="append", help="a way, such as --jobs 2 or dask")
    args = parser.parse_args()
    parts = {"kills": kills, "speed": speed}
    asked = [args.what] if args.what != "both" else [*parts]
    good, text = True, [f"{args.count} pictures of {args.side} x {args.side}, `{' '.join(WORDS)}`."]
    for name in asked:
        with tempfile.TemporaryDirectory() as folder:
            fine, table = parts[name](args, Path(folder))
        good &= fine
        text += ["", *table]
    if args.what == "both":
        from common import publish

        publish("folders", "Many files", "\n".join(text))
    print("as it should be" if good else "NOT as it should be")
    sys.exit(not good)


if __name__ == "__main__":
    main()
