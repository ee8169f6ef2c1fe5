"""Memory and time before the work, and what is told while it goes on."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import ipx
from command_line import call
from ipx.declare.registry import registry
from ipx.errors import MemoryExhaustedError
from ipx.files import images
from ipx.jobs import foresee
from ipx.jobs.reporter import Ahead, Report, Reporting
from ipx.numerics.free import free_memory, resident, shared, sharing
from ipx.parts.component import BUFFERS
from ipx.planning.request import Request
from ipx.solving import cost
from ipx_cli import progress
from ipx_cli.output import duration

GIVEN: dict[str, Any] = {"noise": {"name": "gaussian", "sigma": 0.05}, "prior": "tv"}
FAST = ("--lam", "0.01", "--iterations", "2")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """y.png: 40 x 40, grey, 8 bit, in the present folder."""
    monkeypatch.chdir(tmp_path)
    images.write("y.png", images.bundled().pixels[1:2, 30:70, 90:130])
    return Path("y.png")


# ---------------------------------------------------------------- what is free


def system(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


MEMINFO = {"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n"}
V2 = "sys/fs/cgroup/"
V1 = "sys/fs/cgroup/memory/"


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, None),
        (MEMINFO, 8000 << 10),
        # version 2: the inner group has no limit, the outer one has; cached files are dropped
        (
            {
                **MEMINFO,
                "proc/self/cgroup": "0::/a/b\n",
                V2 + "a/b/memory.max": "max\n",
                V2 + "a/b/memory.current": "1000\n",
                V2 + "a/memory.max": "5000\n",
                V2 + "a/memory.current": "4500\n",
                V2 + "a/memory.stat": "anon 1\ninactive_file 700\n",
            },
            1200,
        ),
        # version 1, in a container that sees the path of the host
        (
            {
                **MEMINFO,
                "proc/self/cgroup": "4:memory,cpu:/docker/abc\n1:pids:/x\n0::/\n",
                V1 + "memory.limit_in_bytes": "6000\n",
                V1 + "memory.usage_in_bytes": "5000\n",
                V1 + "memory.stat": "inactive_file 1\ntotal_inactive_file 30\n",
            },
            1030,
        ),
        # version 1 writes no limit as a huge number
        (
            {
                **MEMINFO,
                "proc/self/cgroup": "4:memory:/\n",
                V1 + "memory.limit_in_bytes": "9223372036854771712\n",
                V1 + "memory.usage_in_bytes": "5000\n",
            },
            8000 << 10,
        ),
        # more is in use than the limit allows
        (
            {
                "proc/self/cgroup": "0::/\n",
                V2 + "memory.max": "10\n",
                V2 + "memory.current": "20\n",
            },
            0,
        ),
    ],
    ids=range(6),
)
def test_the_smallest_of_system_and_control_groups_is_free(
    tmp_path: Path, files: dict[str, str], free: int | None
) -> None:
    assert free_memory(root=system(tmp_path, files)) == free


def test_a_share_of_the_free_memory(tmp_path: Path) -> None:
    files = {"proc/meminfo": "MemAvailable: 10 kB\n", "proc/self/status": "VmRSS: 3 kB\n"}
    root = system(tmp_path, files)
    for most, free in ((None, 10), (4 << 10, 4), (20 << 10, 13)):
        with sharing(most):
            assert shared() == (most is not None)
            assert free_memory(root=root) == free << 10


def test_resident_memory(tmp_path: Path) -> None:
    root = system(tmp_path, {"proc/self/status": "VmPeak: 9 kB\nVmRSS:\t  7 kB\n"})
    assert resident(root) == 7 << 10
    assert resident(tmp_path / "none") == 0


# ---------------------------------------------------------------- what is needed


def test_a_component_holds_arrays_and_maps() -> None:
    class Tiny(ipx.Prior[ipx.NoOptions]):
        traits = ipx.Traits(buffers=3, maps=64)

    shape = (3, 10, 20)
    assert Tiny().memory(shape) == 4 * 200 * (3 * 3 + 64)
    assert Tiny().memory(shape, 8) == 2 * Tiny().memory(shape)
    assert ipx.Prior[ipx.NoOptions]().memory(shape) == 4 * 600 * BUFFERS["prior"]


def work(shape: tuple[int, ...], lam: float | str = 0.1, **request: Any) -> cost.Work:
    asked = Request(**{"prior": {"name": "tv"}, "lam": lam, **request})
    return foresee.work_of(asked, torch.zeros(()).expand(1, *shape))


def test_the_estimate_follows_image_type_and_plan() -> None:
    one = work((1, 64, 64)).arrays()
    assert work((1, 128, 64)).arrays() == pytest.approx(2 * one)
    assert work((3, 64, 64)).arrays() == pytest.approx(3 * one)
    assert work((1, 64, 64), lam="auto").arrays() > 1.5 * one  # results of trials are kept
    assert work((1, 64, 64), prior={"name": "bm3d"}).arrays() > 5 * one
    assert work((1, 32, 32), op={"name": "super-resolution", "factor": 2}).arrays() > one
    given = {"name": "gaussian", "sigma": 0.1}
    assert not work((1, 64, 64), noise=given).estimated
    assert work((1, 64, 64)).peak() == cost.BASE + one


def test_every_declared_number_is_sound() -> None:
    for kind in ("operator", "noise", "prior", "solver", "tuner", "adapter"):
        for spec in registry().all(kind):
            if not any(info.required for info in spec.options.infos().values()):
                t = spec.traits_for()
                assert t.maps >= 0
                assert t.buffers is None or t.buffers >= 0, spec.id


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte is free."""
    monkeypatch.setattr(cost, "free_memory", lambda device: 1_000_000)
    monkeypatch.setattr(cost, "resident", lambda: cost.BASE)


