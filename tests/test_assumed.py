"""Nothing is assumed in silence about the operator of real data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ipx
from command_line import call
from ipx.declare.registry import registry
from ipx.files import images
from ipx.jobs.assumed import assumptions
from ipx.planning.request import Request

FAST = ("--lam", "0.01", "--iterations", "2")
LEVEL = ("--noise.sigma", "0.02")
"""Few pixels are known: an estimate of it would be told to be doubtful."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with y.png to work in."""
    monkeypatch.chdir(tmp_path)
    images.write("y.png", images.bundled().pixels[1:2, 20:52, 84:116])
    return tmp_path


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("inpaint", "--op.mask or --op.seed"),
        ("inpaint --op.missing 0.3", "--op.mask or --op.seed"),
        ("inpaint --op.kind scratches", "--op.mask or --op.seed"),
        ("inpaint --op.kind box", "--op.mask or --op.box"),
        ("blur --op.kind random-motion", "--op.kernel or --op.length and --op.seed"),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_what_no_default_can_tell_is_asked_for(
    folder: Path, words: str, names: str, dry: bool
) -> None:
    told = call("solve", "y.png", "--op", *words.split(), *FAST, *(["--dry-run"] if dry else []))
    assert told.exit_code == 2
    (line,) = told.stderr.splitlines()
    assert line.endswith(f"give {names}")
    assert {p.name for p in folder.iterdir()} == {"y.png"}


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ("", "no operator given: denoising only; give --op NAME for other degradations"),
        ("--op blur", "assumed blur sigma 2 pixels; give --op.sigma or --op.kernel"),
        (
            "--op blur --op.kind motion --op.angle 30",
            "assumed blur length 15 pixels; give --op.length or --op.kernel",
        ),
        (
            "--op super-resolution",
            "assumed super-resolution factor 2 and filter mean; give --op.factor and --op.filter",
        ),
    ],
)
def test_what_is_assumed_is_said_and_recorded(folder: Path, words: str, note: str) -> None:
    told = call("solve", "y.png", *words.split(), *FAST, "-o", "x.png", "--json")
    assert told.exit_code == 0, told.stderr
    assert told.stderr == f"ipx: {note}\n"
    assert json.loads(told.stdout)["warnings"] == [note]
    assert json.loads(Path("x.png.json").read_text())["result"]["warnings"] == [note]
    quiet = call("solve", "y.png", *words.split(), *FAST, "-o", "x.png", "-q")
    assert not quiet.stderr


@pytest.mark.parametrize(
    "words",
    [
        "--op identity",
        "--op blur --op.sigma 2",
        "--op blur --op.kernel psf.npy",
        "--op inpaint --op.mask mask.npy",
        "--op inpaint --op.seed 0 --noise.sigma 0.02",
        "--op super-resolution --op.factor 2 --op.filter bicubic",
    ],
)
def test_a_described_operator_needs_no_note(folder: Path, words: str) -> None:
    np.save("psf.npy", np.ones((3, 3)))
    np.save("mask.npy", np.ones((32, 32)))
    told = call("solve", "y.png", *words.split(), *FAST, "-o", "x.png", "--json")
    assert told.exit_code == 0, told.stderr
    assert not told.stderr
    assert json.loads(told.stdout)["warnings"] == []


def test_several_inputs_get_one_line(folder: Path) -> None:
    Path("z.png").write_bytes(Path("y.png").read_bytes())
    told = call("solve", "y.png", "z.png", "--op", "blur", *FAST, "-o", "out")
    assert told.exit_code == 0
    assert len(told.stderr.splitlines()) == 1


def test_simulated_data_are_known_by_their_record(folder: Path) -> None:
    """What ipx degrade did, it has written down; another operator is not what it did."""
    assert call("degrade", "y.png", "--op", "inpaint", "-o", "d.tif").exit_code == 0
    told = call("solve", "d.tif", "--op", "inpaint", *LEVEL, *FAST, "--json")
    assert told.exit_code == 0, told.stderr
    assert not told.stderr
    assert call("solve", "d.tif", "--op", "inpaint", "--op.missing", "0.3", *FAST).exit_code == 2
    assert "no operator given" in call("solve", "d.tif", *FAST).stderr
    assert call("degrade", "y.png", "-o", "n.tif").exit_code == 0
    assert not call("solve", "n.tif", *FAST).stderr


def test_a_record_of_other_data_is_not_believed(folder: Path) -> None:
    """The file was replaced; its record stayed."""
    blur = ("--op", "blur", "--op.sigma", "1", "--op.boundary", "reflect")
    assert call("degrade", "y.png", *blur, "-o", "d.png").exit_code == 0
    assert not call("solve", "d.png", "--op", "blur", "--op.sigma", "1", *FAST).stderr
    Path("d.png").write_bytes(Path("y.png").read_bytes())
    told = call("solve", "d.png", *blur, *FAST, "--json", "--force")
    note = "d.png: the record beside it is of another file: the data count as measured"
    assert told.stderr == f"ipx: {note}\n"
    assert json.loads(told.stdout)["warnings"] == [note]
    masked = ("--op", "inpaint")
    assert call("degrade", "y.png", *masked, "-o", "m.tif").exit_code == 0
    assert not call("solve", "m.tif", *masked, *LEVEL, *FAST).stderr
    images.write("m.tif", images.read("y.png").pixels)
    told = call("solve", "m.tif", *masked, *FAST)
    assert told.exit_code == 2
    assert "must be told which pixels are missing" in told.stderr


def test_the_parts_of_a_composed_operator(folder: Path) -> None:
    def said(*parts: Any) -> list[str]:
        op = {"name": "compose", "parts": list(parts)}
        return assumptions(Request(op=op), folder / "y.png")

    assert said({"name": "inpaint", "seed": 1}, {"name": "blur", "sigma": 1}) == []
    assert said({"name": "inpaint", "seed": 1}, "blur") == [
        "assumed blur sigma 2 pixels; give sigma or kernel"
    ]
    with pytest.raises(ipx.UsageError, match="give mask or seed"):
        said("inpaint", {"name": "blur", "sigma": 1})


def test_an_operator_asks_for_options_that_it_has() -> None:
    for spec in registry().all("operator"):
        assert isinstance(spec, ipx.OperatorSpec)
        for values in ({}, *spec.examples):
            ask = spec.asks(spec.options(**values))
            if ask is not None:
                assert {*ask.options, *ask.files} <= set(spec.options.infos())
                assert ask.what


def test_info_says_what_real_data_need() -> None:
    assert "which pixels are missing: mask or seed" in call("info", "inpaint").stdout
    told = json.loads(call("info", "blur", "--json").stdout)
    assert told["asks"]["options"] == ["sigma"]
