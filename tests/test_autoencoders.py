"""Autoencoders, VQ-VAE and AR-VAE against closed forms."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

import ipx
from ipx.declare.registry import registry
from ipx.files.images import read, write
from ipx.parts.weights import save_weights
from ipx.planning.request import Request
from ipx_cli.main import cli
from ipx_plugins.autoencoder.contractive import contraction
from ipx_plugins.autoencoder.corruption import corrupted, gaussian, masking, salt_and_pepper
from ipx_plugins.autoencoder.k_sparse import largest
from ipx_plugins.autoencoder.kl_sparse import divergence
from ipx_plugins.vae.ar import rank_correlation, regularity
from ipx_plugins.vae.morphology import NAMES, attributes
from ipx_plugins.vq_vae.codebook import Codebook
from ipx_plugins.vq_vae.masked import MaskedPrior
from small_models import drawn, normal


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(name: str, **options: Any) -> tuple[Any, torch.nn.Module]:
    model: Any = ipx.model(name, size=8, **options)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return model, model.network()


def test_principal_components_are_the_minimum_of_a_linear_autoencoder() -> None:
    """There the loss is what the components leave, without slope, and lower than nearby."""
    x = drawn(100, 1, 8, 8)
    about = (x - x.mean(0)).flatten(1)
    _, sizes, axes = torch.linalg.svd(about, full_matrices=False)
    model, net = made("ae", network="linear", latent=4)
    with torch.no_grad():
        model.initialise(net, x)
        for layer, weight in ((net.encoder[1], axes[:4]), (net.decoder[0], axes[:4].T)):
            layer.weight.copy_(weight)
        net.encoder[1].bias.zero_()
    loss = model.loss(net, x, generator())["loss"]
    least = float(loss.detach())
    assert least == pytest.approx(float(sizes[4:].square().sum()) / x.numel(), rel=1e-4)
    slopes = torch.autograd.grad(loss, list(net.parameters()))
    assert max(float(slope.abs().max()) for slope in slopes) < 1e-6
    with torch.no_grad():
        for parameter in net.parameters():
            change = 0.02 * normal(*parameter.shape)
            parameter.add_(change)
            assert float(model.loss(net, x, generator())["loss"]) > least
            parameter.sub_(change)


@pytest.mark.parametrize("k", [1, 3, 16])
def test_k_sparse_codes_have_k_numbers(k: int) -> None:
    model, net = made("ae", code="k-sparse", latent=16, active=k)
    z = model.encode(net, drawn(5, 1, 8, 8))
    assert (z != 0).sum(1).tolist() == [k] * 5
    raw = normal(4, 16)
    kept = largest(raw, k)
    assert torch.equal(kept.amax(1), raw.amax(1))
    lost = torch.where(kept == 0, raw, -torch.inf).amax(1)
    assert (torch.where(kept == 0, torch.inf, kept).amin(1) > lost).all()


def test_the_penalty_of_mean_activations_is_a_divergence() -> None:
    a = drawn(10, 6).double()
    p, q = (torch.distributions.Bernoulli(v) for v in (torch.full((6,), 0.05).double(), a.mean(0)))
    known = torch.distributions.kl_divergence(p, q).sum()
    assert torch.allclose(divergence(a, 0.05), known)
    assert float(divergence(torch.full((3, 2), 0.05), 0.05)) == pytest.approx(0, abs=1e-6)
    assert divergence(torch.zeros(3, 2), 0.05).isfinite()


def test_the_contraction_is_the_norm_of_the_jacobian() -> None:
    w, b = 0.3 * normal(5, 64), normal(5, seed=1)
    x = drawn(1, 1, 8, 8)

    def encode(v: Tensor) -> Tensor:
        return torch.sigmoid(v.flatten(1) @ w.T + b)

    h = encode(x)
    # closed form of one layer of sigmoids (Rifai et al. 2011, section 5.1)
    known = ((h * (1 - h)).square() * w.square().sum(1)).sum()
    code, found = contraction(encode, x.expand(4000, -1, -1, -1), generator())
    assert torch.allclose(code[0], h[0])
    assert float(found.detach().mean()) == pytest.approx(float(known), rel=0.05)


def test_corruptions_are_as_strong_as_told() -> None:
    x, level = torch.full((2, 3, 100, 100), 0.5), torch.tensor([0.1, 0.4])
    noisy = gaussian(x, level, generator()) - x
    assert noisy.flatten(1).std(1).tolist() == pytest.approx([0.1, 0.4], rel=0.02)
    masked = masking(x, level, generator())
    assert (masked == 0).flatten(1).float().mean(1).tolist() == pytest.approx([0.1, 0.4], abs=0.02)
    assert torch.equal((masked == 0).all(1), (masked == 0).any(1))  # whole pixels
    spoilt = salt_and_pepper(x, level, generator())
    for value in (0, 1):
        share = (spoilt == value).flatten(1).float().mean(1).tolist()
        assert share == pytest.approx([0.05, 0.2], abs=0.02)
    assert corrupted(x, "none", 0.5, generator()) is x


def test_codes_are_standard_and_come_back() -> None:
    model, net = made("ae", latent=6)
    x = drawn(64, 1, 8, 8)
    with torch.no_grad():
        model.initialise(net, x)
        z = model.encode(net, x)
        again = model.decode(net, z, (1, 8, 8))
        assert torch.allclose(again, net.decoder(net.code(x)), atol=1e-5)
    assert z.mean(0).abs().max() < 1e-3
    assert (z.std(0) - 1).abs().max() < 1e-3


def test_the_codebook() -> None:
    book = Codebook(3, 2)
    book.vectors.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0]]))
    z = torch.tensor([[0.1, 0.2], [0.9, -0.1]], requires_grad=True)
    assert book.nearest(z).tolist() == [0, 1]
    out = book(z)
    assert torch.equal(out, book.vectors[:2])
    (slope,) = torch.autograd.grad((out * torch.tensor([[1.0, 2.0], [3.0, 4.0]])).sum(), z)
    assert torch.equal(slope, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))  # straight through


def test_vectors_become_the_means_of_their_codes_and_dead_ones_return() -> None:
    centers = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    z = centers.repeat(30, 1) + 0.1 * normal(90, 2)
    book, rng = Codebook(4, 2), generator()
    book.vectors[:3], book.vectors[3] = centers + 0.5, torch.tensor([50.0, 50.0])
    book.total.copy_(book.vectors * 30)
    book.count.fill_(30)
    for _ in range(50):
        book.update(z, 0.9, rng)
    # the fourth has gone to a code, and shares its cluster
    near = book.nearest(z)
    assert near.unique().numel() == 4
    means = torch.stack([z[near == i].mean(0) for i in range(4)])
    assert torch.allclose(book.vectors, means, atol=0.05)


def test_the_prior_sees_what_comes_before() -> None:
    torch.manual_seed(0)
    prior = MaskedPrior(5, 8, 2)
    index = torch.randint(5, (1, 4, 4), generator=generator())
    before = prior(index)
    changed = index.clone()
    changed[0, 1, 2] = (index[0, 1, 2] + 1) % 5
    same = (prior(changed) == before).all(1)[0].flatten()
    assert bool(same[:7].all())  # up to and with the place itself
    assert not bool(same[7:].all())


def test_the_prior_of_a_map_sums_to_one_and_is_sampled() -> None:
    torch.manual_seed(1)
    prior = MaskedPrior(2, 4, 1)
    every = torch.tensor([[int(c) for c in f"{i:04b}"] for i in range(16)]).view(16, 2, 2)
    with torch.no_grad():
        p = (-prior.nats(every)).exp()
    assert float(p.sum()) == pytest.approx(1, abs=1e-5)
    drawn_maps = prior.sample(4000, (2, 2), 1.0, generator())
    numbers = (drawn_maps.flatten(1) * torch.tensor([8, 4, 2, 1])).sum(1)
    assert torch.allclose(torch.bincount(numbers, minlength=16) / 4000, p, atol=0.03)


def test_order_of_codes() -> None:
    a = torch.arange(5.0)
    assert float(regularity(100 * a, a, 1.0)) == pytest.approx(0, abs=1e-6)
    # all of the 20 ordered pairs are wrong by 2, the 5 of a picture with itself by 0
    assert float(regularity(-100 * a, a, 1.0)) == pytest.approx(2 * 20 / 25, abs=1e-6)
    assert float(rank_correlation(a**3, a)) == pytest.approx(1)
    assert float(rank_correlation(-a, a)) == pytest.approx(-1)
    assert float(rank_correlation(torch.ones(5), a)) == 0


def bar(lean: float = 0.0, width: float = 4.0, height: float = 20.0) -> Tensor:
    """A leaning bar with soft edges, 32 x 32."""
    y, x = torch.meshgrid(*(torch.arange(32.0) - 15.5,) * 2, indexing="ij")
    across = (width / 2 + 0.5 - (x + lean * y).abs()).clamp(0, 1)
    return (across * (height / 2 + 0.5 - y.abs()).clamp(0, 1))[None, None]


def test_attributes_of_bars() -> None:
    told = dict(zip(NAMES, attributes(bar())[0].tolist(), strict=True))
    assert told["area"] == pytest.approx(80, rel=0.05)
    assert told["thickness"] == pytest.approx(4, rel=0.15)
    assert told["length"] == pytest.approx(16, abs=2)  # a skeleton ends half a width early
    assert told["slant"] == pytest.approx(0, abs=1e-6)
    assert told["width"] == pytest.approx(4, abs=1)
    assert told["height"] == pytest.approx(20, abs=1)
    leaning = attributes(bar(lean=0.3, height=24))[0].tolist()
    assert leaning[3] == pytest.approx(math.atan(0.3), abs=0.02)
    # upright again, with edges that are half a pixel softer on either side
    assert leaning[4] == pytest.approx(5, abs=0.6)
    assert attributes(torch.zeros(1, 1, 32, 32)).tolist() == [[0.0] * 6]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Bars that lean to the left and to the right, in a folder each."""
    for name, sign in (("left", -1), ("right", 1)):
        (tmp_path / "bars" / name).mkdir(parents=True)
        for i in range(10):
            picture = bar(lean=sign * (0.15 + 0.02 * i), height=16 + i % 3)
            write(tmp_path / "bars" / name / f"{i}.png", picture[0].numpy())
    return tmp_path


