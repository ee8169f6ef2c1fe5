"""Regression networks: what they learn, what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings, strategies as st
from PIL import Image
from skimage import color, data, transform
from torch import Tensor

import ipx
from ipx.parts.weights import save_weights
from ipx_cli.main import cli
from ipx_plugins.regression import RegressionOptions
from ipx_plugins.regression.domain import drawn, measured

SMALL = {
    "srcnn": {"widths": (4, 2)},
    "vdsr": {"width": 4, "depth": 3},
    "unet": {"widths": (4, 6)},
}


def picture(batch: int = 1, colors: int = 1, side: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, colors, side, side, generator=generator)


def shipped(name: str, folder: Path, **options: object) -> str:
    """Weights of a fresh network as a file."""
    model = ipx.model(name, **{**SMALL[name], **options})
    torch.manual_seed(0)
    card = {"model": f"regression/{name}", "options": model.options.to_mapping()}
    path = folder / f"{name}.safetensors"
    save_weights(path, model.network().state_dict(), card)
    return str(path)


def test_the_networks_have_the_published_numbers_of_parameters() -> None:
    """57,184 weights (Dong et al. 2016, section 4.1.2: 9-5-5) and 665 thousand (Kim et al.)."""
    count = {
        n: sum(p.numel() for p in ipx.model(n).network().parameters() if p.ndim > 1)
        for n in ("srcnn", "vdsr")
    }
    assert count == {"srcnn": 57_184, "vdsr": 664_704}


@pytest.mark.parametrize("name", ["vdsr", "unet"])
def test_before_training_a_residual_network_is_the_interpolation(name: str, tmp_path: Path) -> None:
    y = picture(side=15)
    how = ipx.solve(
        y,
        op="super-resolution",
        noise={"name": "gaussian", "sigma": 0.0},
        solver={"name": "feedforward", "model": name, "weights": shipped(name, tmp_path)},
    )
    assert torch.equal(how.x, how.before)
    assert how.status == ["done"]
    assert how.lam is None


def test_srcnn_starts_near_the_interpolation_and_handles_colour(tmp_path: Path) -> None:
    y = picture(colors=3, side=16)
    how = ipx.solve(
        y,
        op="super-resolution",
        noise={"name": "gaussian", "sigma": 0.0},
        solver={"name": "feedforward", "model": "srcnn", "weights": shipped("srcnn", tmp_path)},
    )
    assert how.x.shape == (1, 3, 32, 32)
    assert float(ipx.psnr(how.x, how.before)) > 15


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"op": "blur"}, "this is Blur"),
        ({"op": {"name": "super-resolution", "factor": 8}}, "super-resolution factor=8"),
        ({"op": {"name": "super-resolution", "filter": "gaussian"}}, "filter=gaussian"),
        ({"noise": {"name": "gaussian", "sigma": 0.05}}, "noise sigma 0.05"),
        ({"noise": {"name": "poisson", "peak": 100.0}}, "noise Poisson"),
    ],
)
def test_what_it_was_not_trained_for_is_refused(
    how: dict[str, object], told: str, tmp_path: Path
) -> None:
    given = {
        "op": "super-resolution",
        "noise": {"name": "gaussian", "sigma": 0.0},
        "solver": {"name": "feedforward", "model": "vdsr", "weights": shipped("vdsr", tmp_path)},
        **how,
    }
    with pytest.raises(ipx.PlanError) as e:
        ipx.solve(picture(side=16), **given)
    assert told in str(e.value)
    assert "vdsr was trained for super-resolution factor=2|4 filter=mean|bicubic" in str(e.value)


def test_other_options_than_the_varied_must_be_the_usual_ones(tmp_path: Path) -> None:
    weights = shipped("unet", tmp_path, op="blur", varied=("sigma=1..3",), sigma=(0.0, 0.1))
    solver = {"name": "feedforward", "model": "unet", "weights": weights}
    noise = {"name": "gaussian", "sigma": 0.05}
    y = picture()
    assert ipx.solve(y, op="blur", noise=noise, solver=solver).x.shape == y.shape
    for wrong, told in (
        ({"boundary": "circular"}, "blur boundary=circular"),
        ({"sigma": 0.5}, "blur sigma=0.5"),
    ):
        with pytest.raises(ipx.PlanError, match=told):
            ipx.solve(y, op={"name": "blur", **wrong}, noise=noise, solver=solver)


def test_a_denoiser_is_for_noise_alone() -> None:
    solver = {"name": "feedforward", "model": "drunet"}
    with pytest.raises(ipx.PlanError, match=r"drunet was trained for operator identity.*Blur"):
        ipx.solve(picture(), op="blur", solver=solver)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    low=st.floats(0.5, 1.0),
    width=st.floats(0.0, 2.0),
)
def test_drawn_options_lie_in_their_ranges(seed: int, low: float, width: float) -> None:
    o = RegressionOptions(
        op="blur", varied=(f"sigma={low}..{low + width}", "kind=gaussian|disk", "size=3..7")
    )
    found = drawn(o, torch.Generator().manual_seed(seed))
    assert low <= found["sigma"] <= low + width
    assert found["kind"] in ("gaussian", "disk")
    assert found["size"] in range(3, 8)
    clean = picture()
    seen = measured(clean, o, torch.Generator().manual_seed(seed))
    assert seen.shape == clean.shape


def test_a_wrong_range_is_told() -> None:
    with pytest.raises(ipx.OptionError, match="neither NAME=A"):
        RegressionOptions(varied=("factor",))
    model = ipx.model("vdsr", op="blur", varied=("sigma=a..b",), **SMALL["vdsr"])
    with pytest.raises(ipx.OptionError, match="no range LOW"):
        model.loss(model.network(), picture(), torch.Generator())


@pytest.mark.usefixtures("noise_pictures")
def test_train_and_use_on_the_command_line(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    words = (
        f"train srcnn --data {tmp_path} -o {weights} --model.widths 4,2 -q --steps 3 --batch 2 "
        "--crop 32 --warmup 1 --hold-out 2.png --validate-every 3"
    )
    done = CliRunner().invoke(cli, words.split())
    assert done.exit_code == 0, done.output
    words = f"solve {tmp_path}/0.png -o {tmp_path}/out.png --op super-resolution -q"
    more = ["--noise.sigma", "0", "--solver", "feedforward", "--solver.model", "srcnn"]
    done = CliRunner().invoke(cli, [*words.split(), *more, "--solver.weights", str(weights)])
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (96, 96)


def test_the_weights_for_the_factor_are_taken() -> None:
    truth = picture(side=48)
    noise = {"name": "gaussian", "sigma": 0.0}
    for factor, other in ((2, 4), (4, 2)):
        op = {"name": "super-resolution", "factor": factor}
        y = ipx.degrade(truth, op=op, noise=noise)
        solver: dict[str, str] = {"name": "feedforward", "model": "srcnn"}
        found = [
            ipx.solve(y, op=op, noise=noise, solver={**solver, "weights": weights}).x
            for weights in ("auto", f"x{factor}")
        ]
        assert torch.equal(*found)
        with pytest.raises(ipx.PlanError, match=f"factor={other}.*this is .*factor={factor}"):
            ipx.solve(y, op=op, noise=noise, solver={**solver, "weights": f"x{other}"})


@pytest.mark.slow
@pytest.mark.parametrize("factor", [2, 4])
def test_the_shipped_networks_are_above_interpolation_in_their_order(factor: int) -> None:
    """Means over eight pictures and both filters: vdsr > srcnn > bicubic."""
    scores: dict[str, list[float]] = {"bicubic": [], "srcnn": [], "vdsr": []}
    noise = {"name": "gaussian", "sigma": 0.0}
    for name in ("camera", "astronaut", "chelsea", "coffee", "rocket", "brick", "moon", "coins"):
        image = getattr(data, name)()
        image = color.rgb2gray(image) if image.ndim == 3 else image / 255.0
        small = transform.resize(image, (256, 256), anti_aliasing=True)
        truth = torch.as_tensor(small, dtype=torch.float32)[None, None]
        for kind in ("bicubic", "mean"):
            op = {"name": "super-resolution", "factor": factor, "filter": kind}
            y = ipx.degrade(truth, op=op, noise=noise)
            for model in ("srcnn", "vdsr"):
                solver = {"name": "feedforward", "model": model}
                how = ipx.solve(y, op=op, noise=noise, solver=solver)
                scores[model].append(float(ipx.psnr(how.x, truth)))
            scores["bicubic"].append(float(ipx.psnr(how.before, truth)))
    means = {k: float(np.mean(v)) for k, v in scores.items()}
    assert means["vdsr"] > means["srcnn"] > means["bicubic"], means
