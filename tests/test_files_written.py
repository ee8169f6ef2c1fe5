"""Outputs and their records as one: what is replaced, what is believed, what a kill leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from command_line import call
from ipx.declare.registry import registry
from ipx.errors import InputError
from ipx.files import atomic
from ipx.files.atomic import sweep, write_atomic
from ipx.files.record import environment, sha256
from ipx.files.written import commit

FAST = ("--lam", "0.01", "--iterations", "2")


@pytest.fixture(autouse=True)
def unswept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder was looked through for parts of dead runs."""
    monkeypatch.setattr(atomic, "_swept", set())


def contents(folder: Path = Path()) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def old_record(path: Path) -> dict[str, Any]:
    """The record at ``path`` as it was before records listed hashes; it is written back."""
    record: dict[str, Any] = json.loads(path.read_text())
    del record["written"], record["state"]
    path.write_text(json.dumps(record))
    return record


# ---------------------------------------------------------------- whose file is it


@pytest.mark.parametrize("text", ["{}", '{"mine": 1}', '{"config": {}, "command": "solve"}', "no"])
@pytest.mark.parametrize("command", ["solve", "degrade"])
def test_a_json_file_of_the_user_is_no_record(source: Path, command: str, text: str) -> None:
    shutil.copy(source, "a.png")
    Path("a.png.json").write_text(text)
    before = contents()
    told = call(command, source, "-o", "a.png")
    assert told.exit_code == 2
    assert "a.png exists and was not written by ipx; --force replaces it" in told.stderr
    Path("a.png").unlink()  # the JSON alone is as precious
    told = call(command, source, "-o", "a.png")
    assert told.exit_code == 2
    assert "a.png.json exists and was not written by ipx" in told.stderr
    assert contents() == {k: v for k, v in before.items() if k != "a.png"}


def test_a_record_of_another_output_protects_nothing(source: Path) -> None:
    assert call("solve", source, *FAST, "-o", "b.png").exit_code == 0
    shutil.copy(source, "a.png")
    shutil.copy("b.png.json", "a.png.json")
    before = contents()
    assert call("solve", source, *FAST, "-o", "a.png").exit_code == 2
    assert contents() == before


def test_the_target_of_a_link_is_the_users(source: Path) -> None:
    assert call("solve", source, *FAST, "-o", "a.png").exit_code == 0
    shutil.copy(source, "precious.png")
    Path("a.png").unlink()
    Path("a.png").symlink_to("precious.png")
    before = contents()
    for known in (True, False):  # with hashes, and as older records are
        if not known:
            old_record(Path("a.png.json"))
            before = contents()
        assert call("solve", source, *FAST, "-o", "a.png").exit_code == 2
        assert contents() == before


def test_an_output_that_the_user_changed_is_the_users(source: Path) -> None:
    assert call("solve", source, *FAST, "-o", "a.png", "--panel", "p.png").exit_code == 0
    for name, why in (("a.png", "has changed since ipx wrote it"), ("p.png", "not written by ipx")):
        own = Path(name).read_bytes()
        shutil.copy(source, name)
        told = call("solve", source, *FAST, "-o", "a.png", "--panel", "p.png")
        assert told.exit_code == 2
        assert f"{name} " in told.stderr
        assert why in told.stderr
        Path(name).write_bytes(own)
    assert call("solve", source, *FAST, "-o", "a.png", "--panel", "p.png").exit_code == 0


def test_a_moved_folder_is_still_of_ipx(source: Path) -> None:
    args = ("solve", source, *FAST, "--resume")
    assert call(*args, "-o", "one/").exit_code == 0
    Path("one").rename("two")
    told = call(*args, "-o", "two/")
    assert told.exit_code == 0
    assert "skipped" in told.stderr
    assert call("solve", source, "--lam", "0.1", "--iterations", "2", "-o", "two/").exit_code == 0


def test_records_without_hashes_still_protect_their_output(source: Path) -> None:
    assert call("solve", source, *FAST, "-o", "a.png").exit_code == 0
    old_record(Path("a.png.json"))
    told = call("solve", source, *FAST, "-o", "a.png", "--resume")
    assert told.exit_code == 0, told.stderr
    assert "skipped" not in told.stderr  # nothing says that the picture is whole
    assert "skipped" in call("solve", source, *FAST, "-o", "a.png", "--resume").stderr
    old_record(Path("a.png.json"))
    Path("a.png").rename("b.png")
    Path("a.png.json").rename("b.png.json")
    assert call("solve", source, *FAST, "-o", "b.png").exit_code == 2


# ---------------------------------------------------------------- after a kill