def run(*words: object) -> str:
    done = CliRunner().invoke(cli, [str(w) for w in words])
    assert done.exit_code == 0, done.output
    return done.output


def test_classes_are_learned_and_shown(folder: Path) -> None:
    """Training on sub-folders, labels, patches, pictures for units: the whole way."""
    weights, bars = folder / "c.safetensors", folder / "bars"
    run(
        "train", "classifier", "--data", bars, "--augment", "none", "--steps", 60, "--batch", 8,
        "--hold-out", "*9.png", "--ema", 0.8, "--warmup", 5, "--lr", 0.005,
        "--model.classes", 2, "--model.width", 4, "-o", weights, "-q",
    )  # fmt: skip
    told = run("classifier", "label", bars, "--model.weights", weights).splitlines()
    right = [Path(line.split("\t")[0]).parent.name == line.split("\t")[1] for line in told]
    assert len(right) == 20
    assert sum(right) >= 19
    out = folder / "p.png"
    run("classifier", "patches", bars, "--model.weights", weights, "--count", 3, "-o", out)
    assert read(out).pixels.shape[1:] == (8 * 72 - 2, 3 * 72 - 2)  # 10 x 10, enlarged
    how = ("--model.weights", weights, "--count", 3, "--scale", 1)
    run("classifier", "patches", bars, *how, "-o", out, "--force")
    assert read(out).pixels.shape[1:] == (8 * 12 - 2, 3 * 12 - 2)
    assert json.loads((folder / "p.png.json").read_text())["scale"] == 1
    run("classifier", "maximise", "--model.weights", weights, "--steps", 40, "-o", folder / "m.png")
    made_for = read(folder / "m.png").pixels[:1]
    for i, name in enumerate(("left", "right")):
        # enlarged twofold in the sheet
        write(folder / f"{name}.png", made_for[:, ::2, 66 * i : 66 * i + 64 : 2])
        told = run("classifier", "label", folder / f"{name}.png", "--model.weights", weights)
        assert told.split("\t")[1] == name


