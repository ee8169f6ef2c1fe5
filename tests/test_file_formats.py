"""File formats are plugins: a third party's is read and written as our own are; WebP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ipx
from image_files import some
from ipx.declare.registry import registry
from ipx.files.images import output_type, read, write
from ipx.files.lookup import by_content, by_suffix, pictures_in
from ipx.files.numbers import read_array
from ipx.files.panel import panel
from ipx.testing import io
from ipx.training import Data
from ipx.training.data import Pictures
from third_party import installed


@pytest.fixture
def netpbm(tmp_path: Path) -> Iterator[None]:
    """The plugin in tests/plugins, as if installed."""
    with installed("netpbm", tmp_path / "site"):
        yield


# --- a format of a third party


@pytest.mark.usefixtures("netpbm")
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_third_partys_format_is_read_and_written(tmp_path: Path, dtype: str) -> None:
    values = some((6, 9, 3), dtype)
    source = tmp_path / "a.ppm"
    top = np.iinfo(dtype).max
    stored = values.astype(values.dtype.newbyteorder(">")).tobytes()
    source.write_bytes(f"P6\n9 6\n{top}\n".encode() + stored)
    picture = read(source)
    assert (picture.format, picture.dtype, picture.shape) == ("netpbm", dtype, (3, 6, 9))
    np.testing.assert_array_equal(np.rint(picture.pixels * top), np.moveaxis(values, -1, 0))
    for name in ("b.ppm", "b.png", "b.tif"):
        write(tmp_path / name, picture.pixels, picture)
        np.testing.assert_array_equal(read(tmp_path / name).pixels, picture.pixels)
    assert (tmp_path / "b.ppm").read_bytes()[:2] == b"P6"
    assert output_type(tmp_path / "c.pgm", picture) == ("netpbm", dtype)
    source.rename(tmp_path / "a.png")  # content tells the format, not the name
    assert read(tmp_path / "a.png").format == "netpbm"


@pytest.mark.usefixtures("netpbm")
def test_a_third_partys_format_is_in_every_list(tmp_path: Path) -> None:
    with pytest.raises(ipx.InputError, match=r"NETPBM cannot hold float32 samples; write \.tif"):
        write(tmp_path / "a.pgm", np.zeros((1, 4, 4)), dtype="float32")
    with pytest.raises(ipx.InputError, match=r"unknown extension '\.x'; ipx writes .*\.pgm"):
        write(tmp_path / "a.x", np.zeros((1, 4, 4)))
    (tmp_path / "bad.ppm").write_bytes(b"P6 9 6 255\n123")
    with pytest.raises(ipx.InputError, match=r"bad\.ppm: cannot be decoded as NETPBM \(buffer"):
        read(tmp_path / "bad.ppm")
    (tmp_path / "bad.ppm").write_bytes(b"P6 9 6 100\n123")
    with pytest.raises(ipx.InputError, match=r"bad\.ppm: has values up to 100; save it with 8"):
        read(tmp_path / "bad.ppm")
    (tmp_path / "bad.ppm").write_bytes(b"text")
    with pytest.raises(ipx.InputError, match="ipx reads PNG, TIFF, JPEG, NPY, NPZ, WEBP, NETPBM"):
        read(tmp_path / "bad.ppm")
    with pytest.raises(ipx.InputError, match="use PNG, TIFF, NPY, NPZ, NETPBM"):
        read_array(tmp_path / "mask.jpg", "mask")
    write(tmp_path / "mask.pgm", np.eye(4)[None])
    np.testing.assert_array_equal(read_array(tmp_path / "mask.pgm", "mask"), 255 * np.eye(4))
    panel(tmp_path / "panel.ppm", [("a", np.zeros((1, 4, 4)), "")])
    assert read(tmp_path / "panel.ppm").shape[0] == 3


@pytest.mark.usefixtures("netpbm")
def test_training_reads_a_third_partys_format(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, name in enumerate(("a.pgm", "b.png", "c.webp")):
        write(folder / name, np.full((3, 8, 8), i / 10), dtype="uint8")
    (folder / "notes.txt").write_text("no picture")
    assert [p.name for p in pictures_in(folder)] == ["a.pgm", "b.png", "c.webp"]
    found = Pictures(Data(data=folder, crop=8, hold_out=("last:1",)), 1)
    assert [(n, int(p[0, 0, 0])) for n, p in (*found.train, *found.held)] == [
        ("a.pgm", 0),
        ("b.png", 26),
        ("c.webp", 51),
    ]


@pytest.mark.usefixtures("netpbm")
def test_a_third_partys_format_passes_the_contract() -> None:
    spec = registry().get("io", "netpbm")
    for _, check in io.checks(spec, spec.options()):
        check()


# --- which format a file has


def test_formats_that_begin_alike_are_told_apart_by_the_suffix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiff, npy = registry().get("io", "tiff"), registry().get("io", "npy")
    raw = ipx.IOSpec(name="raw", target="a:A", summary="", suffixes=(".dng",), magic=tiff.magic)
    bare = ipx.IOSpec(name="bare", target="a:A", summary="", suffixes=(".bin",))
    table = {spec.name: spec for spec in (tiff, npy, raw, bare)}
    monkeypatch.setitem(registry().specs, "io", table)
    for data, name, want in (
        (b"II*\0", "a.dng", raw),
        (b"II*\0", "a.tif", tiff),
        (b"II*\0", "a.x", tiff),
        (b"II*\0", "a.bin", tiff),
        (b"\x93NUMPY", "a.dng", npy),
        (b"anything", "a.BIN", bare),
    ):
        assert by_content(data, name) is want
    with pytest.raises(ipx.InputError, match=r"a\.tif: is not an image; ipx reads TIFF, NPY"):
        by_content(b"anything", "a.tif")
    with pytest.raises(ipx.InputError, match=r"a\.dng: RAW is only read; write \.tif or \.npy"):
        output_type("a.dng")


def test_without_formats_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry().specs, "io", {})
    assert by_suffix("a.png") is None
    with pytest.raises(ipx.InputError, match="ipx reads nothing"):
        by_content(b"\x89PNG\r\n\x1a\n", "a.png")


def test_a_declaration_that_would_break_other_formats_is_refused() -> None:
    with pytest.raises(ipx.PluginError, match="file format bad declares no suffixes"):
        ipx.IOSpec(name="bad", target="a:A", summary="", suffixes=())
    with pytest.raises(re.error):
        ipx.IOSpec(name="bad", target="a:A", summary="", suffixes=(".x",), magic=b"(")


# --- WebP


@pytest.mark.parametrize("samples", [3, 4])
def test_webp_is_written_without_loss(tmp_path: Path, samples: int) -> None:
    values = some((20, 31, samples), "uint8")
    Image.fromarray(values).save(tmp_path / "a.webp", lossless=True, exact=True)
    picture = read(tmp_path / "a.webp")
    assert (picture.format, picture.dtype, picture.shape) == ("webp", "uint8", (3, 20, 31))
    write(tmp_path / "b.webp", picture.pixels, picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.webp")), values)


def test_what_webp_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(ipx.InputError, match=r"WEBP cannot hold grey; write \.png or \.tif"):
        write(tmp_path / "a.webp", np.zeros((1, 4, 4)))
    with pytest.raises(ipx.InputError, match=r"uint16 samples; write \.png or \.tif, or ask"):
        write(tmp_path / "a.webp", np.zeros((3, 4, 4)), dtype="uint16")
    with pytest.raises(ipx.InputError, match=r"a\.webp: cannot be written as WEBP \(.*; try ano"):
        write(tmp_path / "a.webp", np.zeros((3, 1, 20000)))
    assert not list(tmp_path.iterdir())
    moving = [Image.new("RGB", (8, 8), c) for c in ("red", "blue")]
    moving[0].save(tmp_path / "m.webp", save_all=True, append_images=moving[1:])
    with pytest.raises(ipx.InputError, match="is an animation; save one frame of it"):
        read(tmp_path / "m.webp")


# --- the contract


class Careless(ipx.Format):
    """Reads whatever it gets as one row, without its last bit."""

    def decode(self, data: bytes) -> ipx.Raster:
        samples = np.frombuffer(data.ljust(12, b"\0")[8:], np.uint8)
        return ipx.Raster(samples[None, :, None] & 254)

    def encode(self, raster: ipx.Raster) -> bytes:
        return b"careless" + raster.samples.tobytes()


def test_the_contract_finds_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ipx.IOSpec(
        name="careless",
        target=f"{__name__}:Careless",
        summary="",
        suffixes=(".PNG",),
        dtypes=("uint8", "complex64"),
        magic=b"Careless",
    )
    told = {}
    for name, check in io.checks(spec, spec.options()):
        try:
            check()
        except Exception as e:
            told[name] = str(e)
    assert "'.PNG' is no suffix" in told["suffixes-and-types"]
    assert "as a picture" in told["unknown-data"]
    assert "comes back as" in told["round-trip-uint8"]
    assert "starts with b'careless" in told["found-by-content"]
    assert "first half" in told["damaged"]
    assert "files" in told
