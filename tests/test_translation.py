"""Images to images: pairs and sets of training data, losses, colours, drawings, CycleGAN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from skimage.color import rgb2lab
from torch import Tensor

import ipx
from ipx.errors import InputError, UsageError
from ipx.parts.weights import save_weights
from ipx.training import Data
from ipx.training.data import Pictures
from ipx_cli.main import cli
from ipx_plugins.regression import SRCNNOptions
from ipx_plugins.regression.adversarial import Patches, critic_loss, fooling_loss
from ipx_plugins.regression.chroma import Chroma, bins, classes, colourfulness, lab, rgb
from ipx_plugins.regression.domain import measured, seen_and_clean

SMALL: dict[str, Any] = {"widths": (4, 6), "critic": 4}
COLOUR: dict[str, Any] = {"op": "luminance", "varied": (), "colors": 3, **SMALL}


@pytest.fixture(scope="module")
def two_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures x of noise, and y = 255 - x under the same names with another extension."""
    folder = tmp_path_factory.mktemp("two")
    rng = np.random.default_rng(0)
    (folder / "x").mkdir()
    (folder / "y").mkdir()
    for k in range(6):
        x = rng.integers(0, 256, (24 + k, 30), np.uint8)
        Image.fromarray(x).save(folder / "x" / f"{k}.png")
        Image.fromarray(255 - x).save(folder / "y" / f"{k}.tif")
    return folder


def settings(folder: Path, **more: Any) -> Data:
    told = {"data": folder / "x", "inputs": folder / "y", "crop": 16, "hold_out": ("last:2",)}
    return Data(**{**told, **more})


# ---------------------------------------------------------------- data


def test_pairs_are_cropped_turned_and_shrunk_together(two_folders: Path) -> None:
    pictures = Pictures(settings(two_folders, crop=8, shrink=0.5), 1, pairing="pairs")
    batch = pictures.batch(0, 0, 64)
    assert batch.shape == (64, 2, 8, 8)
    assert (batch[:, :1].int() + batch[:, 1:].int() - 255).abs().max() <= 1  # means are rounded
    assert {b.shape[1] for b in pictures.validation(4)} == {2}
    assert set(pictures.told) & {"data", "inputs"} == set()


def test_two_sets_are_drawn_independently(two_folders: Path) -> None:
    pictures = Pictures(settings(two_folders, hold_out=("5",)), 1, pairing="sets")
    batch = pictures.batch(0, 0, 32)
    assert batch.shape == (32, 2, 16, 16)
    assert float((batch[:, 0].int() + batch[:, 1].int() - 255).abs().float().mean()) > 30
    (held,) = pictures.validation(8)
    assert held.shape == (1, 2, 16, 16)


def test_inputs_that_do_not_match_are_refused(two_folders: Path, tmp_path: Path) -> None:
    Image.new("L", (24, 24)).save(tmp_path / "0.png")
    with pytest.raises(InputError, match=r"no image with the name of 1\.png"):
        Pictures(settings(two_folders, inputs=tmp_path, exclude=("0",)), 1, pairing="pairs")
    with pytest.raises(InputError, match="is 24 x 30, its input 24 x 24"):
        Pictures(settings(two_folders, inputs=tmp_path), 1, pairing="pairs")


@pytest.mark.parametrize(
    ("pairing", "inputs", "told"),
    [("none", True, "leave --inputs out"), ("pairs", False, "pairs"), ("sets", False, "two sets")],
)
def test_inputs_are_asked_for(pairing: Any, inputs: bool, told: str, two_folders: Path) -> None:
    more = {} if inputs else {"inputs": None}
    with pytest.raises(UsageError, match=told):
        Pictures(settings(two_folders, **more), 1, pairing=pairing)


# ---------------------------------------------------------------- colours


def test_lab_is_that_of_scikit_image_and_has_an_inverse() -> None:
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    known = rgb2lab(x.permute(0, 2, 3, 1).numpy())
    assert np.abs(lab(x).permute(0, 2, 3, 1).numpy() - known).max() < 0.02  # white to 4 digits
    assert torch.allclose(rgb(lab(x)), x, atol=1e-6)
    black_and_white = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    assert torch.allclose(rgb(lab(black_and_white)), black_and_white, atol=1e-4)


def test_every_colour_is_near_the_centre_of_its_bin() -> None:
    ab = lab(torch.rand(1, 3, 64, 64))[:, 1:]
    centres, table, half = bins(10.0)
    assert table.shape == (2 * half + 1,) * 2
    away = (centres[classes(ab, 10.0)].permute(0, 3, 1, 2) - ab).abs()
    assert float((away <= 5.01).float().mean()) > 0.99


def test_colourfulness_of_known_pictures() -> None:
    """0 for grey; one red: rg = 255, yb = 127.5, without variance."""
    grey = torch.rand(1, 1, 4, 4).expand(-1, 3, -1, -1)
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(-1, -1, 4, 4)
    found = colourfulness(torch.cat([grey, red]))
    assert torch.allclose(found, torch.tensor([0.0, 0.3 * 255 * 1.25**0.5]), atol=1e-3)


