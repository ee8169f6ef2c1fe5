"""A third party's package: written, installed with pip, used from the shell and from code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import ipx
from ipx.errors import InputError, OptionError
from ipx.host.scaffold import TEMPLATES, create_plugin
from third_party import as_installed, run, run_commands, run_tests

PLUGINS = Path(__file__).parents[1] / "docs" / "plugins"
EXAMPLE = PLUGINS / "ipx-example"


def install(source: Path, site: Path, folder: Path) -> None:
    pip = ("-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation")
    run(*pip, "--target", site, source, folder=folder)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ipx-example", "operator"),
        ("ipx-example-prior", "prior"),
        ("ipx-example-solver", "solver"),
    ],
)
def test_the_examples_are_what_new_plugin_writes(name: str, kind: str, tmp_path: Path) -> None:
    written = create_plugin(name, tmp_path, kind)
    assert len(written) == 5
    for path in written:
        kept = PLUGINS / path.relative_to(tmp_path)
        assert kept.read_text() == path.read_text(), kept


def test_bad_names_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="as in my-blur"):
        create_plugin("My Blur", tmp_path)
    create_plugin("mine", tmp_path)
    with pytest.raises(InputError, match="exists already"):
        create_plugin("mine", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        create_plugin("mine", tmp_path / "file")


@pytest.mark.parametrize("kind", TEMPLATES)
def test_what_new_plugin_writes_is_listed(kind: str, tmp_path: Path) -> None:
    written = create_plugin("my-own", tmp_path, kind)
    assert all(len(line) <= 100 for p in written if p.suffix == ".py" for line in lines(p))
    site = as_installed(tmp_path / "my-own")
    listed = json.loads(run_commands([["list", TEMPLATES[kind], "--json"]], tmp_path, site))
    assert "my-own" in [row["name"] for row in listed]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_other_kinds_and_names_of_packages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="did you mean prior"):
        create_plugin("mine", tmp_path, "priors")
    with pytest.raises(OptionError, match="torch is installed already"):
        create_plugin("torch", tmp_path, "model")
    with pytest.raises(OptionError, match="there is a prior tv already"):
        create_plugin("tv", tmp_path, "denoiser")


def measurement(kind: str, folder: Path) -> list[str]:
    """A picture for this kind of plugin and its truth, as arguments of solve."""
    if kind == "operator":  # the bundled picture
        return []
    rng = np.random.default_rng(0)
    truth = np.kron(rng.random((6, 6)), np.ones((8, 8))).astype(np.float32)
    if kind == "prior":  # for few bright pixels
        truth = np.zeros((48, 48), np.float32)
        truth[rng.integers(0, 48, 20), rng.integers(0, 48, 20)] = 1
    blur = {"name": "blur", "sigma": 1}
    y = ipx.degrade(truth, op=blur, noise={"name": "gaussian", "sigma": 0.02})
    np.save(folder / "truth.npy", truth)
    np.save(folder / "y.npy", y)
    return ["y.npy", "--op", "blur", "--op.sigma", "1", "--truth", "truth.npy"]


COMMANDS: dict[str, list[list[str]]] = {
    "operator": [
        ["check", "my-own"],
        ["solve", "--op", "my-own", "--op.strength", "0.7", "--prior", "tv"],
    ],
    "prior": [["check", "my-own"], ["solve", "--prior", "my-own"]],
    "solver": [["solve", "--lam", "0.005", "--solver", "my-own", "--solver.relaxation", "0.9"]],
    "denoiser": [["check", "my-own"], ["solve", "--prior", "my-own", "--prior.reach", "1"]],
    "model": [
        ["check", "my-own"],
        [
            *("train", "my-own", "--data", "many.npy", "--crop", "32", "--steps", "100"),
            *("--batch", "8", "--ema", "0.9", "--warmup", "20", "-o", "net.safetensors", "-q"),
        ],
        ["solve", "--prior", "my-own", "--prior.weights", "net.safetensors"],
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TEMPLATES)
def test_each_kind_works_as_it_is(kind: str, tmp_path: Path) -> None:
    """Its own tests, with the contract kit, pass; the command line composes it."""
    create_plugin("my-own", tmp_path, kind)
    package = tmp_path / "my-own"
    site = as_installed(package)
    assert "passed" in run_tests(package, site)
    how = measurement(kind, tmp_path)
    many = np.random.default_rng(1).random((4, 4, 4)).repeat(12, 1).repeat(12, 2)
    np.save(tmp_path / "many.npy", many)
    *before, solve = COMMANDS[kind]
    commands = [*before, [*solve, *how, "--json", "-o", "out/"]]
    told = run_commands(commands, tmp_path, site)
    row = json.loads(told.splitlines()[-1])
    assert row["psnr_after"] > row["psnr_before"]


GENERATIVE = {
    "__init__.py": """
