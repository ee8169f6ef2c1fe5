"""Random command lines on damaged files: no traceback, no word of a bug, no hang.

    python tests/benchmarks/hostile.py COUNT [SEED]

Prints each case that fails with its seed, and a summary. `tests/test_hostile.py` runs a few.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from ipx.declare.registry import registry
from ipx_cli.main import cli

LONGEST = 30.0
"""Seconds a case may take."""

STATUSES = {0, 1, 2, 3, 4, 5}
ROLES = {"op": "operator", "noise": "noise", "prior": "prior", "solver": "solver", "tuner": "tuner"}
VALUES = (
    *("0", "1", "2", "-1", "0.5", "1e-300", "1e300", "inf", "nan", "1000000000", "-0.0", "1e5"),
    *("", "none", "true", "yes", "a", "é", "x" * 300, "\0", "\ud800", "1,2", "1,2,3", "0,0", "db0"),
    *(".", "/", "~", "../..", "auto", "9" * 400, "99999999999999999999", "0x10", "1_0", " 3 "),
)
NAMES = ("x" * 300, "a\0b.png", "\udcff.png", "no/such/folder/a.png", ".", "", "/dev/null", "-")
NESTED = 3000


def good_files(folder: Path) -> list[Path]:
    """A small image in each format, and other files that options may name."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (16, 20, 3), dtype=np.uint8)
    for suffix in ("png", "jpg", "webp"):
        Image.fromarray(pixels).save(folder / f"good.{suffix}")
    Image.fromarray(pixels[..., 0]).save(folder / "grey.png")
    Image.fromarray(pixels).save(folder / "progressive.jpg", progressive=True)
    tifffile.imwrite(folder / "good.tif", pixels, photometric="rgb", compression="zlib")
    tifffile.imwrite(folder / "jpeg.tif", pixels, photometric="rgb", compression="jpeg")
    tifffile.imwrite(folder / "float.tif", rng.random((16, 16), np.float32))
    np.save(folder / "good.npy", rng.random((16, 16)))
    np.save(folder / "psf.npy", np.full((3, 3), 1 / 9))
    (folder / "good.toml").write_text('lam = 0.1\nprior = {name = "tv"}\niterations = 2\n')
    (folder / "good.json").write_text('{"config": {"lam": 0.1}, "input": {"sha256": "0"}}')
    return sorted(p for p in folder.iterdir() if p.is_file())