def test_classes_that_do_not_fit_are_one_line(folder: Path) -> None:
    words = ["train", "classifier", "--data", folder / "bars", "-o", folder / "c.safetensors"]
    done = CliRunner().invoke(cli, [str(w) for w in words])
    assert done.exit_code == 2
    assert "10 classes" in done.output
    assert "2 sub-folders" in done.output


def saved(name: str, path: Path, **options: Any) -> Path:
    """Untrained weights of 32 x 32 pictures."""
    torch.manual_seed(0)
    model = ipx.model(name, **options)
    net = model.network()
    with torch.no_grad():
        model.initialise(net, torch.cat([bar(), bar(0.2)]))
    card = {"model": registry().get("model", name).id, "options": model.options.to_mapping()}
    save_weights(path, net.state_dict(), card)
    return path


@pytest.mark.parametrize("prior", ["ae-analysis", "ae-synthesis", "ae-denoiser"])
def test_priors_of_an_autoencoder(prior: str, tmp_path: Path) -> None:
    weights = saved("ae", tmp_path / "a.safetensors", width=4, latent=8)
    y = bar() + 0.1 * normal(1, 1, 32, 32)
    how = ipx.solve(
        y, op="identity", noise={"name": "gaussian", "sigma": 0.1}, iterations=3,
        prior={"name": prior, "model": "ae", "weights": str(weights)},
    )  # fmt: skip
    assert how.image.shape == y.shape
    if prior == "ae-analysis":
        known: Any = ipx.prior(prior, model="ae", weights=str(weights))
        gamma = known.generator.deviation(known.net(y))
        away = known.decode(known.encode(y), (1, 32, 32)) - y
        assert torch.allclose(known.value(y), away.square().sum() / (2 * gamma**2))


