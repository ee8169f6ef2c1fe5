"""Sizes and names in options and paths: what is too large or impossible is a usage error."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import Result

from command_line import call
from ipx.declare.kinds import KINDS
from ipx.declare.registry import registry

FAST = ("--lam", "0.01", "--iterations", "2")


def line(told: Result, code: int) -> str:
    """The one line of an error."""
    assert told.exit_code == code, told.output
    assert not told.stdout
    (found,) = told.stderr.splitlines()
    assert found.startswith("ipx: error: ")
    assert "a bug" not in found
    return found


@pytest.mark.parametrize(
    "words",
    [
        ("--op", "blur", "--op.kind", "uniform", "--op.size=100000"),
        ("--op", "blur", "--op.sigma=1e6"),
        ("--op", "blur", "--op.kind", "disk", "--op.radius=1e6"),
        ("--op", "blur", "--op.kind", "motion", "--op.length=1e9"),
        ("--op", "inpaint", "--op.kind", "text", "--op.font=1000000"),
        ("--prior", "drunet", "--solver", "pnp-hqs", "--solver.steps=1000000000"),
        ("--prior", "bilateral", "--prior.reach=1e6"),
        ("--prior", "glow-patches", "--prior.patch=1000000"),
        ("--iterations", "1000000000000"),
        ("--restarts", "100000", "--start", "random"),
    ],
    ids=lambda words: words[-1],
)
def test_sizes_have_a_largest_value(source: Path, words: tuple[str, ...]) -> None:
    assert " <= " in line(call("solve", source, *words, "-o", "x.png"), 2)


SIZES = ("steps", "iterations", "size", "patch", "reach", "radius", "width", "widths", "depth")
SIZES += ("levels", "stages", "blocks", "latent", "length", "count", "thickness", "evaluations")


@pytest.mark.parametrize("kind", KINDS)
def test_every_size_of_a_component_is_bounded(kind: str) -> None:
    for spec in registry().all(kind):
        for info in spec.options.infos().values():
            if info.name in SIZES and info.kind in (int, float):
                assert info.max is not None, f"{spec.id}: {info.name}"


@pytest.mark.parametrize("prior", ["wavelet", "wavelet-filter"])
def test_unknown_wavelets(source: Path, prior: str) -> None:
    told = call("solve", source, "--prior", prior, "--prior.wavelet", "sym99", *FAST)
    assert "wavelet is called sym99" in line(told, 2)


LONG = "x" * 252 + ".png"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((LONG,), 2),
        (("a\0b.png",), 2),
        (("y.png", "-o", LONG), 2),
        (("y.png", "-o", "a\0b.png"), 2),
        (("y.png", "-o", f"{'x' * 246}.png.tif"), 2),  # its record has a longer name
        (("y.png", "--truth", "a\0b"), 2),
        (("y.png", "--panel", LONG), 2),
        (("y.png", "--config", "a\0b.toml"), 2),
        (("y.png", "--op", "blur", "--op.kernel", "a\0b.npy"), 2),
        (("y.png", "--op", "inpaint", "--op.mask", LONG), 2),
        ((f"{'x' * 245}.png",), 2),  # the name of its output is longer
        (("y.png", "-o", "x/" * 4000 + "a.png"), 3),
    ],
    ids=range(12),
)
def test_names_that_the_system_cannot_have(source: Path, words: tuple[str, ...], code: int) -> None:
    line(call("solve", *words), code)
    assert [p.name for p in Path().iterdir()] == ["y.png"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.toml", "lam = " + "[" * 3000 + "]" * 3000),
        ("c.toml", "op = " + '{name="compose", parts=["blur", ' * 900 + '"blur"' + "]}" * 900),
        ("c.toml", 'inputs = ["a\\u0000b.png"]'),
        ("c.toml", f'inputs = ["{LONG}"]'),
        ("c.toml", 'output = "a\\u0000b"'),
        ("c.json", '{"config": ' + "[" * 10**5),
        ("c.json", json.dumps({"config": {"inputs": ["\ud800.png"]}})),
    ],
    ids=range(7),
)
def test_configurations_that_are_impossible(source: Path, name: str, text: str) -> None:
    Path(name).write_text(text)
    assert line(call("solve", "--config", name, "--dry-run"), 3).startswith(f"ipx: error: {name}: ")


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux only")
def test_a_name_that_is_not_utf8_is_a_name(source: Path) -> None:
    name = "\udcff.png"
    source.rename(name)
    told = call("solve", name, *FAST)
    assert told.exit_code == 0, told.stderr
    record = json.loads(Path("\udcff-restored.png.json").read_bytes())
    assert Path(record["config"]["inputs"][0]).name == name
    assert "skipped" in call("solve", name, *FAST, "--resume").stderr
