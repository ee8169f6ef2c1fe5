"""Weights of other projects: every layout, the networks of the papers, and files that are refused.

The networks here are written down from the code of the projects, independently of ipx.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from skimage import data
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

import ipx
from command_line import call
from ipx.files.cards import imported_weights, user_folder
from ipx.files.checkpoints import read_tensors

SHARED = Path(__file__).parents[2] / "shared" / "weights"
Tensors = dict[str, Tensor]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of the user's weights."""
    monkeypatch.setenv("IPX_WEIGHTS_DIR", str(tmp_path / "own"))
    return tmp_path


def numbers(*shape: int, seed: int = 0, gain: float = 0.1) -> Tensor:
    return gain * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def convolutions(pattern: str, channels: list[int], step: int = 2, bias: bool = True) -> Tensors:
    """Random weights of 3 x 3 convolutions, ``pattern`` with the number of the layer."""
    out = {}
    for i, (into, to) in enumerate(pairwise(channels)):
        out[pattern.format(step * i) + ".weight"] = numbers(to, into, 3, 3, seed=i, gain=0.3)
        if bias:
            out[pattern.format(step * i) + ".bias"] = numbers(to, seed=50 + i)
    return out


def plain(x: Tensor, tensors: Tensors, pattern: str, dilations: list[int]) -> Tensor:
    """Convolutions with ReLUs between them."""
    for i, d in enumerate(dilations):
        name = pattern.format(2 * i)
        x = F.conv2d(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], padding=d, dilation=d)
        x = x if i == len(dilations) - 1 else x.relu()
    return x


def with_map(x: Tensor, sigma: float) -> Tensor:
    return torch.cat([x, torch.full_like(x[:, :1], sigma)], 1)


def imported(home: Path, tensors: Any, name: str, **options: Any) -> Callable[..., Tensor]:
    """The network alone, from a file of PyTorch: called with a picture and sigma."""
    torch.save(tensors, home / name)
    path, _ = ipx.import_weights(home / name, source="a test", licence="CC0", options=options)
    card = json.loads(path.with_name(path.name + ".json").read_text())
    net = ipx.load_weights(path.stem.removesuffix(".safetensors"), card["model"]).network()
    return lambda x, sigma: net(x, torch.full((len(x), 1, 1, 1), sigma))


def drunet(t: Mapping[str, Tensor], x: Tensor, blocks: int) -> Tensor:
    """KAIR's UNetRes: residual blocks CRC, strided and transposed convolutions, sums as skips."""

    def chain(x: Tensor, part: str, first: int) -> Tensor:
        for i in range(first, first + blocks):
            inner = F.conv2d(x, t[f"{part}.{i}.res.0.weight"], padding=1).relu()
            x = x + F.conv2d(inner, t[f"{part}.{i}.res.2.weight"], padding=1)
        return x

    kept = [F.conv2d(x, t["m_head.weight"], padding=1)]
    for scale in (1, 2, 3):
        down = chain(kept[-1], f"m_down{scale}", 0)
        kept.append(F.conv2d(down, t[f"m_down{scale}.{blocks}.weight"], stride=2))
    x = chain(kept[3], "m_body", 0)
    for scale in (3, 2, 1):
        x = F.conv_transpose2d(x + kept[scale], t[f"m_up{scale}.0.weight"], stride=2)
        x = chain(x, f"m_up{scale}", 1)
    return F.conv2d(x + kept[0], t["m_tail.weight"], padding=1)


