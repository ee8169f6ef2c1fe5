"""Groups of similar patches, their weighted nuclear norm, the denoiser."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from skimage import data
from torch import Tensor

import ipx
from command_line import call
from ipx.files import images
from ipx_plugins.patch_low_rank.matching import pixels, similar
from ipx_plugins.patch_low_rank.prior import shrunk


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def camera(size: int) -> Tensor:
    image = np.asarray(data.camera(), np.float32)[
        100 : 100 + 2 * size : 2, 150 : 150 + 2 * size : 2
    ]
    return torch.from_numpy(image / 255)[None, None]


def test_matches_are_those_of_an_exhaustive_search() -> None:
    x, side, radius = drawn(13, 11), 3, 4
    found = similar(x, side, 4, radius, 5)
    tops, lefts = [0, 4, 8, 10], [0, 4, 8]
    assert len(found) == len(tops) * len(lefts)
    for i, (top, left) in enumerate((a, b) for a in tops for b in lefts):
        patch = x[top : top + side, left : left + side]
        reach = [
            (float((x[a : a + side, b : b + side] - patch).square().sum()), a * 11 + b)
            for a in range(max(top - radius, 0), min(top + radius, 10) + 1)
            for b in range(max(left - radius, 0), min(left + radius, 8) + 1)
        ]
        assert set(found[i].tolist()) == {at for _, at in sorted(reach)[:5]}
        assert found[i, 0] == top * 11 + left


def test_patches_that_are_missing_are_replaced_by_the_reference() -> None:
    found = similar(drawn(4, 4), 3, 3, 5, 20)
    assert found.shape == (4, 20)
    assert int(found.max()) <= 5
    assert int(pixels(found, 4, 3).max()) == 15


def test_shrinkage_is_the_minimiser_of_the_reweighted_problem() -> None:
    y, sigma = drawn(2, 9, 5), torch.tensor([0.05, 0.2], dtype=torch.float64)
    x = shrunk(y, sigma)
    u, d, vh = torch.linalg.svd(y, full_matrices=False)
    kept = torch.linalg.svdvals(x)
    assert torch.allclose(x, (u * kept[:, None]) @ vh, atol=1e-9)  # the singular vectors stay
    c = 2 * 2**0.5 * 9**0.5 * 2 * sigma[:, None] ** 2
    some = kept > 1e-6
    # a fixed point of soft thresholding with weight C / sigma_i(X), and 0 where there is none
    assert torch.allclose((kept + c / kept)[some], d[some])
    assert (d[~some] <= (2 * c.sqrt()).expand_as(d)[~some] + 1e-6).all()
    assert bool(some.any())
    assert not bool(some.all())
    assert torch.allclose(shrunk(y.mT, sigma * (5 / 9) ** -0.25).mT, x)  # C is of the row count


def test_it_beats_total_variation_and_is_near_bm3d() -> None:
    clean, sigma = camera(96), 25 / 255
    noise = {"name": "gaussian", "sigma": sigma}
    y = ipx.degrade(clean, op="identity", noise=noise, seed=0)
    plain = ipx.solve(y, op="identity", noise=noise, prior="tv", lam=0.065).x  # its best lam here
    found = ipx.psnr(ipx.prior("patch-low-rank").denoise(y, sigma), clean)
    assert float(found - ipx.psnr(plain, clean)) > 0.3
    assert float(found - ipx.psnr(ipx.prior("bm3d").denoise(y, sigma), clean)) > -0.5


def test_command_line_restores_a_blurred_file(tmp_path: Path) -> None:
    truth, blurred, out = (tmp_path / name for name in ("x.tif", "y.tif", "z.tif"))
    images.write(truth, camera(40)[0].numpy())
    words = ("--op.sigma", "1.5", "--noise.sigma", "0.02", "-o", blurred)
    assert call("degrade", truth, "--op", "blur", *words).exit_code == 0
    words = ("--op.sigma", "1.5", "--prior", "patch-low-rank", "--truth", truth, "--json")
    told = call("solve", blurred, "--op", "blur", *words, "-o", out)
    assert told.exit_code == 0, told.output
    row = json.loads(told.stdout)
    assert row["psnr_after"] > row["psnr_before"] + 1