@pytest.mark.usefixtures("little")
def test_what_does_not_fit_is_refused_with_what_would_help() -> None:
    y = np.random.default_rng(0).random((96, 96))
    with pytest.raises(MemoryExhaustedError) as told:
        ipx.solve(y, **GIVEN)
    line = str(told.value)
    for word in ("about 7 MB", "1 MB are free", "smaller image", "--dtype float32", "--lam"):
        assert word in line, line
    assert "\n" not in line
    batch = ipx.solve(np.stack([y[:48, :48]] * 4), axes="BHW", lam=0.1, iterations=2, **GIVEN)
    assert batch.iterations == [2] * 4  # in parts that fit
    assert ipx.solve(y[:24, :24], lam=0.1, iterations=2, **GIVEN).iterations == [2]  # it fits
    how = ipx.solve(y, lam=0.1, iterations=2, memory="ignore", **GIVEN)
    assert how.iterations == [2]


@pytest.mark.usefixtures("little")
def test_the_command_line_refuses_before_it_writes(source: Path) -> None:
    words = ("solve", source, "--prior", "bm3d", *FAST)
    told = call(*words, "-o", "new/x.png")
    assert told.exit_code == 5
    (line,) = told.stderr.splitlines()
    assert line.startswith("ipx: error: y.png: this needs about 4 MB of memory")
    assert [p.name for p in Path().iterdir()] == ["y.png"]
    assert call(*words, "--memory", "ignore", "-o", "x.png").exit_code == 0
    assert json.loads(Path("x.png.json").read_bytes())["requested"]["memory"] == "ignore"


def test_where_the_system_does_not_tell_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "free_memory", lambda device: None)
    work((3, 100_000, 100_000)).check()


# ---------------------------------------------------------------- the dry run


def test_the_dry_run_tells_memory_and_time(source: Path) -> None:
    told = call("solve", source, "--dry-run", "--json", *FAST)
    assert told.exit_code == 0, told.stderr
    (picture,) = json.loads(told.stdout)["pictures"]
    assert cost.BASE < picture["memory"] < 2 * cost.BASE
    assert 0 < picture["seconds"] < 60
    assert picture["refused"] is None
    told = call("solve", source, "--dry-run", *FAST)
    assert "y.png -> y-restored.png: about 26" in told.stdout
    assert "MB of memory (" in told.stdout
    assert [p.name for p in Path().iterdir()] == ["y.png"]