def drunet_weights(colors: int, widths: list[int], blocks: int) -> Tensors:
    sizes = {"m_head": (widths[0], colors + 1, 3, 3), "m_tail": (colors, widths[0], 3, 3)}
    for scale, (small, large) in enumerate(pairwise(widths), 1):
        sizes[f"m_down{scale}.{blocks}"] = (large, small, 2, 2)
        sizes[f"m_up{scale}.0"] = (large, small, 2, 2)
        for i in range(blocks):
            for part, first in ((f"m_down{scale}", 0), (f"m_up{scale}", 1)):
                sizes |= {f"{part}.{i + first}.res.{j}": (small, small, 3, 3) for j in (0, 2)}
    for i in range(blocks):
        sizes |= {f"m_body.{i}.res.{j}": (widths[-1], widths[-1], 3, 3) for j in (0, 2)}
    return {
        f"{key}.weight": numbers(*size, seed=i, gain=1 / (3 * size[1] ** 0.5))
        for i, (key, size) in enumerate(sizes.items())
    }


@pytest.mark.parametrize("colors", [1, 3])
def test_drunet(home: Path, colors: int) -> None:
    """Four scales, random weights: the picture of an independent network to 1e-6."""
    t = drunet_weights(colors, [4, 6, 8, 10], 2)
    net = imported(home, t, "drunet_color.pth")
    x = numbers(2, colors, 24, 32, seed=7) + 0.5
    wanted = drunet(t, with_map(x, 0.1), 2)
    assert float((net(x, 0.1) - wanted).abs().max()) < 1e-6 * float(wanted.abs().max())
    assert float(wanted.std()) > 1e-3


@pytest.mark.parametrize(("colors", "clip"), [(1, False), (3, False), (3, True)])
def test_ffdnet(home: Path, colors: int, clip: bool) -> None:
    """The order of sub-pixels, the noise map last, and the clamped input of the clip files."""
    t = convolutions("model.{}", [4 * colors + 1, 6, 6, 4 * colors])
    net = imported(home, t, f"ffdnet_color{'_clip' * clip}.pth")
    x = numbers(2, colors, 8, 10, seed=7, gain=0.5) + 0.5
    inner = x.clamp(0, 1) if clip else x
    views = [inner[:, c : c + 1, i::2, j::2] for c in range(colors) for i in (0, 1) for j in (0, 1)]
    out = plain(with_map(torch.cat(views, 1), 0.1), t, "model.{}", [1, 1, 1])
    wanted = torch.empty_like(x)
    for c in range(colors):
        for i in (0, 1):
            for j in (0, 1):
                wanted[:, c, i::2, j::2] = out[:, 4 * c + 2 * i + j]
    assert torch.allclose(net(x, 0.1), wanted, atol=1e-6)
    assert clip == bool((net(x, 0.1) - net(x.clamp(0, 1), 0.1)).abs().max() < 1e-6)


def test_dncnn_and_fdncnn(home: Path) -> None:
    x = numbers(2, 1, 8, 10, seed=7) + 0.5
    t = convolutions("model.{}", [1, 6, 6, 6, 1])
    wanted = x - plain(x, t, "model.{}", [1] * 4)
    assert torch.allclose(imported(home, t, "dncnn_25.pth")(x, 0.1), wanted, atol=1e-6)
    t = convolutions("model.{}", [2, 6, 6, 1])
    wanted = plain(with_map(x, 0.1), t, "model.{}", [1] * 3)
    assert torch.allclose(imported(home, t, "fdncnn_gray.pth")(x, 0.1), wanted, atol=1e-6)


def test_ircnn_takes_the_network_of_the_level(home: Path) -> None:
    """Level 25/255 is that of network 12, ceil(25 / 2) - 1; a map takes one for each pixel."""
    nets = {str(k): convolutions("model.{}", [1, *[4] * 6, 1]) for k in range(25)}
    for k in range(25):
        for key in nets[str(k)]:
            nets[str(k)][key] = nets[str(k)][key] * (1 + k / 10)
    net = imported(home, nets, "ircnn_gray.pth")
    x = numbers(2, 1, 8, 10, seed=7) + 0.5
    wanted = [x - plain(x, nets[str(k)], "model.{}", [1, 2, 3, 4, 3, 2, 1]) for k in range(25)]
    for level, k in ((25, 12), (24, 11), (2, 0), (0.3, 0), (50, 24), (80, 24)):
        assert torch.allclose(net(x, level / 255), wanted[k], rtol=1e-4, atol=1e-6), level
    inner = ipx.load_weights("ircnn_gray", "ircnn").network()
    levels = torch.full((2, 1, 8, 10), 2 / 255)
    levels[..., 5:] = 24 / 255
    mixed = torch.cat([wanted[0][..., :5], wanted[11][..., 5:]], -1)
    assert torch.allclose(inner(x, levels), mixed, rtol=1e-4, atol=1e-6)


