"""The blur whose PSF varies over the picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import ipx
from command_line import call
from ipx.files import images
from ipx_plugins.blur.operator import Blur
from ipx_plugins.blur.varying import VaryingBlur, hats
from small_operators import matrix, noise_like


def stack(tmp_path: Path, rows: int = 2, columns: int = 3, h: int = 4, w: int = 3) -> Path:
    """A file of random PSFs."""
    path = tmp_path / "psfs.npy"
    np.save(path, np.random.default_rng(0).random((rows, columns, h, w)))
    return path


def dense(operator: VaryingBlur) -> Tensor:
    """The matrix by its definition: each pixel of the scene spread by the interpolated PSF.

    Column s has sum_k w_k(s) h_k, shifted to s; for boundary valid, where no extension is needed.
    """
    rows, columns, h, w = operator.psfs.shape
    _, height, width = operator.image_shape
    before = (h - 1 - h // 2, w - 1 - w // 2)
    down = hats(height - h + 1, rows, before[0], h)
    right = hats(width - w + 1, columns, before[1], w)
    out = torch.zeros(height + h - 1, width + w - 1, height, width, dtype=torch.float64)
    for r in range(height):
        for c in range(width):
            weight = torch.outer(down[:, r], right[:, c])
            out[r : r + h, c : c + w, r, c] = torch.einsum("ij,ijhw->hw", weight, operator.psfs)
    shown = out[h - 1 : height, w - 1 : width]
    return shown.reshape(-1, height * width)


def test_the_matrix_is_that_of_the_definition(tmp_path: Path) -> None:
    operator = VaryingBlur((1, 13, 11), kernels=stack(tmp_path), boundary="valid")
    a = matrix(operator)
    assert float((a - dense(operator)).abs().max()) < 1e-14
    units = torch.eye(a.shape[0], dtype=torch.float64).reshape(-1, *operator.data_shape)
    assert float((operator.adjoint(units).flatten(1) - a).abs().max()) < 1e-14


@pytest.mark.parametrize("boundary", ["zero", "reflect", "replicate", "unknown"])
def test_equal_psfs_are_one_blur(tmp_path: Path, boundary: str) -> None:
    h = np.random.default_rng(1).random((5, 4))
    np.save(tmp_path / "h.npy", h)
    np.save(tmp_path / "hs.npy", np.tile(h, (3, 2, 1, 1)))
    x = noise_like((2, 19, 17))
    one = Blur((2, 19, 17), kernel=tmp_path / "h.npy", boundary=boundary)
    many = VaryingBlur((2, 19, 17), kernels=tmp_path / "hs.npy", boundary=boundary)
    assert many.data_shape == one.data_shape
    assert float((many(x) - one(x)).abs().max()) < 1e-13
    assert torch.equal(many.view(x), one.view(x))


def test_weights_sum_to_one_and_are_one_at_their_node() -> None:
    w = hats(30, 3, 2, 5)
    assert w.shape == (3, 34)
    assert torch.allclose(w.sum(0), torch.ones(34).double())
    middle = 2 + 14.5  # of the data, in the extended picture
    assert float(w[1, 16] + w[1, 17]) / 2 == pytest.approx(0.95)
    assert middle == 16.5


def test_it_restores_better_than_the_mean_psf() -> None:
    x = torch.from_numpy(images.bundled().pixels[1:2, 64:112, 84:132])[None]
    op = {"name": "varying-blur", "sigma": 0.7, "corner": 2.5}
    noise = {"name": "gaussian", "sigma": 0.01}
    y = ipx.degrade(x, op=op, noise=noise, seed=0)
    how = {"prior": "tv", "noise": noise, "lam": 0.003, "iterations": 20}
    own = ipx.solve(y, op=op, **how)
    sigmas = [1.0, 1.5, 2.0]
    others = [ipx.solve(y, op={"name": "blur", "sigma": s}, **how) for s in sigmas]
    best = max(float(ipx.psnr(o.x, x)[0]) for o in others)
    assert float(ipx.psnr(own.x, x)[0]) > best + 0.5


def test_files_in_and_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images.write("x.png", images.bundled().pixels[1:2, 20:68, 84:132])
    kernels = stack(tmp_path, h=5, w=5)
    given = ["--op", "varying-blur", "--op.kernels", kernels]
    assert call("degrade", "x.png", *given, "-o", "y.tif").exit_code == 0
    told = call("solve", "y.tif", *given, "--lam", "0.01", "--truth", "x.png", "--json",
                "-o", "z.tif")  # fmt: skip
    assert told.exit_code == 0, told.stderr
    row = json.loads(told.stdout)
    assert row["psnr_after"] > row["psnr_before"] + 1
    asked = call("solve", "x.png", "--op", "varying-blur")
    assert asked.exit_code == 2
    assert "must be told the PSFs: give --op.kernels or --op.sigma and --op.corner" in asked.stderr


def test_what_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.ones((3, 3)))
    with pytest.raises(ipx.InputError, match=r"\(rows, columns, h, w\)"):
        VaryingBlur((1, 9, 9), kernels=tmp_path / "one.npy")
    np.save(tmp_path / "zero.npy", np.zeros((2, 2, 3, 3)))
    with pytest.raises(ipx.InputError, match="sums to 0"):
        VaryingBlur((1, 9, 9), kernels=tmp_path / "zero.npy")
    with pytest.raises(ipx.InputError, match="no file of PSFs"):
        VaryingBlur((1, 9, 9), kernels=tmp_path / "none.npy")
    with pytest.raises(ipx.ShapeError, match="too large"):
        VaryingBlur((1, 9, 9), sigma=3.0)
