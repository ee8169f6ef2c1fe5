"""From samples to numbers and back: the affine map, clipping, alpha, what cannot be held."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from image_files import save, some, stored
from ipx import InputError
from ipx.files.format import drawable
from ipx.files.images import bundled, output_type, read, sha256, write
from ipx.files.lookup import suffixes
from ipx.files.panel import panel

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
    if values.min() >= -2 and values.max() <= 3 and np.abs(values).max() >= 0.05:
        assert (picture.scale, picture.offset) == (1, 0)
    elif np.ptp(values) > 0:
        assert picture.pixels.max() == 1
        if picture.offset == 0:
            assert -0.11 < picture.pixels.min() < 0.51
        else:
            assert picture.pixels.min() == 0
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


@pytest.mark.parametrize(
    ("low", "high", "scale", "offset"),
    [
        (0.0, 7907.0, 7907.0, 0.0),  # counts: photon zero stays
        (2.0, 7907.0, 7907.0, 0.0),
        (-3.0, 7907.0, 7907.0, 0.0),  # with read-out noise
        (5000.0, 7000.0, 2000.0, 5000.0),  # a camera offset
        (-6.0, 8.0, 14.0, -6.0),
        (0.0, 1e-3, 1e-3, 0.0),  # another unit
        (-0.5, 1.5, 1.0, 0.0),
        (0.0, 0.06, 1.0, 0.0),  # dim
    ],
)
def test_which_floats_stand_for_black_and_white(tmp_path, low, high, scale, offset):
    np.save(tmp_path / "a.npy", np.linspace(low, high, 20).reshape(4, 5))
    picture = read(tmp_path / "a.npy")
    assert (picture.scale, picture.offset) == (scale, offset)


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


def written(layout):
    """The suffixes of formats that write pictures of a layout and need no extra."""
    return [
        suffix
        for suffix, spec in suffixes().items()
        if spec.dtypes and layout in spec.layouts and not spec.extra
    ]


@pytest.mark.parametrize("ending", written("L"))
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


@pytest.mark.parametrize("ending", written("RGB"))
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


def test_letters_of_a_panel_follow_the_height_of_wide_strips(tmp_path):
    strip = np.linspace(0, 1, 20000)[None, None]
    panel(tmp_path / "p.png", [("data", strip, "12.34 dB")])
    with Image.open(tmp_path / "p.png") as shown:
        assert shown.width > 20000
        assert shown.height < 200


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((1, 9, 9), True), ((3, 180, 40), True), ((2, 9, 9), False), ((1, 1, 4864), False)],
)
def test_a_list_of_measurements_is_no_picture(shape, shown):
    assert drawable(np.zeros(shape)) is shown
