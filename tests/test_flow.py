"""Flows: exact inverse, exact determinant, exact density."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ipx
from ipx.parts.weights import load_weights, save_weights
from ipx_plugins.flow.layers import (
    ActNorm,
    Checkerboard,
    Coupling,
    Layer,
    Mix,
    Shift,
    ShiftSplit,
    Split,
    Squeeze,
)

SIZES = {"steps": 2, "levels": 2, "width": 16}
SMALL: dict[str, dict[str, Any]] = {
    "glow": SIZES,
    "glow additive": {**SIZES, "coupling": "additive"},
    "realnvp": SIZES,
}


def small(name: str, **more: Any) -> ipx.Generative[Any]:
    made: ipx.Generative[Any] = ipx.model(name.split()[0], **{**SMALL[name], **more})
    return made


def stirred(
    model: ipx.Generative[Any], dtype: torch.dtype, size: int, by: float = 0.05
) -> tuple[nn.Module, Tensor]:
    """A network away from its first weights, and a batch of pictures."""
    torch.manual_seed(0)
    net = model.network().to(dtype)
    x = torch.rand(4, model.colors, size, size, dtype=dtype)
    with torch.no_grad():
        model.initialise(net, x)
        for p in net.parameters():
            p.add_(by * torch.randn_like(p))
    return net.eval().requires_grad_(False), x


@pytest.mark.parametrize("name", SMALL)
def test_inverse_and_determinant(name: str) -> None:
    model = small(name, colors=1)
    net, x = stirred(model, torch.float64, 8)
    z = model.encode(net, x)
    assert float((model.decode(net, z, (1, 8, 8)) - x).abs().max()) < 1e-12
    jacobian = torch.autograd.functional.jacobian(
        lambda v: model.encode(net, v.view(1, 1, 8, 8))[0], x[0].flatten()
    )
    # log p = log N(z) + log |det J|
    gaussian = -(z[0] ** 2).sum() / 2 - 32 * math.log(2 * math.pi)
    wanted = gaussian + torch.linalg.slogdet(jacobian)[1]
    assert float(model.log_prob(net, x)[0]) == pytest.approx(float(wanted), abs=1e-9)


def test_parameters_that_change_in_place_count() -> None:
    """What a layer keeps of frozen parameters goes with them, as averaged weights need it."""
    model = ipx.model("glow", colors=1, **SMALL["glow"])
    net, x = stirred(model, torch.float64, 8)
    z = model.encode(net, x)
    assert torch.equal(model.encode(net, x), z)
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(1.1)
    changed = model.encode(net, x)
    assert float((changed - z).abs().max()) > 1e-2
    other = model.network().double().requires_grad_(False)
    model.encode(other, x)
    other.load_state_dict(net.state_dict())
    assert torch.equal(model.encode(other, x), changed)
    assert float((model.decode(net, changed, (1, 8, 8)) - x).abs().max()) < 1e-12
    single = net.float()
    assert float((model.decode(single, changed.float(), (1, 8, 8)) - x).abs().max()) < 1e-4
    with torch.inference_mode():
        net = model.trained(single.state_dict())
        assert torch.equal(model.encode(net, x.float()), model.encode(single, x.float()))


@pytest.mark.parametrize("name", SMALL)
def test_inverse_in_single_precision(name: str) -> None:
    model = small(name, steps=8, levels=4, width=32)
    net, x = stirred(model, torch.float32, 64, 0.003)
    again = model.decode(net, model.encode(net, x), (3, 64, 64))
    assert float((again - x).abs().max()) < 1e-4


@pytest.mark.parametrize(
    "layer",
    [
        Squeeze(),
        ActNorm(4),
        Mix(4),
        Coupling(4, 8),
        Coupling(5, 8, True),
        Shift(4, 8),
        Checkerboard(2, 8, 1),
    ],
)
def test_layers_invert(layer: Layer) -> None:
    torch.manual_seed(1)
    layer = layer.double()
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(0.3 * torch.randn_like(p))
    channels = {Squeeze: 3, Checkerboard: 2}.get(
        type(layer), 5 if isinstance(layer, Coupling) and layer.swap else 4
    )
    x = torch.randn(2, channels, 4, 4, dtype=torch.float64)
    y, log_det = layer(x)
    assert torch.allclose(layer.inverse(y), x, atol=1e-12)
    for i in range(2):
        jacobian = torch.autograd.functional.jacobian(
            lambda v: layer(v.view(1, *x.shape[1:]))[0].flatten(), x[i].flatten()
        )
        det = log_det.expand(2)[i] if isinstance(log_det, Tensor) else torch.tensor(log_det)
        assert float(torch.linalg.slogdet(jacobian)[1]) == pytest.approx(
            float(det.detach()), abs=1e-9
        )


@pytest.mark.parametrize("kind", [Split, ShiftSplit])
def test_split_is_whitened_and_inverts(kind: type[Split]) -> None:
    torch.manual_seed(2)
    split = kind(6).double()
    with torch.no_grad():
        for p in split.parameters():
            p.normal_(0, 0.2)
    x = torch.randn(2, 6, 4, 4, dtype=torch.float64)
    kept, code, _ = split(x)
    assert kept.shape == code.shape == (2, 3, 4, 4)
    assert torch.allclose(split.inverse(kept, code), x, atol=1e-12)


def test_density_of_a_plane_integrates_to_one() -> None:
    torch.manual_seed(3)
    layers = [Mix(2), Coupling(2, 16), Mix(2), Coupling(2, 16), ActNorm(2)]
    for layer in layers:
        layer.double()
        with torch.no_grad():
            for p in layer.parameters():
                p.add_(0.2 * torch.randn_like(p))
    line = torch.linspace(-40, 40, 401, dtype=torch.float64)
    h = torch.cartesian_prod(line, line)[:, :, None, None]
    log_det = torch.zeros(len(h), dtype=torch.float64)
    with torch.no_grad():
        for layer in layers:
            h, d = layer(h)
            log_det = log_det + d
    density = torch.exp(log_det - (h**2).sum((1, 2, 3)) / 2) / (2 * math.pi)
    step = float(line[1] - line[0])
    assert float(density.sum()) * step**2 == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("name", SMALL)
def test_untrained_is_a_gaussian(name: str) -> None:
    """Fresh weights turn and sort the picture, nothing else: p is N(1/2, I)."""
    model = small(name, colors=1)
    torch.manual_seed(4)
    net = model.network().double()
    x = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    wanted = -((x - 0.5) ** 2).flatten(1).sum(1) / 2 - 32 * math.log(2 * math.pi)
    assert torch.allclose(model.log_prob(net, x), wanted, atol=1e-9)
    bits = model.loss(net, x, torch.Generator().manual_seed(0))
    # -log2 p / n + bits, of pictures with the noise of dequantisation
    wanted_bits = 5 - float(wanted.mean()) / 64 / math.log(2)
    assert float(bits.detach()) == pytest.approx(wanted_bits, abs=0.01)


def test_the_volume_of_additive_couplings_is_constant() -> None:
    """log p(x) + |E(x)|^2 / 2 is one number for all pictures, so analysis is the MAP."""
    for name, constant in (("glow additive", True), ("glow", False), ("realnvp", False)):
        model = small(name)
        net, x = stirred(model, torch.float64, 16)
        volume = model.log_prob(net, x) + (model.encode(net, x) ** 2).sum(1) / 2
        assert bool((volume - volume[0]).abs().max() < 1e-9) == constant
        assert model.traits.constant_volume == constant


def test_the_first_batch_is_white_after_an_additive_flow() -> None:
    """At the start of training each channel of the code has mean 0 and variance 1."""
    model = small("glow additive")
    torch.manual_seed(0)
    net = model.network().double()
    x = 0.3 + 0.1 * torch.rand(8, 3, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        model.initialise(net, x)
    finest = model.encode(net, x)[:, : 6 * 8 * 8].reshape(8, 6, 64)
    assert torch.allclose(finest.mean((0, 2)), finest.new_zeros(6), atol=1e-9)
    assert torch.allclose(finest.std((0, 2)), finest.new_ones(6), atol=1e-9)


@pytest.mark.parametrize("name", SMALL)
def test_every_weight_learns(name: str) -> None:
    model = small(name)
    net, x = stirred(model, torch.float32, 16)
    net.requires_grad_(True)
    model.loss(net, x, torch.Generator().manual_seed(0)).backward()
    for key, p in net.named_parameters():
        if p.numel() > 1 and not key.endswith(("low", "up")):  # triangular: half is not used
            assert p.grad is not None
            assert bool((p.grad != 0).any()), key


def test_saved_and_loaded_bit_for_bit(tmp_path: Path) -> None:
    model = ipx.model("glow", **SMALL["glow"])
    net, x = stirred(model, torch.float32, 16)
    path = tmp_path / "flow.safetensors"
    save_weights(
        path, net.state_dict(), {"model": "flow/glow", "options": model.options.to_mapping()}
    )
    loaded = load_weights(path, "glow")
    assert torch.equal(loaded.model.encode(loaded.network(), x), model.encode(net, x))


def test_sizes_that_do_not_fit() -> None:
    model = ipx.model("glow", levels=3)
    with pytest.raises(ipx.ShapeError, match="multiples of 8"):
        model.latent_size((3, 12, 16))
    with pytest.raises(ipx.ShapeError, match="3 channel"):
        model.latent_size((1, 16, 16))
    with pytest.raises(ipx.OptionError, match="1 or 3"):
        ipx.model("glow", colors=2)


def test_any_size_with_the_same_weights() -> None:
    model = ipx.model("glow", **SMALL["glow"])
    net, _ = stirred(model, torch.float64, 16)
    x = torch.rand(1, 3, 24, 40, dtype=torch.float64)
    assert torch.allclose(model.decode(net, model.encode(net, x), (3, 24, 40)), x, atol=1e-10)


def test_a_step_is_that_of_normflows() -> None:
    nf = pytest.importorskip("normflows")
    torch.manual_seed(4)
    x = torch.randn(3, 2, 8, 12, dtype=torch.float64)
    squeezed, _ = Squeeze()(x)
    assert torch.equal(squeezed, nf.flows.Squeeze().inverse(x)[0])

    mix, coupling = Mix(8).double(), Coupling(8, 16).double()
    for p in (*mix.parameters(), *coupling.parameters()):
        p.data.add_(0.2 * torch.randn_like(p))

    class Interleaved(nn.Module):
        """Our shift is scaled too, and stands behind the scales, not between them."""

        def forward(self, a: Tensor) -> Tensor:
            log_scale, shift = coupling._affine(a)
            return torch.stack([shift * log_scale.exp(), log_scale], 2).flatten(1, 2)

    norm = nf.flows.ActNorm((8, 1, 1)).double()
    norm.s.data = mix.norm.log_scale.data.view(1, -1, 1, 1)
    norm.t.data = (mix.norm.bias * mix.norm.log_scale.exp()).data.view(1, -1, 1, 1)
    norm.data_dep_init_done.fill_(1.0)
    conv = nf.flows.Invertible1x1Conv(8, use_lu=True).double()
    conv.P, conv.sign_S = mix.permutation, mix.sign
    conv.L.data, conv.U.data, conv.log_S.data = mix.low.data, mix.up.data, mix.log_d.data
    block = nf.flows.AffineCouplingBlock(Interleaved(), scale_map="exp")

    ours, total = squeezed, torch.zeros(3, dtype=torch.float64)
    for layer in (mix, coupling):
        ours, log_det = layer(ours)
        total = total + log_det
    theirs, wanted = squeezed, torch.zeros(3, dtype=torch.float64)
    for step in (norm, conv.inverse, block):
        theirs, log_det = step(theirs)
        wanted = wanted + log_det
    assert torch.allclose(ours, theirs, atol=1e-12)
    assert torch.allclose(total, wanted, atol=1e-9)
