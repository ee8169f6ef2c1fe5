"""Other libraries: their objects in ipx, and ours in them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

import ipx
from command_line import call
from deepinv_here import deepinv
from ipx.testing import check_instance

CAMERA = torch.as_tensor(data.camera()[40:104, 200:264] / 255.0, dtype=torch.float32)[None, None]
NOISE = {"name": "gaussian", "sigma": 0.03}


@pytest.fixture
def dinv() -> Any:
    """deepinv, or the test is skipped."""
    return deepinv()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def gaussian() -> Tensor:
    """A PSF of standard deviation 1, ``(1, 1, 7, 7)``."""
    line = torch.exp(-0.5 * torch.arange(-3.0, 4.0) ** 2)
    psf = line[:, None] * line
    return (psf / psf.sum())[None, None]


def faults(component: Any) -> dict[str, str]:
    return {r.name: r.message for r in check_instance(component) if not r.ok}


def test_ours_pass_the_test_of_adjoints_of_deepinv(dinv: Any) -> None:
    for name, shape in (
        ("blur", (1, 16, 20)),
        ("inpaint", (3, 16, 20)),
        ("super-resolution", (1, 16, 20)),
        ("tomography", (1, 16, 16)),
        ("fourier", (1, 16, 20)),
    ):
        physics = ipx.export(ipx.operator(name, shape), to="deepinv")
        assert isinstance(physics, dinv.physics.LinearPhysics)
        error = physics.adjointness_test(img_size=shape, num_samples=4, dtype=torch.float64)
        assert float(error) < 1e-12, name
    a = ipx.operator("blur", (1, 16, 20))
    physics = ipx.export(a, to="deepinv")
    assert ipx.adapt(physics) is a
    x = torch.rand(1, 1, 16, 20)
    assert torch.equal(physics(x), a.forward(x))
    solved = physics.A_dagger(physics(x))
    assert torch.allclose(physics.A(solved), physics(x), atol=1e-2)


def test_theirs_pass_our_contract(dinv: Any) -> None:
    """Adjoint to 1e-12 in float64, linear, per image, pure: with clones in float64."""
    shape = (1, 16, 20)
    blur = torch.rand(1, 1, 5, 3, generator=torch.Generator().manual_seed(0)) / 7
    for physics in (
        dinv.physics.Blur(filter=blur, padding="circular"),
        dinv.physics.BlurFFT(img_size=shape, filter=blur),
        dinv.physics.Inpainting(img_size=shape, mask=0.5),
        dinv.physics.Downsampling(img_size=shape, factor=2, filter="gaussian"),
        dinv.physics.Denoising(),
    ):
        a = ipx.adapt(physics, image_shape=shape)
        assert not faults(a), type(physics).__name__
        x = torch.rand(2, *shape)
        assert torch.allclose(a.forward(x), physics.A(x), atol=1e-6)
    assert all(b.dtype == torch.float32 for b in physics.buffers())


def test_what_a_physics_does_not_tell_is_asked_for(dinv: Any) -> None:
    blur = dinv.physics.Blur(filter=torch.ones(1, 1, 3, 3) / 9)
    with pytest.raises(ipx.InputError, match=r"give image_shape=\(C, H, W\)"):
        ipx.adapt(blur)
    with pytest.raises(ipx.InputError, match="Blur is of deepinv"):
        ipx.solve(CAMERA, op=blur)
    both = dinv.physics.stack(dinv.physics.Denoising(), dinv.physics.Denoising())
    with pytest.raises(ipx.InputError, match="of several sizes"):
        ipx.adapt(both, (1, 16, 16))
    with pytest.raises(ipx.InputError, match="neither a Physics, nor a Denoiser, nor a Prior"):
        ipx.adapt(dinv.models.Reconstructor())


def test_a_physics_that_is_not_linear(dinv: Any) -> None:
    """Gamma: restored by automatic differentiation, as one of ours."""
    gamma = dinv.physics.Physics(A=lambda x, **_: x.clamp_min(1e-3) ** 0.5)
    a = ipx.adapt(gamma, (1, 64, 64))
    how = ipx.solve(gamma(CAMERA), op=a, noise=NOISE, prior="smooth", lam=0.01, iterations=50)
    assert float((how.x - CAMERA).square().mean().sqrt()) < 0.05
    back = ipx.export(ipx.adapt(gamma, (1, 64, 64)), to="deepinv")
    assert torch.equal(back(CAMERA), gamma(CAMERA))


def test_one_restoration_in_both(dinv: Any) -> None:
    """Our solver on their physics, and their reconstructor that is our solver, agree."""
    filter_ = gaussian()
    told = dinv.physics.GaussianNoise(sigma=0.03)
    physics = dinv.physics.Blur(filter=filter_, padding="circular", noise_model=told)
    y = physics.A(CAMERA) + 0.03 * noise(1, 1, 64, 64)
    a = ipx.adapt(physics, (1, 64, 64))
    direct = ipx.solve(y, op=a, noise=NOISE, prior="tv", lam=0.002).x
    model = ipx.export({"prior": "tv", "lam": 0.002}, to="deepinv")
    assert isinstance(model, dinv.models.Reconstructor)
    assert torch.allclose(model(y, physics), direct, atol=1e-6)
    assert float((direct - CAMERA).norm()) < 0.8 * float((y - CAMERA).norm())


def test_denoisers_are_interchangeable(dinv: Any) -> None:
    """Ours in their plug-and-play, theirs in ours, each as in its own."""
    filter_ = gaussian()
    physics = dinv.physics.BlurFFT(img_size=(1, 64, 64), filter=filter_)
    y = physics.A(CAMERA) + 0.03 * noise(1, 1, 64, 64)
    ours, theirs = ipx.prior("drunet"), dinv.models.MedianFilter(kernel_size=3)
    wanted = ours.denoise(CAMERA, 0.1)
    exported = ipx.export(ours, to="deepinv")
    assert isinstance(exported, dinv.models.Denoiser)
    for sigma in (0.1, torch.tensor(0.1), torch.tensor([0.1])):
        assert torch.allclose(exported(CAMERA, sigma), wanted, atol=1e-6)
    assert ipx.adapt(exported) is ours
    a = ipx.adapt(physics)
    results, levels = {}, [0.15, 0.1, 0.05, 0.03]
    for name, denoiser in (("ours", exported), ("theirs", theirs)):
        model = dinv.optim.HQS(
            prior=dinv.optim.PnP(denoiser=denoiser),
            data_fidelity=dinv.optim.L2(),
            stepsize=[(s / 0.03) ** 2 / 0.23 for s in levels],  # as in DPIR
            sigma_denoiser=levels,
            early_stop=False,
            max_iter=4,
        )
        with torch.no_grad():
            results[name, "their solver"] = model(y, physics)
        prior = ipx.adapt(denoiser)
        results[name, "our solver"] = ipx.solve(
            y, op=a, noise=NOISE, prior=prior, solver="pnp-hqs"
        ).x
    before = float((y - CAMERA).norm())
    for key, x in results.items():
        assert float((x - CAMERA).norm()) < (0.9 if key[0] == "ours" else 1.2) * before, key
    same = torch.nn.Sequential()
    assert ipx.adapt(dinv.optim.PnP(denoiser=exported)) is ours
    assert torch.equal(
        ipx.adapt(dinv.optim.RED(denoiser=theirs)).denoise(CAMERA, 0.1), theirs(CAMERA, 0.1)
    )
    with pytest.raises(ipx.InputError, match="is of no library that is known"):
        ipx.adapt(same)


@pytest.mark.parametrize("name", ["DRUNet", "DnCNN", "FFDNet"])
def test_weights_of_deepinv(
    dinv: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of its networks with random weights, imported: the same picture to 1e-6."""
    monkeypatch.setenv("IPX_WEIGHTS_DIR", str(tmp_path / "own"))
    how: dict[str, Any] = {
        "DRUNet": {"in_channels": 3, "out_channels": 3, "nc": (4, 6, 8, 10), "nb": 2},
        "DnCNN": {"in_channels": 1, "out_channels": 1, "depth": 4, "nf": 6},
        "FFDNet": {"img_channels": 3, "n_conv_layers": 4, "nf": 6},
    }[name]
    net = getattr(dinv.models, name)(**how, pretrained=None, device="cpu").eval()
    with torch.no_grad():
        for p in net.parameters():  # the initial ones are too small to tell
            p.copy_(0.3 * noise(*p.shape))
    torch.save(net.state_dict(), tmp_path / "theirs.pth")
    ipx.import_weights(tmp_path / "theirs.pth")
    ours = ipx.load_weights("theirs", name.lower()).network()
    x = CAMERA[..., :32, :40].expand(2, 1 if name == "DnCNN" else 3, 32, 40)
    with torch.no_grad():
        wanted = net(x, 0.1)
    found = ours(x, torch.full((2, 1, 1, 1), 0.1))
    assert float((found - wanted).abs().max()) < 1e-6 * float(wanted.abs().max())


