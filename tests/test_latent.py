"""``ipx latent``: codes there and back, arcs, grids, and what bad input says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import given, settings, strategies as st

import ipx
from ipx.declare.registry import registry
from ipx.files.images import read, write
from ipx.parts.weights import save_weights
from ipx_cli.main import cli, guarded
from ipx_plugins.latent.coder import Coder, coder, linear, spherical
from ipx_plugins.latent.files import grid

MODELS: dict[str, dict[str, Any]] = {
    "glow": {"levels": 2, "steps": 1, "width": 4},
    "vae": {"size": 16, "latent": 4, "width": 4},
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    made = {}
    for name, options in MODELS.items():
        torch.manual_seed(0)
        model = ipx.model(name, **options)
        net = model.network()
        with torch.no_grad():
            model.initialise(net, torch.rand(8, 3, 16, 16))
        made[name] = folder / f"{name}.safetensors"
        full = registry().get("model", name)
        card = {"model": full.id, "options": model.options.to_mapping()}
        save_weights(made[name], net.state_dict(), card)
    return made


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two folders of pictures 16 x 16: bright ones and dark ones."""
    rng = np.random.default_rng(0)
    for name, level in (("bright", 0.7), ("dark", 0.3)):
        (tmp_path / name).mkdir()
        for i in range(3):
            pixels = level + 0.2 * (rng.random((3, 16, 16)) - 0.5)
            write(tmp_path / name / f"{i}.png", pixels)
    return tmp_path


def call(*args: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in args])


def failing(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str]:
    words = ["latent", *map(str, args)]
    code = guarded(lambda: click.Group.main(cli, words, prog_name="ipx", standalone_mode=False))
    return code, capsys.readouterr().err


def run(*args: object) -> str:
    done = call("latent", *args)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_code_and_back_gives_the_picture(photos: Path, weights: dict[str, Path]) -> None:
    source = photos / "bright" / "0.png"
    codes, back = photos / "c.npz", photos / "back.png"
    run("encode", source, "--model.weights", weights["glow"], "-o", codes)
    run("decode", codes, "--model.weights", weights["glow"], "-o", back)
    assert np.array_equal(read(back).pixels, read(source).pixels)
    with np.load(codes) as file:
        assert file["z"].shape == (1, 3 * 16 * 16)
        assert file["z"].dtype == np.float32
        assert tuple(file["shape"]) == (3, 16, 16)
    record = json.loads((photos / "c.npz.json").read_text())
    assert record["weights"]["sha256"] == json.loads(
        weights["glow"].with_name("glow.safetensors.json").read_text()
    )["sha256"]  # fmt: skip
    assert len(record["radius"]) == 1


def test_a_folder_becomes_a_grid(photos: Path, weights: dict[str, Path]) -> None:
    out, codes = photos / "g.png", photos / "c.npz"
    run(
        "encode",
        photos / "bright",
        photos / "dark",
        "--model.weights",
        weights["glow"],
        "-o",
        codes,
    )
    how = ("--model.weights", weights["glow"], "--columns", 4, "--scale", 1)
    run("decode", codes, *how, "-o", out)
    sheet = read(out).pixels
    assert sheet.shape == (3, 2 * 18 - 2, 4 * 18 - 2)
    second = read(photos / "bright" / "1.png").pixels
    assert np.array_equal(sheet[:, :16, 18:34], second)
    assert (sheet[:, 18:, 36:] == 1).all()  # the two places that are left


@pytest.mark.parametrize("model", MODELS)
def test_samples(model: str, photos: Path, weights: dict[str, Path]) -> None:
    same = ["sample", "--model", model, "--model.weights", weights[model], "--size", 16]
    same += ["--count", 4, "--scale", 1]
    for name, more in (("a", []), ("b", []), ("c", ["--seed", 1]), ("d", ["--temperature", 0])):
        run(*same, *more, "-o", photos / f"{name}.png")
    a, b, c, d = (read(photos / f"{n}.png").pixels for n in "abcd")
    assert a.shape == (3, 16, 4 * 18 - 2)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert np.array_equal(d[:, :, :16], d[:, :, 18:34])  # without noise all are D(0)


