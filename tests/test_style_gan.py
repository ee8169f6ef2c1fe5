"""The style-based generator: styles, noise, mixing, growing; and codes drawn to the normal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ipx
from ipx.parts.weights import save_weights
from ipx_plugins.gan.model import _away_from_normal
from ipx_plugins.gan.style import mixed, scales, styled

TINY: dict[str, Any] = {"colors": 1, "size": 16, "latent": 5, "width": 4, "body": "style"}


def started(**more: Any) -> tuple[Any, Any]:
    model = ipx.model("gan", **{**TINY, **more})
    torch.manual_seed(0)
    return model, model.network()


def codes(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed))


def test_adain_sets_mean_and_deviation() -> None:
    h = 3 + 2 * torch.randn(2, 3, 8, 8)
    style = torch.tensor([[0.0, 1.0, -0.5, 0.1, 0.2, 0.3]]).expand(2, -1)
    found = styled(h, style)
    assert torch.allclose(found.mean((2, 3)), style[:, 3:], atol=1e-5)
    assert torch.allclose(found.std((2, 3), unbiased=False), 1 + style[:, :3], atol=1e-4)


def test_mixing_takes_over_at_a_layer() -> None:
    first, second = torch.zeros(3, 6, 5), torch.ones(3, 5)
    found = mixed(first, second, torch.tensor([0, 4, 6]))[..., 0]
    assert found.sum(1).tolist() == [6, 2, 0]
    assert found[1].tolist() == [0, 0, 0, 0, 1, 1]


def test_mixed_pictures_go_from_one_to_the_other() -> None:
    model, net = started()
    a, b = codes(2), codes(2, seed=1)
    shape = (1, 16, 16)
    with torch.no_grad():
        one, other = model.decode(net, a, shape), model.decode(net, b, shape)
        assert torch.allclose(model.mixed(net, a, b, 6), one, atol=1e-6)
        assert torch.allclose(model.mixed(net, a, b, 0), other, atol=1e-6)
        between = model.mixed(net, a, b, 4)
        assert not torch.allclose(between, one, atol=1e-3)
        assert not torch.allclose(between, other, atol=1e-3)
        plain = ipx.model("gan", **{**TINY, "body": "dcgan"})
        with pytest.raises(ipx.OptionError, match="body style"):
            plain.mixed(plain.network(), a, b, 2)


def test_noise_is_drawn_in_training_and_fixed_in_use() -> None:
    _, net = started()
    for block in net.generator.blocks:
        torch.nn.init.ones_(block.strength)
    z = codes(1)
    with torch.no_grad():
        assert torch.equal(net.decode(z), net.decode(z))
        rngs = [torch.Generator().manual_seed(k) for k in (0, 0, 1)]
        a, b, c = (net.made(z, rng) for rng in rngs)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_it_grows_and_fades_in() -> None:
    """With 4 steps a scale: 4 x 4, then 8 x 8 that fades in over two steps, 16 x 16 at the end."""
    _, net = started(grow=4)
    told = []
    for _ in range(14):
        told.append((net.made(codes(1)).shape[-1], net.stage()[1]))
        net.counted()
    assert told[:4] == [(4, 1.0)] * 4
    assert told[4:8] == [(8, 0.0), (8, 0.5), (8, 1.0), (8, 1.0)]
    assert told[8:12] == [(16, 0.0), (16, 0.5), (16, 1.0), (16, 1.0)]
    assert told[12:] == [(16, 1.0)] * 2
    net.steps.fill_(4)  # a scale that has not faded in is the coarser one, enlarged
    with torch.no_grad():
        fine = net.made(codes(2))
        net.steps.fill_(3)
        coarse = net.made(codes(2))
    again = torch.nn.functional.interpolate(coarse, scale_factor=2)
    assert torch.allclose(fine, again, atol=1e-6)
    assert net.decode(codes(2)).shape == (2, 1, 16, 16)
    batch = torch.rand(3, 1, 16, 16)
    net.steps.fill_(4)
    blurred = torch.nn.functional.avg_pool2d(batch, 4)
    again = torch.nn.functional.interpolate(blurred, scale_factor=2)
    assert torch.allclose(net.real(batch), again, atol=1e-6)


def test_growing_is_part_of_the_checkpoint() -> None:
    model, net = started(grow=4)
    net.train()
    for _ in range(5):
        model.part_loss("discriminator", net, torch.rand(4, 1, 16, 16), torch.Generator())
    other = model.network()
    other.load_state_dict(net.state_dict())
    assert other.stage() == net.stage() == (1, 0.5)


def test_only_the_style_body_grows() -> None:
    with pytest.raises(ipx.OptionError, match="grow is for body style"):
        ipx.model("gan", grow=10)
    assert scales(64, 32) == [256, 128, 64, 32, 32]


def test_normal_codes_have_no_penalty() -> None:
    """Codes with mean m and covariance C give |m|^2 / n + |C - I|^2 / n^2."""
    z = codes(4000)
    assert float(_away_from_normal(z)) < 0.01
    assert float(_away_from_normal(3 * z)) == pytest.approx(64 / 5, rel=0.1)
    assert float(_away_from_normal(z + 2)) == pytest.approx(4, rel=0.1)


def test_style_mixing_makes_rows_and_columns(tmp_path: Path) -> None:
    model, net = started()
    path = tmp_path / "style.safetensors"
    card = {"model": "gan/gan", "options": model.options.to_mapping()}
    save_weights(path, net.state_dict(), card)
    generator = ipx.generator("style-mixing", weights=str(path), codes=3, layer=2)
    found = generator.generate((), None, 6, 0)
    assert found.shape == (6, 1, 16, 16)
    assert len({tuple(x.flatten().tolist()) for x in found}) == 6
    fine = ipx.generator("style-mixing", weights=str(path), codes=3, layer=0)
    columns = fine.generate((), None, 6, 0)  # no coarse styles: rows are equal
    assert torch.allclose(columns[:3], columns[3:], atol=1e-6)
    with pytest.raises(ipx.MissingExtraError, match="no styles to mix"):
        ipx.generator("style-mixing", weights="digits").generate()
