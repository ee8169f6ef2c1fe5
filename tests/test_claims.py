"""Claims about pictures, and draws through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import ipx
from command_line import call
from ipx.errors import OptionError
from ipx.files import images
from ipx.solving.claims import claim, claims, is_probability

X = torch.arange(24.0).view(1, 1, 4, 6) / 24


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("mean(x)", X.mean()),
        ("max(x[1:3, 2])", X[0, 0, 1:3, 2].max()),
        ("min(x[0, 1:, -2:])", X[0, 0, 1:, -2:].min()),
        ("sum(x[0:1, :]) / 6 - 2 * 0.5", X[0, 0, 0].sum() / 6 - 1),
        ("median(x[0, 0:3])", X[0, 0, 0, 1]),
        ("mean(x) > 0.4", 1.0),
        ("0.1 < mean(x) <= 0.4", 0.0),
        ("mean(x) > 0.4 and not max(x) > 2", 1.0),
        ("mean(x) > 0.9 or std(x) > 9", 0.0),
    ],
)
def test_claims_are_read(text: str, value: float) -> None:
    assert float(claim(text)(X)[0]) == pytest.approx(float(value), abs=1e-6)


@pytest.mark.parametrize(
    "text",
    ["mean(y) > 0", "__import__('os')", "x > 0", "mean(x[0])", "mean(x, x)", "mean(x[::2, 1])",
     "mean(x) ** 2", "(lambda: 1)()", "mean(x[0.5, 1])", "mean(x) == 1", "mean(", "True > 0"],
)  # fmt: skip
def test_what_is_no_claim_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="claim"):
        claim(text)


def test_a_region_outside_is_refused() -> None:
    with pytest.raises(OptionError, match="empty"):
        claim("mean(x[9:12, 0])")(X)


def test_several_claims_and_which_are_probabilities() -> None:
    assert list(claims("mean(x) > 0 ; max(x);")) == ["mean(x) > 0", "max(x)"]
    assert is_probability("mean(x) > 0")
    assert is_probability("not mean(x) > 0")
    assert not is_probability("max(x)")


def test_draws_of_a_gaussian_posterior_by_the_command_line(source: Path) -> None:
    done = call(
        "solve", source, "--noise.sigma", 0.1, "--prior", "smooth", "--lam", 0.02, "--estimate",
        "mmse", "--interval", 90, "--samples", 2, "--draws", 200, "--claim",
        "mean(x) > 0; mean(x[0:4,0:4])", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    row = json.loads(done.stdout.splitlines()[-1])
    told = row["posterior"]
    assert (told["sampler"], told["draws"], told["mixed"]) == ("gibbs", 200, True)
    assert told["claims"]["mean(x) > 0"][0] == 1.0
    made = {name: images.read(Path(path)).pixels for name, path in row["outputs"].items()}
    assert set(made) == {"restored", "std", "lower", "upper", "sample-1", "sample-2"}
    assert (made["lower"] < made["upper"]).all()
    # the standard deviation in closed form: that of the normal equations' inverse
    shape = made["std"].shape
    eye = torch.eye(int(np.prod(shape)), dtype=torch.float64)
    part = ipx.prior("smooth").quadratic_part(shape)
    gram = part.adjoint(part.forward(eye.view(-1, *shape))).flatten(1)
    exact = 0.1 * torch.linalg.inv(eye + 0.02 * gram).diag().sqrt()
    ratio = torch.from_numpy(made["std"]).flatten() / exact
    assert float((ratio - 1).abs().mean()) < 0.1
    assert "mean(x) > 0" in json.loads(Path(row["output"] + ".json").read_text())["config"]["claim"]


def test_bounds_are_refused_when_the_chains_have_not_mixed(source: Path) -> None:
    done = call(
        "solve", source, "--noise.sigma", 0.1, "--lam", 0.05, "--sampler", "myula", "--interval",
        90, "--draws", 16, "--warmup", 0, "--thin", 1, "-o", "out.png",
    )  # fmt: skip
    assert done.exit_code == 1
    assert "have not mixed" in done.output
    assert "--draws" in done.output
    assert Path("out-std.tif").exists()
    assert not Path("out-lower.tif").exists()
    assert not list(Path().glob(".*.draws"))


def test_data_without_noise_have_no_posterior(source: Path) -> None:
    done = call(
        "solve", source, "--noise.sigma", 0, "--op", "blur", "--estimate", "mmse", "-o", "a.png"
    )
    assert done.exit_code == 2
    assert "free of noise" in done.output


def test_a_sampler_that_does_not_fit_says_which_would(source: Path) -> None:
    done = call("solve", source, "--sampler", "gibbs", "--interval", 90, "-o", "a.png")
    assert done.exit_code == 2
    assert "samplers that fit: " in done.output
    assert "skrock" in done.output


def test_the_plan_tells_the_sampler(source: Path) -> None:
    done = call("solve", source, "--prior", "smooth", "--interval", 90, "--dry-run")
    assert "gibbs: draws from exp(-(" in done.output


def test_a_sampler_without_anything_to_draw_is_refused(source: Path) -> None:
    done = call("solve", source, "--sampler", "myula", "-o", "a.png")
    assert done.exit_code == 2
    assert "interval, samples or claim" in done.output