def test_strip_begins_and_ends_with_the_pictures(photos: Path, weights: dict[str, Path]) -> None:
    ends = [photos / "bright" / "0.png", photos / "dark" / "0.png"]
    for way in ([], ["--spherical"]):
        out = photos / f"i{len(way)}.png"
        how = ("--steps", 4, "--scale", 1, "--model.weights", weights["glow"])
        run("interpolate", *ends, *way, *how, "-o", out)
        strip = read(out).pixels
        run("interpolate", *ends, *way, *how[:2], *how[4:], "-o", out, "--force")
        large = read(out).pixels  # the least whole factor to 64 pixels
        assert large.shape == (3, 64, 4 * 66 - 2)
        assert np.array_equal(large[:, ::4, 66:130:4], strip[:, :, 18:34])
        assert strip.shape == (3, 16, 4 * 18 - 2)
        assert np.array_equal(strip[:, :, :16], read(ends[0]).pixels)
        assert np.array_equal(strip[:, :, -16:], read(ends[1]).pixels)


def test_attribute_is_the_difference_of_the_means(photos: Path, weights: dict[str, Path]) -> None:
    source, out = photos / "dark" / "0.png", photos / "a.png"
    run(
        "attribute", source, "--with", photos / "bright", "--without", photos / "dark",
        "--multiples", "0,1", "--scale", 1, "--model.weights", weights["glow"], "-o", out,
    )  # fmt: skip
    strip = read(out).pixels
    assert np.array_equal(strip[:, :, :16], read(source).pixels)
    coded = coder("glow", str(weights["glow"]), "cpu")
    z = [
        coded.encode(torch.stack([torch.from_numpy(read(p).pixels) for p in sorted(f.iterdir())]))
        for f in (photos / "bright", photos / "dark")
    ]
    moved = coded.decode((z[1][0] + z[0].mean(0) - z[1].mean(0))[None], (3, 16, 16))[0]
    assert np.abs(strip[:, :, 18:] - moved.clamp(0, 1).numpy()).max() < 0.6 / 255


def test_traversal_changes_one_number(photos: Path, weights: dict[str, Path]) -> None:
    out = photos / "t.png"
    run(
        "traverse", "--model", "vae", "--model.weights", weights["vae"], "--dims", "3,1",
        "--steps", 3, "--size", 16, "--reach", 2, "--scale", 1, "-o", out,
    )  # fmt: skip
    sheet = read(out).pixels
    z = torch.zeros(1, 4)
    z[0, 1] = 2
    last = coder("vae", str(weights["vae"]), "cpu").decode(z, (3, 16, 16))[0].clamp(0, 1)
    assert sheet.shape == (3, 2 * 18 - 2, 3 * 18 - 2)
    assert np.abs(sheet[:, 18:, 36:] - last.numpy()).max() < 0.6 / 255


def test_components_by_their_names(photos: Path) -> None:
    out = [photos / "names.png", photos / "numbers.png"]
    for path, dims in zip(out, ("slant,area", "3,0"), strict=True):
        told = run("traverse", "--model", "ar-vae", "--dims", dims, "--steps", 3, "-o", path)
        assert "slant, area, 3 steps" in told
    assert np.array_equal(read(out[0]).pixels, read(out[1]).pixels)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(0, 2**31))
def test_arcs(n: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, n, generator=rng, dtype=torch.float64)
    t = torch.linspace(0, 1, 5, dtype=torch.float64)
    arc = spherical(a, b, t)
    assert torch.allclose(arc[0], a)
    assert torch.allclose(arc[-1], b)
    assert torch.allclose(arc.norm(dim=1), torch.lerp(a.norm(), b.norm(), t), rtol=1e-3)
    assert torch.allclose(linear(a, b, t)[2], (a + b) / 2)
    chords = torch.nn.functional.normalize(arc, dim=1).diff(dim=0).norm(dim=1)
    assert float(chords.max() - chords.min()) < 1e-2 * float(chords.max()) + 1e-3  # equal angles


