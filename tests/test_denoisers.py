"""The learned denoisers: how they behave on any input, and how good the shipped weights are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings, strategies as st
from skimage import data
from torch import Tensor
from torch.nn import functional

import ipx
from ipx import squares
from ipx.declare.registry import registry
from ipx.declare.specs import ModelSpec
from ipx.parts.weights import load_weights, save_weights
from ipx_cli.main import cli
from ipx_plugins.denoisers import mixture

SMALL = {
    "dncnn": {"width": 6, "depth": 3},
    "ffdnet": {"width": 6, "depth": 3},
    "drunet": {"widths": (4, 6, 8), "blocks": 1},
}
NAMES = list(SMALL)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights of small networks, grey and colour: NAME-1, NAME-3."""
    folder = tmp_path_factory.mktemp("weights")
    for name in NAMES:
        for colors in (1, 3):
            model = ipx.model(name, colors=colors, **SMALL[name])
            with torch.random.fork_rng():
                torch.manual_seed(1)
                state = model.network().state_dict()
            card = {"model": f"denoisers/{name}", "options": model.options.to_mapping()}
            save_weights(folder / f"{name}-{colors}.safetensors", state, card)
    return folder


def prior(files: Path, name: str, colors: int = 1) -> ipx.Prior:
    weights = str(files / f"{name}-{colors}.safetensors")
    return ipx.prior(name, weights=weights, mix=False)


def noisy(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator)


@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 19), width=st.integers(1, 19), name=st.sampled_from(NAMES))
def test_any_size(files: Path, height: int, width: int, name: str) -> None:
    x = noisy(2, 1, height, width)
    out = prior(files, name).denoise(x, 0.1)
    assert out.shape == x.shape
    assert out.isfinite().all()


@pytest.mark.parametrize(("name", "missing"), [("dncnn", 0), ("ffdnet", 1), ("drunet", 3)])
def test_padding_is_a_mirror(files: Path, name: str, missing: int) -> None:
    """A picture gives what its extension to the multiple gives, cut."""
    net = prior(files, name)
    x = noisy(1, 1, 16, 13)
    more = torch.cat([x, x[..., 13 - missing :].flip(-1)], -1)
    assert torch.allclose(net.denoise(x, 0.1), net.denoise(more, 0.1)[..., :13], atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.bfloat16])
def test_type_is_kept_and_the_network_is_float32(
    files: Path, name: str, dtype: torch.dtype
) -> None:
    net = prior(files, name)
    x = noisy(1, 1, 8, 8).to(dtype)
    out = net.denoise(x, 0.1)
    assert out.dtype == dtype
    assert torch.equal(out, net.denoise(x.float(), 0.1).to(dtype))


@pytest.mark.parametrize("name", NAMES)
def test_no_noise_gives_the_picture_itself(files: Path, name: str) -> None:
    x = noisy(3, 1, 9, 7).double()
    net = prior(files, name)
    assert torch.equal(net.denoise(x, 0.0), x)
    some = net.denoise(x, torch.tensor([0.1, 0.0, 0.1]))
    assert torch.equal(some[1], x[1])
    assert not torch.equal(some[0], x[0])
    here = torch.full((3, 1, 9, 7), 0.1)
    here[..., :4] = 0
    assert torch.equal(net.denoise(x, here)[..., :4], x[..., :4])