from ipx import ModelSpec, Options, hookimpl, opt


class BasisOptions(Options):
    colors: int = opt(default=1, help="Channels.")
    latent: int = opt(default=6, min=1, help="Length of the code.")


@hookimpl
def ipx_components():
    return [
        ModelSpec(
            name="my-basis",
            target="my_basis.model:Basis",
            options=BasisOptions,
            summary="Sums of smooth patterns.",
        )
    ]
""",
    "model.py": """
import torch
from ipx import Generative


class Basis(Generative):
    only_shape = (1, 16, 16)

    def network(self):
        return torch.nn.Linear(256, self.options.latent, bias=False)

    def latent_size(self, image_shape):
        return self.options.latent

    def encode(self, net, x):
        return torch.linalg.lstsq(net.weight.T, x.flatten(1).T).solution.T

    def decode(self, net, z, image_shape):
        return (z @ net.weight).view(-1, 1, 16, 16)

    def loss(self, net, batch, rng):
        return (self.decode(net, net(batch.flatten(1)), (1, 16, 16)) - batch).square().mean()
""",
}
"""A package with a generative model, which knows nothing of codes, reports or priors."""


def test_a_generative_model_of_a_third_party_has_all_that_ours_have(tmp_path: Path) -> None:
    """Training, codes, samples, formulations as priors, and codes in the report of a run."""
    site = tmp_path / "my-basis" / "src"
    (site / "my_basis").mkdir(parents=True)
    for name, text in GENERATIVE.items():
        (site / "my_basis" / name).write_text(text)
    as_installed(tmp_path / "my-basis")
    v, u = np.mgrid[-1:1:16j, -1:1:16j]
    shares = np.random.default_rng(0).random((12, 3))
    many = (0.3 * shares @ np.stack([u + 1, v + 1, np.ones_like(u)]).reshape(3, -1)).reshape(
        -1, 16, 16
    )
    np.save(tmp_path / "many.npy", many.astype(np.float32))
    np.save(tmp_path / "one.npy", many[0].astype(np.float32))
    own = ("--model", "my-basis", "--model.weights", "own.safetensors")
    prior = ("--prior", "vae-synthesis", "--prior.model", "my-basis")
    train = ("train", "my-basis", "--data", "many.npy", "--crop", "16", "--lr", "0.01")
    told = run_commands(
        [
            [
                *train,
                "--steps",
                "60",
                "--batch",
                "8",
                "--ema",
                "0.5",
                "-o",
                "own.safetensors",
                "-q",
            ],
            ["latent", "encode", "one.npy", *own, "-o", "one.npz"],
            ["latent", "sheet", *own, "-o", "sheet.png"],
            [
                *("generate", "vae", "--generator.model", "my-basis"),
                *("--generator.weights", "own.safetensors", "--count", "4", "-o", "drawn.png"),
            ],
            [
                *("solve", "one.npy", "--noise.sigma", "0.1", *prior, "--report", "page.html"),
                *("--prior.weights", "own.safetensors", "-o", "x.npy"),
            ],
        ],
        tmp_path,
        site,
    )
    assert "1 code(s) of 6 numbers" in told
    page = (tmp_path / "page.html").read_text()
    assert "Sheet of codes" in page
    assert "Numbers of the code" in page
    basis = load_file(tmp_path / "own.safetensors")["weight"]
    x = np.load(tmp_path / "x.npy").ravel()
    code = np.linalg.lstsq(basis.T, x, rcond=None)[0]
    assert float(np.abs(code @ basis - x).max()) < 1e-5  # x = D(z)


@pytest.mark.slow
def test_example_from_command_line_and_code(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(EXAMPLE, site, tmp_path)
    listed = json.loads(run_commands([["list", "operator", "--json"]], tmp_path, site))
    assert "ipx-example" in json.dumps(listed)
    how = ["--op", "ipx-example", "--op.strength", "0.7", "--prior", "tv", "--json", "-o", "out"]
    row = json.loads(run_commands([["solve", *how]], tmp_path, site).splitlines()[0])
    assert row["psnr_after"] > row["psnr_before"]
    code = (
        "import ipx, numpy as np\n"
        "from ipx_example.operator import IpxExample\n"
        "a = IpxExample((1, 8, 8), strength=0.2)\n"
        "assert ipx.restore(np.ones((8, 8)), op=a, prior='tv').shape == (8, 8)\n"
    )
    run("-c", code, folder=tmp_path, sites=[site])


@pytest.mark.slow
def test_the_widget_of_napari(tmp_path: Path) -> None:
    package = tmp_path / "ipx-napari"
    shutil.copytree(PLUGINS / "ipx-napari", package)
    assert "passed" in run_tests(package, package / "src")
