"""Folders, patterns and lists: mirrored, resumed, shared out, by processes, and what goes wrong."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

import ipx
from command_line import call
from ipx.errors import InputError, MemoryExhaustedError, UsageError
from ipx.files.atomic import part_of
from ipx.jobs.arrivals import Arrivals
from ipx.jobs.executor import distributed, executor_for
from ipx.jobs.inputs import unfolded
from ipx.jobs.unit import Outcome, Unit, seed_of

FAST = ("--op", "blur", "--prior", "smooth", "--lam", "0.01", "--iterations", "2")
DRAWN = ("--sampler", "ula", "--draws", "4", "--warmup", "1", "--chains", "1")
NAMES = ("a.jpg", "a.png", "b.png", "sub/a.png", "sub/deep/c.png")


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder ``in`` with `NAMES`, each another picture of 16 x 16, in the present folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in NAMES:
        path = Path("in") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(path)


def pictures(folder: str) -> dict[str, bytes]:
    """The images in a folder, by their paths within it."""
    files = [p for p in Path(folder).rglob("*") if p.suffix in (".png", ".jpg", ".tif")]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def lines(path: str | Path = "out/manifest.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def solved(*words: str) -> Result:
    told = call("solve", *words, *FAST)
    assert told.exit_code == 0, told.output
    return told


def test_a_folder_is_mirrored_with_a_manifest() -> None:
    told = solved("in", "-o", "out")
    assert sorted(pictures("out")) == sorted(NAMES)
    assert len(set(pictures("out").values())) == len(NAMES)
    assert [line["unit"] for line in lines()] == list(NAMES)
    assert {line["status"] for line in lines()} <= {"budget", "converged", "done"}
    for line in lines():
        record = json.loads(Path(line["record"]).read_text())
        assert record["seed"] == line["seed"] == seed_of(line["unit"], 0)
        assert Path(line["input"]).is_file()
        assert f"{line['input']} -> {line['output']}" in told.stdout


def test_a_pattern_and_a_list_give_what_the_folder_gives() -> None:
    solved("in", "-o", "out")
    solved("in/**/*.[pj][np]g", "-o", "pattern")
    Path("list.txt").write_text("".join(f"in/{name}\n" for name in NAMES))
    solved("list.txt", "-o", "list")
    assert pictures("pattern") == pictures("out")
    # a list of relative paths is mirrored as it is written
    assert pictures("list/in") == pictures("out")
    Path("away.txt").write_text("".join(f"{Path('in', name).absolute()}\n\n" for name in NAMES))
    solved("away.txt", "-o", "away")
    assert pictures("away") == pictures("out")


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("none/*.png",), 3, "none/*.png: is a pattern without images to solve"),
        (("empty.txt",), 3, "empty.txt: is a list without files"),
        (("in", "-o", "x.png"), 2, "5 inputs need a folder, and x.png is a file name"),
        (("in", "in/sub", "-o", "out"), 2, "would both be written to out/a.png"),
        (("in", "-o", "out", "--shard", "3/2"), 2, "is no I/N with I from 1 to N"),
        (("in", "-o", "out", "--jobs", "0"), 2, "--jobs"),
        (("in", "-o", "out", "--cluster", "moon"), 2, "no cluster is 'moon'; give local, slurm"),
        (("in", "-o", "out", "--manifest", "in/a.png"), 2, "is no manifest of ipx"),
        (("in", "-o", "out", "--manifest", "out/a.png"), 2, "is also an input or an output"),
        (("in", "-o", "out", "--on-error", "cry"), 2, "--on-error"),
    ],
)
def test_what_cannot_be(words: tuple[str, ...], code: int, line: str) -> None:
    Path("empty.txt").write_text("\n")
    told = call("solve", *words, *FAST)
    assert told.exit_code == code
    assert line in told.stderr
    assert told.stderr.count("\n") == 1
    assert not Path("out").exists()


def test_outputs_and_their_folders_are_no_inputs() -> None:
    args = ("in", "-o", "in/out", "--panel", "in/panels", "--report", "in/pages")
    solved(*args)
    assert len(pictures("in/panels")) == len(NAMES)
    assert Path("in/pages/sub/a.png-report.html").is_file()
    links = set(re.findall(r'href="([^"#]+\.html)"', Path("in/pages/index.html").read_text()))
    assert "sub/a.png-report.html" in links
    assert all(Path("in/pages", link).is_file() for link in links)
    before = pictures("in/out")
    told = solved(*args, "--resume")
    assert told.stderr.count("skipped") == len(NAMES)
    assert pictures("in/out") == before
    assert all(line["skipped"] for line in lines("in/out/manifest.jsonl"))


def test_further_outputs_of_one_stem_do_not_collide() -> None:
    told = call("solve", "in", "-o", "out", *FAST, *DRAWN, "--estimate", "mmse")
    extra = {name for name in pictures("out") if name not in NAMES}
    assert {"a.png-std.tif", "a.jpg-std.tif", "b-std.tif", "sub/a-std.tif"} <= extra, told.output


def test_seeds_do_not_depend_on_order_number_of_jobs_or_shards() -> None:
    sampled = (*DRAWN, "--estimate", "mmse", "--jobs", "1")
    call("solve", "in", "-o", "out", *FAST, *sampled)
    whole = pictures("out")
    assert len(whole) == 2 * len(NAMES)
    for part in ("2/2", "1/2"):
        call("solve", "in", "-o", "shards", *FAST, *sampled, "--shard", part)
    same = {name.replace(".png-std", "-std"): data for name, data in pictures("shards").items()}
    assert same == {name.replace(".png-std", "-std"): data for name, data in whole.items()}
    assert len(lines("shards/manifest-1-of-2.jsonl")) == 3
    assert len(lines("shards/manifest-2-of-2.jsonl")) == 2
    # the record of one gives its bits again
    call("solve", "--config", "out/sub/a.png.json", "-o", "again.png", "--jobs", "1")
    assert Path("again.png").read_bytes() == whole["sub/a.png"]
    assert seed_of("a.png", 0) != seed_of("a.png", 1) != seed_of("b.png", 1)


def test_patterns_and_places_that_cannot_be_used() -> None:
    told = call("solve", "in/**a.png", "-o", "out", *FAST)
    assert (told.exit_code, told.stderr.count("\n")) == (3, 1)
    assert "in/**a.png: is a pattern that cannot be used" in told.stderr
    told = call("solve", "in", "-o", "out", *FAST, "--manifest", "in")
    assert (told.exit_code, told.stderr) == (2, "ipx: error: in: is a folder, not a file\n")
    assert not Path("out").exists()


def test_a_failure_stops_only_if_that_is_asked_for() -> None:
    Path("in/aa.png").write_bytes(b"no picture")
    told = call("solve", "in", "-o", "out", *FAST)
    assert told.exit_code == 1
    assert told.stderr.splitlines()[-1] == "ipx: 5 of 6 restored, 1 failed"
    bad = next(line for line in lines() if line["unit"] == "aa.png")
    assert (bad["status"], bad["code"], bad["output"]) == ("failed", 3, None)
    assert "is not an image" in bad["error"]
    told = call("solve", "in", "-o", "two", *FAST, "--on-error", "stop")
    assert told.exit_code == 1
    assert told.stderr.splitlines()[-1] == "ipx: 2 of 6 restored, 1 failed, 3 not begun"
    assert sorted(pictures("two")) == ["a.jpg", "a.png"]


def test_a_file_that_is_removed_while_running(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ipx.jobs.solve.solve_file

    def removing(request: Any, source: Path, *args: Any, **how: Any) -> Any:
        Path("in/b.png").unlink(missing_ok=True)
        return real(request, source, *args, **how)

    monkeypatch.setattr("ipx.jobs.solve.solve_file", removing)
    told = call("solve", "in", "-o", "out", *FAST)
    assert told.exit_code == 1
    assert "ipx: error: in/b.png: no such file" in told.stderr
    assert sorted(pictures("out")) == sorted(set(NAMES) - {"b.png"})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 kB, or none if it cannot be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("how", ["full", "read only"])
def test_a_disk_that_takes_nothing_ends_the_batch(small_disk: Path, how: str) -> None:
    if how == "full":
        words = "cannot be written: No space left on device"
    else:
        words = "cannot be made: Read-only file system"
        remount = ["mount", "-o", "remount,ro", str(small_disk)]
        subprocess.run(remount, check=True)
    told = call("solve", "in", "-o", small_disk / "out", *FAST)
    assert told.exit_code in (1, 3)
    assert words in told.stderr
    assert told.stderr.count("ipx: error") == 1
    assert not list(small_disk.rglob("*.part"))
    whole = [p for p in (small_disk / "out").rglob("*.png") if p.is_file()]
    assert all(p.with_name(f"{p.name}.json").is_file() for p in whole)
    if how == "full":
        subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
        solved("in", "-o", str(small_disk / "out"), "--resume")
        assert sorted(pictures(str(small_disk / "out"))) == sorted(NAMES)


def test_files_that_may_not_be_so_large() -> None:
    """Each is refused by the system; the manifest is small enough."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))
    try:
        told = call("solve", "in/a.png", "in/b.png", "-o", "out/", *FAST)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert told.exit_code == 3
    assert told.stderr.count("cannot be written: File too large") == 2
    assert not list(Path("out").rglob("*")) if Path("out").exists() else True