@pytest.mark.parametrize("name", NAMES)
def test_beyond_its_range_the_picture_is_scaled(files: Path, name: str) -> None:
    net, top = prior(files, name), 50 / 255
    x = noisy(2, 1, 8, 8)
    level = torch.tensor([0.1, 4 * top])
    out = net.denoise(x, level)
    assert torch.allclose(out[:1], net.denoise(x[:1], 0.1), atol=1e-6)
    assert torch.allclose(out[1:], 4 * net.denoise(x[1:] / 4, top), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_below_its_range_the_change_goes_with_the_variance(files: Path, name: str) -> None:
    net = prior(files, name)
    x = noisy(2, 1, 8, 8)
    x = (x - x.amin((1, 2, 3), keepdim=True)) / (x.amax() - x.amin())
    x[:, 0, 0, 0] = 1.0
    least = 3 / 255  # for pictures of range 1
    change = net.denoise(x, least) - x
    out = net.denoise(x, torch.tensor([least / 2, least / 10]))
    assert torch.allclose(out - x, change * torch.tensor([0.25, 0.01]).view(2, 1, 1, 1), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_dim_picture_is_stretched_first(files: Path, name: str) -> None:
    net, x = prior(files, name), noisy(1, 1, 8, 8)
    x = (x - x.min()) / (x.max() - x.min())
    assert torch.allclose(20 * net.denoise(x / 20, 0.02 / 20), net.denoise(x, 0.02), atol=1e-6)


@pytest.mark.parametrize("name", ["dncnn", "drunet"])
def test_without_biases_a_network_is_homogeneous(files: Path, name: str) -> None:
    net, x = prior(files, name), noisy(1, 1, 16, 16)
    half = net.denoise(x / 2, 0.05)
    assert torch.allclose(half, net.denoise(x, 0.1) / 2, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_levels(files: Path, name: str) -> None:
    """A number, one per image, a constant map: the same."""
    net, x = prior(files, name), noisy(2, 1, 9, 10)
    out = net.denoise(x, 0.1)
    for level in (
        torch.tensor(0.1),
        torch.tensor([0.1, 0.1]),
        torch.full((2, 1, 1, 1), 0.1),
        torch.full((1, 1, 9, 10), 0.1),
        torch.full((2, 1, 9, 10), 0.1),
    ):
        assert torch.allclose(net.denoise(x, level), out, atol=1e-6)
    alone = [net.denoise(x[i : i + 1], s) for i, s in enumerate((0.05, 0.15))]
    both = net.denoise(x, torch.tensor([0.05, 0.15]))
    assert torch.allclose(both, torch.cat(alone), atol=1e-6)
    uneven = torch.full((2, 1, 9, 10), 0.1)
    uneven[..., :5] = 0.01
    assert not torch.allclose(net.denoise(x, uneven), out, atol=1e-4)
    for wrong in (torch.ones(3), torch.ones(2, 2, 9, 10), torch.ones(2, 1, 9, 11)):
        with pytest.raises((ipx.ShapeError, RuntimeError)):
            net.denoise(x, wrong)


@pytest.mark.parametrize("name", NAMES)
def test_channels(files: Path, name: str) -> None:
    grey, colour = prior(files, name), prior(files, name, 3)
    x = noisy(2, 5, 8, 8)
    levels = torch.tensor([0.05, 0.15])
    each = [grey.denoise(x[:, c : c + 1], levels) for c in range(5)]
    assert torch.allclose(grey.denoise(x, levels), torch.cat(each, 1), atol=1e-6)
    assert colour.denoise(x[:, :3], levels).shape == (2, 3, 8, 8)
    with pytest.raises(ipx.ShapeError, match="for 3 channels; the image has 5"):
        colour.denoise(x, levels)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_flow_only_when_asked(files: Path, name: str) -> None:
    net = prior(files, name)
    x = noisy(1, 1, 7, 7)
    assert not net.denoise(x, 0.1).requires_grad
    asked = x.clone().requires_grad_()
    out = net.denoise(asked, 0.1)
    (slope,) = torch.autograd.grad(out.sum(), asked)
    assert slope.abs().sum() > 0
    with torch.no_grad():
        assert not net.denoise(asked, 0.1).requires_grad


def test_torch_is_left_as_it_was(files: Path) -> None:
    before = torch.get_rng_state()
    threads, kind = torch.get_num_threads(), torch.get_default_dtype()
    prior(files, "drunet").denoise(noisy(1, 1, 8, 8), 0.1)
    assert torch.equal(torch.get_rng_state(), before)
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, kind)
    assert torch.is_grad_enabled()


def test_networks_of_the_papers_have_their_sizes() -> None:
    """Parameters as published: DRUNet 32.64 M, FFDNet 0.485 M (with its batch norm)."""

    def size(name: str, **options: object) -> float:
        with torch.device("meta"):
            net = ipx.model(name, **options).network()
        return sum(p.numel() for p in net.parameters()) / 1e6

    paper = {"widths": (64, 128, 256, 512), "blocks": 4, "unshuffle": 1}
    assert size("drunet", **paper) == pytest.approx(32.64, abs=0.01)
    assert size("ffdnet") == pytest.approx(0.485, abs=0.003)
    assert size("dncnn") == pytest.approx(0.556, abs=0.003)


@pytest.mark.parametrize("name", NAMES)
def test_without_weights_one_line_says_what_to_do(name: str, tmp_path: Path) -> None:
    spec = registry().get("model", name)
    assert isinstance(spec, ModelSpec)
    if spec.weights:
        pytest.skip("weights come with it")
    with pytest.raises(ipx.MissingExtraError, match=f"ipx train {name} --data"):
        ipx.prior(name).denoise(noisy(1, 1, 8, 8), 0.1)


# ---------------------------------------------------------------- the shipped weights

SHIPPED = [
    (spec.name, weights)
    for spec in registry().all("model")
    if isinstance(spec, ModelSpec) and spec.plugin == "denoisers"
    for weights in spec.weights
]


@pytest.mark.parametrize(("name", "weights"), SHIPPED)
def test_shipped_weights_are_whole_and_described(name: str, weights: str) -> None:
    loaded = load_weights(weights, name)
    for key in ("licence", "about", "hardware", "seconds", "images_seen", "score", "sha256"):
        assert loaded.card[key], key
    assert loaded.model.colors == (3 if weights == "color" else 1)
    for tensor in loaded.tensors.values():
        assert tensor.isfinite().all()


def picture(name: str) -> Tensor:
    """256 x 256, grey."""
    big = getattr(data, name)() / 255.0
    x = torch.as_tensor(big.reshape(256, 2, 256, 2, -1).mean((1, 3)), dtype=torch.float32)
    if x.shape[2] == 3:
        x = x @ torch.tensor([[0.299], [0.587], [0.114]])
    return x.permute(2, 0, 1)[None]


@pytest.mark.slow
@pytest.mark.parametrize("level", [15, 25, 50])
def test_drunet_against_bm3d(level: int) -> None:
    """Ahead on the photographs of the tests; on brick, which repeats itself, behind, not by 2 dB.

    The same noise for both.
    """
    gains = {}
    for name in ("camera", "astronaut", "brick"):
        x = picture(name)
        y = x + level / 255 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
        learned, classical = ipx.prior("drunet", weights="grey"), ipx.prior("bm3d")
        a, b = (float(ipx.psnr(p.denoise(y, level / 255), x)) for p in (learned, classical))
        gains[name] = a - b
    assert gains["camera"] + gains["astronaut"] > 0, gains
    assert gains["brick"] > -2, gains


def line_art() -> Tensor:
    """Black lines on white, 96 x 96."""
    x = torch.ones(1, 1, 96, 96)
    for k in range(0, 96, 12):
        x[..., k, :] = 0
        x[..., range(96), [(i + 2 * k) % 96 for i in range(96)]] = 0
    return x


@pytest.mark.parametrize(("sigma", "gain"), [(0.004, 8.0), (0.02, 8.0), (0.08, 3.5)])
def test_line_art_by_the_shrinkage_and_photographs_by_the_network(
    sigma: float, gain: float
) -> None:
    """The mixture gains what is given on line art, and loses at most 0.05 dB on a photograph."""
    both, alone = ipx.prior("drunet"), ipx.prior("drunet", mix=False)
    for x, least in ((line_art(), gain), (picture("camera"), -0.05)):
        y = x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
        a, b = (float(ipx.psnr(p.denoise(y, sigma), x)) for p in (both, alone))
        assert a - b > least


def test_the_mixture_is_per_image_and_leaves_little_noise_to_the_network() -> None:
    both, alone = ipx.prior("drunet"), ipx.prior("drunet", mix=False)
    x = torch.cat([line_art(), picture("camera")[..., 60:156, 80:176], line_art()])
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    levels = torch.tensor([0.02, 0.08, 0.05])
    y = x + noise * torch.tensor([0.02, 0.08, 0.0]).view(3, 1, 1, 1)
    out = both.denoise(y, levels)
    each = torch.cat([both.denoise(y[i : i + 1], float(levels[i])) for i in range(3)])
    assert torch.allclose(out, each, atol=1e-5)
    assert torch.allclose(out[2:], alone.denoise(y[2:], 0.05), atol=1e-6)
    here = levels.view(3, 1, 1, 1).expand(3, 1, 96, 96)
    assert torch.allclose(both.denoise(y, here), out, atol=1e-5)


@pytest.mark.parametrize("looked", [True, False])
def test_a_part_of_a_large_image_tells_its_mixture(looked: bool) -> None:
    """Not where it differs from the whole: what lies between the squares has texture there."""
    x = torch.full((1, 1, 768, 768), 0.5)
    grain = 0.2 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    if looked:
        x = x + grain
    else:
        marked = torch.arange(768 * 768.0).reshape(x.shape)
        seen = torch.zeros(768 * 768).index_fill(0, squares(marked, 64, 8).flatten().long(), 1.0)
        x = x + grain * (1 - seen.reshape(x.shape))
    y = x + 0.05 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))

    def mean(v: Tensor) -> Tensor:  # what a bad network makes of texture
        calls.append(v.shape[-1])
        return functional.avg_pool2d(functional.pad(v, (2, 2, 2, 2), mode="replicate"), 5, 1)

    calls: list[int] = []
    out = mixture.mixed(y, torch.full((1, 1, 1, 1), 0.05), mean)
    assert float(ipx.psnr(out, x)) > float(ipx.psnr(y, x)) - 0.05
    assert calls == ([768, 512, 512] if looked else [768, 512, 512, 768])


