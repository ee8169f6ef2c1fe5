"""The gradient-step denoiser: D = x - grad g exactly, an objective that falls, any shape."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings, strategies as st
from skimage import data
from torch import Tensor

import ipx
from ipx.parts.weights import save_weights

SMALL = {"widths": (4, 6), "blocks": 1}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights of a small network, grey and colour: 1, 3."""
    folder = tmp_path_factory.mktemp("weights")
    for colors in (1, 3):
        model = ipx.model("gs-drunet", colors=colors, **SMALL)
        with torch.random.fork_rng():
            torch.manual_seed(1)
            state = model.network().state_dict()
        card = {"model": "denoisers/gs-drunet", "options": model.options.to_mapping()}
        save_weights(folder / f"{colors}.safetensors", state, card)
    return folder


def prior(files: Path, colors: int = 1, sigma: float = 0.1) -> ipx.Prior:
    return ipx.prior("gs-drunet", weights=str(files / f"{colors}.safetensors"), sigma=sigma)


def noisy(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


@settings(max_examples=8, deadline=None)
@given(
    height=st.integers(1, 11),
    width=st.integers(1, 11),
    channels=st.integers(1, 3),
    sigma=st.floats(0.01, 0.5),
)
def test_the_gradient_is_that_of_the_value(
    files: Path, height: int, width: int, channels: int, sigma: float
) -> None:
    """Central differences in float64, in a random direction, at any size."""
    p = prior(files, sigma=sigma)
    x, d = noisy(2, channels, height, width), noisy(2, channels, height, width, seed=1) - 0.5
    h = 1e-6
    slope = (p.value(x + h * d) - p.value(x - h * d)) / (2 * h)
    found = (p.grad(x) * d).flatten(1).sum(1)
    assert torch.allclose(found, slope, rtol=1e-6, atol=1e-7 * float(p.value(x).max() + 1))


@pytest.mark.parametrize("colors", [1, 3])
def test_the_denoiser_is_a_gradient_step(files: Path, colors: int) -> None:
    """D(x) = x - sigma^2 grad R(x), and R = |x - N(x)|^2 / (2 sigma^2), at a size that fits."""
    sigma = 0.07
    p, x = prior(files, colors, sigma), noisy(2, 3, 8, 12)
    assert torch.allclose(p.denoise(x, sigma), x - sigma**2 * p.grad(x), atol=1e-12)
    net = ipx.load_weights(p.options.weights, "gs-drunet").network().double()
    flat = x.reshape(-1, colors, 8, 12)
    r = net.residual(flat, torch.full((len(flat), 1, 1, 1), sigma, dtype=x.dtype))
    values = (r**2).reshape(2, -1).sum(1) / (2 * sigma**2)
    assert torch.allclose(p.value(x), values, rtol=1e-12)
    assert float(p.value(x).min()) >= 0


def test_the_jacobian_of_the_denoiser_is_symmetric(files: Path) -> None:
    """Only a gradient has one; other denoisers have none."""
    p, x = prior(files), noisy(1, 1, 4, 5)
    x.requires_grad_()
    jacobian = torch.autograd.functional.jacobian(lambda v: p.denoise(v, 0.1), x).reshape(20, 20)
    assert torch.allclose(jacobian, jacobian.T, atol=1e-12)
    assert float((jacobian - torch.eye(20)).abs().max()) > 1e-3


@settings(max_examples=6, deadline=None)
@given(k=st.floats(0.05, 20.0))
def test_homogeneous(files: Path, k: float) -> None:
    """g(k x, k sigma) = k^2 g(x, sigma): no level is beyond its range."""
    p, x = prior(files), noisy(1, 1, 7, 6)
    assert torch.allclose(p.denoise(k * x, k * 0.1), k * p.denoise(x, 0.1), atol=1e-9 * k)


def test_levels_types_and_batches(files: Path) -> None:
    p, x = prior(files), noisy(3, 2, 9, 7)
    levels = torch.tensor([0.1, 0.0, 0.3])
    out = p.denoise(x, levels)
    assert torch.equal(out[1], x[1])
    for i, level in enumerate(levels.tolist()):
        assert torch.allclose(out[i : i + 1], p.denoise(x[i : i + 1], level), atol=1e-6)
        assert torch.allclose(p.grad(x)[i : i + 1], p.grad(x[i : i + 1]), atol=1e-10)
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        y = p.denoise(x.to(dtype), 0.1)
        assert (y.dtype, p.value(x.to(dtype)).dtype) == (dtype, dtype)
        assert torch.allclose(y.double(), p.denoise(x, 0.1), atol=2e-2)
    with pytest.raises(ipx.ShapeError, match="sigma has shape"):
        p.denoise(x, torch.full((3, 1, 9, 7), 0.1))
    with pytest.raises(ipx.ShapeError, match="for 3 channels; the image has 2"):
        prior(files, 3).denoise(x, 0.1)


def test_gradients_flow_only_when_asked(files: Path) -> None:
    p, x = prior(files), noisy(1, 1, 6, 6)
    assert not p.denoise(x, 0.1).requires_grad
    assert not p.value(x).requires_grad
    asked = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(p.value(asked).sum(), asked)
    assert torch.allclose(slope, p.grad(x), atol=1e-10)
    with torch.no_grad():
        assert not p.denoise(asked, 0.1).requires_grad


@pytest.mark.parametrize("solver", ["pgd", "lbfgs"])
@pytest.mark.parametrize("op", ["blur", "inpaint"])
def test_the_objective_never_rises(files: Path, solver: str, op: str) -> None:
    """50 steps with backtracking, though g is not convex and the network is untrained."""
    y = ipx.operator(op, (1, 12, 12)).forward(noisy(2, 1, 12, 12))
    problem = ipx.Problem(
        y, ipx.operator(op, (1, 12, 12)), ipx.noise("gaussian", sigma=0.1), prior(files), 0.02
    )
    record = [ipx.History(1)]
    how = ipx.iterate(problem, ipx.solver(solver), iterations=50, tol=0, observers=record)
    values = torch.tensor([entry["objective"] for entry in how.history], dtype=torch.float64)
    assert len(values) == 50
    assert float((values[1:] - values[:-1]).max()) <= 1e-12
    assert bool((values[-1] < values[0]).all())


def test_pgd_finds_what_the_closed_form_gives() -> None:
    """On a convex problem, Tikhonov deblurring, the minimum."""
    y = noisy(1, 1, 12, 12)
    problem = ipx.Problem(
        y, ipx.operator("blur", (1, 12, 12)), ipx.noise("gaussian"), ipx.prior("smooth"), 0.1
    )
    exact = ipx.iterate(problem, ipx.solver("direct")).x
    found = ipx.iterate(problem, ipx.solver("pgd"), iterations=2000, tol=1e-10).x
    assert torch.allclose(found, exact, atol=1e-5)


def test_damaged_weights_are_refused(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    whole = (files / "1.safetensors").read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    card = (files / "1.safetensors.json").read_text()
    (tmp_path / "w.safetensors.json").write_text(card)
    with pytest.raises(ipx.InputError, match="damaged"):
        ipx.prior("gs-drunet", weights=str(path)).value(noisy(1, 1, 8, 8))


def test_it_learns() -> None:
    """The model's loss falls in a few steps, through the second derivative."""
    model = ipx.model("gs-drunet", colors=1, widths=(8, 12), blocks=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = model.network()
    x = torch.as_tensor(data.camera()[200:216, 200:216] / 255.0, dtype=torch.float32)[None, None]
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(20):
        loss = model.loss(net, x, torch.Generator().manual_seed(0))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
    assert model.multiple == 4