# --- processes -----------------------------------------------------------------------------


def _square(number: int) -> int:
    """Work for workers; -1 kills its worker, -2 only the first time."""
    if number == -1:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == -2 and not Path("killed").exists():
        Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def test_a_worker_that_dies_loses_nothing() -> None:
    units = [1, -2, 3, -1, 5]
    here = ipx.Workers(jobs=2, preload=("ipx.jobs.solve",))  # one server, also of `ipx solve`
    got = dict(executor_for("").run(_square, units, here))
    lost = got.pop(3)
    assert isinstance(lost, MemoryExhaustedError)
    assert "killed 2 times" in str(lost)
    assert got == {0: 1, 1: 4, 2: 9, 4: 25}


def _dies_while_it_writes(unit: Unit) -> Outcome:
    with part_of(unit.target):
        os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_what_a_dead_worker_was_writing_is_removed() -> None:
    Path("out").mkdir()
    unit = Unit(number=0, name="a.png", source=Path("in/a.png"), target=Path("out/a.png"))
    here = ipx.Workers(jobs=1, preload=("ipx.jobs.solve",))
    with distributed(_dies_while_it_writes, here) as run:
        assert [outcome.row for outcome in run([unit])] == [None]
        assert list(Path("out").glob(".*.part"))
    assert not list(Path("out").iterdir())