def test_an_output_is_done_only_with_the_pixels_of_its_record(source: Path) -> None:
    args = ("solve", source, *FAST, "-o", "a.png", "--resume")
    assert call(*args).exit_code == 0
    whole = Path("a.png").read_bytes()
    Path("a.png").write_bytes(b"")
    told = call(*args)
    assert told.exit_code == 0, told.stderr
    assert "skipped" not in told.stderr
    assert Path("a.png").read_bytes() == whole


class Killed(BaseException):
    """Stands for a kill."""


@pytest.mark.parametrize("moved", [0, 1, 2])
@pytest.mark.parametrize("earlier", [False, True])
def test_a_kill_between_two_moves(
    source: Path, monkeypatch: pytest.MonkeyPatch, moved: int, earlier: bool
) -> None:
    if earlier:
        assert (
            call("solve", source, "--lam", "0.5", "--iterations", "2", "-o", "a.png").exit_code == 0
        )
    count = 0

    def replace(old: str, new: str) -> None:
        nonlocal count
        count += 1
        if count > moved:
            os._exit(9)
        os.rename(old, new)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr("os.replace", replace)
        call("solve", source, *FAST, "-o", "a.png")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert any(p.name.endswith(".part") for p in Path().iterdir())
    atomic._swept.clear()
    told = call("solve", source, *FAST, "-o", "a.png", "--resume")
    assert told.exit_code == 0, told.stderr
    assert "skipped" not in told.stderr
    assert set(contents()) == {"y.png", "a.png", "a.png.json"}
    assert call("solve", source, *FAST, "-o", "b.png").exit_code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_a_failure_leaves_no_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = os.replace, 0

    def full(old: str, new: str) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise OSError(28, "No space left on device")
        real(old, new)

    monkeypatch.setattr("os.replace", full)
    files = {tmp_path / "a.png": b"1", tmp_path / "a-std.tif": b"2"}
    with pytest.raises(InputError, match=r"a-std\.tif: cannot be written: No space"):
        commit(tmp_path / "a.png", files, {})
    assert not list(tmp_path.iterdir())


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with a part in the folder."""
    code = f"""if 1:
        import sys, time
        from ipx.files.atomic import staged
        with staged([({str(tmp_path / "a")!r}, b"x")]):
            print("written", flush=True)
            time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "written\n"
        yield child
        child.kill()


def test_parts_of_dead_processes_only_are_removed(
    tmp_path: Path, writer: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "_swept", set())
    (part,) = tmp_path.iterdir()
    other = tmp_path / part.name.replace(atomic._host(), "elsewhere")
    former = tmp_path / f".ipx-{'0' * 12}.part"
    mine = tmp_path / ".ipx-notes.part"
    for path in (other, former, mine):
        path.write_bytes(b"")
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {part, other, former, mine}
    writer.kill()
    writer.wait()
    long_ago = time.time() - 2 * atomic.DAY
    for path in (other, former, mine):
        os.utime(path, (long_ago, long_ago))
    sweep(tmp_path)  # once per process and folder
    assert part.exists()
    atomic._swept.clear()
    write_atomic(tmp_path / "b", b"x")
    assert set(tmp_path.iterdir()) == {mine, tmp_path / "b"}


def test_file_and_folder_reach_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def watch(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr("os.fsync", watch)
    write_atomic(tmp_path / "a", b"x")
    assert [Path(name).suffix for name in synced] == [".part", ""]
    assert synced[1] == str(tmp_path)


def test_the_sum_of_a_folder_is_that_of_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    first = sha256(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = sha256(tmp_path)
    (tmp_path / "b").write_bytes(b"y")
    assert len({first, second, sha256(tmp_path)}) == 3
    (tmp_path / "b").rename(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"x")
    assert sha256(tmp_path) == first


def test_versions_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = environment()
    monkeypatch.setattr(metadata, "version", None)
    assert environment() == first


def test_another_version_of_a_package_is_another_run(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def installed(version: str) -> None:
        infos = [
            replace(i, distribution="ipx-other", version=version) if i.name == "tv" else i
            for i in registry().plugins
        ]
        monkeypatch.setattr(registry(), "plugins", infos)

    args = ("solve", source, "--prior", "tv", *FAST, "-o", "a.png", "--resume")
    installed("1.0")
    assert call(*args).exit_code == 0
    assert json.loads(Path("a.png.json").read_text())["environment"]["ipx-other"] == "1.0"
    assert "skipped" in call(*args).stderr
    installed("1.1")
    assert "skipped" not in call(*args).stderr
    assert json.loads(Path("a.png.json").read_text())["environment"]["ipx-other"] == "1.1"
