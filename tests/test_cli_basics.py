"""The command line as such: help, errors, exit codes, listings, plugins' commands, completion."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import ipx
from ipx.declare import registry
from ipx.declare.adapters import BUILTIN
from ipx.declare.hooks import hookimpl
from ipx.declare.specs import PriorSpec
from ipx_cli.info import as_mapping, as_text
from ipx_cli.main import COMMANDS, LazyGroup, ask_plugins, cli, guarded

DOCS = Path(__file__).parents[1] / "docs" / "cli.md"


def call(*args: str, **env: str) -> Result:
    return CliRunner().invoke(cli, list(args), env=env)


def shell(*args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ipx_cli.main", *args]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True
    )


def one_error(result: Any) -> str:
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("ipx: error: ")
    return str(lines[0])


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_help(command: str) -> None:
    told = call(command, "--help")
    assert told.exit_code == 0
    assert "Usage: ipx" in told.stdout
    assert "required] [" not in " ".join(told.stdout.split())  # said once


def test_every_command_names_weights_by_the_component() -> None:
    def below(group: click.Group, ctx: click.Context) -> Iterator[click.Command]:
        for name in group.list_commands(ctx):
            command = group.get_command(ctx, name)
            assert command is not None
            yield command
            if isinstance(command, click.Group):
                yield from below(command, ctx)

    found = [
        parameter.opts
        for command in below(cli, click.Context(cli))
        for parameter in command.params
        if parameter.name == "weights"
    ]
    assert len(found) > 10
    assert all(options == ["--model.weights"] for options in found)


def test_version_and_no_command() -> None:
    assert ipx.__version__ in call("--version").stdout
    bare = call()
    assert bare.exit_code == 2
    assert "Commands:" in bare.stderr


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["sovle"], 2, "No such command 'sovle'; did you mean solve?"),
        (["solve", "--opp", "blur"], 2, "--op"),
        (["solve", "--operator", "blur"], 2, "did you mean --op?"),
        (["solve", "--operator.sigma", "2"], 2, "did you mean --op.sigma?"),
        (["matrix", "--operator", "blur"], 2, "did you mean --op?"),
        (["solve", "--op", "blur", "--op", "inpaint", "--op.sigma", "2"], 2, "2 operators are"),
        (["solve", "--noise", "poisson", "--noise", "gaussian"], 2, "2 noises are given"),
        (["solve", "--solver", "admm", "--solver", "admm"], 2, "2 solvers are given"),
        (["solve", "--tuner", "gcv", "--tuner", "gcv", "--tuner", "gcv"], 2, "3 tuners are given"),
        (["degrade", "x.png", "--op", "blur", "--op", "inpaint"], 2, "2 operators are given"),
        (["solve", "--op", "blurr"], 2, "did you mean blur?"),
        (["solve", "--op", "blurr", "--op.sigma", "2"], 2, "did you mean blur?"),
        (["solve", "--op", "blur", "--op.sigm", "2"], 2, "did you mean --op.sigma?"),
        (["solve", "--op", "identity", "--op.sigma", "2"], 2, "it has none"),
        (["solve", "--op", "blur", "--op.sigma", "-1"], 2, "must be > 0"),
        (["solve", "--op", "blur", "--op.sigma", "two"], 2, "must be a number"),
        (["solve", "--op", "blur", "--op.kind", "gausian"], 2, "did you mean gaussian?"),
        (["solve", "--op", "blur", "--op.sigma"], 2, "requires an argument"),
        (["solve", "--op", "blur", "--op.kind", "file"], 2, "kernel"),
        (["solve", "--prior", "tv", "--no-prior.isotropc"], 2, "--prior.isotropic"),
        (["solve", "--prior.isotropic"], 2, "--prior NAME"),
        (["solve", "--lam", "-1"], 2, "auto"),
        (["solve", "--lam", "nan"], 2, "auto"),
        (["solve", "--solver", "direct", "--prior", "tv"], 2, "solvers that fit"),
        (["solve", "--op", "compose"], 2, "--config FILE"),
        (["degrade"], 2, "at least one image"),
        (["degrade", "x.png", "--prior", "tv"], 2, "--prior"),
        (["info", "tvv"], 2, "did you mean tv?"),
        (["list", "colours"], 2, "operator"),
        (["matrix", "--op", "nope"], 2, "nope"),
        (["check", "nope"], 2, "nope"),
        (["new-plugin", "Not A Name"], 2, "name"),
    ],
)
def test_usage_errors(args: list[str], code: int, says: str) -> None:
    told = call(*args)
    assert told.exit_code == code
    assert says in one_error(told)
    assert not told.stdout


def test_options_of_a_chosen_component_are_in_the_help() -> None:
    told = call("solve", "--op", "blur", "--help").stdout
    assert "--op.sigma" in told
    assert "Operator blur" in told
    assert "pixels; > 0 and <= 500; default: 2" in " ".join(told.split())
    assert "--prior.isotropic" not in told
    assert "--op.sigma" not in call("solve", "--help").stdout
    assert "--op.factor" in call("solve", "--help", IPX_SOLVE_OP="super-resolution").stdout


def dry(*args: str, **env: str) -> dict[str, Any]:
    told = call("solve", *args, "--dry-run", "--json", **env)
    assert told.exit_code == 0, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)["request"]
    return found


def test_precedence(tmp_path: Path) -> None:
    run = tmp_path / "run.toml"
    run.write_text(
        'lam = 0.3\nprior = "tv"\n[op]\nname = "blur"\nsigma = 3\nboundary = "circular"\n'
    )
    config = ["--config", str(run)]
    assert dry("--op", "blur")["op"]["sigma"] == 2.0
    assert dry(*config)["op"]["sigma"] == 3.0
    assert dry(*config)["op"]["boundary"] == "circular"
    assert dry(*config)["lam"] == 0.3
    env = {"IPX_SOLVE_OP_SIGMA": "4", "IPX_SOLVE_LAM": "0.4"}
    assert dry(*config, **env)["op"]["sigma"] == 4.0
    assert dry(*config, **env)["lam"] == 0.4
    both = dry(*config, "--op.sigma", "5", "--lam", "0.5", **env)
    assert (both["op"]["sigma"], both["lam"]) == (5.0, 0.5)
    assert both["op"]["boundary"] == "circular"
    # the options of a component that is not taken go with it
    assert dry(*config, "--op", "identity")["op"] == {"name": "identity/identity"}
    assert dry(*config, "--op", "blur/blur")["op"]["sigma"] == 3.0
    # a flag that is not given does not beat the file
    run.write_text('[prior]\nname = "tv"\nisotropic = false\n')
    assert dry(*config)["prior"]["isotropic"] is False
    assert dry(*config, "--prior.isotropic")["prior"]["isotropic"] is True


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lam = ", "is not TOML"),
        ("lamb = 0.3", "did you mean lam?"),
        ("lam = -1", "lam"),
        ('op = "blurr"', "did you mean blur?"),
        ('[op]\nname = "blur"\nsigm = 1', "did you mean sigma?"),
        ('[op]\nname = "blur"\nsigma = -1', "sigma must be > 0"),
        ("[op]\nsigma = 1", "needs a name"),
        ("op = 3", "op must be a name"),
        ('[op]\nname = "compose"\nparts = ["blur"]', "at least two parts"),
        ('[op]\nname = "sum"\nparts = ["blur", {name = "blurr"}]', "did you mean blur?"),
        ("inputs = 3", "inputs"),
        ('iterations = "many"', "iterations"),
    ],
)
def test_a_bad_configuration_exits_with_3(tmp_path: Path, text: str, says: str) -> None:
    run = tmp_path / "run.toml"
    run.write_text(text)
    told = call("solve", "--config", str(run))
    assert told.exit_code == 3
    assert says in one_error(told)
    assert "run.toml" in told.stderr


def test_a_missing_configuration_and_a_foreign_json(tmp_path: Path) -> None:
    assert call("solve", "--config", str(tmp_path / "no.toml")).exit_code == 3
    (tmp_path / "a.json").write_text("{}")
    told = call("solve", "--config", str(tmp_path / "a.json"))
    assert told.exit_code == 3
    assert "not a record" in one_error(told)


def test_composed_operators_from_toml(tmp_path: Path) -> None:
    run = tmp_path / "run.toml"
    run.write_text(
        '[op]\nname = "compose"\n'
        'parts = [{name = "super-resolution", factor = 2}, {name = "blur", scale = 2.0}]\n'
    )
    parts = dry("--config", str(run))["op"]["parts"]
    assert [p["name"] for p in parts] == ["super-resolution/super-resolution", "blur/blur"]
    assert parts[1]["scale"] == 2.0
    told = call("solve", "--config", str(run), "--dry-run")
    assert "compose(x)" in told.stdout


def test_listings_in_json() -> None:
    listed = json.loads(call("list", "--json").stdout)
    assert {"operator", "noise", "prior", "solver", "tuner"} <= {c["kind"] for c in listed}
    assert json.loads(call("list", "priors", "--json").stdout) == [
        c for c in listed if c["kind"] == "prior"
    ]
    for c in listed[::9]:
        told = json.loads(call("info", c["id"], "--kind", c["kind"], "--json").stdout)
        assert (told["id"], told["summary"]) == (c["id"], c["summary"])
        human = call("info", c["id"], "--kind", c["kind"])
        assert human.exit_code == 0
        assert c["summary"] in human.stdout
    found = json.loads(call("plugins", "--json").stdout)
    assert {p["status"] for p in found} == {"ok"}
    rows = json.loads(call("matrix", "--op", "inpaint", "--noise", "gaussian", "--json").stdout)
    by_prior = {row["prior"]: row for row in rows}
    assert by_prior["none"]["auto"] is None
    assert not by_prior["tv"]["solvers"]["direct"]["fits"]
    assert by_prior["tv"]["solvers"]["direct"]["why"]
    shown = call("matrix", "--op", "inpaint", "--noise", "gaussian", "--why").stdout
    assert "inpaint gaussian tv direct" in shown


def test_info_shows_what_is_declared() -> None:
    def told(*words: str) -> tuple[dict[str, Any], str]:
        return json.loads(call("info", *words, "--json").stdout), call("info", *words).stdout

    values, text = told("none")
    assert values["traits"]["informs"] is values["traits"]["weighted"] is False
    assert "informs no" in text
    values, text = told("l1")
    assert values["traits"]["suits"] == "sparse"
    values, text = told("admm")
    assert {need["closed"] for need in values["needs"]} == {True, False}
    assert "ProxConjugate, PartSolve; rank 75; in closed form" in text
    values, text = told("png")
    assert values["suffixes"] == [".png"]
    assert {"uint8", "uint16"} <= set(values["dtypes"])
    assert "suffixes  .png" in text
    priors = [s for s in registry.registry().all("prior") if isinstance(s, PriorSpec)]
    preferring = [s for s in priors if s.preferred()]
    for spec in preferring:
        values, text = told(spec.id, "--kind", "prior")
        assert values["prefers"] == list(spec.preferred())
        assert spec.preferred()[0] in text


def test_info_alone_lists_the_components() -> None:
    assert call("info").stdout == call("list").stdout
    assert call("info", "--kind", "prior").stdout == call("list", "prior").stdout
    both = call("info", "drunet").stdout
    heads = [line.split() for line in both.splitlines() if line.endswith(" drunet")]
    assert [head for head in heads if head[0] in ("prior", "model")] == [
        ["prior", "drunet"],
        ["model", "drunet"],
    ]
    assert "several components" in call("info", "drunet", "--json").stderr
    assert call("info", "--json").stdout == call("list", "--json").stdout


def test_info_says_how_exact_a_bridge_is() -> None:
    for spec in BUILTIN:
        assert ["accuracy", spec.accuracy()] in [
            line.split(maxsplit=1) for line in as_text(spec).splitlines()
        ]
        values = as_mapping(spec)
        assert values["accuracy"] == spec.accuracy()
        assert values["gives"] == spec.gives.__name__


def test_doctor_and_check() -> None:
    told = call("doctor", "--json")
    assert told.exit_code == 0
    found = json.loads(told.stdout)
    assert found["ok"]
    assert found["environment"]["ipx"] == ipx.__version__
    checked = call("check", "identity", "--json")
    assert checked.exit_code == 0
    assert all(r["ok"] for r in json.loads(checked.stdout))


def test_new_plugin(tmp_path: Path) -> None:
    told = call("new-plugin", "my-haze", "--folder", str(tmp_path))
    assert told.exit_code == 0
    paths = [Path(p) for p in told.stdout.split()]
    assert all(p.is_file() for p in paths)
    assert tmp_path / "my-haze" / "pyproject.toml" in paths
    assert call("new-plugin", "my-haze", "--folder", str(tmp_path)).exit_code == 3


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 5, "out of memory"),
        (ipx.MissingExtraError("pip install ipx-toolbox[fits]"), 4, "pip install"),
        (ipx.InputError("two\nlines"), 3, "two lines"),
        (RuntimeError("odd"), 1, "IPX_DEBUG=1"),
    ],
)
def test_every_error_is_one_line(
    error: BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    assert guarded(fail) == code
    told = capsys.readouterr()
    assert says in told.err
    assert len(told.err.splitlines()) == 1
    assert not told.out


def test_debug_shows_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("odd")

    monkeypatch.setenv("IPX_DEBUG", "1")
    assert guarded(fail) == 1
    assert "Traceback" in capsys.readouterr().err


class _Commands:
    """Three plugins: a good command, one that wants to replace a built-in, one that fails."""

    @staticmethod
    @hookimpl
    def ipx_commands(cli: click.Group) -> None:
        cli.add_command(click.Command("hello", callback=lambda: click.echo("hello")))
        cli.add_command(click.Command("solve", callback=lambda: click.echo("mine")))


class _Failing:
    @staticmethod
    @hookimpl
    def ipx_commands() -> None:
        raise SystemExit(7)


def test_commands_of_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    call("solve", "--help")  # imported now, or it would keep the registry of this test
    reg = registry.load([])
    reg.manager.register(_Commands(), "good")
    reg.manager.register(_Failing(), "bad")
    for name in ("good", "bad"):
        reg.add(registry.PluginInfo(name, "", "", "", "ok"))
    monkeypatch.setattr("ipx.declare.registry.registry", lambda: reg)
    group = LazyGroup("ipx")
    told = CliRunner().invoke(group, ["hello"])
    assert (told.exit_code, told.stdout) == (0, "hello\n")
    assert "hello" in CliRunner().invoke(group, ["--help"]).stdout
    assert "Restore FILES" in CliRunner().invoke(group, ["solve", "--help"]).stdout
    assert [p.name for p in reg.broken] == ["bad"]
    assert "SystemExit" in reg.broken[0].error
    assert not ask_plugins(click.Group("other"))


def test_a_broken_plugin_breaks_doctor_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_one.py").write_text("import no_such_module\n")
    info = tmp_path / "broken_one-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-one\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[ipx.v1]\nbroken-one = broken_one\n")
    listed = shell("list", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert listed.returncode == 0
    assert "1 plugin is broken (broken-one): see ipx doctor" in listed.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.registry.cache_clear()
    sick = call("doctor")
    assert sick.exit_code == 1
    assert "no_such_module" in sick.stdout
    assert "Traceback" in sick.stdout
    registry.registry.cache_clear()
    healed = call("doctor", IPX_DISABLE_PLUGINS="broken-one")
    assert healed.exit_code == 0
    assert "all is well" in healed.stdout
    registry.registry.cache_clear()


def test_completion_knows_components_and_their_options(tmp_path: Path) -> None:
    def complete(words: str) -> list[str]:
        env = {
            "_IPX_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        }
        return [line.split(",")[1] for line in call(**env).stdout.splitlines() if line]

    assert complete("ipx so") == ["solve"]
    assert complete("ipx solve --op bl") == ["blur"]
    assert "--op.sigma" in complete("ipx solve --op blur --op.s")
    assert complete("ipx solve --op blur --op.kind air") == ["airy"]
    assert complete("ipx solve --op nonsense --op.s") == []


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    command = f"{sys.executable} -m ipx_cli.main matrix --json | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "[\n141\n"
    assert not done.stderr


def test_the_page_names_every_command_and_option() -> None:
    text = DOCS.read_text()
    context = click.Context(cli, info_name="ipx")
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        assert f"## ipx {name}" in text, name
        section = text.split(f"## ipx {name}\n")[1].split("\n## ")[0]
        for param in command.params:
            if isinstance(param, click.Option):
                for flag in (*param.opts, *param.secondary_opts):
                    assert f"`{flag}" in section, (name, flag)


def info_of(param: click.Parameter) -> object:
    """The declaration of an option whose values it checks; None for others."""
    return getattr(param.type, "info", None)


def test_the_page_has_the_help_of_training() -> None:
    command = cli.get_command(click.Context(cli, info_name="ipx"), "train")
    assert command is not None
    section = DOCS.read_text().split("## ipx train\n")[1].split("\n## ")[0]
    for param in command.params:
        told = param.get_help_record(click.Context(command))
        if isinstance(param, click.Option) and told is not None:
            row = next(line for line in section.splitlines() if f"| `{param.opts[0]}`" in line)
            assert told[1].replace("|", "\\|") in row, told
            if choices := getattr(param.type, "choices", getattr(info_of(param), "choices", ())):
                values = row.partition("Values: ")[2].rstrip(". |").split(", ")
                assert values == list(map(str, choices)), row


def test_the_script_is_installed() -> None:
    scripts = importlib.metadata.entry_points(group="console_scripts", name="ipx")
    assert [s.value for s in scripts] == ["ipx_cli.main:main"]