def test_views_of_codes(folder: Path) -> None:
    """Each action writes its picture and what it found."""
    w = saved("vq-vae", folder / "v.safetensors", width=4, entries=8, dimension=2, prior_width=4)
    common = ("--model", "vq-vae", "--model.weights", w, "-o")
    bars, left, right = (folder / "bars" / n for n in ("", "left", "right"))
    one, side = left / "0.png", 32
    views: list[tuple[tuple[object, ...], tuple[int, int]]] = [
        (("sample", "--count", 2), (2 * side, 130)),
        (("sheet", bars, "--steps", 3), (196, 196)),
        (("sheet", "--dims", "1,2", "--steps", 2, "--scale", 1), (66, 66)),
        (("scatter", bars), (720, 850)),
        (("population", bars, "--side", 300), (300, 300)),
        (("around", one, "--count", 3, "--columns", 2), (130, 130)),
        (("anomaly", one, "--normal", right), (480, 960)),
        (
            ("attribute", one, "--with", left, "--without", right, "--with", right, "--without",
             left, "--multiples", "0,1"),
            (196, 130),
        ),
    ]  # fmt: skip
    for i, (words, shape) in enumerate(views):
        out = folder / f"{i}.png"
        run("latent", *words, *common, out)
        pixels = read(out).pixels
        assert pixels.shape[1:] == shape, words
        assert float(np.ptp(pixels)) > 0
    with pytest.raises(AssertionError, match="0 to 127"):
        run("latent", "sheet", "--dims", "1,128", *common, folder / "x.png")


def test_priors_suit_what_their_weights_describe() -> None:
    def suits(prior: str, **options: Any) -> str:
        return Request(prior={"name": prior, **options}).subject

    assert suits("ae-denoiser") == suits("ae-analysis") == "digit"
    assert suits("vae-synthesis") == "face"
    assert suits("vae-synthesis", weights="digits") == "digit"
    assert suits("glow-patches", weights="photos") == "photograph"
    assert suits("realnvp-map") == "face"  # without weights
    assert ipx.trained_for("digits", "ae") is None  # none are shipped


def test_the_denoiser_averages_by_variance(tmp_path: Path) -> None:
    weights = saved("ae", tmp_path / "a.safetensors", width=4, latent=8)
    known: Any = ipx.prior("ae-denoiser", model="ae", weights=str(weights), gamma=0.3)
    x = bar() + 0.1 * normal(1, 1, 32, 32)
    made = known.decode(known.encode(x), (1, 32, 32))
    assert torch.allclose(known.denoise(x, 0.3), (x + made) / 2, atol=1e-6)
    assert torch.allclose(known.denoise(x, 0.4), (9 * x + 16 * made) / 25, atol=1e-6)
    assert torch.equal(known.denoise(x, 0.0), x)
