"""The kinds of PNG, TIFF, JPEG and NPY files: read as they are, and back again."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings, strategies as st
from PIL import Image

from image_files import IEND, PNG, UNSIGNED, chunk, save, some, stored
from ipx import InputError
from ipx.declare.registry import registry
from ipx.files.images import read, write

CASES = [
    (ending, dtype, samples)
    for ending, name in ((".png", "png"), (".tif", "tiff"), (".npy", "npy"))
    for dtype in sorted(registry().get("io", name).dtypes)
    for samples in (None, 1, 2, 3, 4)
    if not (ending == ".npy" and samples == 2)
    and dtype not in ("int64", "uint64")  # ends beyond 2^53, tested apart
]


@pytest.mark.parametrize(("ending", "dtype", "samples"), CASES)
def test_round_trip(tmp_path, ending, dtype, samples):
    shape = (5, 7) if samples is None else (5, 7, samples)
    if samples == 1 and ending != ".npy":
        shape = (5, 7)
    values = some(shape, dtype)
    source = save(tmp_path / f"a{ending}", values)
    picture = read(source)
    colours = 3 if samples in (3, 4) else 1
    assert picture.shape == (colours, 5, 7)
    assert picture.dtype == dtype
    assert (picture.alpha is not None) == (samples in (2, 4))
    wide = dtype in ("int32", "uint32", "float64")
    assert picture.pixels.dtype == (np.float64 if wide else np.float32)
    flat = values.reshape(5, 7, -1)
    back = picture.pixels * np.float64(picture.scale) + picture.offset
    np.testing.assert_allclose(
        back, np.moveaxis(flat[..., :colours], -1, 0), rtol=1e-7, atol=1e-7 * picture.scale
    )
    if picture.alpha is not None:
        np.testing.assert_array_equal(picture.alpha, flat[..., -1])

    out = tmp_path / f"b{ending}"
    write(out, picture.pixels, picture)
    np.testing.assert_array_equal(stored(out), values.reshape(stored(out).shape))
    assert stored(out).dtype == dtype
    again = read(out)
    np.testing.assert_array_equal(again.pixels, picture.pixels)
    assert [*tmp_path.glob(".ipx*")] == []


@pytest.mark.parametrize("ending", [".png", ".tif", ".npy"])
@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    samples=st.sampled_from([1, 2, 3, 4]),
    dtype=st.sampled_from(UNSIGNED),
)
def test_round_trip_of_tiny_sizes(tmp_path_factory, ending, height, width, samples, dtype):
    if ending == ".npy" and samples == 2:
        return
    folder = tmp_path_factory.mktemp("tiny")
    values = np.arange(height * width * samples).reshape(height, width, samples).astype(dtype)
    source = save(folder / f"a{ending}", values[..., 0] if samples == 1 else values)
    picture = read(source)
    write(folder / f"b{ending}", picture.pixels, picture)
    np.testing.assert_array_equal(stored(folder / f"b{ending}"), stored(source))
    again = read(folder / f"b{ending}")
    assert again.shape == picture.shape == (3 if samples > 2 else 1, height, width)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg(tmp_path, mode):
    flat = np.full((16, 24, 3) if mode == "RGB" else (16, 24), 77, np.uint8)
    Image.fromarray(flat).save(tmp_path / "a.jpg", quality=95)
    picture = read(tmp_path / "a.jpg")
    assert (picture.format, picture.dtype, picture.scale) == ("jpeg", "uint8", 255.0)
    assert np.abs(picture.pixels * 255 - 77).max() <= 1
    write(tmp_path / "b.jpeg", picture.pixels, picture)
    out = Image.open(tmp_path / "b.jpeg")
    assert out.mode == mode
    if mode == "RGB":
        assert [layer[1:3] for layer in out.layer] == [(1, 1)] * 3  # no chroma subsampling


def test_sixteen_bit_colour_is_not_read_as_eight(tmp_path):
    values = np.full((2, 2, 3), 258, np.uint16)
    picture = read(save(tmp_path / "a.png", values))
    assert picture.dtype == "uint16"
    np.testing.assert_allclose(picture.pixels, 258 / 65535, rtol=1e-6)


# --- kinds of PNG


def test_png_palettes_and_few_bits(tmp_path):
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (9, 11, 3), np.uint8)).quantize(4)
    bits = Image.fromarray(rng.random((9, 11)) > 0.5)
    for image, mode in ((colour, "RGB"), (bits, "L")):
        image.save(tmp_path / "a.png")
        picture = read(tmp_path / "a.png")
        want = np.asarray(image.convert(mode)).reshape(9, 11, -1)
        np.testing.assert_array_equal(np.rint(picture.pixels * 255), np.moveaxis(want, -1, 0))
        assert picture.alpha is None
    colour.save(tmp_path / "a.png", transparency=1)
    picture = read(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.alpha, np.where(np.asarray(colour) == 1, 0, 255))


def test_png_two_bit_grey_fills_the_range(tmp_path):
    head = struct.pack(">IIBBBBB", 4, 1, 2, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes([0, 0b00011011])))
    (tmp_path / "a.png").write_bytes(PNG + chunk(b"IHDR", head) + body + IEND)
    np.testing.assert_allclose(read(tmp_path / "a.png").pixels[0, 0], [0, 1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("dtype", UNSIGNED)
def test_interlaced_png(tmp_path, dtype):
    values = some((13, 9, 3), dtype)
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
    rows = b""
    for y, x, dy, dx in (*passes, (1, 0, 2, 1)):  # Adam7
        part = values[y::dy, x::dx].astype(np.dtype(dtype).newbyteorder(">"))
        rows += b"".join(b"\0" + row.tobytes() for row in part)
    head = struct.pack(">IIBBBBB", 9, 13, 8 * values.itemsize, 2, 0, 0, 1)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + IEND
    (tmp_path / "a.png").write_bytes(PNG + data)
    picture = read(tmp_path / "a.png")
    got = np.rint(picture.pixels * picture.scale)
    np.testing.assert_array_equal(got, np.moveaxis(values, -1, 0))


# --- kinds of TIFF


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("layout", ["planar", "tiled", "deflated", "big"])
def test_tiff_layouts(tmp_path, byteorder, dtype, layout):
    values = some((20, 30, 4), dtype)
    extra = {
        "planar": {"planarconfig": "separate"},
        "tiled": {"tile": (16, 16)},
        "deflated": {"compression": "zlib", "predictor": True},
        "big": {"bigtiff": True},
    }[layout]
    given = np.moveaxis(values, -1, 0) if layout == "planar" else values
    picture = read(save(tmp_path / "a.tif", given, byteorder=byteorder, **extra_of(extra, values)))
    np.testing.assert_array_equal(picture.alpha, values[..., 3])
    assert picture.alpha.dtype == np.dtype(dtype)
    assert picture.alpha.dtype.isnative
    want = np.moveaxis(values[..., :3], -1, 0) / np.float64(picture.scale)
    np.testing.assert_allclose(picture.pixels, want, rtol=1e-6)


def extra_of(extra, values):
    return {"photometric": "rgb", "extrasamples": ["unassalpha"], "planarconfig": "contig"} | extra


def test_tiff_white_is_zero_and_one_bit(tmp_path):
    values = some((6, 8), "uint16")
    picture = read(save(tmp_path / "a.tif", values, photometric="miniswhite"))
    np.testing.assert_array_equal(np.rint(picture.pixels[0] * 65535), 65535 - values.astype(int))
    bits = values > 30000
    for photometric in ("minisblack", "miniswhite"):
        picture = read(save(tmp_path / "b.tif", bits, photometric=photometric))
        assert picture.dtype == "uint8"
        np.testing.assert_array_equal(picture.pixels[0], bits ^ (photometric == "miniswhite"))


def test_tiff_palette(tmp_path):
    index = np.arange(12, dtype=np.uint8).reshape(3, 4)
    table = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint16)
    for scale, dtype in ((257, "uint8"), (255, "uint16")):
        save(tmp_path / "a.tif", index, photometric="palette", colormap=table * scale)
        picture = read(tmp_path / "a.tif")
        assert picture.dtype == dtype
        want = (table * scale)[:, index] / 65535
        np.testing.assert_allclose(picture.pixels, want, atol=1e-6)


def test_tiff_premultiplied_alpha_stays_so(tmp_path):
    values = some((5, 6, 4), "uint16")
    picture = read(save(tmp_path / "a.tif", values, extrasamples=["assocalpha"]))
    assert picture.premultiplied
    write(tmp_path / "b.tif", picture.pixels, picture)
    with tifffile.TiffFile(tmp_path / "b.tif") as tif:
        assert [int(kind) for kind in tif.pages[0].extrasamples] == [1]
        np.testing.assert_array_equal(tif.asarray(), values)
    with pytest.raises(InputError, match="premultiplied"):
        write(tmp_path / "b.png", picture.pixels, picture)


def test_tiff_thumbnail_is_passed_over(tmp_path):
    values = some((8, 8), "uint8")
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(values[::2, ::2], subfiletype=1, photometric="minisblack", metadata=None)
        tif.write(values, photometric="minisblack", metadata=None)
    assert read(tmp_path / "a.tif").shape == (1, 8, 8)