def test_layouts_of_deepinv(home: Path) -> None:
    """Output added to the input; four channels of the noise level."""
    x = numbers(2, 1, 8, 10, seed=7) + 0.5
    t = convolutions("{}", [1, 6, 6, 6, 1], step=1)
    names = {"0": "in_conv", "1": "conv_list.0", "2": "conv_list.1", "3": "out_conv"}
    kept = {f"{2 * int(key[0])}{key[1:]}": value for key, value in t.items()}
    wanted = x + plain(x, kept, "{}", [1] * 4)
    theirs = {names[key[0]] + key[1:]: value for key, value in t.items()}
    assert torch.allclose(imported(home, theirs, "dncnn_sigma2.pth")(x, 0.1), wanted, atol=1e-6)
    assert ipx.load_weights("dncnn_sigma2", "dncnn").model.options.sigma_max == 2 / 255

    t = convolutions("{}", [8, 6, 6, 4], step=1)
    kept = {f"{2 * int(key[0])}{key[1:]}": value for key, value in t.items()}
    small = F.pixel_unshuffle(with_map(x, 0.1), 2)
    wanted = F.pixel_shuffle(plain(small, kept, "{}", [1] * 3), 2)
    names = {"0": "blocks.0.0", "1": "blocks.1.0", "2": "blocks.2"}
    theirs = {names[key[0]] + key[1:]: value for key, value in t.items()}
    assert torch.allclose(imported(home, theirs, "ff.pth")(x, 0.1), wanted, atol=1e-6)


