"""Files that are damaged or no pictures: one line says why."""

import io
import logging
import struct

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings, strategies as st
from PIL import Image

from image_files import IEND, PNG, chunk, png_of, some
from ipx import InputError
from ipx.files.images import read, sha256, write
from ipx.files.limits import pixel_limit


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


def jpeg_claiming(side):
    """A JPEG of 16 x 16 whose header claims this side."""
    data, at = jpeg_bytes("L"), jpeg_bytes("L").index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", side, side) + data[at + 4 :]


def jpeg_cut(**options):
    """A third of a JPEG, with an end marker."""
    out = io.BytesIO()
    Image.fromarray(some((128, 128, 3), "uint8")).save(out, "JPEG", **options)
    return out.getvalue()[: len(out.getvalue()) // 3] + b"\xff\xd9"


def tiff_jpeg_cut():
    """A TIFF whose strip in JPEG is two bytes and an end marker shorter than the bytes say."""
    data = bytearray(tiff_bytes(some((64, 64, 3), "uint8"), compression="jpeg", photometric="rgb"))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        start, count = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    middle = start + count // 2
    data[middle : start + count] = b"\xff\xd9" + bytes(start + count - middle - 2)
    return bytes(data)


def npy_claiming(shape):
    out = io.BytesIO()
    told = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, told)
    return out.getvalue() + bytes(8)


GREY = some((40, 50), "uint16")
EMPTY_PNG = PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 4, 8, 0, 0, 0, 0))
BAD = {
    "empty": (b"", "is empty"),
    "text": (b"hello, I am a picture", "not an image"),
    "gif": (b"GIF89a....", "is a GIF file; ipx reads PNG, TIFF, JPEG, NPY, NPZ, WEBP"),
    "webp": (b"RIFF\x10\0\0\0WEBPVP8 ", "cannot be decoded as WEBP"),
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
    "jpeg claims": (jpeg_claiming(13000), "claims 13000 x 13000 pixels in"),
    "jpeg cut": (jpeg_cut(), "data are missing"),
    "jpeg cut progressive": (jpeg_cut(progressive=True), "data are missing"),
    "jpeg cut restarts": (jpeg_cut(restart_marker_blocks=3), "data are missing"),
    "tiff jpeg cut": (tiff_jpeg_cut(), "data are missing"),
    "npy claims": (npy_claiming((4000, 4000)), "claims the shape"),
    "npy claims more": (npy_claiming((400000, 400000)), "claims the shape"),
    "tiff head": (tiff_bytes(GREY)[:8], "truncated TIFF"),
    "tiff half": (tiff_bytes(GREY)[:2000], "truncated TIFF"),
    "tiff tail": (tiff_bytes(GREY, compression="zlib")[:-10], "truncated TIFF"),
    "tiff stack": (
        tiff_bytes(np.zeros((5, 8, 8), np.uint8), photometric="minisblack"),
        "stack of 5 pages",
    ),
    "tiff four": (
        tiff_bytes(np.zeros((8, 8, 4), np.uint8), photometric="minisblack", planarconfig="contig"),
        "4 channels",
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
    "npy stack": (npy_bytes(np.zeros((5, 9, 9))), "say --axes TYX"),
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


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_whole_jpegs_are_read_also_flat_ones(tmp_path, options, mode):
    for picture in (Image.new(mode, (999, 777)), Image.fromarray(some((50, 70, 3), "uint8"))):
        picture.convert(mode).save(tmp_path / "a.jpg", **options)
        expected = np.array(picture.convert(mode).size[::-1])
        assert (read(tmp_path / "a.jpg").shape[1:] == expected).all()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".npy"])
def test_more_pixels_than_the_limit_are_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write(path, np.zeros((3, 20, 30), np.float32), dtype="uint8")
    with pixel_limit(600):
        assert read(path).shape == (3, 20, 30)
    told = "has 30 x 20 pixels, and the limit is 599; --max-pixels raises it"
    with pixel_limit(599), pytest.raises(InputError, match=told):
        read(path)


def test_pillow_has_no_limit_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    (tmp_path / "a.jpg").write_bytes(jpeg_bytes())
    assert read(tmp_path / "a.jpg").shape == (3, 64, 64)
    assert Image.MAX_IMAGE_PIXELS == 1
