"""What both generative networks promise, and the weights that come with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor, nn

import ipx
from ipx.declare.registry import registry
from ipx.parts.weights import load_weights
from ipx_plugins.gan.model import GAN
from ipx_plugins.vae.model import VAE
from small_models import MODELS, OBJECTIVES, drawn, normal, started

FACE = (slice(55, 185), slice(160, 290))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("colors", [1, 3])
def test_shapes_and_types(name: str, colors: int) -> None:
    model, net = started(name, colors=colors)
    shape = (colors, 16, 16)
    assert model.latent_size(shape) == 6
    assert model.only_shape == shape
    for dtype in (torch.float32, torch.float64):
        x = drawn(2, *shape).to(dtype)
        z = model.encode(net.eval(), x)
        assert (z.shape, z.dtype) == ((2, 6), dtype)
        made = model.decode(net, z, shape)
        assert (made.shape, made.dtype) == (x.shape, dtype)
        assert 0 <= made.min() < made.max() <= 1


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_is_its_pictures(name: str) -> None:
    model, net = started(name)
    net.eval()
    x, z = drawn(3, 3, 16, 16), normal(3, 6)
    calls = [(lambda v: model.encode(net, v), x), (lambda v: model.decode(net, v, (3, 16, 16)), z)]
    if model.density != "none":
        calls.append((lambda v: model.log_prob(net, v) / 768, x))
    for call, argument in calls:
        alone = torch.cat([call(argument[i : i + 1]) for i in range(3)])
        assert torch.allclose(call(argument), alone, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(3, 16, 17), (1, 16, 16), (3, 32, 32), (16, 16)])
def test_other_pictures_are_refused_in_a_line(name: str, shape: tuple[int, ...]) -> None:
    model, net = started(name)
    wanted = rf"this {name} is for images of shape \(3, 16, 16\), not .*; scale or crop"
    with pytest.raises(ipx.ShapeError, match=wanted):
        model.latent_size(shape)
    with pytest.raises(ipx.ShapeError, match=wanted):
        model.encode(net, drawn(1, *shape))
    with pytest.raises(ipx.ShapeError, match=wanted):
        model.decode(net, normal(1, 6), shape)


@pytest.mark.parametrize("name", MODELS)
def test_options_are_checked(name: str) -> None:
    with pytest.raises(ipx.OptionError, match="power of two, not 48"):
        ipx.model(name, size=48)
    with pytest.raises(ipx.OptionError, match="colors must be 1 or 3"):
        ipx.model(name, colors=2)


@pytest.mark.parametrize("deviation", ["no", "0", "-1", "inf", "nan"])
def test_the_deviation_is_a_number(deviation: str) -> None:
    with pytest.raises(ipx.OptionError, match="deviation must be learned or a number > 0"):
        ipx.model("vae", deviation=deviation)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_reach_every_parameter(name: str, objective: str) -> None:
    model, net = started(name, **({"objective": objective} if name == "gan" else {}))
    rng = torch.Generator().manual_seed(1)
    batch = drawn(4, 3, 16, 16)
    seen: set[int] = set()
    for part, parameters in model.parts(net).items():
        kept = list(parameters)
        loss = next(iter(model.part_loss(part, net, batch, rng).values()))
        found = torch.autograd.grad(loss, kept, allow_unused=True)
        for grad, parameter in zip(found, kept, strict=True):
            # the last bias of a critic has none where only differences of its outputs count
            shift = objective == "wasserstein-gp" and parameter.shape == (1,)
            assert grad is not None
            assert shift or grad.abs().sum() > 0
        seen |= {id(p) for p in kept}
    assert seen == {id(p) for p in net.parameters()}


@pytest.mark.parametrize("name", MODELS)
def test_the_code_and_the_picture_have_gradients(name: str) -> None:
    model, net = started(name)
    net.eval().requires_grad_(False)
    x, z = drawn(1, 3, 16, 16).requires_grad_(), normal(1, 6).requires_grad_()
    value = model.encode(net, x).sum() + model.decode(net, z, (3, 16, 16)).sum()
    for grad in torch.autograd.grad(value, [x, z]):
        assert grad.abs().sum() > 0


# Shipped weights


def shipped() -> list[Any]:
    return [
        pytest.param(name, weights, id=f"{name}-{weights}")
        for name in MODELS
        for weights in registry().get("model", name).weights
    ]


def face() -> Tensor:
    """The astronaut's face, 64 x 64, eyes and mouth about where the training pictures have them."""
    cut = data.astronaut()[FACE].astype(np.float32) / 255
    return nn.functional.interpolate(torch.from_numpy(cut).permute(2, 0, 1)[None], 64, mode="area")


@pytest.mark.parametrize(("name", "weights"), shipped())
def test_shipped_weights(name: str, weights: str) -> None:
    loaded = load_weights(weights, name)
    model, net = loaded.model, loaded.network()
    assert isinstance(model, VAE | GAN)
    o = model.options
    shape = (o.colors, o.size, o.size)
    made = model.decode(net, normal(8, o.latent), shape)
    assert made.isfinite().all()
    # generated pictures differ from one another
    assert made.std(0).mean() > 0.05
    assert 0.01 < model.deviation(net) < 0.3
    # the encoder inverts the decoder
    again = model.decode(net, model.encode(net, made), shape)
    mean = made.mean(0, keepdim=True).expand_as(made)
    assert (ipx.psnr(again, made) > ipx.psnr(mean, made) + 3).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_new_face_is_encoded(name: str) -> None:
    """Closer than the mean face of the model, and than the mean colour of the picture."""
    loaded = load_weights("faces", name)
    model, net, x = loaded.model, loaded.network(), face()
    assert isinstance(model, VAE | GAN)
    found = float(ipx.psnr(model.decode(net, model.encode(net, x), x.shape[1:]), x))
    mean_face = model.decode(net, torch.zeros(1, model.options.latent), x.shape[1:])
    assert found > float(ipx.psnr(mean_face, x)) + 3
    assert found > float(ipx.psnr(x.mean((2, 3), keepdim=True).expand_as(x), x)) + 1
    if model.density != "none":
        # a face is more probable than a face upside down, and than noise
        noise = drawn(1, 3, 64, 64)
        told = [float(model.log_prob(net, v)) for v in (x, x.flip(2), noise)]
        assert told[0] > told[1] > told[2]