def test_arcs_that_do_not_exist_are_lines() -> None:
    a, t = torch.ones(3), torch.tensor([0.5])
    assert torch.equal(spherical(a, -a, t), torch.zeros(1, 3))
    assert torch.equal(spherical(a, torch.zeros(3), t), torch.full((1, 3), 0.5))


def test_bad_input_is_one_line(
    photos: Path, weights: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    glow = ("--model.weights", weights["glow"])
    picture = photos / "bright" / "0.png"
    odd, out, codes = photos / "odd.png", photos / "x.png", photos / "c.npz"
    bands = photos / "bands.npy"
    np.save(bands, np.zeros((16, 16, 5), np.float32))
    write(odd, np.full((3, 18, 18), 0.5))
    run("encode", picture, *glow, "-o", codes)
    cases: list[tuple[int, str, tuple[object, ...]]] = [
        (3, "is not a file of codes", ("decode", picture, *glow, "-o", out)),
        (3, "not a file of codes", ("decode", photos / "none.npz", *glow, "-o", out)),
        (3, "other weights", ("decode", codes, "--model", "vae", "--model.weights", weights["vae"],
                              "-o", out)),
        (3, "multiples of 4", ("encode", odd, *glow, "-o", photos / "o.npz")),
        (3, "--size", ("encode", picture, odd, *glow, "-o", photos / "o.npz")),
        (3, "has 5 bands", ("encode", bands, *glow, "-o", photos / "o.npz")),
        (3, "has no pictures", ("encode", weights["glow"].parent, *glow, "-o", photos / "o.npz")),
        (3, "does not exist", ("sample", *glow, "-o", photos / "no" / "x.png")),
        (2, "writes a file *.png", ("sample", *glow, "-o", photos / "x.jpg")),
        (2, "--force", ("sample", *glow, "-o", picture)),
        (2, "neither shipped nor a file", ("sample", "--model.weights", "nope", "-o", out)),
        (2, "generates no pictures", ("sample", "--model", "drunet", "-o", out)),
        (2, "nan is not finite", ("sample", "--temperature", "nan", *glow, "-o", out)),
        (2, "inf is not finite", ("traverse", "--reach", "inf", *glow, "-o", out)),
        (2, "not 'slant'", ("traverse", "--dims", "slant", *glow, "-o", out)),
        (2, "numbers with commas", ("attribute", picture, "--with", photos, "--without", photos,
                                    "--multiples", "a", *glow, "-o", out)),
        (2, "0 to 767", ("traverse", "--dims", "9" * 400, "--size", 16, *glow, "-o", out)),
        (2, "0 to 767", ("traverse", "--dims", "768", "--size", 16, *glow, "-o", out)),
        (2, "one picture", ("traverse", "--start", photos / "bright", *glow, "-o", out)),
        (2, "device", ("sample", "--device", "nonsense", *glow, "-o", out)),
    ]  # fmt: skip
    for code, says, words in cases:
        told = failing(capsys, *words)
        assert told[0] == code, (words, told)
        assert says in told[1]
        assert told[1].count("\n") == 1
    assert not out.exists()
    assert not (photos / "o.npz").exists()


class Broken(ipx.Generative[Any]):
    def latent_size(self, image_shape: ipx.Shape) -> int:
        return 2

    def decode(self, net: torch.nn.Module, z: torch.Tensor, image_shape: ipx.Shape) -> torch.Tensor:
        return torch.full((len(z), *image_shape), torch.nan)


def test_no_nan_leaves() -> None:
    coded = Coder("broken", Broken(), torch.nn.Identity(), "", "cpu")
    with pytest.raises(ipx.InputError, match="2 of 2 pictures"):
        coded.decode(torch.zeros(2, 2), (3, 4, 4))


def test_grid_of_one_is_the_picture(tmp_path: Path) -> None:
    x = torch.rand(1, 1, 5, 7)
    grid(tmp_path / "g.png", x, 8)
    assert np.abs(read(tmp_path / "g.png").pixels - x[0].numpy()).max() < 0.51 / 255