def test_batch_normalisation_is_folded(home: Path) -> None:
    """Against torch's own layers."""
    body = torch.nn.Sequential()
    for i, (into, out) in enumerate(((1, 6), (6, 6), (6, 6), (6, 1))):
        body.append(torch.nn.Conv2d(into, out, 3, padding=1, bias=False))
        if 0 < i < 3:
            body.append(torch.nn.BatchNorm2d(6))
        if i < 3:
            body.append(torch.nn.ReLU())
    body.train()(torch.rand(8, 1, 16, 16, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        body[3].bias += 0.3
        state = {f"module.dncnn.{key}": value for key, value in body.state_dict().items()}
        x = numbers(2, 1, 8, 10, seed=7) + 0.5
        wanted = x - body.eval()(x)
    found = imported(home, state, "net.pth")(x, 0.1)
    assert torch.allclose(found, wanted, atol=1e-6)


def test_matlab(home: Path) -> None:
    """A struct with a cell array of layers: axes reversed, blocks of 2 x 2 counted downwards."""
    h5py = pytest.importorskip("h5py", reason="h5py (the extra hdf5) is not installed")
    t = convolutions("{}", [13, 4, 4, 12], step=1)
    with h5py.File(home / "FFDNet_color.mat", "w", userblock_size=512) as file:
        refs = file.create_group("#refs#")
        layers = []
        for i in range(5):  # convolutions, with ReLUs without weights between them
            layer = refs.create_group(f"layer{i}")
            layer.create_dataset("type", data=[[99, 111]]).attrs["MATLAB_class"] = b"char"
            if i % 2 == 0:
                weight, bias = t[f"{i // 2}.weight"].numpy(), t[f"{i // 2}.bias"].numpy()
                parts = [weight.transpose(0, 1, 3, 2), bias[:, None]]
                cells = []
                for j, value in enumerate(parts):
                    cell = refs.create_dataset(f"w{i}{j}", data=value)
                    cell.attrs["MATLAB_class"] = b"single"
                    cells.append([cell.ref])
                layer.create_dataset("weights", data=cells, dtype=h5py.ref_dtype)
            layers.append([layer.ref])
        file.create_group("net").create_dataset("layers", data=layers, dtype=h5py.ref_dtype)
    with open(home / "FFDNet_color.mat", "r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64")
    ipx.import_weights(home / "FFDNet_color.mat")
    net = ipx.load_weights("FFDNet_color", "ffdnet").network()
    x = numbers(1, 3, 8, 10, seed=7) + 0.5
    order = ((0, 0), (1, 0), (0, 1), (1, 1))
    views = [x[:, c : c + 1, i::2, j::2] for c in range(3) for i, j in order]
    kept = {f"{2 * int(key[0])}{key[1:]}": value for key, value in t.items()}
    out = plain(with_map(torch.cat(views, 1), 0.1), kept, "{}", [1] * 3)
    wanted = torch.empty_like(x)
    for c in range(3):
        for k, (i, j) in enumerate(order):
            wanted[:, c, i::2, j::2] = out[:, 4 * c + k]
    assert torch.allclose(net(x, torch.full((1, 1, 1, 1), 0.1)), wanted, atol=1e-6)


def test_a_file_that_runs_code_is_not_loaded(home: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {home / 'ran'}",)

    torch.save({"net": Evil()}, home / "evil.pth")
    (home / "old.pth").write_bytes(pickle.dumps(Evil(), protocol=2))
    torch.save(torch.nn.Conv2d(1, 1, 3), home / "whole.pth")
    for name in ("evil.pth", "old.pth", "whole.pth"):
        told = call("weights", "import", home / name)
        assert told.exit_code == 3, told.output
        (line,) = told.stderr.splitlines()
        assert f"{name}: holds a pickled class (" in line, line
        assert "never loaded" in line
    assert not (home / "ran").exists()
    assert not imported_weights()


def test_damaged_and_foreign_files_are_refused_with_one_line(home: Path) -> None:
    torch.save(convolutions("model.{}", [1, 6, 6, 1]), home / "whole.pth")
    whole = (home / "whole.pth").read_bytes()
    torch.save({"a": torch.ones(3)}, home / "other.pth")
    torch.save({"a": "no tensor"}, home / "none.pth")
    torch.save({"a.weight": torch.ones(1).expand(10**9)}, home / "bomb.pth")
    cases = {
        "cut.pth": (whole[: len(whole) // 2], "is truncated"),
        "text.pth": (b"no weights at all", "is no file of weights"),
        "empty.pth": (b"", "is no file of weights"),
        "pickle.pth": (b"\x80\x02}q\x01", "damaged"),
        "cut.safetensors": (b"\x40\0\0\0\0\0\0\0{", "is truncated or damaged"),
        "other.pth": (None, "is of no known layout (its tensors: a, ...)"),
        "none.pth": (None, "holds no tensors"),
        "bomb.pth": (None, "larger than its data"),
        "missing.pth": (None, "cannot be read: No such file"),
    }
    for name, (content, why) in cases.items():
        if content is not None:
            (home / name).write_bytes(content)
        told = call("weights", "import", home / name)
        assert told.exit_code == 3, (name, told.output)
        (line,) = told.stderr.splitlines()
        assert why in line, line
    assert not user_folder().exists()


def test_settings_in_a_namespace_are_no_tensors(home: Path) -> None:
    torch.save({"args": argparse.Namespace(lr=1), "model": [{"w": torch.ones(2)}]}, home / "a.pt")
    assert list(read_tensors(home / "a.pt")) == ["model.0.w"]


def test_from_file_to_restored_picture(home: Path, source: Path) -> None:
    """import, list, verify, solve; and what is refused on the way."""
    weak = {k: 0.1 * v for k, v in convolutions("model.{}", [1, 6, 6, 1]).items()}
    torch.save(weak, "dncnn_25.pth")
    words = ("--source", "a test", "--licence", "MIT")
    told = call("weights", "import", "dncnn_25.pth", "--name", "mine", *words)
    assert told.exit_code == 0, told.output
    assert told.stdout.strip() == str(user_folder() / "mine.safetensors")
    assert "noise level 25/255" in told.stderr
    assert "--prior dncnn --prior.weights mine" in told.stderr
    (row,) = [
        r for r in json.loads(call("weights", "list", "--json").stdout) if r["name"] == "mine"
    ]
    assert (row["model"], row["source"], row["licence"]) == ("denoisers/dncnn", "a test", "MIT")
    assert "mine" in call("weights", "list").stdout
    assert call("weights", "verify", "mine").exit_code == 0
    how = ("--prior", "dncnn", "--prior.weights", "mine", "--noise.sigma", "0.1", "-o", "x.png")
    told = call("solve", "y.png", *how)
    assert told.exit_code == 0, told.output
    again = call("weights", "import", "dncnn_25.pth", "--name", "mine")
    assert (again.exit_code, "--force replaces" in again.stderr) == (2, True)
    size = ("--option", "sigma_max=0.2", "--option", "sigma_min=0")
    again = call("weights", "import", "dncnn_25.pth", "--name", "mine", "--force", *size)
    assert again.exit_code == 0, again.output
    assert "noise level" not in again.stderr
    assert ipx.load_weights("mine", "dncnn").model.options.sigma_max == 0.2
    for wrong, why in (
        (("--name", "grey"), "cannot be the name"),
        (("--name", "../x"), "cannot be the name"),
        (("--name", "b", "--option", "sigma_mxa=1"), "did you mean sigma_max"),
        (("--name", "b", "--option", "width=7"), "do not fit the network"),
        (("--name", "b", "--option", "width"), "NAME=VALUE"),
        (("--name", "b", "--option", "sigma_max=0.05"), "sigma_min must be <= sigma_max (0.05)"),
    ):
        told = call("weights", "import", "dncnn_25.pth", *wrong)
        assert told.exit_code in (2, 3), told.output
        assert why in told.stderr, told.stderr
    told = call("solve", "y.png", "--prior", "drunet", "--prior.weights", "mine", "-o", "z.png")
    assert "holds weights of denoisers/dncnn, not of denoisers/drunet" in told.stderr
    file = user_folder() / "mine.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\0\0")
    told = call("weights", "verify", "mine")
    assert told.exit_code == 1
    assert [line for line in told.stdout.splitlines() if line.startswith("FAILED  mine")]


def camera() -> Tensor:
    """Camera, 256 x 256, each pixel the mean of 2 x 2."""
    x = torch.as_tensor(data.camera() / 255.0, dtype=torch.float32)
    return x.unfold(0, 2, 2).unfold(1, 2, 2).mean((2, 3))[None, None]


@pytest.mark.skipif(not SHARED.is_dir(), reason="no published weights at ../shared/weights")
@pytest.mark.parametrize(
    ("file", "prior", "decibels"),
    [("dncnn_25.pth", "dncnn", 30.70), ("bias_free_unet_0-55.pt", "bias-free-unet", 30.54)],
)
def test_published_weights_give_the_published_result(
    file: str, prior: str, decibels: float
) -> None:
    """Camera at sigma 25/255, the network alone; the mixture is not 0.05 dB worse."""
    ipx.import_weights(SHARED / file, name="published")
    x = camera()
    y = x + 25 / 255 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    found = {
        mix: float(ipx.psnr(ipx.prior(prior, weights="published", mix=mix).denoise(y, 25 / 255), x))
        for mix in (False, True)
    }
    assert abs(found[False] - decibels) < 0.02, found
    assert found[True] > found[False] - 0.05, found