def test_a_dry_run_says_what_takes_its_time(source: Path) -> None:
    shown: list[str] = []

    @contextmanager
    def line(name: str, quiet: bool) -> Iterator[Any]:
        yield None if quiet else lambda report: shown.append(f"{name}: {progress.doing(report)}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "line", line)
        assert call("solve", source, "--dry-run", *FAST).exit_code == 0
        assert call("solve", source, "--dry-run", "-q", *FAST).exit_code == 0
    assert shown == ["y.png: estimating memory and time"]


def test_inputs_that_a_dry_run_does_not_look_at(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images.write("z.png", images.read(source).pixels)
    monkeypatch.setattr("ipx_cli.foreseen.PATIENCE", -1.0)
    told = call("solve", source, "z.png", "--dry-run", "--json", *FAST)
    assert "memory and time of 2 more inputs are not estimated" in told.stderr
    assert [p["memory"] for p in json.loads(told.stdout)["pictures"]] == [None, None]


@pytest.mark.usefixtures("little")
def test_a_dry_run_tells_what_would_be_refused(source: Path) -> None:
    told = call("solve", source, "--prior", "bm3d", "--dry-run", "--json", *FAST)
    assert told.exit_code == 0
    assert "are free" in json.loads(told.stdout)["pictures"][0]["refused"]
    assert "are free" in told.stderr


def test_time_of_a_larger_image_and_of_operators_of_one_size(source: Path) -> None:
    y = torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    request = Request(lam=0.1, settings=ipx.SolveSettings(iterations=3, tol=0.0))
    found = foresee.seconds_of(request, y)
    assert found is not None
    assert 0 < found[0] < 60
    mask = np.ones((1, 128, 128))
    mask[:, ::3] = 0
    images.write("mask.png", mask)
    masked = Request(
        op={"name": "inpaint", "kind": "file", "mask": "mask.png"},
        lam=0.1, settings=request.settings,
    )  # fmt: skip
    assert foresee.seconds_of(masked, y) is not None  # no crop fits the mask: the whole image does
    assert foresee.seconds_of(masked, y[..., :120]) is None


def test_the_time_is_that_of_the_slowest_prior_that_the_data_may_choose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    took: dict[str, float | None] = {"bm3d": 9.0, "drunet": 4.0}
    request = Request(op={"name": "blur", "sigma": 2.0}, prior="auto")
    rivals = [each.prior["name"] for each, _ in request.rivals(1)]
    assert {"bm3d", "drunet"} < {name.split("/")[-1] for name in rivals}

    def watched(request: Request, y: torch.Tensor, steps: float = math.inf) -> Any:
        found = took.get(request.tree("prior").name.split("/")[-1], 1.0)
        return None if found is None else foresee._Watch(0.1, found, True)

    monkeypatch.setattr(foresee, "_watched", watched)
    y = torch.zeros(1, 1, 96, 96)
    assert foresee.longest(request, y) == (9.0, True)
    took["bm3d"] = None
    assert foresee.longest(request, y) is None
    told = Request(op=request.op, prior={"name": "drunet"})
    assert foresee.longest(told, y) == (4.0, False)


def test_time_of_a_volume_whose_first_step_sets_up_what_all_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, seen = 0.0, []

    def solved(y: torch.Tensor, *, observers: list[ipx.Observer], **_: object) -> None:
        nonlocal now
        seen.append(tuple(y.shape))
        began = now
        for k in range(101):
            told: Any = SimpleNamespace(
                iteration=k, seconds=now - began, budget=100, trial=0, trials=0
            )
            observers[0](told) if k else observers[0].begin(told)
            now += 0.01 if k else 5.0

    monkeypatch.setattr(foresee, "solve", solved)
    monkeypatch.setattr(foresee, "time", SimpleNamespace(perf_counter=lambda: now))
    y = torch.zeros(()).expand(1, 1, 64, 256, 256)
    found = foresee.seconds_of(Request(lam=0.1), y)
    # 100 steps of 0.01 s on 288^2 voxels, half of a step for each 288^2 more, and the first step
    assert found == (pytest.approx((1.0 + 5.0) * (1 + 0.5 * (64 * 256**2 / 288**2 - 1)), 0.1), True)
    assert [math.prod(shape) for shape in seen] == pytest.approx([96**2, 288**2], rel=0.05)
    assert all(max(shape[2:]) <= min(shape[2:]) + 1 for shape in seen)


# ---------------------------------------------------------------- progress


class Phases(ipx.Observer):
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.counts: list[tuple[int, int | None]] = []

    def enter(self, phase: str) -> None:
        self.seen.append(phase)

    def __call__(self, progress: ipx.Progress) -> None:
        if self.seen[-1] != progress.phase:
            self.seen.append(progress.phase)
        self.counts.append((progress.trial, progress.trials))


def test_observers_are_told_of_phases_and_trials() -> None:
    y = ipx.degrade(np.kron(np.eye(4), np.ones((6, 6))), noise=GIVEN["noise"])
    seen = Phases()
    ipx.solve(y, observers=[seen], iterations=20, **GIVEN)
    assert seen.seen == ["noise level", "start", "choosing lam", "restoring"]
    trials = [c for c in seen.counts if c[0]]
    assert {most for _, most in trials} == {28}  # 14 weights, each with its degrees of freedom
    assert max(number for number, _ in trials) <= 28
    assert seen.counts[-1] == (0, None)


def progressed(iteration: int, seconds: float, trial: int, usual: int | None) -> ipx.Progress:
    zero = torch.zeros(1)
    problem: Any = None
    return ipx.Progress(
        problem, iteration, 100, zero, zero, zero, seconds, trial, 50, usual=usual
    )  # fmt: skip


def test_the_time_left_is_that_of_all_solves() -> None:
    ahead = Ahead()
    for number in (1, 2):  # a tenth of a second a step
        ahead.begin(progressed(0, 0.0, number, 4))
        first = progressed(10, 1.0, number, 4)
        ahead.step(first)
        assert ahead.about(first, 0) is None  # too little is known
        assert ahead.left(first, 0) is None
        ahead.step(progressed(40, 4.0, number, 4))
    ahead.begin(progressed(0, 0.0, 3, 4))
    third = progressed(10, 1.0, 3, 4)
    ahead.step(third)
    assert ahead.about(third, 0) == pytest.approx(0.1 * (30 + 40 + 2 * 40))
    assert ahead.about(third, 2) == pytest.approx(0.1 * (30 + 40 + 3 * 2 * 40))
    assert ahead.about(progressed(10, 1.0, 9, 4), 0) == pytest.approx(0.1 * (30 + 2 * 40))
    assert ahead.about(progressed(10, 1.0, 3, None), 0) is None
    ahead.begin(progressed(0, 0.0, 0, None))
    last = progressed(60, 6.0, 0, None)
    ahead.step(last)
    assert ahead.left(last, 0) == pytest.approx(0.1 * 40)
    assert ahead.about(last, 0) is None
    ahead.part(2, 5)  # three tiles are to come
    ahead.begin(progressed(0, 0.0, 0, None))
    tile = progressed(20, 2.0, 0, None)
    ahead.step(tile)
    assert ahead.left(tile, 0) == pytest.approx(0.1 * (80 + 3 * 100))


def test_the_time_left_of_tiles_is_never_below_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipx.jobs.reporter.INTERVAL", 0.0)  # each step, however fast it is
    told: list[Report] = []
    watching = Reporting(told.append, None)
    y = ipx.degrade(np.kron(np.eye(4), np.ones((40, 40))), noise=GIVEN["noise"])
    settings: dict[str, Any] = GIVEN | {"lam": 0.05, "tile": 64, "memory": "ignore"}
    ipx.solve(y, observers=[watching], iterations=5, **settings)
    parts = [report.part for report in told if report.part]
    assert parts[0] == "tile 1 of 9"
    assert parts[-1] == "tile 9 of 9"
    assert all(report.left is None or report.left >= 0 for report in told)


def test_the_words_of_the_line() -> None:
    report = Report("choosing lam", 5, 300, 0.5, 1.25, None, 3, 28, about=130.0, usual=8)
    assert progress.doing(report) == "choosing lam, trial 3 of about 8"
    assert progress.doing(replace(report, trial=9)) == "choosing lam, trial 9"
    assert progress.doing(Report("restoring", part="tile 3 of 12")) == "tile 3 of 12, restoring"
    told = ["5/300", "10 it/s", "objective 1.25", "about 2 min left"]
    assert [*progress.figures(report).values()] == told
    assert progress.figures(report, None)["left"] == "about 2 min left for this image"
    assert progress.figures(report, 3600.0)["left"] == "about 62 min left"
    assert progress.figures(replace(report, about=None, left=9.0))["left"] == "at most 9.0 s left"
    assert progress.doing(Report("noise level")) == "noise level"
    assert progress.figures(Report("noise level")) == {}
    assert [duration(s) for s in (0.42, 42, 180, 9000)] == ["0.4 s", "42 s", "3 min", "2.5 h"]


@pytest.mark.parametrize("name", ["a.png", "12/400 a-very-long-name-of-an-image-2026-11-30-b.tif"])
@pytest.mark.parametrize("part", ["", "tile 113 of 112"])
def test_the_line_is_never_cut(name: str, part: str) -> None:
    report = Report(
        "choosing lam", 152, 1000, 8.5, 12345.6, 28.123, 13, 52, about=7000.0, lam=0.00012345,
        part=part, usual=8,
    )  # fmt: skip
    every = progress.figures(report)
    for width in (65, 76, 120, 200):
        words, figures = progress.told(name, report, 0.0, width)
        assert len("  ".join([words, *figures])) <= width
        assert words.endswith(progress.doing(report))
        assert name.endswith(words.split(": ")[0].removeprefix("..."))
        assert set(figures) <= set(every.values())
    assert figures == [*every.values()]
    assert "about 1.9 h left" in progress.told(name, report, 0.0, 76)[1]
    short = replace(report, part="", trial=3)
    assert progress.told("a.png", short, 0.0, 67)[1] == ["152/1000", "about 1.9 h left"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_is_renewed_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    pace = progress.Pace(2)
    with pace.line("a.png", quiet=False) as show:
        assert show is not None
        show(Report("noise level"))
    with pace.line("b.png", quiet=False) as show:
        assert show is not None
        show(Report("restoring", 5, 10, 1.0, left=1.0))
    text = screen.getvalue()
    assert "1/2 a.png: noise level" in text
    assert "2/2 b.png: restoring" in text
    assert "at most 1.0 s left" in text
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with pace.line("c.png", quiet=False) as show:
        assert show is not None
        show(Report("noise level"))
    assert log.getvalue() == ""  # of a file the first line comes after half a minute