def test_a_distribution_decodes_between_its_mode_and_its_mean() -> None:
    """Two bins with 3 to 1: T = 1 gives the mean of both, a small T the more likely one."""
    centres = bins(20.0)[0]
    far = torch.stack([(centres - torch.tensor(c)).norm(dim=1) for c in ([40.0, 0], [-40.0, 20])])
    first, second = (int(i) for i in far.argmin(1))

    class Fixed(torch.nn.Module):
        def forward(self, seen: Tensor) -> Tensor:
            logits = torch.full((1, 1 + len(centres), 1, 1), -50.0)
            logits[:, 0] = 0.0
            logits[:, 1 + first], logits[:, 1 + second] = float(np.log(3)), 0.0
            return logits

    seen = torch.full((1, 3, 1, 1), 0.5)
    found = {t: lab(Chroma(Fixed(), 20.0, t)(seen))[0, 1:, 0, 0] for t in (1.0, 0.01)}
    mean = 0.75 * centres[first] + 0.25 * centres[second]
    assert torch.allclose(found[1.0], mean, atol=0.1)
    assert torch.allclose(found[0.01], centres[first], atol=0.1)


def test_rare_colours_are_weighted_up() -> None:
    net: Any = ipx.model("unet", **COLOUR, loss="classes", bins=20.0).network()
    target = torch.zeros(1, 8, 8, dtype=torch.long)
    target[0, 0, 0] = 40
    weight = net._weights(target)
    assert weight[40] > 2 * weight[0]


# ---------------------------------------------------------------- losses


def test_the_plain_losses_are_the_errors() -> None:
    x = torch.rand(3, 3, 16, 16)
    seen = x.mean(1, keepdim=True)  # not the luminance, so that the network has errors
    for name, known in (("l1", (seen - x).abs().mean()), ("l2", (seen - x).square().mean())):
        model: Any = ipx.model("unet", **{**COLOUR, "op": "pairs"}, loss=name)
        pair = torch.cat([x, seen.expand_as(x)], 1)
        loss = model.loss(model.network(), pair, torch.Generator())
        assert torch.allclose(loss, known)  # an untrained network changes nothing


def test_the_losses_of_the_critic_are_least_squares() -> None:
    critic = Patches(2, 4)
    for p in critic.parameters():
        torch.nn.init.zeros_(p)
    last: Any = critic.body[-1]
    torch.nn.init.constant_(last.bias, 0.25)
    one = torch.rand(1, 1, 32, 32)
    assert float(critic_loss(critic, (one, one), (one, one)).detach()) == pytest.approx(
        (0.75**2 + 0.25**2) / 2
    )
    assert float(fooling_loss(critic, (one, one)).detach()) == pytest.approx(0.75**2)


def test_the_critic_sees_the_input_too() -> None:
    model: Any = ipx.model("unet", **COLOUR, loss="adversarial")
    net: Any = model.network()
    x = torch.rand(1, 3, 32, 32)
    seen, clean = seen_and_clean(x, model.options, torch.Generator())
    assert not torch.equal(net.critic(seen, clean), net.critic(clean, clean))


def trained(name: str, folder: Path, **options: Any) -> str:
    """Weights of a random network as a file."""
    model = ipx.model(name, **options)
    torch.manual_seed(1)
    net = model.network()
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.05)
    path = folder / f"{name}.safetensors"
    card = {"model": f"regression/{name}", "options": model.options.to_mapping()}
    save_weights(path, net.state_dict(), card)
    return str(path)


def test_dropout_gives_one_result_or_many(tmp_path: Path) -> None:
    weights = trained("unet", tmp_path, **COLOUR, loss="adversarial", dropout=0.5)
    y = torch.rand(1, 1, 16, 16)

    def run(**more: Any) -> Tensor:
        solver = {"name": "feedforward", "model": "unet", "weights": weights, **more}
        noise = {"name": "gaussian", "sigma": 0.0}
        return ipx.solve(y, op="luminance", noise=noise, solver=solver).x

    assert run().shape == (1, 3, 16, 16)
    assert torch.equal(run(), run())
    assert torch.equal(run(draw=1), run(draw=1))
    assert not torch.equal(run(draw=1), run(draw=2))
    plain = trained("vdsr", tmp_path, op="pairs", width=4, depth=3)
    told = {"name": "feedforward", "model": "vdsr", "weights": plain, "draw": 1}
    with pytest.raises(ipx.PlanError, match="trained with dropout"):
        ipx.solve(y, noise={"name": "gaussian", "sigma": 0.0}, solver=told)