def test_priors_in_both(dinv: Any) -> None:
    """The proximal maps and values of one are those of the other."""
    x = noise(2, 1, 12, 10).double()
    for theirs, name in ((dinv.optim.L1Prior(), "l1"), (dinv.optim.Tikhonov(), "tikhonov")):
        prior = ipx.adapt(theirs)
        assert not faults(prior)
        ours = ipx.prior(name, about="zero") if name == "tikhonov" else ipx.prior(name)
        assert torch.allclose(prior.value(x), ours.value(x))
        assert torch.allclose(prior.prox(x, 0.3), ours.prox(x, 0.3))
        back = ipx.export(ours, to="deepinv")
        assert isinstance(back, dinv.optim.Prior)
        assert torch.allclose(back(x), theirs(x))
        assert torch.allclose(back.prox(x, gamma=0.3), theirs.prox(x, gamma=0.3))
    back = ipx.export(ipx.prior("smooth"), to="deepinv")
    assert torch.allclose(back.grad(x), ipx.prior("smooth").grad(x))
    red = ipx.export(ipx.prior("median"), to="deepinv", form="prior")
    assert torch.allclose(red.grad(x, 0.1), x - ipx.prior("median").denoise(x, 0.1))
    custom = dinv.optim.Prior(g=lambda x, *_: 0.5 * x.flatten(1).pow(2).sum(1))
    assert torch.allclose(ipx.adapt(custom).grad(x), x)
    with pytest.raises(ipx.InputError, match="is no denoiser"):
        ipx.export(ipx.prior("l1"), to="deepinv", form="denoiser")
    with pytest.raises(ipx.InputError, match="takes form="):
        ipx.export(ipx.prior("l1"), to="deepinv", shape=1)


