"""What teaches: `ipx info`, `ipx list --for`, `ipx explain`, completion, the prior of auto."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import skimage.data
import tifffile
import torch
from click.testing import CliRunner, Result
from PIL import Image

import ipx
from ipx.declare.facts import held
from ipx.declare.kinds import ROLES
from ipx.declare.registry import registry
from ipx.jobs.reporter import Slope
from ipx.planning.choice import Situation, chosen
from ipx.planning.request import Request
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import tree
from ipx_cli import progress, teach
from ipx_cli.info import as_mapping
from ipx_cli.main import cli

CLEAN = skimage.data.camera()[100:228, 150:278] / 255.0


def call(*args: str, **env: str) -> Result:
    return CliRunner().invoke(cli, list(args), env=env)


def picture(path: Path, values: np.ndarray, **how: Any) -> Path:
    Image.fromarray((np.clip(values, 0, 1) * 255).round().astype(np.uint8)).save(path, **how)
    return path


# ---------------------------------------------------------------- info and list


def test_every_component_that_a_request_names_has_formula_and_advice() -> None:
    builtin = {p.name for p in registry().plugins if p.builtin}
    for kind in ROLES.values():
        for spec in registry().all(kind):
            if spec.plugin in builtin:
                assert spec.formula, spec.id
                assert spec.advice.endswith("."), spec.id


@pytest.mark.parametrize("kind", ["operator", "noise", "tuner", "sampler"])
def test_the_examples_are_commands(kind: str) -> None:
    for spec in registry().all(kind):
        words = teach.example(spec).split()
        data = "k-space.npy" if spec.name == "fourier" else "photo.png"
        assert words[:3] == ["ipx", "solve", data], spec.id
        assert spec.name in words or spec.id in words


def test_info_teaches() -> None:
    told = call("info", "tv").stdout
    for words in ("formula", "take it", "costs", "ipx solve photo.png --prior tv", "Rudin"):
        assert words in told
    plain = json.loads(call("info", "drunet", "--kind", "prior", "--json").stdout)
    assert {g["operators"][0] for g in plain["gains"]} >= {"blur", "inpaint"}
    assert plain["example"] == "ipx solve photo.png --prior drunet"


def test_weights_are_asked_for_by_the_option_that_is_declared_to_name_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Options(ipx.Options):
        network_file: str = ipx.opt(default="auto", weights=True, help="A file.")
        weights: float = ipx.opt(default=1.0, help="A number.")

    spec = dataclasses.replace(registry().get("prior", "dncnn"), options=Options)
    monkeypatch.setitem(registry().specs["prior"], spec.id, spec)
    for index in ("_sorted", "_by_name"):
        monkeypatch.setattr(registry(), index, {})
    assert teach.example(spec).endswith("--prior dncnn --prior.network-file FILE")
    told = {o["name"]: o["weights"] for o in as_mapping(spec)["options"]}
    assert told == {"network_file": True, "weights": False}
    model = teach.example(registry().get("prior", "realnvp-map"))  # an option names it
    assert model.endswith("--prior realnvp-map --prior.weights FILE")
    marked = {
        s.id: [i.name for i in s.options.infos().values() if i.weights]
        for s in registry().all("operator")
    }  # their weights are of bands
    assert not any(marked.values())


def test_list_for_an_operator_is_by_gain_and_tells_refusals() -> None:
    found = json.loads(call("list", "--for", "inpaint", "--json").stdout)
    names = [p["name"] for p in found["priors"]]
    assert names[:2] == ["drunet", "bm3d"]
    assert names.index("tv") < names.index("median")  # what is measured comes first
    assert found["refused"]["solver bicubic"]
    assert "prior none" in found["refused"]
    poisson = json.loads(call("list", "prior", "--for", "poisson", "--json").stdout)
    assert poisson["operator"] == "identity"
    assert poisson["noise"] == "poisson"
    text = call("list", "prior", "--for", "inpaint", "--why").stdout
    assert "does not fit" in text
    assert re.search(r"^  bilateral +not measured +with", text, re.M)
    assert call("list", "--for", "blur", "--for", "inpaint").exit_code == 2
    assert call("list", "operators", "--for", "blur").exit_code == 2


# ---------------------------------------------------------------- the prior of auto


def choice(op: Any, noise: str = "gaussian", solver: str = "auto", **more: Any) -> Any:
    parts = tree("operator", op), tree("noise", noise), tree("solver", solver)
    return chosen(Situation(*parts, **more))


def test_the_network_is_taken_where_its_training_covers_the_data() -> None:
    assert choice("inpaint").prior.name == "drunet"
    assert choice("blur").plan.solver.name == "unrolled-admm"
    assert "+1.3 dB" in choice("blur").plan.why
    assert choice("blur", "poisson").prior.name == "tv"
    assert choice("tomography").prior.name == "tv"
    assert choice("blur", channels=7).prior.name == "tv"  # the networks know 1 and 3
    both = {"name": "compose", "parts": ["super-resolution", "blur"]}
    assert choice(both).plan.solver.name == "unrolled-admm"
    assert choice({"name": "compose", "parts": ["fourier", "blur"]}).prior.name == "tv"


def test_a_named_solver_and_an_explicit_prior_are_respected() -> None:
    assert choice("identity", solver="direct").prior.name == "smooth"
    assert choice("identity", solver="admm").prior.name == "tv"
    assert choice("blur", explicit="a weight is given").prior.name == "tv"
    assert Request(solver={"name": "harmonic"}).prior == {"name": "none"}
    for more in ({"lam": 0.1}, {"tuner": {"name": "gcv"}}, {"settings": SolveSettings(samples=1)}):
        assert Request(op={"name": "blur"}, **more).plan().prior == "tv"


def test_what_holds_for_a_part_of_an_operator_holds_for_all() -> None:
    near = ipx.Gain(operators=("blur",), noises=("gaussian",), psnr=1.0)
    least = ipx.Gain(operators=("inpaint",), noises=("gaussian",), psnr=-1.0)
    assert held([near, least], ["blur", "inpaint"], "gaussian", None) is least
    assert held([near], ["blur", "inpaint"], "gaussian", None) is None
    assert held([near], ["blur"], "poisson", None) is None
    slow = ipx.Gain(psnr=1.0, seconds=100.0)
    assert slow.worth == pytest.approx(0.8)


def test_the_run_takes_what_the_plan_says_and_its_record_repeats_it(tmp_path: Path) -> None:
    y = picture(tmp_path / "y.png", CLEAN[:64, :64])
    dry = call("solve", str(y), "--dry-run", "--json")
    assert dry.exit_code == 0, dry.stderr
    assert json.loads(dry.stdout)["plan"]["prior"] == "drunet"
    row = json.loads(call("solve", str(y), "--json").stdout)
    assert row["plan"]["prior"] == "drunet"
    assert "dB over total variation" in row["plan"]["why"]
    record = json.loads((tmp_path / "y-restored.png.json").read_text())
    assert record["requested"]["prior"] == {"name": "auto"}
    assert record["config"]["prior"]["name"] == "denoisers/drunet"
    stack = tmp_path / "bands.npy"
    np.save(stack, np.repeat(CLEAN[:32, :32, None], 6, 2).astype(np.float32))
    told = json.loads(call("solve", str(stack), "--dry-run", "--json").stdout)
    assert told["plan"]["prior"] == "tv"


def test_auto_is_no_part_of_a_sum() -> None:
    with pytest.raises(ipx.UsageError, match="name each of them"):
        ipx.solve(CLEAN[:16, :16], prior=["tv", "auto"])


# ---------------------------------------------------------------- explain


def seen(tmp_path: Path, values: np.ndarray, name: str = "y.png", **how: Any) -> ipx.Explained:
    return ipx.explain(picture(tmp_path / name, values, **how))


def test_a_picture_is_told_by_its_noise(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noisy = seen(tmp_path, CLEAN + 0.05 * rng.standard_normal(CLEAN.shape))
    level = next(e.level for e in noisy.levels if e.noise == "gaussian")
    assert level == pytest.approx(0.05, rel=0.1)
    assert noisy.bits == 8
    assert not noisy.marks
    counts = seen(tmp_path, rng.poisson(50 * CLEAN) / 50)
    assert counts.marks == ("growing noise",)
    assert "--noise poisson" in counts.commands[0]
    assert counts.levels[0].level == pytest.approx(50, rel=0.15)


def test_marks_of_a_degradation(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    fine = 0.01 * rng.standard_normal(CLEAN.shape)
    blurred = seen(tmp_path, scipy.ndimage.gaussian_filter(CLEAN, 2) + fine)
    assert "blur" in blurred.marks
    assert "--op blur --op.sigma" in blurred.commands[0]
    assert "blur" not in seen(tmp_path, CLEAN).marks
    lines = seen(tmp_path, CLEAN + fine + 0.03 * rng.standard_normal((1, CLEAN.shape[1])))
    assert lines.marks[0] == "stripes"
    wrong = CLEAN.copy()
    wrong[rng.random(CLEAN.shape) < 0.06] = 1.0
    assert "--noise impulse" in seen(tmp_path, wrong).commands[0]
    hole = CLEAN.copy()
    hole[40:70, 40:80] = 0
    assert "--op inpaint --op.mask FILE" in seen(tmp_path, hole).remarks[0]


@pytest.mark.parametrize("quality", [20, 50, 85])
def test_the_quality_of_jpeg_is_that_of_its_tables(tmp_path: Path, quality: int) -> None:
    found = seen(tmp_path, CLEAN, "y.jpg", quality=quality)
    assert found.quality == pytest.approx(quality, abs=1)
    assert ("--noise jpeg" in found.commands[0]) == (quality < 90)


def test_bits_and_missing_values(tmp_path: Path) -> None:
    twelve = (CLEAN * 4095).astype(np.uint16) * 16
    assert ipx.explain(twelve).bits == 12
    holes = CLEAN.astype(np.float32)
    holes[:8, :16] = np.nan
    np.save(tmp_path / "y.npy", holes)
    found = ipx.explain(tmp_path / "y.npy")
    assert found.missing == pytest.approx(128 / holes.size)
    assert "NaN" in found.remarks[0]
    assert ipx.explain(np.zeros((4, 4))).remarks == ("too small to tell more",)
    with pytest.raises(ipx.InputError, match=r"none\.png"):
        ipx.explain(tmp_path / "none.png")


def test_of_a_volume_the_middle_plane_is_looked_at(tmp_path: Path) -> None:
    volume = np.stack([CLEAN * share for share in (0.2, 1.0, 0.4)]).astype(np.float32)
    tifffile.imwrite(tmp_path / "v.tif", volume, photometric="minisblack")
    with pytest.raises(ipx.InputError, match=r"v\.tif: is a stack of 3 pages; say --axes"):
        ipx.explain(tmp_path / "v.tif")
    found = ipx.explain(tmp_path / "v.tif", "ZYX")
    assert found.shape == (1, *CLEAN.shape)
    assert found.high == pytest.approx(CLEAN.max())
    assert all("v.tif --axes ZYX" in command for command in found.commands)


def test_the_commands_run_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture(Path("my y.png"), CLEAN[:48, :48])
    told = call("explain", "my y.png", "--json")
    assert told.exit_code == 0, told.stderr
    commands = json.loads(told.stdout)["commands"]
    assert len(set(commands)) == 3
    for command in commands:
        assert call(*shlex.split(command)[1:], "--dry-run").exit_code == 0, command
    asked = ("--op", "blur", "--op.boundary", "zero", "--noise", "gaussian", "--noise.sigma", "0.1")
    text = call("explain", "my y.png", *asked).stdout
    assert text.count("--op blur ") == text.count("ipx solve")
    assert text.count("--op.boundary zero --noise gaussian --noise.sigma 0.1") >= 2
    assert "taken: gaussian, as given" in text
    assert "misfit: how far the model is off" in text


# ---------------------------------------------------------------- progress and completion


def test_the_slope_of_the_residual_tells_the_steps_left() -> None:
    slope, p = Slope(), None
    for k in range(1, 41):
        residual = torch.tensor([10.0 ** (-k / 20)])
        problem: Any = None
        none = torch.zeros(1)
        p = ipx.Progress(problem, k, 1000, none, residual, none, 0.1 * k, tol=1e-4)
        slope.step(p)
    assert p is not None
    assert slope.left(p) == pytest.approx(40, abs=1)  # 1e-4 is reached at step 80
    assert Slope().left(p) is None


def test_the_line_tells_lam_and_the_time_left() -> None:
    from ipx.jobs.reporter import Report

    trial = Report("choosing lam", 5, 300, 0.5, trial=3, trials=28, lam=0.0123)
    assert progress.figures(trial)["lam"] == "lam 0.0123"
    last = Report("restoring", 50, 300, 5.0, left=25.0, about=4.0)
    assert progress.figures(last)["left"] == "about 4.0 s left"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_and_removed(shell: str, tmp_path: Path) -> None:
    rc = tmp_path / f".{shell}rc"
    if shell != "fish":
        rc.write_text("alias x=y")
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "ZDOTDIR": ""}
    home["SHELL"] = f"/bin/{shell}"
    for _ in range(2):  # the second time changes nothing
        told = call("completion", "install", **home)
        assert told.exit_code == 0, told.stderr
    wrote = [Path(line.split()[1]) for line in told.stdout.splitlines() if "wrote /" in line]
    assert "_IPX_COMPLETE" in wrote[0].read_text()
    if shell != "fish":
        assert rc.read_text().count("ipx completion >>>") == 1
        assert f"source '{wrote[0]}'" in rc.read_text()
    assert "removed" in call("completion", "uninstall", **home).stdout
    assert not wrote[0].exists()
    if shell != "fish":
        assert rc.read_text().split("\n")[0] == "alias x=y"
        assert "completion" not in rc.read_text()
    assert "nothing" in call("completion", "uninstall", **home).stdout
    assert call("completion", "install", SHELL="/bin/tcsh").exit_code == 2


def test_completing_imports_nothing_heavy() -> None:
    code = (
        "import os, sys\n"
        "os.environ.update(_IPX_COMPLETE='bash_complete', COMP_CWORD='5',\n"
        "    COMP_WORDS='ipx solve --op blur --prior dr')\n"
        "from ipx_cli.main import main\n"
        "sys.argv = ['ipx']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'numpy', 'scipy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "drunet" in done.stdout
    assert not done.stderr  # which the shell would show


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_shell_itself_completes(shell: str, tmp_path: Path) -> None:
    """A shell without a line of configuration, where it is installed."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    bin_folder = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "ZDOTDIR": ""}
    assert call("completion", "install", "--shell", shell, **home).exit_code == 0
    asked = {
        "zsh": "echo $_comps[ipx]",
        "fish": "complete -C 'ipx solve --op blur --op.ker'",
    }[shell]
    done = subprocess.run(
        [shell, "-ic", asked],
        capture_output=True,
        text=True,
        env={
            **{k: v for k, v in os.environ.items() if k not in home},
            "HOME": str(tmp_path),
            "PATH": bin_folder,
        },
    )
    expected = {"zsh": "_ipx_completion", "fish": "--op.kernel\tPSF file (PNG, TIFF"}[shell]
    assert expected in done.stdout, done.stderr
    assert "command not found" not in done.stderr
