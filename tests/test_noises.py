"""The noise models: data terms, proximal maps, levels estimated from the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings, strategies as st
from skimage import data
from torch import Tensor

import ipx
from ipx.files import images
from ipx_cli.main import cli
from ipx_plugins.blur.operator import Blur
from ipx_plugins.gaussian.noise import Gaussian
from ipx_plugins.impulse.noise import Impulse
from ipx_plugins.inpaint.operator import Inpaint
from ipx_plugins.poisson.anscombe import inverse_anscombe
from ipx_plugins.poisson.noise import Poisson, PoissonGaussian

NOISES: list[ipx.Noise[Any]] = [
    Gaussian(sigma=0.1),
    Poisson(peak=7.0),
    Poisson(),
    PoissonGaussian(peak=20.0, sigma=0.05),
    PoissonGaussian(),
    Impulse(amount=0.2, detect=False),
]
ids = [repr(n) for n in NOISES]


def draw(seed: int, shape: tuple[int, ...] = (2, 1, 5, 4)) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    pred = 3 * torch.rand(shape, generator=g, dtype=torch.float64) - 1  # also below zero
    y = 1.3 * torch.rand(shape, generator=g, dtype=torch.float64) - 0.1
    return pred, y.where(y > 0.1, torch.zeros_like(y))


def camera() -> Tensor:
    return torch.tensor(data.camera()[::2, ::2] / 255.0)[None, None]


@pytest.mark.parametrize("noise", NOISES, ids=ids)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_nll_is_convex_nonnegative_and_zero_at_the_data(noise: ipx.Noise[Any], seed: int) -> None:
    a, y = draw(seed)
    b, _ = draw(seed + 1)
    assert noise.nll(a, y).shape == (2,)
    assert bool((noise.nll(a, y) >= 0).all())
    assert torch.allclose(noise.nll(y.clamp_min(0), y.clamp_min(0)), torch.zeros(2).double())
    middle = noise.nll(0.5 * (a + b), y)
    assert bool((middle <= 0.5 * (noise.nll(a, y) + noise.nll(b, y)) + 1e-10).all())


@pytest.mark.parametrize("noise", [n for n in NOISES if ipx.has(n, ipx.NoiseGrad)])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_grad_is_the_derivative_and_curvature_bounds_it(noise: Any, seed: int) -> None:
    pred, y = draw(seed)
    point = pred.clone().requires_grad_(True)
    (reference,) = torch.autograd.grad(noise.nll(point, y).sum(), point)
    assert torch.allclose(noise.grad(pred, y), reference, rtol=1e-9, atol=1e-9)
    h = 1e-6
    direction = torch.randn_like(pred)
    slope = (noise.nll(pred + h * direction, y) - noise.nll(pred - h * direction, y)) / (2 * h)
    size = 1 + noise.grad(pred, y).abs().max()
    assert torch.allclose(
        slope, (noise.grad(pred, y) * direction).flatten(1).sum(1), atol=1e-4 * float(size)
    )
    other, _ = draw(seed + 1)
    steps = (noise.grad(pred, y) - noise.grad(other, y)).flatten(1).norm(dim=1)
    allowed = noise.curvature(y) * (pred - other).flatten(1).norm(dim=1)
    assert bool((steps <= allowed * (1 + 1e-9)).all())


@pytest.mark.parametrize("noise", NOISES, ids=ids)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), t=st.floats(1e-4, 1e3))
def test_prox_minimises(noise: Any, seed: int, t: float) -> None:
    v, y = draw(seed)
    steps = torch.tensor([t, 0.3 * t], dtype=torch.float64)
    best = noise.prox(v, y, steps)

    def objective(p: Tensor) -> Tensor:
        return noise.nll(p, y) + ((p - v) ** 2).flatten(1).sum(1) / (2 * steps)

    if ipx.has(noise, ipx.NoiseGrad):
        scale = 1 + noise.curvature(y) + 1 / steps
        zero = noise.grad(best, y) + (best - v) / steps.view(-1, 1, 1, 1)
        assert bool((zero.abs().flatten(1).amax(1) <= 1e-10 * scale).all())
    for size in (1e-3, 1e-1):
        near = best + size * torch.randn_like(best)
        assert bool((objective(near) >= objective(best) - 1e-9 * objective(best).abs()).all())


def test_poisson_in_blocks_is_poisson(monkeypatch: pytest.MonkeyPatch) -> None:
    from ipx_plugins.poisson import noise as module

    noise = ipx.noise("poisson", peak=30.0)
    rng = torch.Generator().manual_seed(0)
    pred, y = torch.rand(2, 2, 1, 9, 9, generator=rng, dtype=torch.float64)
    t, count = torch.tensor([0.1, 0.3], dtype=torch.float64), torch.full((2,), 81.0)

    def told() -> list[torch.Tensor]:
        return [noise.nll(pred, y), noise.prox(pred, y, t), noise.expected(y, count)]

    whole = told()
    monkeypatch.setattr(module, "_BLOCK", 50)
    for each, block in zip(whole, told(), strict=True):
        torch.testing.assert_close(block, each, rtol=1e-12, atol=0)


def test_impulse_prox_is_shifted_soft_thresholding() -> None:
    v = torch.tensor([[0.0, 0.9, 0.55]])
    y = torch.tensor([[0.5, 0.5, 0.5]])
    assert torch.allclose(Impulse().prox(v, y, 0.1), torch.tensor([[0.1, 0.8, 0.5]]))


def test_poisson_matches_the_divergence_where_there_is_light() -> None:
    p, y = torch.tensor([[0.5, 2.0]]).double(), torch.tensor([[1.0, 0.7]]).double()
    direct = (p - y + y * torch.log(y / p)).sum(1)
    assert torch.allclose(Poisson(peak=50).nll(p, y), direct)
    # prox of the Poisson likelihood: the positive root (Combettes, Pesquet 2007)
    v, t = torch.tensor([[0.4, 1.0]]).double(), 0.25
    root = 0.5 * (v - t + ((v - t) ** 2 + 4 * t * y).sqrt())
    assert torch.allclose(Poisson(peak=50).prox(v, y, t), root)


def test_the_inverse_of_anscombe_is_unbiased() -> None:
    """Also for few photons, where z^2 / 4 - 3 / 8 is not."""
    mean = torch.tensor([0.0, 0.05, 0.3, 1.0, 4.0, 15.0, 39.9, 40.1, 300.0]).double()
    k = torch.arange(800).double()
    chance = torch.exp(torch.xlogy(k, mean[:, None]) - mean[:, None] - torch.lgamma(k + 1))
    z = (chance * 2 * (k + 0.375).sqrt()).sum(1)
    assert torch.allclose(inverse_anscombe(z), mean, atol=1e-3)
    assert inverse_anscombe(torch.tensor([0.5])).item() == 0.0


@pytest.mark.parametrize("noise", NOISES, ids=ids)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_purity_and_independence_of_images(noise: Any, dtype: torch.dtype) -> None:
    pred, y = (v.to(dtype) for v in draw(3))
    keep = pred.clone(), y.clone()
    t = torch.tensor([0.1, 2.0], dtype=dtype)
    calls = [lambda a, b, s: noise.nll(a, b), lambda a, b, s: noise.prox(a, b, s)]
    if ipx.has(noise, ipx.NoiseGrad):
        calls.append(lambda a, b, s: noise.grad(a, b))
    for call in calls:
        both = call(pred, y, t)
        assert both.dtype == dtype
        assert torch.equal(both, call(pred, y, t))
        assert torch.equal(both[1:], call(pred[1:], y[1:], t[1:]))
    assert torch.equal(pred, keep[0])
    assert torch.equal(y, keep[1])


@pytest.mark.parametrize("noise", NOISES, ids=ids)
def test_samples_follow_the_seed_and_scatter_as_expected(noise: Any) -> None:
    clean = camera().clamp(0.1, 0.9)
    y = noise.sample(clean, torch.Generator().manual_seed(1))
    again = noise.sample(clean, torch.Generator().manual_seed(1))
    assert torch.equal(y, again)
    assert not torch.equal(y, noise.sample(clean, torch.Generator().manual_seed(2)))
    assert float((y - clean).mean()) == pytest.approx(0, abs=0.02)
    given_level = (
        noise
        if noise.level is not None
        else type(noise)(
            peak=100.0, **({"sigma": 0.01} if isinstance(noise, PoissonGaussian) else {})
        )
    )
    count = torch.tensor([float(y.numel())])
    ratio = float(given_level.nll(clean, y) / given_level.expected(y, count))
    assert ratio == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("noise", [Gaussian(sigma=0.1), Poisson(peak=7.0), Poisson(peak=300.0)])
def test_the_deviation_is_that_of_samples(noise: ipx.Noise[Any]) -> None:
    ramp = torch.linspace(0.2, 1.0, 256, dtype=torch.float64).expand(1, 1, 256, 256).contiguous()
    y = noise.sample(ramp, torch.Generator().manual_seed(0))
    found = noise.deviation(y).expand_as(y)
    for part in (slice(0, 64), slice(192, 256)):  # dark and bright
        seen = (y - ramp)[..., part].std()
        assert abs(found[..., part].square().mean().sqrt() / seen - 1) < 0.05


@pytest.mark.parametrize("sigma", [0.01, 0.02, 0.05])
@pytest.mark.parametrize("case", ["sharp", "blurred", "colour", "8 bit"])
def test_gaussian_level_is_read_from_photographs(sigma: float, case: str) -> None:
    clean = torch.tensor(data.astronaut()[::2, ::2] / 255.0).permute(2, 0, 1)[None]
    if case != "colour":
        clean = clean.mean(1, keepdim=True)
    if case == "blurred":
        clean = Blur(tuple(clean.shape[1:]))(clean)
    y = Gaussian(sigma=sigma).sample(clean, torch.Generator().manual_seed(0))
    if case == "8 bit":
        y = (y.clamp(0, 1) * 255).round() / 255
    assert Gaussian().estimated(y).level.item() == pytest.approx(
        sigma, rel=0.06 if case != "8 bit" else 0.2
    )


def test_gaussian_level_with_holes_and_image_by_image() -> None:
    clean = torch.cat([camera(), camera().flip(-1)])
    noisy = [
        Gaussian(sigma=s).sample(clean[:1], torch.Generator().manual_seed(0)) for s in (0.02, 0.1)
    ]
    y = torch.cat(noisy)
    mask = Inpaint((1, 256, 256))
    level = Gaussian().estimated(mask(y), mask.known(y)).level
    assert isinstance(level, Tensor)
    assert level.shape == (2,)
    assert level[0].item() == pytest.approx(0.02, rel=0.25)
    assert level[1].item() == pytest.approx(0.1, rel=0.15)
    alone = Gaussian().estimated(mask(y[1:]), mask.known(y)).level
    assert torch.equal(level[1:], alone)
    flat = Gaussian().estimated(y.flatten(1)).level
    assert flat.tolist() == pytest.approx([0.02, 0.1], rel=0.3)


def test_levels_of_degenerate_data() -> None:
    constant = torch.full((1, 1, 8, 8), 0.5)
    assert Gaussian().estimated(constant).level.item() == 0
    assert Poisson().estimated(constant).level.item() >= 1e7
    assert torch.isfinite(PoissonGaussian().estimated(torch.zeros(1, 1, 8, 8)).level).all()
    assert Impulse(kind="dead").estimated(torch.zeros(1, 1, 4, 4)).level.item() == 0
    narrow = torch.rand(1, 1, 1, 2)
    assert torch.isfinite(Gaussian().estimated(narrow).level).all()
    one = torch.rand(1, 1, 1, 1)
    for noise in (Gaussian(), Poisson()):
        with pytest.raises(ipx.InputError, match="two neighbouring values"):
            noise.estimated(one)
    given_level = Gaussian(sigma=0.3)
    assert given_level.estimated(constant) is given_level


@pytest.mark.parametrize("peak", [10.0, 100.0, 1000.0])
@pytest.mark.parametrize("holes", [False, True])
def test_poisson_level(peak: float, holes: bool) -> None:
    clean = Blur((1, 256, 256), sigma=1.0)(camera())
    y = Poisson(peak=peak).sample(clean, torch.Generator().manual_seed(0))
    mask = Inpaint((1, 256, 256), missing=0.4)
    known = mask.known(y) if holes else None
    y = mask(y) if holes else y
    assert Poisson().estimated(y, known).level.item() == pytest.approx(peak, rel=0.2)


def test_poisson_gaussian_level() -> None:
    clean = Blur((1, 256, 256), sigma=1.0)(camera())
    y = PoissonGaussian(peak=100.0, sigma=0.03).sample(clean, torch.Generator().manual_seed(0))
    both = PoissonGaussian().estimated(y)
    assert both.level.item() == pytest.approx(100, rel=0.3)
    assert float(both.sigma) == pytest.approx(0.03, rel=0.3)
    one = PoissonGaussian(peak=100.0).estimated(y)
    assert one.level.item() == pytest.approx(100)
    assert float(one.sigma) == pytest.approx(0.03, rel=0.2)
    assert PoissonGaussian(peak=100.0).level is None


@pytest.mark.parametrize("kind", ["salt-pepper", "random", "dead"])
@pytest.mark.parametrize("amount", [0.05, 0.3])
def test_impulse_level_and_expectation(kind: str, amount: float) -> None:
    clean = 0.98 * camera() + 0.01
    noise = Impulse(kind=kind, amount=amount, detect=False)
    y = noise.sample(clean, torch.Generator().manual_seed(0))
    estimated = Impulse(kind=kind).estimated(y).level.item()
    assert estimated == pytest.approx(amount, abs=0.05)
    mask = Inpaint((1, 256, 256), missing=0.5)
    known = mask.known(y)
    count = known.sum().double()[None]
    ratio = float(noise.nll(mask(clean), mask(y)) / noise.expected(mask(y), count))
    assert ratio == pytest.approx(1, abs=0.1)
    estimated = Impulse(kind=kind).estimated(mask(y), known).level.item()
    assert estimated == pytest.approx(amount, abs=0.07)


def test_holes_cost_nothing() -> None:
    for noise in NOISES:
        assert float(noise.nll(torch.zeros(1, 4), torch.zeros(1, 4))) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("gaussian", {"sigma": -1}, "sigma must be >= 0"),
        ("poisson", {"peak": 0}, "peak must be > 0"),
        ("poisson-gaussian", {"sigma": -0.1}, "sigma must be >= 0"),
        ("impulse", {"amount": 1.5}, "amount must be"),
        ("impulse", {"kind": "pepper"}, "must be one of"),
        ("gaussian", {"sigmaa": 1}, "did you mean sigma"),
    ],
)
def test_errors(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ipx.OptionError, match=words):
        ipx.noise(name, **options)


@pytest.mark.parametrize("name", ["poisson", "poisson-gaussian"])
def test_an_offset_is_as_if_it_were_not_there(name: str) -> None:
    """Counts above a pedestal: the same level, the same picture, the same preview.

    A difference of 1e-16 moves the estimate, for counts are often equal: peak and offset are
    powers of 2, for which nothing is rounded.
    """
    clean = torch.from_numpy(images.bundled().pixels[1:2, 20:84, 40:104]).double()
    plain = ipx.degrade(clean, noise={"name": name, "peak": 128.0}, seed=1)
    raised = ipx.degrade(clean, noise={"name": name, "peak": 128.0, "offset": 0.25}, seed=1)
    assert torch.allclose(raised, plain + 0.25)
    blur = {"name": "blur", "sigma": 1.0}
    one = ipx.solve(plain, op=blur, noise=name, prior="tv", lam=0.05)
    two = ipx.solve(raised, op=blur, noise={"name": name, "offset": 0.25}, prior="tv", lam=0.05)
    assert two.level == pytest.approx(one.level, rel=1e-4)
    assert torch.allclose(two.x, one.x, atol=1e-4)
    assert torch.allclose(two.before, one.before)


def test_an_offset_on_the_command_line(tmp_path: Path) -> None:
    pixels = images.bundled().pixels[:, 20:84, 40:104]
    images.write(tmp_path / "x.tif", pixels, dtype="float32")
    noise = ["--noise", "poisson", "--noise.peak", "100", "--noise.offset", "0.3"]
    for line in (
        ["degrade", "x.tif", "-o", "y.tif", *noise],
        ["solve", "y.tif", "-o", "z.tif", *noise, "--prior", "tv", "--lam", "0.05"],
    ):
        paths = [str(tmp_path / a) if a.endswith(".tif") else a for a in line]
        done = CliRunner().invoke(cli, paths)
        assert done.exit_code == 0, done.output
    restored = images.read(tmp_path / "z.tif").pixels
    assert abs(float(restored.mean() - pixels.mean())) < 0.01