@pytest.mark.slow
@pytest.mark.parametrize("of", ["lines", "camera"])
def test_a_part_costs_large_images_little(of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = line_art().repeat(1, 1, 8, 8) if of == "lines" else picture("camera").repeat(1, 1, 3, 3)
    y = x + 0.08 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    prior = ipx.prior("drunet")
    part = prior.denoise(y, 0.08)
    monkeypatch.setattr(mixture, "squares", lambda v, *sizes: v)
    assert float(ipx.psnr(part, x)) > float(ipx.psnr(prior.denoise(y, 0.08), x)) - 0.05


def test_a_dim_picture_gains_what_a_bright_one_does() -> None:
    """Values in [0, 0.05] with noise of 0.004: over 10 dB; it was one."""
    x = 0.05 * picture("moon")
    y = x + 0.004 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    out = ipx.prior("drunet").denoise(y, 0.004)
    assert float(ipx.psnr(out, x)) > float(ipx.psnr(y, x)) + 10


def colourful(side: int = 256) -> Tensor:
    """Astronaut, in colour."""
    big = torch.as_tensor(data.astronaut() / 255.0, dtype=torch.float32).permute(2, 0, 1)
    step = 512 // side
    return big.unfold(1, step, step).unfold(2, step, step).mean((3, 4))[None]


@pytest.mark.parametrize("level", [0.2, 1, 2, 5, 15, 50, 100])
@pytest.mark.parametrize("channels", [2, 3])
def test_drunet_improves_every_level(level: float, channels: int) -> None:
    """From the least noise to twice what it was trained for, channel by channel and in colour."""
    x = picture("camera")[..., 60:124, 80:144].expand(1, 2, -1, -1)
    x = colourful()[..., 60:124, 80:144] if channels == 3 else x
    y = x + level / 255 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    out = ipx.prior("drunet").denoise(y, level / 255)
    assert float(ipx.psnr(out, x)) > float(ipx.psnr(y, x)) + (1 if level >= 5 else 0)


def test_colour_weights_see_what_channels_have_in_common() -> None:
    """A decibel at sigma 25 over the grey network channel by channel; they are the default."""
    x = colourful(128)
    y = x + 25 / 255 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    together, apart = (
        float(ipx.psnr(ipx.prior("drunet", weights=w).denoise(y, 25 / 255), x))
        for w in ("auto", "grey")
    )
    assert together > apart + 1


@pytest.mark.slow
@pytest.mark.parametrize("op", ["blur", "inpaint", "super-resolution"])
def test_plug_and_play_in_colour_beats_total_variation(op: str) -> None:
    """By half a decibel and more, both weights automatic, the noise told."""
    x = colourful()
    noise = {"name": "gaussian", "sigma": 0.02}
    y = ipx.degrade(x, op=op, noise=noise, seed=1)
    learned, edges = (ipx.restore(y, op=op, noise=noise, prior=p) for p in ("drunet", "tv"))
    assert float(ipx.psnr(learned, x)) > float(ipx.psnr(edges, x)) + 0.5


def test_from_the_command_line() -> None:
    """The model is listed, and described."""
    for args in ("list model", "info drunet --kind model", "info drunet --kind prior"):
        done = CliRunner().invoke(cli, args.split())
        assert done.exit_code == 0, done.output
        assert "drunet" in done.output


def test_ffdnet_takes_its_estimate_of_the_noise_away() -> None:
    net = ipx.model("ffdnet", width=6, depth=3).network()
    x = torch.rand(1, 1, 8, 8)
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
        assert torch.equal(net(x, torch.full((1, 1, 1, 1), 0.1)), x)
