"""Image files: round trips, orientation, profiles, and every bad input."""

import io
import logging
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from ipx import InputError
from ipx import images as images_module
from ipx.images import bundled, output_type, read, sha256, write
from ipx.panel import panel

RGB_ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PNG = b"\x89PNG\r\n\x1a\n"
UNSIGNED = ("uint8", "uint16")


def some(shape, dtype, seed=0):
    """Random samples over the whole range of the type, ends included."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        values = rng.random(shape).astype(dtype)
        values.flat[:2] = -0.25, 1.25
        return values
    info = np.iinfo(dtype)
    values = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    values.flat[:2] = info.min, info.max
    return values


def chunk(kind, body):
    body = kind + body
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def png_of(samples, before=b"", after=b""):
    """A PNG with extra chunks before and after the pixels."""
    data = imagecodecs.png_encode(np.ascontiguousarray(samples))
    return data[:33] + before + data[33:-12] + after + data[-12:]


def save(path, samples, **tiff):
    """Write with the codec libraries directly, not with ipx."""
    if path.suffix == ".png":
        path.write_bytes(png_of(samples))
    elif path.suffix == ".npy":
        np.save(path, samples)
    else:
        wide = samples.ndim == 3
        alpha = wide and samples.shape[2] in (2, 4)
        tifffile.imwrite(
            path,
            samples,
            **{
                "photometric": "rgb" if wide and samples.shape[2] > 2 else "minisblack",
                "planarconfig": "contig" if wide else None,
                "extrasamples": ["unassalpha"] if alpha else None,
                "metadata": None,
            }
            | tiff,
        )
    return path


def stored(path):
    """The samples in a file, by the codec libraries directly."""
    if path.suffix == ".png":
        return imagecodecs.png_decode(path.read_bytes())
    return np.load(path) if path.suffix == ".npy" else tifffile.imread(path)


CASES = [
    (ending, dtype, samples)
    for ending, dtypes in ((".png", UNSIGNED), (".tif", images_module.TIFF_DTYPES), (".npy", None))
    for dtype in sorted(dtypes or images_module.TIFF_DTYPES)
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


# --- orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path, orientation):
    values = some((6, 10, 4), "uint8")
    tags = Image.Exif()
    tags[274] = orientation
    upright = np.asarray(ImageOps.exif_transpose(oriented(Image.fromarray(values), tags)))
    exif = tags.tobytes()

    save(tmp_path / "a.tif", values, extratags=[(274, 3, 1, orientation, True)])
    body = chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    (tmp_path / "before.png").write_bytes(png_of(values, before=body))
    (tmp_path / "after.png").write_bytes(png_of(values, after=body))
    for name in ("a.tif", "before.png", "after.png"):
        picture = read(tmp_path / name)
        got = np.dstack([*np.rint(picture.pixels * 255), picture.alpha])
        np.testing.assert_array_equal(got, upright, err_msg=name)
        write(tmp_path / f"out-{name}", picture.pixels, picture)
        np.testing.assert_array_equal(read(tmp_path / f"out-{name}").pixels, picture.pixels)

    smooth = Image.fromarray(values[..., :3]).resize((40, 24))
    smooth.save(tmp_path / "a.jpg", quality=100, subsampling=0, exif=exif)
    want = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg")))
    got = np.rint(np.moveaxis(read(tmp_path / "a.jpg").pixels, 0, -1) * 255)
    np.testing.assert_array_equal(got, want)


def oriented(image, tags):
    """``image`` with an orientation that Pillow sees, without loss."""
    out = io.BytesIO()
    image.save(out, "PNG", exif=tags)
    return Image.open(out)


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_nonsense_orientation_is_upright(tmp_path, orientation):
    values = some((6, 10), "uint8")
    save(tmp_path / "a.tif", values, extratags=[(274, 3, 1, orientation, True)])
    assert read(tmp_path / "a.tif").shape == (1, 6, 10)
    (tmp_path / "a.png").write_bytes(png_of(values, chunk(b"eXIf", b"nonsense")))
    assert read(tmp_path / "a.png").shape == (1, 6, 10)


# --- profiles


@pytest.mark.parametrize("ending", [".png", ".tif", ".jpg"])
def test_icc_is_kept(tmp_path, ending):
    values = some((8, 9, 3), "uint8")
    source = tmp_path / f"a{ending}"
    if ending == ".tif":
        save(source, values, iccprofile=RGB_ICC)
    else:
        Image.fromarray(values).save(source, icc_profile=RGB_ICC)
    picture = read(source)
    assert picture.icc == RGB_ICC
    for other in (".png", ".tif", ".jpg"):
        out = tmp_path / f"b{other}"
        write(out, picture.pixels, picture)
        assert read(out).icc == RGB_ICC
        assert Image.open(out).info["icc_profile"] == RGB_ICC  # another reader finds it too
        write(out, picture.pixels[:1], picture)
        assert read(out).icc is None  # a colour profile says nothing about a grey picture


def test_damaged_icc_is_left_out_quietly(tmp_path, capfd):
    values = some((8, 9, 3), "uint16")
    packed = b"name\0\0" + zlib.compress(RGB_ICC)
    for body in (
        packed[:-9],
        packed[:40] + b"????" + packed[44:],
        b"name\0\0" + zlib.compress(b"x"),
    ):
        (tmp_path / "a.png").write_bytes(png_of(values, chunk(b"iCCP", body)))
        assert read(tmp_path / "a.png").icc in (None, b"x")
    assert capfd.readouterr() == ("", "")


def test_icc_is_kept_with_sixteen_bits(tmp_path):
    values = some((8, 9, 4), "uint16")
    body = b"name\0\0" + zlib.compress(RGB_ICC)
    (tmp_path / "a.png").write_bytes(png_of(values, chunk(b"iCCP", body)))
    picture = read(tmp_path / "a.png")
    write(tmp_path / "b.png", picture.pixels, picture)
    assert read(tmp_path / "b.png").icc == RGB_ICC
    np.testing.assert_array_equal(stored(tmp_path / "b.png"), values)


# --- the affine map


@settings(max_examples=60, deadline=None)
@given(
    low=st.floats(-1e6, 1e6, width=32),
    span=st.floats(2**-10, 1e6, width=32),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_affine_map_of_floats(tmp_path_factory, low, span, dtype):
    path = tmp_path_factory.getbasetemp() / "affine.npy"
    values = (low + span * np.random.default_rng(0).random((4, 5))).astype(dtype)
    np.save(path, values)
    picture = read(path)
    if values.min() >= -2 and values.max() <= 3:
        assert (picture.scale, picture.offset) == (1, 0)
    elif np.ptp(values) > 0:
        assert picture.pixels.min() == 0
        assert picture.pixels.max() == 1
    write(path, picture.pixels, picture)
    error = np.abs(np.load(path).astype(float) - values)
    assert error.max() <= 2 * np.finfo(dtype).eps * max(np.abs(values).max(), picture.scale)
    assert np.load(path).dtype == dtype


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from(["int8", "int16", "int32", "uint32", "int64", "uint64"]),
    seed=st.integers(0, 99),
    span=st.integers(1, 2**31),
)
def test_affine_map_of_integers_is_exact(tmp_path_factory, dtype, seed, span):
    path = tmp_path_factory.getbasetemp() / "affine.npy"
    info = np.iinfo(dtype)
    rng = np.random.default_rng(seed)
    values = rng.integers(max(info.min, -span), min(info.max, span), (4, 5), dtype, endpoint=True)
    np.save(path, values)
    picture = read(path)
    write(path, picture.pixels, picture)
    np.testing.assert_array_equal(np.load(path), values)
    assert np.load(path).dtype == dtype


def test_noisy_floats_near_one_are_left_alone(tmp_path):
    values = some((8, 8), "float32") * 2 - 0.8
    np.save(tmp_path / "a.npy", values)
    np.testing.assert_array_equal(read(tmp_path / "a.npy").pixels[0], values)


def test_range_given(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0, 1024], [2048, 4095]], np.uint16))
    picture = read(tmp_path / "a.npy", value_range=(0, 4096))
    np.testing.assert_allclose(picture.pixels[0], [[0, 0.25], [0.5, 4095 / 4096]])
    assert (picture.scale, picture.offset) == (4096, 0)
    write(tmp_path / "b.npy", picture.pixels, picture)
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), np.load(tmp_path / "a.npy"))
    for bad in ((1, 1), (2, 1), (0, np.inf)):
        with pytest.raises(InputError, match="low < high"):
            read(tmp_path / "a.npy", value_range=bad)


def test_constant_and_boolean(tmp_path):
    np.save(tmp_path / "a.npy", np.full((3, 3), 500.0))
    picture = read(tmp_path / "a.npy")
    assert (picture.pixels == 0).all()
    assert (picture.scale, picture.offset) == (1, 500)
    np.save(tmp_path / "a.npy", np.eye(3, dtype=bool))
    picture = read(tmp_path / "a.npy")
    assert picture.dtype == "uint8"
    np.testing.assert_array_equal(picture.pixels[0], np.eye(3))


def test_description_is_what_a_record_needs():
    picture = bundled()
    assert picture.shape == (3, 256, 256)
    assert picture.describe() == {
        "path": str(picture.path),
        "sha256": sha256(picture.path),
        "format": "png",
        "shape": [3, 256, 256],
        "dtype": "uint8",
        "scale": 255.0,
        "offset": 0.0,
        "alpha": False,
        "icc": False,
    }


# --- writing


def test_integers_are_clipped_and_rounded_floats_are_not(tmp_path):
    pixels = np.array([[[-0.5, 0.5004, 1.5]]])
    write(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(stored(tmp_path / "a.png"), [[0, 128, 255]])
    write(tmp_path / "a.png", pixels, dtype="uint16")
    np.testing.assert_array_equal(stored(tmp_path / "a.png"), [[0, 32794, 65535]])
    write(tmp_path / "a.tif", pixels)
    np.testing.assert_array_equal(stored(tmp_path / "a.tif"), pixels[0].astype("float32"))


def test_type_asked_for_has_its_own_map(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0.0, 500.0, 1000.0]]))
    picture = read(tmp_path / "a.npy")
    write(tmp_path / "b.tif", picture.pixels, picture, dtype="float32")
    np.testing.assert_allclose(stored(tmp_path / "b.tif"), [[0, 0.5, 1]])
    write(tmp_path / "b.png", picture.pixels, picture, dtype="uint8")
    np.testing.assert_array_equal(stored(tmp_path / "b.png"), [[0, 128, 255]])


@pytest.mark.parametrize("name", ["uint16", "float32"])
def test_alpha_follows_size_and_type(tmp_path, name):
    values = some((4, 6, 4), "uint8")
    values[..., 3] = 255
    values[:, :3, 3] = 0
    picture = read(save(tmp_path / "a.png", values))
    large = picture.pixels.repeat(2, 1).repeat(2, 2)
    write(tmp_path / "b.tif", large, picture, dtype=name)
    out = stored(tmp_path / "b.tif")
    assert out.shape == (8, 12, 4)
    top = 1 if name == "float32" else 65535
    np.testing.assert_array_equal(out[:, 0, 3], 0)
    np.testing.assert_array_equal(out[:, -1, 3], top)
    assert (np.diff(out[0, :, 3].astype(float)) >= 0).all()


def test_nothing_is_lost_without_a_word(tmp_path):
    deep = read(save(tmp_path / "deep.png", some((4, 5, 3), "uint16")))
    real = read(save(tmp_path / "real.tif", some((4, 5, 3), "float32")))
    glass = read(save(tmp_path / "glass.png", some((4, 5, 4), "uint8")))
    grey = read(save(tmp_path / "grey.png", some((4, 5, 2), "uint8")))
    for name, picture, why in (
        ("x.jpg", deep, r"JPEG cannot hold uint16 samples; write \.png or \.tif"),
        ("x.jpg", real, r"JPEG cannot hold float32 samples; write \.tif or \.npy"),
        ("x.png", real, r"PNG cannot hold float32 .*ask for uint8 or uint16"),
        ("x.jpg", glass, "JPEG cannot hold alpha"),
        ("x.npy", grey, "NPY cannot hold grey with alpha"),
        ("x.bmp", deep, "unknown extension '.bmp'; ipx writes .png"),
        ("x", deep, "no extension"),
    ):
        for call in (
            lambda n=name, p=picture: write(tmp_path / n, p.pixels, p),
            lambda n=name, p=picture: output_type(tmp_path / n, p),
        ):
            with pytest.raises(InputError, match=why):
                call()
        assert not (tmp_path / name).exists()
    write(tmp_path / "x.jpg", deep.pixels, deep, dtype="uint8")
    with pytest.raises(InputError, match="JPEG cannot hold uint16"):
        write(tmp_path / "x.jpg", glass.pixels[:3], dtype="uint16")
    with pytest.raises(InputError, match="complex64 samples cannot be written"):
        write(tmp_path / "x.tif", deep.pixels, dtype="complex64")


def test_opaque_alpha_may_go(tmp_path):
    values = some((4, 5, 4), "uint8")
    values[..., 3] = 255
    picture = read(save(tmp_path / "a.png", values))
    write(tmp_path / "b.jpg", picture.pixels, picture)
    assert read(tmp_path / "b.jpg").alpha is None


@pytest.mark.parametrize("ending", images_module.SUFFIXES)
def test_bad_pixels_are_not_written(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    for pixels, why in (
        (np.full((1, 2, 2), np.nan), "NaN"),
        (np.full((1, 2, 2), np.inf), "NaN or infinite"),
        (np.zeros((2, 4, 4)), "an image is"),
        (np.zeros((4, 4)), "an image is"),
        (np.zeros((1, 0, 4)), "an image is"),
    ):
        with pytest.raises(InputError, match=why):
            write(path, pixels)
    assert not list(tmp_path.iterdir())


def test_half_precision_does_not_overflow_in_silence(tmp_path):
    with pytest.raises(InputError, match="float16 is too small"):
        write(tmp_path / "a.npy", np.full((1, 2, 2), 1e6), dtype="float16")


@pytest.mark.parametrize("ending", images_module.SUFFIXES)
def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch, ending):
    path = tmp_path / f"a{ending}"
    write(path, np.zeros((3, 8, 8)))
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match="No space left"):
        write(path, np.ones((3, 8, 8)))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(InputError, match="No space left"):
        panel(tmp_path / "p.png", [("a", np.zeros((1, 4, 4)), "")])
    assert list(tmp_path.iterdir()) == [path]


def test_folder_must_exist(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        write(tmp_path / "no" / "a.png", np.zeros((1, 2, 2)))
    with pytest.raises(InputError, match="does not exist"):
        output_type(tmp_path / "no" / "a.png")


# --- bad input


def jpeg_bytes(mode="RGB"):
    out = io.BytesIO()
    Image.new(mode, (64, 64), 50 if mode == "L" else None).save(out, "JPEG")
    return out.getvalue()


def tiff_bytes(samples, **options):
    out = io.BytesIO()
    tifffile.imwrite(out, samples, **{"metadata": None} | options)
    return out.getvalue()


def npy_bytes(samples):
    out = io.BytesIO()
    np.save(out, samples)
    return out.getvalue()


def bad_float(value):
    samples = np.zeros((4, 4, 3), np.float32)
    samples[1, 2, 0] = value
    return samples


IEND = chunk(b"IEND", b"")
GREY = some((40, 50), "uint16")
EMPTY_PNG = PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 4, 8, 0, 0, 0, 0))
BAD = {
    "empty": (b"", "is empty"),
    "text": (b"hello, I am a picture", "not an image"),
    "gif": (b"GIF89a....", "is a GIF file; ipx reads PNG, TIFF, JPEG and NPY"),
    "webp": (b"RIFF\x10\0\0\0WEBPVP8 ", "is a WebP file"),
    "heic": (b"\0\0\0\x18ftypheic", "HEIC"),
    "png head": (PNG, "truncated PNG"),
    "png half": (png_of(GREY)[:900], "truncated PNG"),
    "png tail": (png_of(GREY)[:-12], "truncated PNG"),
    "png bits": (png_of(GREY)[:500] + b"????" + png_of(GREY)[504:], "cannot be decoded as PNG"),
    "png animation": (png_of(GREY, chunk(b"acTL", bytes(8))), "animation"),
    "png no pixels": (EMPTY_PNG + IEND, "no pixels"),
    "png no data": (png_of(GREY)[:33] + IEND, "cannot be decoded as PNG"),
    "png bomb": (
        PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 10**6, 10**6, 8, 2, 0, 0, 0)) + IEND,
        "claims 1000000 x 1000000 pixels in 45 bytes",
    ),
    "jpeg head": (jpeg_bytes()[:20], "cannot be decoded as JPEG"),
    "jpeg half": (jpeg_bytes()[:-100], "cannot be decoded as JPEG"),
    "jpeg tail": (jpeg_bytes()[:-2], "cannot be decoded as JPEG"),
    "jpeg cmyk": (jpeg_bytes("CMYK"), "is a CMYK JPEG; convert it to RGB"),
    "tiff head": (tiff_bytes(GREY)[:8], "truncated TIFF"),
    "tiff half": (tiff_bytes(GREY)[:2000], "truncated TIFF"),
    "tiff tail": (tiff_bytes(GREY, compression="zlib")[:-10], "truncated TIFF"),
    "tiff stack": (
        tiff_bytes(np.zeros((5, 8, 8), np.uint8), photometric="minisblack"),
        "stack of 5 pages",
    ),
    "tiff imagej": (
        tiff_bytes(np.zeros((5, 8, 8), np.uint8), imagej=True, metadata={"axes": "ZYX"}),
        "stack of 5 pages",
    ),
    "tiff volume": (
        tiff_bytes(np.zeros((4, 16, 16), np.uint8), photometric="minisblack", volumetric=True),
        "stack of 4 pages",
    ),
    "tiff five": (
        tiff_bytes(np.zeros((8, 8, 5), np.uint8), photometric="minisblack", planarconfig="contig"),
        "5 channels",
    ),
    "tiff two": (
        tiff_bytes(
            np.zeros((8, 8, 2), np.uint8),
            photometric="minisblack",
            planarconfig="contig",
            extrasamples=["unspecified"],
        ),
        "2 channels",
    ),
    "tiff cmyk": (
        tiff_bytes(np.zeros((8, 8, 4), np.uint8), photometric="separated"),
        "SEPARATED colours",
    ),
    "tiff long tag": (  # a photometric interpretation of 900 numbers
        tiff_bytes(GREY).replace(
            struct.pack("<HHII", 262, 3, 1, 1), struct.pack("<HHII", 262, 3, 900, 200)
        ),
        r"holds \(.*\.\.\.$",
    ),
    "tiff complex": (tiff_bytes(np.zeros((8, 8), np.complex64)), "complex64"),
    "tiff nan": (tiff_bytes(bad_float(np.nan), photometric="rgb"), "1 values that are NaN"),
    "tiff inf": (tiff_bytes(bad_float(-np.inf), photometric="rgb"), "NaN or infinite"),
    "npy head": (npy_bytes(GREY)[:9], "cannot be decoded as NPY"),
    "npy half": (npy_bytes(GREY)[:-7], "cannot be decoded as NPY"),
    "npy nan": (npy_bytes(bad_float(np.nan)), "NaN"),
    "npy no pixels": (npy_bytes(np.zeros((0, 5))), "no pixels"),
    "npy no colour": (npy_bytes(np.zeros((5, 5, 0))), "no pixels"),
    "npy one": (npy_bytes(np.zeros(9)), r"has shape \(9,\)"),
    "npy four": (npy_bytes(np.zeros((1, 3, 9, 9))), r"\(H, W, 3\)"),
    "npy two": (npy_bytes(np.zeros((9, 9, 2))), "2 channels"),
    "npy five": (npy_bytes(np.zeros((9, 9, 5))), "5 channels"),
    "npy first": (npy_bytes(np.zeros((3, 9, 9))), "move the channels last"),
    "npy complex": (npy_bytes(np.zeros((9, 9), complex)), "complex128"),
    "npy object": (npy_bytes(np.full((2, 2), None)), "Python objects"),
    "npy text": (npy_bytes(np.array([["a", "b"]])), "real numbers"),
    "npy fields": (npy_bytes(np.zeros((2, 2), [("r", "f4"), ("g", "f4")])), "real numbers"),
    "npy huge": (npy_bytes(np.full((2, 2), 2**60)), "beyond 2"),
    "npy wide": (npy_bytes(np.array([[-1.7e308, 1.7e308]])), "too large"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.filterwarnings("error")
def test_bad_file(tmp_path, capfd, caplog, case):
    data, why = BAD[case]
    path = tmp_path / "bad.img"
    path.write_bytes(data)
    with caplog.at_level(logging.DEBUG), pytest.raises(InputError, match=why) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < len(str(path)) + 220
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_bad_path(tmp_path):
    with pytest.raises(InputError, match=r"a\.png: no such file"):
        read(tmp_path / "a.png")
    with pytest.raises(InputError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        sha256(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "npy"])
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_files_never_show_a_traceback(tmp_path_factory, kind, data):
    """Cut anywhere, or with bytes changed: a picture or an InputError, nothing else."""
    whole = {
        "png": png_of(GREY),
        "jpeg": jpeg_bytes(),
        "tiff": tiff_bytes(GREY, compression="zlib", predictor=True),
        "npy": npy_bytes(GREY),
    }[kind]
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for at in data.draw(st.lists(st.integers(0, 400), max_size=4)):
        if at < len(broken):
            broken[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "broken"
    path.write_bytes(broken)
    try:
        picture = read(path)
    except InputError:
        return
    assert np.isfinite(picture.pixels).all()


def test_content_tells_the_format_not_the_name(tmp_path):
    (tmp_path / "a.png").write_bytes(jpeg_bytes("L"))
    assert read(tmp_path / "a.png").format == "jpeg"
