"""What a picture carries along: orientation and colour profiles."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from image_files import chunk, png_of, save, some, stored
from ipx.files.images import read, write

RGB_ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


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
