"""Sparse patches: pursuit, K-SVD, online learning, the denoiser, the analysis form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

import ipx
from command_line import call
from ipx.files import images
from ipx_plugins.dictionary.analysis import tight
from ipx_plugins.dictionary.learning import Online, cosines, dense, ksvd
from ipx_plugins.dictionary.patches import places, summed
from ipx_plugins.dictionary.pursuit import pursued


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def unit(atoms: Tensor) -> Tensor:
    return atoms / atoms.norm(dim=1, keepdim=True)


def sparse_sums(atoms: Tensor, count: int, sparsity: int) -> Tensor:
    """Sums of random atoms with coefficients of 1 to 2 in size, ``(count, n)``."""
    picked = torch.stack([torch.randperm(len(atoms))[:sparsity] for _ in range(count)])
    size = drawn(count, sparsity, seed=2)
    return torch.einsum("nk,nkd->nd", size.sign() + size.clamp(-1, 1), atoms[picked])


def camera(size: int = 64) -> Tensor:
    image = np.asarray(data.camera(), np.float32)[
        100 : 100 + 2 * size : 2, 150 : 150 + 2 * size : 2
    ]
    return torch.from_numpy(image / 255)[None, None]


def test_pursuit_is_that_of_the_textbook() -> None:
    atoms, patches = unit(drawn(30, 12)), drawn(7, 12, seed=1)
    codes = pursued(patches, atoms, 4)
    for i, patch in enumerate(patches):
        chosen: list[int] = []
        rest = patch
        for _ in range(4):
            chosen.append(int((atoms @ rest).abs().argmax()))
            value = torch.linalg.lstsq(atoms[chosen].T, patch[:, None]).solution[:, 0]
            rest = patch - value @ atoms[chosen]
        assert codes.index[i].tolist() == chosen
        assert torch.allclose(codes.value[i], value)
        assert torch.allclose(codes.rest[i], rest)


def test_pursuit_stops_at_the_bound_and_finds_what_is_orthogonal() -> None:
    atoms = torch.linalg.qr(drawn(16, 16))[0]
    torch.manual_seed(0)
    patches = sparse_sums(atoms, 20, 3)
    codes = pursued(patches, atoms, 16, bound=1e-6)
    assert ((codes.index >= 0).sum(1) == 3).all()
    assert torch.allclose(dense(codes, 16) @ atoms, patches)
    small = pursued(1e-8 * patches, atoms, 16, bound=1e-6)
    assert small.index.shape == (20, 0)


def test_ksvd_recovers_the_atoms_of_sparse_sums() -> None:
    torch.manual_seed(1)
    wanted = unit(drawn(24, 16))
    patches = sparse_sums(wanted, 1500, 2)
    atoms = unit(wanted + 0.7 * drawn(24, 16, seed=3) / 4)
    before = (atoms @ wanted.T).abs().amax(0)
    for _ in range(10):
        atoms = ksvd(patches, atoms, bound=1e-3, most=2)
    after = (atoms @ wanted.T).abs().amax(0)
    assert float((before > 0.99).double().mean()) < 0.1
    assert float((after > 0.99).double().mean()) > 0.9  # Aharon, Elad, Bruckstein 2006, section V


def test_ksvd_lowers_the_error() -> None:
    torch.manual_seed(2)
    patches, atoms = sparse_sums(unit(drawn(40, 16, seed=5)), 600, 3), unit(drawn(20, 16))
    errors = []
    for _ in range(5):
        errors.append(float(pursued(patches, atoms, 3).rest.square().mean()))
        atoms = ksvd(patches, atoms, bound=0.0, most=3)
    assert errors[-1] < 0.8 * errors[0]
    assert torch.allclose(atoms.norm(dim=1), torch.ones(20, dtype=atoms.dtype))


def test_online_learning_lowers_the_error() -> None:
    torch.manual_seed(3)
    patches, known = (
        sparse_sums(unit(drawn(24, 16)), 800, 2),
        Online.of(unit(drawn(24, 16, seed=9))),
    )
    before = float(pursued(patches, known.atoms, 2).rest.square().mean())
    for step, part in enumerate(patches.split(40)):
        known = known.updated(part, 2, (step + 1) ** -0.8)
    assert float(pursued(patches, known.atoms, 2).rest.square().mean()) < 0.5 * before


def test_cosines_have_mean_zero_and_norm_one() -> None:
    atoms = cosines(8, 256)
    assert atoms.shape == (256, 64)
    assert float(atoms.sum(1).abs().max()) < 1e-12
    assert torch.allclose(atoms.norm(dim=1), torch.ones(256, dtype=atoms.dtype))


def test_patches_average_back_to_the_image() -> None:
    x, where = drawn(11 * 13), places(11, 13, 4, 3)
    total, weight = summed(x[where], where, torch.rand(len(where)).double() + 0.1, 11 * 13)
    assert torch.allclose(total / weight, x)


def test_frame_is_tight() -> None:
    frame = tight(cosines(4, 20))
    assert torch.allclose(frame.T @ frame, torch.eye(16, dtype=frame.dtype), atol=1e-10)


def test_ksvd_denoises_better_than_cosines_and_total_variation() -> None:
    clean, sigma = camera(72), 25 / 255
    noise = {"name": "gaussian", "sigma": sigma}
    y = ipx.degrade(clean, op="identity", noise=noise, seed=0)

    def gain(**options: object) -> float:
        return float(ipx.psnr(ipx.prior("dictionary", **options).denoise(y, sigma), clean))

    plain = ipx.solve(y, op="identity", noise=noise, prior="tv", lam=0.065).x  # its best lam here
    assert gain() > max(gain(weights="dct", adapt=0), float(ipx.psnr(plain, clean))) + 0.3


def test_analysis_form_takes_a_stride_that_divides_the_side() -> None:
    with pytest.raises(ipx.OptionError, match="stride 3 does not divide"):
        ipx.prior("dictionary", form="analysis", stride=3).value(camera(16))


def test_command_line_learns_and_denoises(tmp_path: Path) -> None:
    folder, learned = tmp_path / "set", tmp_path / "own.safetensors"
    folder.mkdir()
    for i, x in enumerate(camera(128)[0].unfold(1, 32, 32).unfold(2, 32, 32).reshape(-1, 32, 32)):
        images.write(folder / f"{i:02}.png", x[None].numpy())
    told = call(
        "train", "dictionary", "--data", folder, "--crop", "12", "--model.side", "4",
        "--model.atoms", "24", "--steps", "1", "--batch", "512", "--hold-out", "1*", "-o", learned,
        "--json",
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    history = json.loads(told.stdout)["history"]
    assert history[-1]["finished"]
    assert history[-1]["psnr"] > history[0]["psnr"] + 0.2
    noisy, out = tmp_path / "y.tif", tmp_path / "x.tif"
    images.write(tmp_path / "truth.tif", camera(48)[0].numpy())
    words = ("--noise.sigma", "0.1", "-o", noisy)
    assert call("degrade", tmp_path / "truth.tif", *words).exit_code == 0
    words = ("--prior", "dictionary", "--prior.weights", learned, "--truth", tmp_path / "truth.tif")
    told = call("solve", noisy, "--op", "identity", *words, "-o", out, "--json")
    assert told.exit_code == 0, told.output
    row = json.loads(told.stdout)
    assert row["psnr_after"] > row["psnr_before"] + 4
