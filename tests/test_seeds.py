"""``ipx bench seeds``: the tasks, the Gaussian prior against its closed form, resuming, tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings, strategies as st

import ipx
from ipx.declare.registry import registry
from ipx.files.images import read, write
from ipx.parts.weights import save_weights
from ipx_cli.main import cli, guarded
from ipx_plugins.seeds import METHODS, SIGMAS, TASKS, ipx_commands
from ipx_plugins.seeds.methods import How, available, counted, identity, method_of, restore
from ipx_plugins.seeds.pca import PCA, fit, posterior_mean
from ipx_plugins.seeds.pictures import crops, tiles
from ipx_plugins.seeds.run import Store
from ipx_plugins.seeds.table import markdown, spread
from ipx_plugins.seeds.tasks import ROUNDING, measure


def bench(*args: object) -> Any:
    return CliRunner().invoke(cli, ["bench", "seeds", *map(str, args)])


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return crops(3)


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = ipx.model("glow", levels=2, steps=1, width=4)
    net = model.network()
    with torch.no_grad():
        model.initialise(net, crops(3))
    path = tmp_path_factory.mktemp("weights") / "glow.safetensors"
    card = {"model": registry().get("model", "glow").id}
    save_weights(path, net.state_dict(), {**card, "options": model.options.to_mapping()})
    return path


def test_quick(tmp_path: Path) -> None:
    done = bench("--quick", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    out = tmp_path / "out"
    table = json.loads((out / "table.json").read_text())
    cells = {(c["task"], c["method"]): c for c in table["cells"]}
    assert table["pictures"] == {"ood": 4}
    assert all(len(c["psnr"]) == 4 for c in cells.values())
    # the Wiener filter is a closed form
    assert all(c["status"] in ({"converged": 4}, {"done": 4}) for c in cells.values())
    for task, method in (("blur", "tv"), ("blur", "wiener"), ("pixels", "biharmonic")):
        assert cells[task, method]["psnr_mean"] > cells[task, "degraded"]["psnr_mean"] + 1
        assert cells[task, method]["ssim_mean"] > cells[task, "degraded"]["ssim_mean"]
    assert (out / "table.md").read_text().count("| best |") == 2  # one difference table, two tasks
    assert "hole" in cells["pixels", "tv"]
    assert "hole" not in cells["blur", "tv"]
    assert (out / "table.md").read_text() in done.stdout
    assert "| TV |" in done.stdout
    assert read(out / "grid.png").shape[0] == 3

    before = (out / "results.jsonl").read_bytes()  # the same once more: nothing is done again
    again = bench("--quick", "-q", "-o", out)
    assert (again.exit_code, again.output) == (0, "")
    assert (out / "results.jsonl").read_bytes() == before
    assert json.loads((out / "table.json").read_text())["cells"] == table["cells"]


@pytest.mark.parametrize("name", METHODS)
def test_a_row_is_there(name: str) -> None:
    """Its prior and its solver exist."""
    method = METHODS[name]
    assert method.function or method.name in registry().names("prior")
    assert not method.solver or method.solver in registry().names("solver")
    assert available(method, How()) == (
        "" if name != "pca" else "it needs training pictures (--train)"
    )
    assert method.name == "pca" or identity(method, How())["ipx"]


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    few = ("--quick", "-q", "--count", 1, "--methods", "degraded,wiener,harmonic", "-o", tmp_path)
    assert bench(*few).exit_code == 0
    whole = lines(tmp_path)
    text = (tmp_path / "results.jsonl").read_bytes()
    (tmp_path / "results.jsonl").write_bytes(text[:-40])  # cut off within the last line
    assert bench(*few).exit_code == 0
    kept = Store(tmp_path / "results.jsonl").cells
    assert {c["key"] for c in whole} == set(kept)
    for cell in whole:
        assert kept[cell["key"]]["psnr"] == cell["psnr"]
    assert bench(*few, "--seed", 1).exit_code == 0  # other noise: other cells
    assert len(Store(tmp_path / "results.jsonl").cells) == 2 * len(whole)


def mosaic(path: Path, count: int) -> Path:
    """A row of 16 tiles a line, smooth random pictures, the rest black."""
    rng = np.random.default_rng(0)
    rows = -(-count // 16)
    sheet = np.zeros((3, rows * 64, 16 * 64))
    y, x = np.mgrid[:64, :64] / 64
    for i in range(count):
        top, left = 64 * (i // 16), 64 * (i % 16)
        a, b, c = rng.random((3, 3, 1, 1))
        tile = 0.2 + 0.6 * np.abs(np.sin(3 * a * x + 3 * b * y + c))
        sheet[:, top : top + 64, left : left + 64] = tile
    write(path, sheet)
    return path


def test_faces_tuned_with_every_kind_of_method(
    tmp_path: Path, flow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipx_plugins.seeds.run.FACTORS", (0.3, 1.0))
    (tmp_path / "data").mkdir()
    faces = mosaic(tmp_path / "data" / "test.png", 130)
    mosaic(tmp_path / "data" / "train.png", 20)
    out = tmp_path / "out"
    done = bench(
        "--faces", faces, "--train", tmp_path / "data", "--components", 8, "--count", 2,
        "--ood-count", 1, "--tune", 1, "--tasks", "sr4", "--sigmas", "0.05", "--iterations", 1,
        "--methods", "bicubic,pca,glow-synthesis,none", "--start", "preview",
        "--model.weights", f"glow={flow}", "-o", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    cells = json.loads((out / "table.json").read_text())["cells"]
    tuned = [c for c in cells if c["factor"] is not None]
    assert {c["method"] for c in tuned} == {"pca", "glow-synthesis"}
    assert {c["set"] for c in tuned} == {"faces", "ood"}
    for c in tuned:
        same = ("set", "task", "sigma", "method")
        base = next(b for b in cells if not b["factor"] and all(b[k] == c[k] for k in same))
        assert np.allclose(c["lam"], [c["factor"] * v for v in base["lam"]])
        best = next(
            v for v in lines(out) if v.get("set") == "validation" and v["sigma"] == c["sigma"]
            and v["method"] == c["method"]
        )  # fmt: skip
        assert c["factor"] == best["best"] == float(max(best["psnr"], key=best["psnr"].get))
    glow = next(c for c in cells if c["method"] == "glow-synthesis")
    assert glow["evaluations"] > 2
    assert len(glow["objective"]) == 2
    assert all(v > 0 for v in glow["objective"])
    told = (out / "table.md").read_text()
    assert "## faces: 2 pictures, sigma 0.05, lam tuned on other pictures" in told
    assert "## ood: 1 pictures, sigma 0.05, automatic lam" in told


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("sigma", SIGMAS)
def test_data(task: str, sigma: float, pictures: torch.Tensor) -> None:
    pictures = pictures.double()  # in float32 a batch of another size is rounded otherwise
    case = measure(pictures, task, sigma, 0)
    clean = case.operator(pictures)
    error = (case.y - clean)[clean != 0]
    if sigma == 0:
        assert torch.equal(case.y, (255 * case.y).round() / 255)
        assert float(error.abs().max()) <= 0.5 / 255 + 1e-6
        assert case.level == (0 if task in ("pixels", "square") else ROUNDING)
    else:
        assert case.level == sigma
        assert float(error.std()) == pytest.approx(sigma, rel=0.1)
    assert torch.equal(case.y, measure(pictures, task, sigma, 0).y)
    alone = measure(pictures[:1], task, sigma, 0)
    assert torch.allclose(alone.y, case.y[:1], atol=1e-6)  # more pictures, the same noise
    if sigma:
        assert not torch.equal(case.y, measure(pictures, task, sigma, 1).y)


def test_tasks_are_those_of_the_talk(pictures: torch.Tensor) -> None:
    x = pictures
    box = sum(x.roll((i, j), (2, 3)) for i in range(-3, 4) for j in range(-3, 4)) / 49
    assert torch.allclose(measure(x, "blur", 1e-9, 0).y, box, atol=1e-5)
    means = x.view(3, 3, 16, 4, 16, 4).mean((3, 5))
    assert torch.allclose(measure(x, "sr4", 1e-9, 0).y, means, atol=1e-6)
    known = measure(x, "square", 0, 0).operator.known(x)
    hole = torch.zeros(64, 64, dtype=torch.bool)
    hole[27:37, 27:37] = True
    assert torch.equal(known.reshape(64, 64), ~hole)
    share = float((~measure(x, "pixels", 0, 0).operator.known(x)).double().mean())
    assert share == pytest.approx(0.6, abs=0.02)


def test_scores(pictures: torch.Tensor) -> None:
    case = measure(pictures, "square", 0, 0)
    x = case.truth.clone()
    x[:, :, 27:37, 27:37] += 0.1
    x = x.clamp(0, 1)
    found = case.scores(x)
    wrong = (x - case.truth)[:, :, 27:37, 27:37].double().square().mean((1, 2, 3))
    assert np.allclose(found["hole"], (-10 * wrong.log10()).tolist())
    whole = -10 * (wrong * 100 / 64**2).log10()
    assert np.allclose(found["psnr"], whole.tolist())
    assert max(found["residual"]) < 0.5 / 255


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(
        [
            {"name": "blur", "kind": "uniform", "size": 3, "boundary": "circular"},
            {"name": "super-resolution", "factor": 2},
            {"name": "inpaint", "missing": 0.5},
        ]
    ),
    st.floats(1e-4, 1.0),
    st.integers(0, 1000),
)
def test_posterior_mean_in_closed_form(op: dict[str, Any], sd: float, seed: int) -> None:
    """x = mean + C A^T (A C A^T + v I)^-1 (y - A mean), with all matrices written out."""
    rng = torch.Generator().manual_seed(seed)
    shape, n, k = (1, 8, 8), 64, 5
    basis = torch.linalg.qr(torch.randn(n, k, dtype=torch.float64, generator=rng))[0]
    variance = torch.tensor([3.0, 2.0, 1.0, 0.5, 0.2], dtype=torch.float64)
    mean = torch.rand(n, dtype=torch.float64, generator=rng)
    pca = PCA(mean, basis, variance, 0.05)
    operator = ipx.operator(**op, image_shape=shape)
    unit = torch.eye(n, dtype=torch.float64).view(n, *shape)
    a = operator(unit).flatten(1).T
    y = operator(torch.rand(2, *shape, dtype=torch.float64, generator=rng))
    c = basis @ torch.diag(variance - 0.05) @ basis.T + 0.05 * torch.eye(n, dtype=torch.float64)
    inner = a @ c @ a.T + sd**2 * torch.eye(len(a), dtype=torch.float64)
    gain = torch.linalg.solve(inner, (y.flatten(1) - a @ mean).T)
    wanted = (mean[:, None] + c @ a.T @ gain).T
    found = posterior_mean(pca, operator, y, sd**2).flatten(1)
    assert torch.allclose(found, wanted, atol=1e-6)


def test_fit_finds_the_subspace() -> None:
    rng = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(48, 3, generator=rng))[0]
    codes = torch.randn(4000, 3, generator=rng) * torch.tensor([3.0, 2.0, 1.0])
    x = 0.5 + codes @ basis.T + 0.1 * torch.randn(4000, 48, generator=rng)
    pca = fit(x.view(-1, 3, 4, 4), 3)
    assert pca.variance.sqrt().tolist() == pytest.approx([3, 2, 1], rel=0.05)
    assert pca.rest == pytest.approx(0.01, rel=0.05)
    assert torch.allclose(pca.basis.T @ pca.basis, torch.eye(3, dtype=torch.float64), atol=1e-5)
    overlap = (basis.double().T @ pca.basis).abs()
    assert torch.allclose(overlap, torch.eye(3, dtype=torch.float64), atol=0.05)
    assert torch.equal(pca.basis, fit(x.view(-1, 3, 4, 4), 3).basis)
    with pytest.raises(ipx.InputError, match="too few"):
        fit(torch.rand(4, 3, 4, 4), 3)


def test_batches_do_not_matter(pictures: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    case = measure(pictures, "pixels", 0.02, 0)
    whole = restore(METHODS["wiener"], case, How())
    monkeypatch.setattr("ipx_plugins.seeds.methods.CHUNK", 2)
    parts = restore(METHODS["wiener"], case, How())
    assert torch.allclose(whole.x, parts.x, atol=1e-4)
    assert parts.lam == pytest.approx(whole.lam, rel=1e-3)
    assert parts.status == whole.status


def test_any_prior_is_a_method() -> None:
    assert method_of("tikhonov").model == ""
    assert method_of("glow-patches").model == "glow"
    assert method_of("wiener").name == "smooth"


def test_evaluations_are_counted_and_nothing_stays(flow: Path) -> None:
    prior: Any = ipx.prior("glow-map", weights=str(flow))
    model = prior.generator
    x = torch.rand(2, 3, 8, 8)
    with counted(model) as calls:
        prior.value(x)
        prior.decode(prior.encode(x), (3, 8, 8))
    assert calls["n"] == 3 * 2
    assert not {"encode", "decode", "log_prob"} & set(model.__dict__)


def test_tiles_leave_out_and_black(tmp_path: Path) -> None:
    first = mosaic(tmp_path / "a.png", 17)
    mosaic(tmp_path / "b.png", 3)
    assert len(tiles(first)) == 17
    assert len(tiles(tmp_path)) == 20
    assert len(tiles(tmp_path, leave_out=first)) == 3
    with pytest.raises(ipx.InputError, match="no pictures"):
        tiles(tmp_path, leave_out=tmp_path)


def test_spread_and_marks() -> None:
    assert spread([1.0, 3.0, None]) == (2.0, pytest.approx(2**0.5))
    base = {"set": "faces", "task": "blur", "sigma": 0.0, "factor": None, "ssim": [0.5, 0.5],
            "seconds": 1.0, "evaluations": None}  # fmt: skip
    cells = [
        {**base, "method": "tv", "psnr": [20.0, 22.0], "status": {"converged": 2}},
        {**base, "method": "degraded", "psnr": [30.0, 30.0], "status": {"converged": 2}},
        {**base, "method": "bm3d", "psnr": [20.0, 20.0], "status": {"diverged": 1}},
    ]
    text = markdown(cells, {"faces": 2})
    assert "| TV | **21.00** +- 1.41 / 0.500 |" in text
    assert "| BM3D-PnP | 20.00 +- 0.00 / 0.500* |" in text
    assert text.index("| degraded |") < text.index("| TV |") < text.index("| BM3D-PnP |")


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = tmp_path / "small.png"
    write(small, np.full((3, 64, 128), 0.5))
    odd = tmp_path / "odd.png"
    write(odd, np.full((3, 60, 64), 0.5))
    cases: list[tuple[int, str, tuple[object, ...]]] = [
        (2, "did you mean blur", ("--tasks", "blurr")),
        (2, "no method is called tvv; did you mean tv", ("--methods", "tvv")),
        (2, "training pictures", ("--methods", "pca")),
        (2, "no weights of realnvp", ("--methods", "realnvp-map", "--model.weights", "vae=none")),
        (
            2,
            "neither shipped nor a file",
            ("--methods", "realnvp-map", "--model.weights", "realnvp=x"),
        ),
        (2, "device", ("--device", "nonsense")),
        (2, "noise levels", ("--sigmas", "-1")),
        (2, "auto or a number", ("--lam", "much")),
        (2, "nothing to measure", ("--ood-count", 0)),
        (2, "--tune 3 needs --faces", ("--tune", 3)),
        (3, "has 2 pictures, not 50", ("--faces", small)),
        (3, "no mosaic", ("--faces", odd)),
        (3, "no such file", ("--faces", tmp_path / "none.webp")),
    ]
    main = click.Group.main
    for code, says, words in cases:
        usual = ["--ood-count", "1", "--methods", "tv"]  # by default all weights are read
        args = ["bench", "seeds", *usual, *map(str, words), "-q", "-o", str(tmp_path / "out")]
        found = guarded(lambda a=args: main(cli, a, prog_name="ipx", standalone_mode=False))
        told = capsys.readouterr().err
        assert found == code, (words, told)
        assert says in told
        assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_failure_is_told_and_the_rest_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*case: Any) -> Any:
        raise ipx.InputError("no luck")

    monkeypatch.setattr("ipx_plugins.seeds.methods._solved", failing)
    few = ("--quick", "-q", "--count", 1, "--tasks", "pixels", "--methods", "degraded,biharmonic")
    done = bench(*few, "-o", tmp_path)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "ipx: error: ood pixels sigma 0.02 biharmonic: no luck\n"
    table = json.loads((tmp_path / "table.json").read_text())
    assert [c["method"] for c in table["cells"]] == ["degraded"]
    monkeypatch.undo()
    assert bench(*few, "-o", tmp_path).exit_code == 0  # what failed is tried again


def test_the_group_is_shared() -> None:
    group = click.Group("ipx")
    other = click.Command("other")
    group.add_command(click.Group("bench", commands={"other": other}))
    ipx_commands(group)
    bench_group = group.commands["bench"]
    assert isinstance(bench_group, click.Group)
    assert set(bench_group.commands) == {"other", "seeds"}


def test_differences_are_paired() -> None:
    """A method that is better by 1 dB on each picture is better by 1 dB, whatever they are."""
    same = {"set": "faces", "task": "blur", "sigma": 0.02, "factor": None, "status": {},
            "ssim": [0.5] * 3, "seconds": 1, "evaluations": None}  # fmt: skip
    rows = {"tv": [20.0, 30.0, 40.0], "bm3d": [21.0, 31.0, 41.0], "wavelet": [20.0, 28.0, 39.0]}
    cells = [{**same, "method": name, "psnr": psnr} for name, psnr in rows.items()]
    told = markdown(cells, {"faces": 3})
    assert "| TV | -1.00 +- 0.00 |" in told
    assert "| BM3D-PnP | best |" in told
    # -1, -3, -2: the quantile 4.303 of two degrees of freedom, over the root of 3
    assert "| wavelet | -2.00 +- 2.48 |" in told
