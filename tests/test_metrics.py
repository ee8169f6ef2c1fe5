"""PSNR and SSIM against their definitions and scikit-image; the panel; records."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from skimage.metrics import structural_similarity

from ipx import InputError, ShapeError
from ipx.files import images
from ipx.files.atomic import write_atomic
from ipx.files.panel import brightening, panel
from ipx.files.record import environment, read_record, record_path, write_record
from ipx.numerics.metrics import psnr, ssim


def pair(shape, seed=0, sigma=0.1):
    rng = np.random.default_rng(seed)
    ref = rng.random(shape)
    return torch.from_numpy(ref + sigma * rng.standard_normal(shape)), torch.from_numpy(ref)


def test_psnr_of_a_known_error():
    ref = torch.full((3, 1, 4, 4), 0.5)
    x = ref + torch.tensor([0.1, 0.01, 0.0]).view(3, 1, 1, 1)
    got = psnr(x, ref)
    assert got.shape == (3,)
    assert got[0] == pytest.approx(20, abs=1e-5)
    assert got[1] == pytest.approx(40, abs=1e-4)
    assert got[2] == math.inf


def test_psnr_clips_unless_told_not_to():
    ref, x = torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), 1.1)
    assert psnr(x, ref)[0] == math.inf
    assert psnr(x, ref, clip=False)[0] == pytest.approx(20, abs=1e-5)


def test_psnr_of_a_volume_and_nan():
    x, ref = pair((2, 1, 3, 4, 5))
    x[1, 0, 0, 0, 0] = math.nan
    got = psnr(x, ref)
    assert math.isfinite(got[0])
    assert math.isnan(got[1])


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 999),
    channels=st.sampled_from([1, 3]),
    height=st.integers(11, 40),
    width=st.integers(11, 40),
    sigma=st.floats(0, 1),
)
def test_ssim_is_that_of_scikit_image(seed, channels, height, width, sigma):
    x, ref = pair((2, channels, height, width), seed, sigma)
    x = x.clamp(0, 1)
    want = [
        structural_similarity(
            a.numpy(),
            b.numpy(),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=0,
        )
        for a, b in zip(x, ref, strict=True)
    ]
    np.testing.assert_allclose(ssim(x, ref), want, atol=1e-9)


def test_ssim_in_float32_keeps_six_digits():
    x, ref = pair((1, 3, 64, 64), sigma=0.01)
    assert ssim(x.float(), ref.float())[0] == pytest.approx(ssim(x, ref).item(), abs=1e-6)


def test_ssim_bounds_and_symmetry():
    x, ref = pair((1, 1, 20, 20))
    assert ssim(ref, ref)[0] == pytest.approx(1, abs=1e-12)
    assert ssim(x, ref)[0] == pytest.approx(ssim(ref, x).item(), abs=1e-12)
    assert ssim(1 - ref, ref)[0] < 0


@pytest.mark.parametrize("size", [(1, 1), (2, 30), (10, 10), (6, 3)])
def test_ssim_of_small_pictures(size):
    x, ref = pair((1, 1, *size))
    assert ssim(ref, ref)[0] == pytest.approx(1, abs=1e-12)
    assert -1 <= ssim(x, ref)[0] < 1


def test_ssim_of_one_pixel_is_its_luminance_term():
    x, ref = torch.full((1, 1, 1, 1), 0.5), torch.ones(1, 1, 1, 1)
    assert ssim(x, ref)[0] == pytest.approx((2 * 0.5 + 1e-4) / (1.25 + 1e-4), abs=1e-9)


def test_metrics_are_per_image():
    x, ref = pair((3, 1, 16, 16))
    for metric in (psnr, ssim):
        alone = torch.cat([metric(x[i : i + 1], ref[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(metric(x, ref), alone, rtol=1e-12, atol=0)


def test_metrics_refuse_other_shapes():
    x, ref = pair((1, 3, 16, 16))
    for metric in (psnr, ssim):
        with pytest.raises(ShapeError, match="different shapes"):
            metric(x, ref[:, :1])
    with pytest.raises(ShapeError, match="B, C, H, W"):
        ssim(x[0], ref[0])


# --- panel


def test_panel_shows_each_picture_enlarged_pixel_by_pixel(tmp_path):
    rng = np.random.default_rng(0)
    small, large = rng.random((1, 32, 32)), rng.random((3, 64, 64))
    out = tmp_path / "p.png"
    panel(out, [("data", small, "20 dB"), ("restored", large, "30 dB"), ("truth", large, "")])
    sheet = np.asarray(Image.open(out))
    assert sheet.shape[1] > 3 * 256
    assert (sheet[0] == 255).all()
    want = np.rint(255 * small[0]).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    found = [
        (i, j) for i in range(80) for j in range(40) if (sheet[i, j : j + 256, 0] == want[0]).all()
    ]
    top, left = found[0]
    assert (sheet[top : top + 256, left : left + 256, 1] == want).all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 400), (3, 400, 5), (1, 300, 200)])
def test_panel_takes_any_size(tmp_path, shape):
    panel(tmp_path / "p.jpg", [("a rather long title " * 3, np.full(shape, 2.0), "x\ny")] * 2)
    assert Image.open(tmp_path / "p.jpg").size[0] > 2 * 256


def test_a_panel_of_dim_pictures_is_brightened_and_says_so(tmp_path):
    ramp = np.linspace(0, 1, 64 * 64).reshape(1, 64, 64)
    columns = [("degraded", ramp * 0.05, "12 dB"), ("restored", ramp * 0.1, "")]
    assert brightening([image for _, image, _ in columns]) == pytest.approx(10, rel=0.01)
    assert brightening([ramp * 0.05, ramp * 0.3]) == 1  # only if all are dim
    assert brightening([ramp * 0]) == 1
    panel(tmp_path / "dim.png", columns)
    gain = brightening([image for _, image, _ in columns])
    told = f"shown {gain:.3g} times brighter"
    same = [(a, image * gain, f"{b}\n{told}".strip()) for a, image, b in columns]
    panel(tmp_path / "bright.png", same)
    assert (tmp_path / "dim.png").read_bytes() == (tmp_path / "bright.png").read_bytes()
    panel(tmp_path / "untold.png", [(a, image * gain, b) for a, image, b in columns])
    heights = [images.read(tmp_path / f"{n}.png").shape[1] for n in ("dim", "untold")]
    assert heights[0] > heights[1]


def test_panel_refuses(tmp_path):
    picture = np.zeros((1, 4, 4))
    with pytest.raises(InputError, match="written as"):
        panel(tmp_path / "p.gif", [("a", picture, "")])
    with pytest.raises(InputError, match="at least one"):
        panel(tmp_path / "p.png", [])
    with pytest.raises(InputError, match="panel shows"):
        panel(tmp_path / "p.png", [("a", np.zeros((2, 4, 4)), "")])
    assert not list(tmp_path.iterdir())


# --- records


@dataclasses.dataclass
class Some:
    sigma: float = 2.0
    size: tuple[int, int] = (3, 4)


def test_record_is_strict_json(tmp_path):
    path = tmp_path / "x.png.json"
    write_record(
        path,
        {
            "nan": math.nan,
            "psnr": [math.inf, 30.0],
            "tensor": torch.tensor([1.0, math.nan]),
            "number": np.float32(0.5),
            "count": np.int64(3),
            "path": Path("a") / "b",
            "options": Some(),
            "set": {2, 1},
            "name": "Gauß",
            1: None,
        },
    )

    def refuse(word):
        raise AssertionError(word)

    assert json.loads(path.read_text("utf-8"), parse_constant=refuse) == read_record(path)
    assert read_record(path) == {
        "nan": None,
        "psnr": [None, 30.0],
        "tensor": [1.0, None],
        "number": 0.5,
        "count": 3,
        "path": str(Path("a") / "b"),
        "options": {"sigma": 2.0, "size": [3, 4]},
        "set": [1, 2],
        "name": "Gauß",
        "1": None,
    }


def test_record_does_not_guess(tmp_path):
    with pytest.raises(TypeError, match="cannot hold"):
        write_record(tmp_path / "r.json", {"a": object()})
    assert not list(tmp_path.iterdir())


def test_records_of_one_stem_do_not_collide():
    assert record_path("d/a.png") == Path("d/a.png.json")
    assert record_path("d/a.png") != record_path("d/a.jpg")


def test_read_record_refuses(tmp_path):
    path = tmp_path / "r.json"
    with pytest.raises(InputError, match="No such file"):
        read_record(path)
    path.write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        read_record(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not JSON"):
        read_record(path)
    path.write_text("[1]")
    with pytest.raises(InputError, match="not an object"):
        read_record(path)


def test_environment_names_versions():
    found = environment()
    assert found["torch"] == torch.__version__
    assert found["numpy"] == np.__version__
    assert found["threads"] == torch.get_num_threads()
    assert json.dumps(found, allow_nan=False)


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomic(path, b"old")

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match=r"a\.json: cannot be written: No space left on device"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_written_file_keeps_permissions_and_links(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640
    write_atomic(tmp_path / "fresh", b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "fresh").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_write_refuses_folders_that_are_none(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path, why in (
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "a", "does not exist"),
        (tmp_path / "file" / "a", "not a folder"),
    ):
        with pytest.raises(InputError, match=why):
            write_atomic(path, b"x")
