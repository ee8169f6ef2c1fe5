"""Which rule chooses lam: the same from the declarations and in the run, with its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ipx
from command_line import call
from ipx.declare.registry import Registry
from ipx.errors import PlanError, PluginError
from ipx.files.record import record_path
from ipx.planning.request import Request

BLUR = {"name": "blur", "sigma": 1.5}
HALF = {"name": "inpaint", "missing": 0.5}
TOLD = {"name": "gaussian", "sigma": 0.1}
PHOTONS = {"name": "poisson", "peak": 30.0}
SMALL = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ({}, "gcv (the noise level is estimated), else discrepancy (with the estimated noise"),
        ({"noise": TOLD}, "discrepancy (the noise level is told)"),
        ({"noise": PHOTONS}, "discrepancy (the noise level is told)"),
        ({"noise": PHOTONS, "op": BLUR}, "gcv (the operator mixes pixels"),
        ({"noise": {"name": "impulse"}}, "discrepancy (with the estimated noise level)"),
        ({"noise": {"name": "impulse"}, "op": BLUR}, "holdout (the data term has kinks"),
        ({"noise": {"name": "gaussian", "sigma": 0.0}, "op": HALF}, "fixed: the data are free of"),
        ({"noise": {"name": "jpeg"}}, "fixed: the data are known up to an interval"),
        ({"prior": {"name": "drunet"}}, "0.23 times the variance of the noise, for the prior dru"),
        ({"prior": {"name": "bm3d"}, "tuner": {"name": "gcv"}}, "gcv (as asked)"),
        ({"lam": 0.1, "tuner": {"name": "em"}}, "given"),
        ({"prior": {"name": "range"}}, "given"),
    ],
    ids=str,
)
def test_the_rule_follows_from_the_declarations(how: dict[str, Any], line: str) -> None:
    request = Request(**{"prior": {"name": "tv"}, **how})
    assert request.rule(request.plan(), truth=False).line().startswith(line)


@pytest.mark.parametrize(
    ("tuner", "how", "why"),
    [
        ("em", {}, "prior tv gives no QuadraticPrior; tuners that fit: gcv, d"),
        ("discrepancy", {"noise": {"name": "gaussian", "sigma": 0.0}}, "free of noise"),
    ],
)
def test_a_tuner_that_does_not_fit_says_why(tuner: str, how: dict[str, Any], why: str) -> None:
    request = Request(**how, tuner={"name": tuner})
    with pytest.raises(PlanError, match=why):
        request.rule(request.plan(), truth=False)


def test_the_run_tells_the_rule_and_images_left_undecided_go_to_the_next() -> None:
    """Cross-validation cannot tell a weight where tikhonov shrinks each pixel alone."""
    how = ipx.solve(SMALL, prior="tikhonov")
    assert how.rule == "discrepancy: gcv cannot tell"
    assert "lam" in repr(how)
    assert how.rule in repr(how)
    asked = ipx.solve(SMALL, prior="tikhonov", tuner="gcv")
    assert asked.rule == "gcv: as asked"
    assert "tuner gcv cannot tell the weight; it may be far off" in asked.warnings
    assert ipx.solve(SMALL, prior="tikhonov", lam=1.0).rule == "given"
    assert ipx.solve(SMALL, op=BLUR, prior="none", iterations=2).rule == ""


class Half(ipx.Tuner[ipx.NoOptions]):
    """Knows the weight of the first image only."""

    def tune(self, problem: ipx.Problem, solve: ipx.Solve) -> ipx.Tuned:
        assert solve.truth is None
        lam = torch.full((len(problem.y),), 0.25)
        first = torch.arange(len(lam)) == 0
        remarks = ("half a rule",)
        solve(problem.with_lam(lam))
        return ipx.Tuned(lam, [{"lam": lam.tolist()}], remarks, about=~first, decided=first)


def test_a_tuner_of_a_third_party_takes_part(monkeypatch: pytest.MonkeyPatch) -> None:
    need = ipx.Knowledge(data=(ipx.Diagonal,), rank=99, because="half of it is easy")
    mine = ipx.TunerSpec(
        name="half", target=f"{__name__}:Half", summary="Half a rule.", needs=(need,),
        partial=True, plugin="mine",
    )  # fmt: skip
    real = Registry.all

    def with_mine(self: Registry, kind: str) -> list[Any]:
        return [*real(self, kind), mine] if kind == "tuner" else real(self, kind)

    monkeypatch.setattr(Registry, "all", with_mine)
    found = ipx.solve(SMALL, noise=TOLD, prior="smooth")
    assert found.rule == (
        "half: half of it is easy (1 of 2 images); discrepancy: half cannot tell (1 of 2 images)"
    )
    assert found.lam is not None
    assert found.lam[0] == 0.25
    alone = ipx.solve(SMALL[1:], noise=TOLD, prior="smooth", tuner="discrepancy").lam
    assert alone == pytest.approx(found.lam[1:])
    assert "half a rule" in found.warnings
    assert "half" not in ipx.solve(SMALL, op=BLUR, noise=TOLD, prior="smooth").rule


def test_bad_knowledge_is_refused() -> None:
    with pytest.raises(PluginError, match="data of Knowledge must be a tuple"):
        ipx.Knowledge(data=ipx.Diagonal)  # type: ignore[arg-type]
    with pytest.raises(PluginError, match="needs of odd must be a tuple"):
        ipx.TunerSpec(name="odd", target="m:C", summary="Odd.", needs=())


def test_the_command_line_tells_the_rule(tmp_path: Path) -> None:
    Image.fromarray((SMALL[0, 0].numpy() * 255).astype(np.uint8)).save(tmp_path / "y.png")
    noisy = ["solve", tmp_path / "y.png", "--prior", "smooth", "--noise.sigma", "0.1"]
    dry = call(*noisy, "--dry-run")
    assert "lam: discrepancy (the noise level is told)" in dry.stdout
    out = tmp_path / "x.png"
    ran = call(*noisy, "-o", out)
    assert "(discrepancy: the noise level is told)" in ran.stdout
    record = json.loads(record_path(out).read_text())
    assert record["result"]["rule"] == "discrepancy: the noise level is told"
    assert record["requested"]["tuner"] == {"name": "auto"}
    refused = call(*noisy, "--prior", "tv", "--tuner", "em")
    assert refused.exit_code == 2
    options = call(*noisy, "--tuner.evaluations", "3")
    assert options.exit_code == 2
    known = call("info", "gcv", "--kind", "tuner")
    assert "rank 20" in known.stdout