def damaged(rng: random.Random, data: bytes) -> bytes:
    """The bytes of a file, cut, changed or extended."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(min(len(out), rng.choice([40, 400, 10**6])) or 1)
        match rng.randrange(5):
            case 0:
                out[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                out = out[:at]
            case 2:
                out[at:at] = rng.randbytes(rng.randint(1, 20))
            case 3:
                out[at : at + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
            case 4:
                out += rng.randbytes(9) if rng.random() < 0.5 else b"\xff\xd9"
    return bytes(out)


def configuration(rng: random.Random) -> str:
    """A configuration that is wrong in some way."""
    value = rng.choice(VALUES).replace('"', "").replace("\ud800", "").replace("\0", "\\u0000")
    return rng.choice(
        [
            f'lam = "{value}"',
            f'inputs = ["{value}"]',
            f'inputs = ["good.png"]\noutput = "{value}"',
            f'[prior]\nname = "wavelet-filter"\nwavelet = "{value}"',
            f'[prior]\nname = "wavelet"\nwavelet = "{value}"',
            f'[op]\nname = "{value}"',
            "lam = " + "[" * NESTED + "]" * NESTED,
            "a." * NESTED + "b = 1",
            "[op]\nname = 'compose'\nparts = " + "[" * 50 + "]" * 50,
            "op = " + '{name = "compose", parts = ["blur", ' * 9 + '"blur"' + "]}" * 9,
            f"iterations = {value or 0}",
            f'truth = "{value}"\npanel = "{value}"',
            "[op]\nname = 'blur'\nscale = 1e400",
            "max_pixels = -1",
        ]
    )


def command_line(rng: random.Random, folder: Path) -> list[str]:
    """Words of a command, most of them wrong."""
    files = good_files(folder)
    names = []
    for source in rng.sample(files, rng.randint(0, 2)):
        name = f"bad-{source.name}"
        (folder / name).write_bytes(damaged(rng, source.read_bytes()))
        names.append(rng.choice([name, source.name, source.name, rng.choice(NAMES)]))
    words = [rng.choice(["solve"] * 6 + ["degrade"] * 3 + ["info", "matrix", "list"]), *names]
    if words[0] in ("info", "matrix", "list"):
        return [*words[:1], *rng.sample(VALUES, rng.randint(0, 2))]
    if words[0] == "solve":  # bounds the time
        words += ["--iterations", "2", "--tuner", "discrepancy", "--tuner.evaluations", "3"]
    for role in rng.sample(list(ROLES), rng.randint(0, 3)):
        if words[0] == "degrade" and role not in ("op", "noise"):
            continue
        name = rng.choice(registry().names(ROLES[role]))
        words += [f"--{role}", rng.choice([name] * 9 + [rng.choice(VALUES)])]
        infos = list(registry().get(ROLES[role], name).options.infos().values())
        for info in rng.sample(infos, rng.randint(0, min(2, len(infos)))):
            value = rng.choice([*VALUES, *info.choices, "psf.npy", "bad-good.png"])
            words.append(f"--{role}.{info.name.replace('_', '-')}={value}")
    spare = ["-o", "--truth", "--panel", "--config", "--lam", "--seed", "--device", "--start"]
    spare += ["--tol", "--restarts", "--max-pixels", "--dtype", "--keep"]
    for option in rng.sample(spare, rng.randint(0, 2)):
        words += [option, rng.choice([*VALUES, *NAMES, *(p.name for p in files), "out/"])]
    words += many(rng, folder, files)
    if rng.random() < 0.3:
        name = rng.choice(["c.toml", "c.json"])
        deep = '{"config": ' + "[" * 10**5
        (folder / name).write_text(configuration(rng) if name == "c.toml" else deep)
        words += ["--config", name]
    return words


def many(rng: random.Random, folder: Path, files: list[Path]) -> list[str]:
    """Folders, patterns, lists, and the options of batches; mostly none."""
    words = []
    if rng.random() < 0.2:
        deep = folder / "tree" / "deep"
        deep.mkdir(parents=True)
        for source in rng.sample(files, 3):
            (rng.choice([deep, deep.parent]) / source.name).write_bytes(source.read_bytes())
        (deep.parent / "loop").symlink_to(deep.parent, target_is_directory=True)
        names = [*(p.name for p in files), *VALUES, *NAMES, str(folder / "good.png")]
        lines = "\n".join(rng.choices(names, k=rng.randint(0, 4)))
        (folder / "list.txt").write_bytes(lines.encode(errors="surrogatepass"))
        words += [
            rng.choice(["tree", "tree/**/*", "*[a-z].png", "**", "[", "list.txt", "tree/loop"])
        ]
        words += ["-o", rng.choice(["out", "tree/out", "tree", "out.png"])]
    spare = ["--shard", "--on-error", "--manifest", "--cluster", "--jobs", "--resume"]
    for option in rng.sample(spare, rng.randint(0, 1)):
        usual = {"--shard": "1/2", "--on-error": "stop", "--manifest": "m.jsonl", "--jobs": "1"}
        value = rng.choice([usual.get(option, "moon"), *VALUES, *(p.name for p in files)])
        # processes are begun by few cases, and no cluster
        allowed = value not in ("local", "slurm") and (option != "--jobs" or value in ("1", "0"))
        words += [option] if option == "--resume" else [option, value] if allowed else []
    return words


def run(words: list[str], folder: Path) -> tuple[int | None, str]:
    """The exit status and stderr of a command in a process of its own; None for a hang."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        os.dup2(writing, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        code = 99
        try:
            cli(words)
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 98
        except BaseException as e:
            print("Traceback", repr(e), file=sys.stderr, flush=True)
        sys.stderr.flush()
        os._exit(code)
    os.close(writing)
    told, until = b"", time.monotonic() + LONGEST
    while select.select([reading], [], [], max(0.0, until - time.monotonic()))[0]:
        more = os.read(reading, 1 << 16)
        if not more:
            break
        told += more
    else:
        os.kill(child, signal.SIGKILL)
    os.close(reading)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return (None if status == -signal.SIGKILL else status), told.decode(errors="replace")


def verdict(status: int | None, told: str) -> str:
    """What is wrong with a run; empty if nothing is."""
    if status is None:
        return f"more than {LONGEST:.0f} s"
    if status not in STATUSES:
        return f"exit status {status}"
    wrong = [word for word in ("Traceback", "a bug", "Warning") if word in told]
    if wrong:
        return wrong[0]
    errors = [line for line in told.splitlines() if not line.startswith("ipx: ")]
    return f"not a line of ipx: {errors[0]}" if errors else ""


def case(seed: int, tell: Callable[[str], None] = print) -> bool:
    """True if the case of this seed is as it should be."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        words = command_line(rng, Path(name))
        status, told = run(words, Path(name))
    wrong = verdict(status, told)
    if wrong:
        tell(f"seed {seed}: {wrong}\n  {words!r:.500}\n  {told:.600}")
    return not wrong


def main() -> None:
    """Run the cases that the command line asks for."""
    import ipx.jobs.degrade
    import ipx.jobs.solve  # noqa: F401  # once, before the forks

    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    bad = sum(not case(seed) for seed in range(first, first + count))
    print(f"{count - bad} of {count} cases as they should be")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
