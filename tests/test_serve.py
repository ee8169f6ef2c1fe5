"""``ipx serve``: the real server over its socket. Skipped without the extra ``web``."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import call
from ipx.files import images
from serving import Server, serving

httpx = pytest.importorskip("httpx", reason="httpx is missing: the page was not tested")
for extra in ("starlette", "uvicorn", "multipart", "jinja2"):
    pytest.importorskip(extra, reason=f"{extra} is missing: the page was not tested")

if not Path("/proc/self/stat").exists():
    pytest.skip("no /proc: the server was not tested", allow_module_level=True)

QUICK = {
    "op": "blur",
    "op.blur.sigma": "1.2",
    "noise": "gaussian",
    "prior": "tv",
    "prior.tv.isotropic": "no",
    "solver": "admm",
    "lam": "0.01",
    "settings.iterations": "15",
}
"""Choices of a restoration that takes no time."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("serve"), "--max-upload", "1") as running:
        yield running
        children = processes_of(running.process.pid)
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(20) == 130
        assert children
        assert not [child for child in children if alive(child)]
        assert not list(running.folder.iterdir())


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grey TIFF with 16 bits, 40 x 56."""
    path = tmp_path_factory.mktemp("photo") / "my photo.tif"
    images.write(path, images.bundled().pixels[1:2, 20:60, 90:146], dtype="uint16")
    return path


def key(text: str, what: str) -> str:
    """The id in a fragment."""
    found = re.search(what, text)
    assert found is not None, text
    return found.group(1)


def sent(tab: Any, path: Path, name: str | None = None) -> str:
    """The id of an uploaded picture."""
    answer = tab.post("/pictures", files={"file": (name or path.name, path.read_bytes())})
    assert answer.status_code == 200, answer.text
    return key(answer.text, r'name="picture" value="([\w-]+)"')


def begun(tab: Any, picture: str, **choices: str) -> str:
    """The id of a restoration that has begun."""
    answer = tab.post("/jobs", data={**QUICK, **choices, "picture": picture})
    assert answer.status_code == 200, answer.text
    return key(answer.text, r"/jobs/([\w-]+)")


def state(tab: Any, job: str) -> str:
    return key(tab.get(f"/jobs/{job}").text, r'data-state="(\w+)"')


def ended(tab: Any, job: str) -> str:
    """The last fragment of a restoration."""
    for _ in range(600):
        page: str = tab.get(f"/jobs/{job}").text
        if key(page, r'data-state="(\w+)"') not in ("waiting", "running"):
            return page
        time.sleep(0.1)
    raise AssertionError("the restoration does not end")


def test_only_the_own_page_is_let_in(server: Server) -> None:
    with httpx.Client(base_url=server.base) as stranger:
        assert stranger.get("/").status_code == 403
        assert stranger.get("/?token=wrong").status_code == 403
        assert stranger.get("/static/page.js").status_code == 403
        assert stranger.get("/", headers={"Cookie": "ipx-1=x; ="}).status_code == 403
    with server.tab() as tab:
        cookie = next(iter(tab.cookies.jar))
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "Strict"
        answer = tab.get("/")
        assert answer.status_code == 200
        own = f"{cookie.name}={cookie.value}"  # of another program on this machine: no cookie
        with httpx.Client(base_url=server.base) as other:
            mixed = {"Cookie": f'theirs={{"a": 1}}; x[y]=1; flag; {own}'}
            assert other.get("/", headers=mixed).status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert tab.get("/", headers={"Host": "ipx.example"}).status_code == 421
        for origin in ("http://ipx.example", "null", ""):
            assert tab.post("/plan", data=QUICK, headers={"Origin": origin}).status_code == 403
        del tab.headers["Origin"]
        assert tab.post("/plan", data=QUICK).status_code == 403


def test_sixteen_bits_come_back_as_the_command_line_gives_them(
    server: Server, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.tab() as tab:
        picture = sent(tab, photo)
        shown = tab.get(f"/pictures/{picture}/preview.png").content
        assert shown.startswith(b"\x89PNG")
        job = begun(tab, picture)
        page = ended(tab, job)
        assert 'data-state="done"' in page, page
        assert f"/jobs/{job}/after.png" in page
        assert tab.get(f"/jobs/{job}/after.png").content != shown
        result = tab.get(f"/jobs/{job}/files/restored")
        assert "my%20photo-restored.tif" in result.headers["content-disposition"]
        record = tab.get(f"/jobs/{job}/files/record")
        told = tab.post("/plan", data={**QUICK, "picture": picture}).text
        assert "my photo-restored.tif: blur, tv, done" in tab.get("/").text  # in another tab
    assert str(server.folder) not in record.text
    assert record.json()["config"]["inputs"] == ["my photo.tif"]
    assert record.json()["input"]["dtype"] == "uint16"
    # the command line that the page tells gives the same bytes, and takes the record
    monkeypatch.chdir(tmp_path)
    (tmp_path / photo.name).write_bytes(photo.read_bytes())
    argv = record.json()["argv"]
    assert argv[:2] == ["solve", "my photo.tif"]
    for word in ("--op.blur", "--no-prior.isotropic", "--solver admm", "--iterations 15"):
        assert word.replace("--op.blur", "--op.sigma 1.2") in told
    assert call(*argv).exit_code == 0
    assert (tmp_path / "my photo-restored.tif").read_bytes() == result.content
    assert images.read(tmp_path / "my photo-restored.tif").dtype == "uint16"
    (tmp_path / "my photo-restored.tif.json").write_text(record.text)
    (tmp_path / "my photo-restored.tif").unlink()
    assert call("solve", "--config", "my photo-restored.tif.json", "--force").exit_code == 0
    assert (tmp_path / "my photo-restored.tif").read_bytes() == result.content


def test_the_program_that_the_page_tells_gives_the_same(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ipx_plugins.web.asked import Asked
    from ipx_plugins.web.retell import command, python
    from ipx_plugins.web.store import Upload

    upload = Upload("k", photo.name, photo)
    parts = {"op": {"name": "blur", "sigma": 1.2}, "prior": {"name": "tv", "isotropic": False}}
    asked = Asked(parts, {"iterations": 3}, 0.01, upload, truth=upload, uploads=[upload])
    monkeypatch.chdir(tmp_path)
    (tmp_path / photo.name).write_bytes(photo.read_bytes())
    assert call(*command(asked)).exit_code == 0
    written = tmp_path / asked.output
    before = written.read_bytes()
    written.unlink()
    exec(compile(python(asked), "told", "exec"), {})
    assert written.read_bytes() == before


def test_a_second_tab_waits_and_both_can_be_cancelled(server: Server, photo: Path) -> None:
    long = {"settings.iterations": "1000000", "settings.tol": "0"}
    with server.tab() as one, server.tab() as two:
        picture = sent(one, photo)
        first, second = begun(one, picture, **long), begun(two, picture)
        assert "waiting: 1 restoration first" in two.get(f"/jobs/{second}").text
        others = [begun(two, picture) for _ in range(3)]
        refused = two.post("/jobs", data={**QUICK, "picture": picture})
        assert refused.status_code == 422
        assert "4 restorations are waiting" in refused.text
        while "iteration</dt>" not in (page := one.get(f"/jobs/{first}").text):
            assert 'data-state="running"' in page
            time.sleep(0.1)
        for job in others:
            assert 'data-state="cancelled"' in two.post(f"/jobs/{job}/cancel").text
        began = time.monotonic()
        assert 'data-state="cancelled"' in one.post(f"/jobs/{first}/cancel").text
        assert time.monotonic() - began < 2
        assert one.get(f"/jobs/{first}/files/restored").status_code == 404
        assert 'data-state="done"' in ended(two, second)  # the next one's turn


def test_what_is_no_picture_is_refused_in_a_line(server: Server, photo: Path) -> None:
    with server.tab() as tab:
        answer = tab.post("/pictures", files={"file": ("notes.tif", b"II*\0 no image at all")})
        assert answer.status_code == 422
        assert "notes.tif" in answer.text
        assert str(server.folder) not in answer.text
        assert answer.headers["hx-retarget"] == "#trouble"
        assert tab.post("/pictures", data={"file": "/etc/passwd"}).status_code == 422
        large = tab.post("/pictures", files={"file": ("a.tif", b"0" * 1_200_000)})
        assert large.status_code == 413
        assert "larger than 1 MB" in large.text

        def drip() -> Iterator[bytes]:  # no length is told
            yield from (b"0" * 100_000 for _ in range(12))

        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        assert tab.post("/pictures", content=drip(), headers=kind).status_code in (400, 413)


def test_the_plan_says_what_fits_and_why_not(server: Server, photo: Path) -> None:
    with server.tab() as tab:
        page = tab.post("/plan", data={**QUICK, "solver": "fista"}).text
        assert "What fits" in page
        assert 'id="role-solver"' in page
        assert re.search(r'optgroup label="do not fit">.*value="fbp"', page, re.DOTALL)
        refused = tab.post("/plan", data={**QUICK, "solver": "fbp"}).text
        assert "Does not start" in refused
        for wrong, line in (
            ({"op.blur.sigma": "-1"}, "option sigma must be"),
            ({"op": "no-such"}, "no operator is called no-such"),
            ({"lam": "many"}, "lam is auto or a number"),
            ({"op.blur.kernel": "/etc/passwd"}, "takes a file: choose one"),
            ({"op.blur.kernel": "file:nothing"}, "no longer there"),
            ({"prior": "drunet", "prior.drunet.weights": "../x"}, "cannot be a path"),
            ({"settings.claim": "mean(x[0:9]) / 2 > 0.1", "settings.device": "cuda:x"}, "draws"),
            ({"suffix": "/../x.tif"}, "the output is written as"),
        ):
            assert line in tab.post("/plan", data={**QUICK, **wrong}).text, wrong
        assert "choose a picture first" in tab.post("/jobs", data=QUICK).text
        assert tab.post("/jobs", data={**QUICK, "picture": "../x"}).status_code == 404
        inpaint = tab.post("/plan", data={**QUICK, "op": "inpaint"}).text
        assert 'id="options-op"' in inpaint
        assert 'id="op-inpaint-mask"' in inpaint


def test_a_mask_is_uploaded_and_told_by_its_name(server: Server, photo: Path) -> None:
    mask = photo.with_name("holes.png")
    images.write(mask, (np.arange(40 * 56).reshape(1, 40, 56) % 3 > 0).astype(np.float32))
    with server.tab() as tab:
        entry = "op.inpaint.mask"
        files = {f"upload.{entry}": ("c:\\x\\..\\holes.png", mask.read_bytes())}
        answer = tab.post("/files", data={"entry": entry}, files=files)
        upload = key(answer.text, rf'name="{entry}" value="(file:[\w-]+)"')
        choices = {**QUICK, "op": "inpaint", entry: upload, "picture": sent(tab, photo)}
        page = tab.post("/plan", data=choices).text
        assert "--op.mask holes.png" in page
        assert "Does not start" not in page
        estimate = tab.post("/foresee", data=choices).text
        assert re.search(r"About \d+ MB of memory", estimate), estimate


def test_a_worker_that_dies_is_told_and_replaced(tmp_path: Path) -> None:
    from ipx_plugins.web.bench import Bench, WorkError

    class Dying(Bench):
        async def _spawn(self) -> asyncio.subprocess.Process:
            words = (sys.executable, "-c", "import sys; sys.stdin.readline(); sys.exit(3)")
            process = await asyncio.create_subprocess_exec(
                *words, stdin=-1, stdout=-1, start_new_session=True
            )
            self.living.add(process)
            return process

    async def tried() -> None:
        bench = Dying(tmp_path)
        await bench.start()
        first = bench.reserve
        with pytest.raises(WorkError, match="the worker ended unexpectedly, status 3"):
            await bench.work({"do": "look"})
        assert bench.reserve not in (None, first)
        await bench.stop()
        assert not bench.living

    asyncio.run(tried())


def test_a_server_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    with serving(tmp_path / "here") as running:
        with running.tab():
            children = processes_of(running.process.pid)
            assert children
            assert list(running.folder.iterdir())
        running.process.kill()
        running.process.wait(20)
        for _ in range(200):
            if not any(map(alive, children)) and not list(running.folder.iterdir()):
                break
            time.sleep(0.1)
        assert not [child for child in children if alive(child)]
        assert not list(running.folder.iterdir())


def processes_of(parent: int) -> list[int]:
    """The living children of a process."""
    every = [int(p.name) for p in Path("/proc").glob("[0-9]*")]
    return [p for p in every if (told := told_of(p)) and int(told[1]) == parent]


def alive(process: int) -> bool:
    told = told_of(process)
    return bool(told) and told[0] != "Z"


def told_of(process: int) -> list[str]:
    """State and parent of a process, ...; empty if there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def test_what_hinders_the_server_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        taken = call("serve", "--port", str(port))
    assert taken.exit_code == 2
    assert f"port {port} of 127.0.0.1: Address already in use; give another" in taken.stderr
    monkeypatch.setattr("ipx_plugins.web.command.find_spec", lambda name: None)
    bare = call("serve")
    assert bare.exit_code == 4
    packages = "jinja2 python-multipart starlette uvicorn"
    assert f": pip install {packages}, or the extra web of ipx-toolbox\n" in bare.stderr
