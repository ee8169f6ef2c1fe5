"""Textures from an example, and styles; `ipx generate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from click.testing import CliRunner, Result
from PIL import Image
from torch import Tensor

import ipx
from ipx.toolkit import AdamMoments
from ipx_cli.main import cli, guarded
from ipx_plugins.texture.features import random_features
from ipx_plugins.texture.gram import Aim, gram, optimised
from ipx_plugins.texture.quilting import _path, _Search

GRAVEL = torch.from_numpy(skimage.data.gravel()[:64, :64].astype(np.float32) / 255)[None]
NET = (4, 8)


def texture(example: Tensor, size: tuple[int, int], **options: Any) -> Tensor:
    made: Tensor = ipx.generator("texture", **options).generate([example], size, seed=1)
    return made[0]


def checks(side: int) -> Tensor:
    """A periodic picture of period 8 pixels."""
    at = torch.arange(side)
    return ((at[:, None] // 4 + at // 4) % 2).float()[None]


def spectrum(x: Tensor) -> Tensor:
    """Mean power spectrum of windows of 32 x 32, in dB."""
    windows = x[0].unfold(0, 32, 16).unfold(1, 32, 16)
    hann = torch.hann_window(32)
    return 10 * (torch.fft.rfft2((windows - x.mean()) * hann[:, None] * hann).abs() ** 2).mean(
        (0, 1)
    ).add(1e-6).log10()  # fmt: skip


def distance(x: Tensor, y: Tensor) -> float:
    return float((spectrum(x) - spectrum(y)).square().mean().sqrt())


@pytest.mark.parametrize(("method", "patch"), [("pixels", 13), ("quilting", 30)])
def test_a_periodic_example_is_continued_without_a_fault(method: str, patch: int) -> None:
    made = texture(checks(40), (48, 56), method=method, tolerance=0.0, patch=patch)
    shifts = [checks(72)[:, r : r + 48, c : c + 56] for r in range(8) for c in range(8)]
    assert min(float((made - s).abs().max()) for s in shifts) < 1e-4


@pytest.mark.parametrize("method", ["pixels", "quilting"])
def test_what_is_copied_is_of_the_example(method: str) -> None:
    made = texture(GRAVEL, (40, 48), method=method, candidates=400)
    assert set(np.unique((made * 255).round())) <= set(np.unique((GRAVEL * 255).round()))


def test_distances_by_fourier_are_those_of_the_sum() -> None:
    rng = torch.Generator().manual_seed(0)
    x, patch = torch.rand(2, 12, 15, generator=rng), torch.rand(2, 5, 5, generator=rng)
    mask = (torch.rand(1, 5, 5, generator=rng) > 0.5).float()
    found = _Search(x, 5).distances(patch, mask)
    assert found.shape == (8, 11)
    there = (mask * (x[:, 3:8, 6:11] - patch) ** 2).sum()
    assert float(found[3, 6]) == pytest.approx(float(there), rel=1e-6)


def test_the_seam_is_the_cheapest_path() -> None:
    error = torch.tensor([[9, 9, 0, 9], [9, 0, 9, 9], [9, 9, 0, 9], [9, 9, 9, 0]]).float()
    assert _path(error).tolist() == [2, 1, 2, 3]


def test_random_phase_keeps_mean_and_spectrum() -> None:
    made = texture(GRAVEL, (128, 128), method="random-phase")
    assert float(made.mean()) == pytest.approx(float(GRAVEL.mean()), abs=0.01)
    assert float(made.std()) == pytest.approx(float(GRAVEL.std()), rel=0.1)
    assert distance(made, GRAVEL) < 4
    flat = GRAVEL[0].flatten()[torch.randperm(4096, generator=torch.Generator().manual_seed(0))]
    assert distance(flat.view(1, 64, 64), GRAVEL) > 8


def test_gram_of_features() -> None:
    f = torch.arange(12.0).view(1, 2, 2, 3)
    assert torch.allclose(gram(f), f[0].flatten(1) @ f[0].flatten(1).T / 6)


def test_gram_matrices_are_matched_and_the_spectrum_with_them() -> None:
    """Random features already; white noise of the same values is far away."""
    net = random_features(NET, 0)
    rng = torch.Generator().manual_seed(0)
    noise = GRAVEL.flatten()[torch.randperm(4096, generator=rng)].view(1, 1, 64, 64)
    aim = Aim(net, 0, GRAVEL[None])
    made = optimised(aim, noise, 40)
    assert float(made.min()) >= 0
    assert float(made.max()) <= 1
    for ours, theirs in zip(*map(aim.seen, (made, GRAVEL[None])), strict=True):
        assert (gram(ours) - gram(theirs)).norm() < 0.1 * gram(theirs).norm()
    deep = [gram(aim.seen(x)[-1]) for x in (made, GRAVEL[None], noise)]
    assert (deep[0] - deep[1]).norm() < 0.2 * (deep[2] - deep[1]).norm()
    assert distance(made[0], GRAVEL) < 0.6 * distance(noise[0], GRAVEL)


def test_style_of_strength_0_is_the_content() -> None:
    content = checks(32) * 0.5 + 0.25
    made = optimised(Aim(random_features(NET, 0), 0, GRAVEL[None], content[None], 0.0),
                     content[None], 5)  # fmt: skip
    assert torch.allclose(made[0], content, atol=1e-4)
    styled = ipx.generator("style", features="random", iterations=5, strength=1.0)
    moved = styled.generate([content, GRAVEL])[0]
    assert distance(moved, GRAVEL) < distance(content, GRAVEL)


def test_style_of_two_channels_is_quilted_only() -> None:
    two = GRAVEL.expand(2, -1, -1)
    with pytest.raises(ipx.ShapeError, match="1 or 3 channels, not 2 and 1; quilting takes any"):
        ipx.generator("style", features="random").generate([two, GRAVEL])
    made = ipx.generator("style", method="quilting").generate([two, two])
    assert made.shape == (1, 2, *two.shape[1:])


def test_quilted_style_is_as_bright_as_the_content() -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 48, 64)
    made = ipx.generator("style", method="quilting").generate([ramp, GRAVEL])[0, 0]
    assert made.shape == (48, 64)
    thirds = [float(part.mean()) for part in made.split(22, 1)]
    assert thirds[0] < thirds[1] - 0.03 < thirds[2] - 0.06


def test_the_network_learns_which_pieces_belong_together() -> None:
    """A tiny one, on stripes of several widths and directions with colours that say nothing."""
    model = ipx.model("texture-features", widths=NET)
    torch.manual_seed(0)
    net = model.network()
    rng = torch.Generator().manual_seed(0)
    at = torch.arange(32.0)
    waves = [(torch.sin(at[:, None] * u + at * v) + 1) / 2
             for u, v in ((0.4, 0), (0, 0.4), (1.5, 0), (0, 1.5), (1, 1), (3, 3))]  # fmt: skip
    batch = torch.stack(waves)[:, None].expand(-1, 3, -1, -1).contiguous()
    parameters, moments = list(net.parameters()), dict[int, AdamMoments]()
    start = model.loss(net, batch, torch.Generator().manual_seed(1))
    assert isinstance(start, Tensor)
    before = float(start.detach())
    for _ in range(60):
        loss = model.loss(net, batch, rng)
        assert isinstance(loss, Tensor)
        for i, (p, g) in enumerate(
            zip(parameters, torch.autograd.grad(loss, parameters), strict=True)
        ):
            moments[i] = moments.get(i, AdamMoments.zero(g)).add(g)
            with torch.no_grad():
                p -= 0.01 * moments[i].corrected() / moments[i].rms(1e-12)
    with torch.no_grad():
        after = float(model.loss(net, batch, torch.Generator().manual_seed(1)))
    assert after < 0.5 * before
    assert float(model.validate(net, batch, rng)["accuracy"].mean()) == 1


# ---------------------------------------------------------------- the command


def call(*args: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in args])


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "gravel.png"
    Image.fromarray(skimage.data.gravel()[:48, :48]).save(path)
    return path


def test_a_texture_by_the_command(example: Path, tmp_path: Path) -> None:
    out = tmp_path / "big.png"
    done = call("generate", "texture", example, "-o", out, "--size", "96x128", "--json")
    assert done.exit_code == 0, done.stderr
    assert Image.open(out).size == (128, 96)
    record = json.loads((tmp_path / "big.png.json").read_text())
    assert json.loads(done.stdout)["shape"] == record["shape"] == [1, 1, 96, 128]
    assert record["generator"]["name"] == "texture/texture"
    assert record["inputs"][0]["path"] == str(example)
    again = tmp_path / "again.png"
    assert call("generate", "texture", example, "-o", again, "--size", "96x128").exit_code == 0
    assert again.read_bytes() == out.read_bytes()


def test_samples_of_a_model(tmp_path: Path) -> None:
    out = tmp_path / "digits.png"
    how = ("--generator.weights", "digits", "--count", 3, "--columns", 2)
    done = call("generate", "vae", "-o", out, *how)
    assert done.exit_code == 0, done.stderr
    large = np.asarray(Image.open(out))
    assert large.shape == (2 * 66 - 2, 2 * 66 - 2)
    done = call("generate", "vae", "-o", out, *how, "--scale", 1, "--force")
    assert done.exit_code == 0, done.stderr
    small = np.asarray(Image.open(out))
    assert small.shape == (66, 66)
    assert np.array_equal(large[:64:2, :64:2], small[:32, :32])


def test_bad_input_of_the_command_is_one_line(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.png"
    tiny = tmp_path / "tiny.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tiny)
    cases = [
        (2, "takes texture; 0 given", ("texture",)),
        (2, "takes content and style; 1 given", ("style", example)),
        (2, "did you mean texture", ("textur", example)),
        (2, "such as 512x512", ("texture", example, "--size", "big")),
        (3, "smaller than a neighbourhood", ("texture", tiny, "--generator.method", "pixels")),
        (3, "gram needs pictures of at least 32 x 32", (
            "texture", tiny, "--generator.method", "gram", "--generator.features", "random")),
        (3, "limit is 1000", ("texture", example, "--size", "999", "--max-pixels", 1000)),
        (3, "for images of shape (3, 64, 64)", ("vae", "--size", "48")),
        (2, "exists; --force", ("texture", example, "-o", example)),
    ]  # fmt: skip
    for code, says, words in cases:
        args = ["generate", *map(str, words), *([] if "-o" in words else ["-o", str(out)])]
        found = guarded(lambda a=args: _run(a))
        told = capsys.readouterr().err
        assert found == code, (words, told)
        assert says in told, told
        assert told.count("\n") == 1, told
    assert not out.exists()


def _run(args: list[str]) -> Any:
    import click

    return click.Group.main(cli, args, prog_name="ipx", standalone_mode=False)


def test_random_phases_keep_the_mean() -> None:
    example = 0.2 + 0.1 * torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0))
    for seed in range(4):
        made = ipx.generator("texture", method="random-phase").generate(
            [example], (32, 32), seed=seed
        )
        assert float(made.mean()) == pytest.approx(float(example.mean()), abs=1e-5)


@pytest.mark.parametrize("method", ["quilting", "pixels"])
def test_patches_without_a_seam_are_refused(method: str) -> None:
    with pytest.raises(ipx.ShapeError, match="3 or more"):
        ipx.generator("texture", method=method, patch=2).generate(
            [torch.rand(1, 16, 16)], (16, 16), seed=0
        )
