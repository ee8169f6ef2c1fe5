"""What the author of a plugin is told of a mistake: one line with the plugin and the method."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import ipx
from ipx.declare.registry import registry
from ipx.errors import PluginError
from ipx.testing import check_instance, run_checks
from ipx_cli.main import cli
from third_party import installed

ONE = "gives shape (1, 8, 12), not (1, 1, 8, 12)"
MISTAKES = {
    "prior one-image": f"denoise of prior one-image of plugin mistaken {ONE}",
    "prior unpacks": "denoise of prior unpacks of plugin mistaken was given shape (1, 1, 8, 12)",
    "prior array": "denoise of prior array of plugin mistaken gives ndarray, not a tensor",
    "prior nothing": "denoise of prior nothing of plugin mistaken gives NoneType, not a tensor",
    "prior no-sigma": "denoise of NoSigma takes (self, x), not (self, x, sigma)",
    "prior misspelt": "it has no method denoise; did you mean denoize?",
    "prior no-self": "denoise of NoSelf takes (x, sigma), not (self, x, sigma)",
    "prior no-argument": "__init__ of NoArgument takes (self), not (self, options)",
    "prior foreign": "Foreign is no subclass of Prior",
    "prior function": "Function is no class but a function; give a subclass of Prior",
    "prior one-value": "gives shape (), not (1,), one number per image",
    "prior one-gradient": f"grad of prior one-gradient of plugin mistaken {ONE}",
    "prior one-prox": f"prox of prior one-prox of plugin mistaken {ONE}",
    "prior no-prox": "Prox is declared, but NoProx does not implement it: it has no method prox",
    "op one-forward": f"forward of operator one-forward of plugin mistaken {ONE}",
    "op one-adjoint": f"adjoint of operator one-adjoint of plugin mistaken {ONE}",
    "op no-adjoint": "NoAdjoint has no method adjoint",
    "op no-data-shape": "forward of operator no-data-shape of plugin mistaken gives shape",
    "solver no-state": "step of solver no-state of plugin mistaken gives Tensor, not State",
    "solver one-step": "gives x of shape (1, 8, 12), not (1, 1, 8, 12)",
    "solver no-init": "solver no-init of plugin mistaken: NoInit has no method init",
    "generator one-picture": "make of generator one-picture of plugin mistaken gives (1, 8, 8)",
    "generator no-make": "NoMake has no method make",
    "model losses": "loss of model losses of plugin mistaken gives shape (2,), not a scalar",
    "model no-network": "network of model no-network of plugin mistaken gives NoneType",
    "model no-rng": "loss of NoRng takes (self, net, batch), not (self, net, batch, rng)",
    "tuner number": "tune of tuner number of plugin mistaken gives float, not Tuned",
    "noise total": "Total has no method estimated and expected",
}


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with installed("mistaken", tmp_path_factory.mktemp("site")):
        yield


def test_every_component_of_the_plugin_is_tried() -> None:
    role = {"operator": "op"}
    found = {f"{role.get(s.kind, s.kind)} {s.name}" for s in registry().of_plugin("mistaken")}
    assert found == set(MISTAKES)


def words_for(role: str, name: str) -> list[str]:
    """A command that uses the component, on files that are made."""
    if role == "generator":
        return ["generate", name, "-o", "x.npy"]
    rng = np.random.default_rng(0)
    if role == "model":
        np.save("data.npy", rng.random((4, 8, 8), np.float32))
        told = f"train {name} --data data.npy --crop 8 --steps 1 --batch 2 -o x.safetensors -q"
        return told.split()
    np.save("y.npy", rng.random((8, 12), np.float32))
    words = f"solve y.npy --{role} {name} -o x.npy --iterations 3".split()
    words += [] if role == "tuner" else ["--lam", "0.1"]
    words += [] if role == "noise" else ["--noise.sigma", "0.1"]
    words += [] if role == "prior" else ["--prior", "smooth"]
    return [*words, "--solver", "gradient"] if role == "op" else words


@pytest.mark.parametrize("which", MISTAKES)
def test_a_mistake_is_one_line(which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    role, name = which.split()
    done = CliRunner().invoke(cli, words_for(role, name))
    assert done.exit_code == PluginError.exit_code, done.output
    (line,) = done.stderr.splitlines()[-1:]
    assert MISTAKES[which] in line
    assert "mistaken" in line
    assert "a bug" not in line
    assert not list(Path().glob("x.*"))


def test_the_contract_kit_says_the_same() -> None:
    for name in ("one-image", "unpacks"):
        failed = [r for r in run_checks(registry().get("prior", name)) if not r.ok]
        assert failed
        assert all(f"denoise of prior {name} of plugin mistaken" in r.message for r in failed)


def test_a_class_in_code_is_named_by_itself() -> None:
    class Total(ipx.Prior[ipx.NoOptions]):
        def value(self, x: torch.Tensor) -> torch.Tensor:
            return x.sum()

    with pytest.raises(PluginError, match=r"value of Total gives shape \(\), not \(2,\)"):
        Total().value(torch.zeros(2, 1, 4, 4))
    assert any("gives shape (), not (2,)" in r.message for r in check_instance(Total()))


def test_a_constructor_may_ask_for_its_data() -> None:
    class Half(ipx.LinearOperator[ipx.NoOptions]):
        def __init__(self, image_shape: ipx.Shape, options: ipx.NoOptions | None = None) -> None:
            super().__init__(image_shape, options)
            self.data_shape = tuple(self.forward(torch.zeros(1, *self.image_shape)).shape[1:])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[..., ::2]

        def adjoint(self, y: torch.Tensor) -> torch.Tensor:
            return torch.stack([y, torch.zeros_like(y)], -1).flatten(-2)

    half = Half((1, 4, 6))
    assert half.data_shape == (1, 4, 3)
    assert all(r.ok for r in check_instance(half))


def test_an_argument_by_name_is_checked_too() -> None:
    class Array(ipx.Prior[ipx.NoOptions]):
        def denoise(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
            return x[0]

    with pytest.raises(PluginError, match="denoise of Array gives shape"):
        Array().denoise(sigma=0.1, x=torch.zeros(2, 1, 4, 4))


def test_one_prediction_for_several_data_is_no_mistake() -> None:
    y = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    noise, pred = ipx.noise("gaussian", sigma=0.1), torch.full((1, 1, 4, 4), 0.5)
    several = noise.nll(pred.expand(3, -1, -1, -1), y)
    assert torch.equal(noise.nll(pred, y), several)
    assert torch.equal(noise.nll(y=y, pred=pred), several)