def _process(number: int) -> int:
    return os.getpid()


def test_a_team_keeps_its_workers() -> None:
    with executor_for("").team(_process, ipx.Workers(jobs=1)) as run:
        (first,), (second,) = (dict(run([number])).values() for number in (1, 2))
    assert first == second != os.getpid()


def test_processes_share_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipx_cli.restoring.free_memory", lambda: 2_000)
    told = call("solve", "in", "-o", "out", *FAST, "--jobs", "2")
    assert told.exit_code == 5
    assert "are free for each of the processes; what would help: fewer --jobs" in told.stderr


def test_each_degraded_file_has_a_seed_of_its_own() -> None:
    shutil.copy("in/a.png", "in/b.png")
    how = ("--op", "blur", "--seed", "3")
    told = call("degrade", "in", "-o", "out", *how)
    assert told.exit_code == 0, told.output
    made = pictures("out")
    assert made["a.png"] != made["b.png"]
    record = json.loads(Path("out/b.png.json").read_bytes())
    assert record["seed"] == seed_of("b.png", 3)
    call("degrade", "in/b.png", "--config", "out/b.png.json", "-o", "again.png")
    assert Path("again.png").read_bytes() == made["b.png"]
    resumed = call("degrade", "in", "-o", "out", *how, "--resume")
    assert resumed.stderr.count("done before, skipped") == len(NAMES)


def test_jobs_give_the_same_bits() -> None:
    Path("in/bad.png").write_bytes(b"")
    call("solve", "in", "-o", "one", *FAST, "--jobs", "1")
    shutil.copytree("one/sub", "out/sub")
    told = call("solve", "in", "-o", "out", *FAST, "--jobs", "2", "--json", "--resume")
    assert told.exit_code == 1
    assert told.stderr.splitlines()[-1] == "ipx: 5 of 6 restored, 1 failed"
    assert told.stderr.count("done before, skipped") == 2
    assert pictures("out") == pictures("one")
    assert len(told.stdout.splitlines()) == len(lines()) == 6