def test_pylops() -> None:
    pylops = pytest.importorskip("pylops", reason="pylops (the extra pylops) is not installed")
    theirs = pylops.FirstDerivative(dims=(12, 10), axis=0, kind="forward", dtype="float64")
    a = ipx.adapt(theirs)
    assert (a.image_shape, a.data_shape) == ((1, 12, 10), (1, 12, 10))
    assert not faults(a)
    x = noise(1, 1, 12, 10).double()
    assert np.allclose(a.forward(x)[0, 0], theirs @ x[0, 0].numpy())
    blur = ipx.operator("super-resolution", (1, 12, 10))
    back = ipx.export(blur, to="pylops")
    assert isinstance(back, pylops.LinearOperator)
    assert (back.dims, back.dimsd) == (blur.image_shape, blur.data_shape)
    assert pylops.utils.dottest(back, rtol=1e-10)
    assert np.allclose(back @ x[0].numpy(), blur.forward(x)[0].numpy())
    solved = (theirs + 2 * pylops.Identity(120)).H @ (back.H @ np.ones(back.shape[0]))
    assert solved.shape == (120,)
    with pytest.raises(ipx.InputError, match="complex operator"):
        ipx.adapt(pylops.signalprocessing.FFT(dims=(12, 10), axis=0))
    with pytest.raises(ipx.InputError, match="give image_shape"):
        ipx.adapt(pylops.Identity(120))
    assert ipx.adapt(pylops.Identity(120), (1, 12, 10)).data_shape == (120,)
    with pytest.raises(ipx.InputError, match="FirstDerivative is of pylops"):
        ipx.solve(np.ones((12, 10)), op=theirs)


@pytest.mark.parametrize("module", ["deepinv", "pylops"])
def test_the_page_runs(module: str) -> None:
    """The blocks of docs/other_libraries.md that need a library."""
    if module == "deepinv":
        deepinv()
    else:
        pytest.importorskip(module, reason=f"{module} (an extra) is not installed")
    page = (Path(__file__).parents[1] / "docs" / "other_libraries.md").read_text("utf-8")
    (block,) = [
        b for b in re.findall(r"```py\n(.*?)```", page, re.DOTALL) if f"import {module}" in b
    ]
    exec(block, {"ipx": ipx, "torch": torch, "x": CAMERA})


def test_a_library_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylops", None)
    with pytest.raises(ipx.MissingExtraError, match="pip install pylops, or the extra pylops"):
        ipx.export(ipx.operator("blur", (1, 8, 8)), to="pylops")
    with pytest.raises(ipx.UnknownNameError, match="did you mean pylops"):
        ipx.export(ipx.operator("blur", (1, 8, 8)), to="pylop")
    for word in ("library", "libraries"):
        told = call("list", word)
        assert told.stdout.startswith("libraries"), told.output
        assert "deepinv" in told.stdout
    assert call("info", "pylops").exit_code == 0