def test_a_translation_takes_pictures_as_they_are(tmp_path: Path) -> None:
    weights = trained("cyclegan", tmp_path, colors=1, **SMALL)
    y = torch.rand(1, 1, 16, 16)
    solver = {"name": "feedforward", "model": "cyclegan", "weights": weights}
    there = ipx.solve(y, noise={"name": "gaussian", "sigma": 0.02}, solver=solver).x
    back = ipx.solve(
        y, noise={"name": "gaussian", "sigma": 0.02}, solver={**solver, "direction": "back"}
    ).x
    assert there.shape == back.shape == y.shape
    assert not torch.equal(there, back)
    clear = ipx.solve(y, noise={"name": "gaussian", "sigma": 0.0}, solver=solver).x
    assert torch.equal(clear, there)  # nothing of the data is put back
    with pytest.raises(ipx.PlanError, match="translation of images"):
        ipx.solve(y, op="blur", noise={"name": "gaussian", "sigma": 0.02}, solver=solver)


def test_identical_nets_leave_the_cycle_without_error() -> None:
    model: Any = ipx.model("cyclegan", colors=1, **SMALL)
    told = model.part_loss("nets", model.network(), torch.rand(2, 2, 32, 32), torch.Generator())
    assert float(told["cycle"]) == 0  # untrained networks are the identity


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("unet", "--model.op pairs --model.loss adversarial --model.critic 4"),
        ("cyclegan", "--model.colors 1 --model.critic 4"),
    ],
)
def test_two_folders_train_a_network_that_translates(
    name: str, options: str, two_folders: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "w.safetensors"
    folders = f"--data {two_folders / 'x'} --inputs {two_folders / 'y'} --hold-out last:2"
    told = f"train {name} {folders} --crop 16 --steps 2 --batch 2 {options} --model.widths 4,6"
    done = CliRunner().invoke(cli, [*told.split(), "-o", str(weights), "-q"])
    assert done.exit_code == 0, done.output
    target = tmp_path / "out.png"
    solve = f"solve {two_folders / 'y' / '0.tif'} --solver feedforward --solver.model {name}"
    told = f"{solve} --solver.weights {weights} --noise gaussian --noise.sigma 0 -o {target} -q"
    done = CliRunner().invoke(cli, told.split())
    assert done.exit_code == 0, done.output
    assert Image.open(target).size == (30, 24)


# ---------------------------------------------------------------- drawings


def test_edges_of_a_ramp_and_of_a_step() -> None:
    """A ramp of slope s gives tanh(gain s) inside; a Gaussian-blurred step peaks at its density."""
    op = ipx.operator("edges", (1, 32, 32), colors=1, sigma=2.0, gain=8.0)
    ramp = (0.01 * torch.arange(32.0)).expand(1, 1, 32, 32)
    inside = op(ramp)[0, 0, 8:-8, 8:-8]
    assert torch.allclose(inside, torch.tensor(0.08).tanh().expand_as(inside), atol=1e-3)
    step = (torch.arange(32) >= 16).float().expand(1, 1, 32, 32)
    peak = torch.tensor(8 / (2 * np.pi * 4) ** 0.5).tanh()
    found = op(step)[0, 0, 16]
    assert float(found.max()) == pytest.approx(float(peak), abs=0.02)
    assert float(found[:8].max()) < 1e-3
    assert torch.allclose(op(ramp + 0.3), op(ramp), atol=1e-6)  # brightness is lost


def test_edges_want_the_right_number_of_channels() -> None:
    with pytest.raises(ipx.ShapeError, match="option colors"):
        ipx.operator("edges", (1, 16, 16))
    preview = ipx.operator("edges", (3, 16, 16)).preview(torch.zeros(1, 1, 16, 16))
    assert torch.equal(preview, torch.ones(1, 3, 16, 16))


def test_other_colors_are_told_only_where_they_fit() -> None:
    options = SRCNNOptions()
    with pytest.raises(ipx.ShapeError, match="multiples of") as told:
        measured(torch.zeros(1, options.colors, 31, 33), options, torch.Generator())
    assert "colors" not in str(told.value)


def test_colours_cannot_be_learned_from_grey_pictures_and_that_is_told(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (2, 16, 16), dtype=np.uint8)
    np.save(tmp_path / "grey.npy", grey)
    told = f"train unet --data {tmp_path}/grey.npy --crop 16 --steps 1 --batch 1 --force"
    told += f" --model.widths 4,8 --model.op luminance --model.loss l2 -o {tmp_path}/w.safetensors"

    def call(*more: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, [*told.split(), *more])
        return done.exit_code, done.output

    code, said = call("-q")
    assert code == 3
    assert "takes images of 3 bands" in said
    assert said.endswith("the network has colors=1: take colors=3\n")
    code, said = call("--model.colors", "3")
    assert code == 0, said
    assert "learns no colours: give images in colour, or --model.colors 1" in said
    np.save(tmp_path / "grey.npy", np.stack([grey, grey, grey // 2], -1))
    code, said = call("--model.colors", "3")
    assert code == 0, said
    assert "no colours" not in said