def started(*words: str) -> subprocess.Popen[str]:
    """A command in a process of its own, in a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "ipx_cli.main", *words, *FAST],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a shell that runs tests in the background has it ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "whole", "status"),
    [(signal.SIGINT, True, 130), (signal.SIGTERM, False, 143), (signal.SIGKILL, False, -9)],
)
def test_signals_while_processes_run(number: int, whole: bool, status: int) -> None:
    """SIGINT as from a terminal, to all; the others to the first process only."""
    for i in range(20):
        shutil.copy("in/a.png", f"in/{i}.png")
    with started("solve", "in", "-o", "out", "--jobs", "2") as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.readline()
        (os.killpg if whole else os.kill)(run.pid, number)
        told = run.stderr.read()
        run.stdout.read()
        assert run.wait(60) == status
    word = {130: "interrupted", 143: "terminated"}.get(status)
    errors = [line for line in told.splitlines() if not line.startswith("ipx: ")]
    assert not errors, told
    assert told.splitlines()[-1:] == [f"ipx: error: {word}"] or word is None
    time.sleep(0.5)  # workers of a killed process end by themselves
    done = len(pictures("out"))
    assert done < 25
    if status != -9:
        assert not list(Path("out").rglob("*.part"))
    told_again = call("solve", "in", "-o", "out", *FAST, "--resume")
    assert told_again.exit_code == 0
    assert told_again.stderr.count("skipped") >= done - 2
    assert len(pictures("out")) == 25
    assert not list(Path("out").rglob("*.part"))


# --- a folder that is watched ---------------------------------------------------------------


def test_a_file_counts_once_it_is_complete() -> None:
    arrivals = Arrivals(Path("in"), set(), lambda path: path.name == "b.png")
    assert arrivals.look()[1] == set()
    assert arrivals.look()[1] == {Path("in", name) for name in NAMES if name != "b.png"}
    new = Path("in/new.png")
    new.touch()
    assert arrivals.look()[1] == set()
    for size in (b"1", b"12", b"123"):  # it grows
        new.write_bytes(size)
        assert arrivals.look()[1] == set()
    assert arrivals.look()[1] == {new}
    assert arrivals.look()[1] == set()
    new.write_bytes(b"another")
    assert arrivals.look()[1] == set()
    assert arrivals.look()[1] == {new}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch_takes_what_comes_and_ends_with_a_summary(number: int) -> None:
    Path("in/bad.png").write_bytes(b"bad")

    def come() -> None:
        until = time.monotonic() + 60
        while not Path("out/sub/deep/c.png.json").exists() and time.monotonic() < until:
            time.sleep(0.01)
        shutil.copy("in/a.png", "in/late.png")
        while not Path("out/late.png.json").exists() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.05)
        os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # workers of tests ignore it
    threading.Thread(target=come).start()
    try:
        told = call("watch", "in", "-o", "out", "--every", "0.05", *FAST)
    finally:
        signal.signal(signal.SIGINT, before)
    assert told.exit_code == 1
    assert told.stderr.splitlines()[-1] == "ipx: 6 of 7 restored, 1 failed"
    assert sorted(pictures("out")) == sorted([*NAMES, "late.png"])
    assert [line["unit"] for line in lines()][-1] == "late.png"


# --- parts ----------------------------------------------------------------------------------


def test_names_in_lists_and_patterns() -> None:
    def names(*given: str) -> list[str]:
        found = unfolded(map(Path, given), [], "solve", lambda line: None)
        return [each.name.as_posix() for each in found.files]

    Path("in/a[1].png").write_bytes(Path("in/a.png").read_bytes())
    assert names("in/a[1].png") == ["a[1].png"]  # a file of this name is no pattern
    assert names("*/sub/*.png") == ["in/sub/a.png"]
    assert names("in/sub/**/*.png") == ["a.png", "deep/c.png"]
    Path("l.txt").write_text(f"in/a.png\n{Path('in/sub/a.png').absolute()}\n")
    assert names("l.txt") == ["in/a.png", "a.png"]
    Path("l.txt").write_bytes(b"a\0b\n")
    with pytest.raises(InputError, match="is not a list of files"):
        names("l.txt")
    Path("in/.hidden.png").touch()
    Path("in/link").symlink_to(Path("in/sub").absolute())
    assert names("in") == ["a.jpg", "a.png", "a[1].png", "b.png", "sub/a.png", "sub/deep/c.png"]


def test_components_are_made_once_for_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    from ipx.declare.registry import Registry

    made: list[str] = []
    real = Registry.create

    def counted(self: Registry, spec: Any, *args: Any, **how: Any) -> Any:
        made.append(spec.id)
        return real(self, spec, *args, **how)

    monkeypatch.setattr(Registry, "create", counted)
    solved("in/sub", "-o", "out")
    assert len(pictures("out")) == 2
    assert made.count("smooth/smooth") == made.count("blur/blur") == 1


def test_a_cluster_is_found_by_its_address() -> None:
    for cluster in ("local", "slurm", "tcp://10.0.0.1:8786", "tls://h:1"):
        assert type(executor_for(cluster)).__name__ == "Dask"
    for cluster in ("tcp://", "tcp", "Local", "http://h:1"):
        with pytest.raises(UsageError, match="no cluster is"):
            executor_for(cluster)
