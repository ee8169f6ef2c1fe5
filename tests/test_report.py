"""Reports: what a page holds, that it is the same from a record, what is said of missing files."""

from __future__ import annotations

import contextlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

import ipx
from command_line import call
from ipx.files import images
from ipx.jobs import coded
from ipx.jobs.residual import residual
from ipx.planning.request import Request
from ipx.report import html, words
from ipx.report.page import Run, histogram, page
from ipx.report.pictures import Shown, drawn
from ipx.report.plots import Line, plot
from ipx.report.spectra import power, radial
from ipx.testing.problems import Coded, pictures


class Reader(HTMLParser):
    """Tags and text of a page; void tags are closed at once."""

    VOID = ("meta", "link", "img", "input", "br", "line", "circle", "polyline")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert len(found) == len(attrs), (tag, attrs)
        self.tags.append((tag, found))
        if "id" in found:
            self.ids.append(str(found["id"]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag, (tag, self.getpos())


def test_a_page_is_well_formed_and_loads_nothing(pages: Path) -> None:
    for path in (pages / "out" / "a.png-report.html", pages / "out" / "index.html",
                 pages / "compare.html"):  # fmt: skip
        text = path.read_text("utf-8")
        read = Reader(text)
        assert len(read.ids) == len(set(read.ids))
        for tag, attributes in read.tags:
            if tag in ("img", "link", "script"):
                source = attributes.get("src") or attributes.get("href")
                assert source is None or source.startswith("data:"), (path, tag)
        assert not re.search(r"url\(|@import|https?://", text)


def test_all_images_and_sections_of_a_run(pages: Path) -> None:
    text = (pages / "out" / "a.png-report.html").read_text("utf-8")
    names = re.findall(r'data-name="([\w-]+)"', text)
    assert names == ["degraded", "restored", "truth", "error", "residual", "spectrum"]
    for section in ("images", "fit", "iterations", "plan", "again", "record"):
        assert f'<section id="{section}">' in text
    record = json.loads((pages / "out" / "a.png.json").read_text())
    assert f"{record['result']['psnr_after']:.2f} dB" in text
    assert "admm: minimise gaussian(blur(x), y) + lam tv(x)" in text
    assert text.count("<svg") == 5  # spectrum, distribution, objective, change, PSNR


def test_the_course_of_the_solve_is_in_the_record(pages: Path) -> None:
    record = json.loads((pages / "out" / "b.png.json").read_text())
    history, row = record["history"], record["result"]
    assert history[0]["iteration"] == 1
    assert history[-1]["iteration"] == row["iterations"] == 12
    steps = [each["iteration"] for each in history]
    assert steps == sorted(set(steps))
    assert history[-1]["psnr"] == pytest.approx(row["psnr_after"], abs=1e-6)
    assert history[-1]["objective"] < history[0]["objective"]


def test_the_report_from_a_record_is_that_of_the_run(pages: Path, tmp_path: Path) -> None:
    done = call("report", pages / "out" / "a.png", "-o", tmp_path / "again.html")
    assert done.exit_code == 0, done.output
    # numbers and pixels differ by the rounding to 8 bits
    kept = re.compile(r"data:image/png;base64,[^\"]*|<dl.*?</dl>|<svg.*?</svg>"
                      r"|<span>[-\d.e]+</span>|<p>root mean.*?</p>", re.DOTALL)  # fmt: skip
    one, two = (p.read_text("utf-8") for p in (pages / "out" / "a.png-report.html",
                                               tmp_path / "again.html"))  # fmt: skip
    # the record names the path as it was given
    one, two = (re.sub(r"ipx solve --config .*", "", kept.sub("", t)) for t in (one, two))
    assert one == two


def test_python_of_a_page_gives_the_same_image(
    pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (pages / "out" / "c.png-report.html").read_text("utf-8")
    code = re.findall(r"<pre[^>]*><code>(.*?)</code>", text, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    import html as escaping

    exec(compile(escaping.unescape(code), "page", "exec"), {})
    assert (tmp_path / "c.png").read_bytes() == (pages / "out" / "c.png").read_bytes()


def test_missing_and_changed_files_are_said(pages: Path, tmp_path: Path) -> None:
    for name in ("a.png", "a.png.json"):
        (tmp_path / name).write_bytes((pages / "out" / name).read_bytes())
    images.write(tmp_path / "a.png", images.read(tmp_path / "a.png").pixels * 0.5)
    done = call("report", tmp_path, "-o", tmp_path / "x.html")
    assert done.exit_code == 1
    assert "has changed since the run" in done.output
    assert "has changed since the run" in (tmp_path / "x.html").read_text()
    (tmp_path / "a.png").unlink()
    done = call("report", tmp_path / "a.png.json", "-o", tmp_path / "x.html")
    assert done.exit_code == 1
    assert "is missing" in (tmp_path / "x.html").read_text()
    assert 'data-name="degraded"' in (tmp_path / "x.html").read_text()


def test_the_index_of_a_folder(pages: Path, tmp_path: Path) -> None:
    done = call("report", pages / "out", "-o", tmp_path / "all.html")
    assert done.exit_code == 0, done.output
    for text, folder in (((pages / "out" / "index.html").read_text(), pages / "out"),
                         ((tmp_path / "all.html").read_text(), tmp_path)):  # fmt: skip
        links = re.findall(r'<a href="([^"#]+)">', text)
        assert links == [f"{n}.png-report.html" for n in "abc"]
        assert all((folder / link).is_file() for link in links)
        assert text.count("data:image/jpeg") == 3


def test_what_is_refused(pages: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.html"
    other.write_text("mine")
    record = pages / "out" / "a.png.json"
    for arguments, status, word in (
        (("report", record, "-o", tmp_path / "x.png"), 2, "written as .html"),
        (("report", record, "-o", other), 2, "--force replaces it"),
        (("report",), 2, "needs a record"),
        (("report", pages / "clean"), 3, "without records"),
        (("report", pages / "data" / "a.png.json"), 3, "is not a record of ipx solve"),
        (("solve", pages / "data", "--report", "x.html"), 2, "need a folder"),
        (("compare", pages / "data" / "a.png", "--report", other), 2, "--force replaces it"),
    ):
        done = call(*arguments)
        assert (done.exit_code, word in done.output) == (status, True), done.output
    assert other.read_text() == "mine"


def test_names_and_values_are_text_of_the_page() -> None:
    row = {"input": "<b>&.png", "status": "done", "lam": None, "sigma": None, "iterations": 1,
           "warnings": ["<script>"], "output": "o.png",
           "plan": {"operator": "blur", "noise": "gaussian", "prior": "tv", "solver": "admm",
                    "bridges": {}, "exact": True, "tolerance": 0.0}}  # fmt: skip
    config = {"lam": "auto", "inputs": ["<b>.png"], "op": {"name": "blur"}}
    record = {"result": row, "config": config, "input": {}, "files": {}, "environment": {}}
    text = page(Run(record, [])).decode()
    assert "<b>&.png" not in text
    assert "&lt;b&gt;&amp;.png" in text
    assert "<li>&lt;script&gt;</li>" in text
    Reader(text)


def test_white_noise_has_a_flat_spectrum() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (3, 128, 96))
    noise[:, :20] = np.nan  # a part without values does not change the level
    frequency, strength = radial(power(noise))
    assert frequency[0] < 0.02
    assert frequency[-1] > 0.48
    parts = [strength[a:b].mean() for a, b in ((4, 12), (12, 22), (22, 32))]
    assert np.allclose(parts, 0.01, rtol=0.1)  # four standard deviations of the first part
    wave = np.sin(2 * np.pi * 0.25 * np.arange(128))[None, None, :] * np.ones((1, 96, 1))
    frequency, strength = radial(power(wave))
    assert abs(frequency[strength.argmax()] - 0.25) < 0.02


def test_the_residual_leaves_out_what_depends_on_unseen_pixels() -> None:
    generator = np.random.default_rng(0)
    op = {"name": "blur", "size": 5, "kind": "uniform", "boundary": "unknown"}
    scene = torch.from_numpy(generator.random((1, 1, 36, 44))).float()
    blur = ipx.operator("blur", (1, 36, 44), kind="uniform", size=5, boundary="valid")
    y = blur.forward(scene)[0].numpy()
    left = residual(op, y, scene[0, :, 2:-2, 2:-2].numpy()).values
    assert left.shape == y.shape
    assert np.isnan(left[:, 0]).all()
    assert np.isnan(left[:, 1, 5]).all()
    assert np.abs(left[:, 2:-2, 2:-2]).max() < 1e-5
    mask = {"name": "inpaint", "missing": 0.5, "seed": 1}
    holes = residual(mask, y, y).values
    assert 0.4 < np.isnan(holes).mean() < 0.6
    assert np.nanmax(np.abs(holes)) == 0


def test_the_residual_of_a_volume_of_few_planes_is_shown() -> None:
    blur = {"name": "blur", "sigma": 1.0, "sigma_z": 2.0}
    scene = torch.linspace(0.2, 0.8, 40).expand(1, 1, 28, 32, 40)
    operator = ipx.operator("blur", (1, 28, 32, 40), sigma=1.0, sigma_z=2.0, boundary="valid")
    y = operator.forward(scene)[0]
    seen = scene[0, :, : y.shape[1], : y.shape[2], 4:-4]
    left = residual({**blur, "boundary": "unknown"}, y.numpy(), seen.numpy())
    assert left.values.shape == y.shape
    assert left.share == 0.01  # the middle planes depend on those beyond by 0.3 %
    known = np.isfinite(left.values)
    assert 0.1 < known.mean() < 0.5
    assert known[0, y.shape[1] // 2].any()
    assert np.abs(left.values[known]).max() < 0.001  # 1 % of a change of 0.06 beyond the border


def test_the_report_of_a_volume_without_a_prior(tmp_path: Path) -> None:
    y = np.random.default_rng(0).random((6, 20, 24)).astype(np.float32)
    tifffile.imwrite(tmp_path / "y.tif", y, metadata={"axes": "ZYX"})
    asked = (
        "--prior",
        "none",
        "--op",
        "blur",
        "--op.sigma",
        "0.8",
        "--op.sigma-z",
        "2",
        "--axes",
        "ZYX",
    )
    with contextlib.chdir(tmp_path):
        solved = call(
            "solve", "y.tif", *asked, "--axes", "ZYX", "-o", "x.tif", "--report", "a.html"
        )
        assert solved.exit_code == 0, solved.output
        again = call("report", "x.tif.json", "-o", "b.html")
        assert again.exit_code == 0, again.output
    text = (tmp_path / "a.html").read_text("utf-8")
    assert "more than 20 % from beyond the image" in text  # the middle of 6 planes, with sigma 2
    assert "Standard deviation" in text
    assert "none</b>" not in text
    assert (tmp_path / "b.html").read_text("utf-8").count("<svg") == text.count("<svg")


def test_a_formula_names_no_prior_where_there_is_none() -> None:
    plan = Request(op={"name": "blur"}, prior={"name": "none"}, solver={"name": "cg"}).plan()
    row = {"plan": plan.to_json(), "lam": None, "sigma": 0.1}
    config = {"op": {"name": "blur"}, "prior": {"name": "none"}, "solver": {"name": "cg"}}
    told = words.formula({"result": row, "config": config})
    assert "none" not in told
    assert "<b>gaussian</b>" in told
    assert plan.lines()[0] == "cg: minimise gaussian(blur(x), y)"


@pytest.mark.parametrize("level", [0.005, 0.1, 2.0])
def test_the_distribution_of_a_residual_has_axes_of_its_own(level: float) -> None:
    values = np.random.default_rng(0).normal(0, 0.1, 4000)
    text = histogram(values, level)
    line, noise = re.findall(r'points="([^"]+)"', text)
    places = [tuple(map(float, pair.split(","))) for pair in line.split()]
    assert "noise of this level" in text
    assert len(noise.split()) == 401
    assert max(x for x, _ in places) - min(x for x, _ in places) > 250  # over the whole width
    assert max(y for _, y in places) - min(y for _, y in places) > 150  # and height
    assert ("<svg" in text.split("<svg", 1)[1]) == (level < 0.05)  # cut off, where it is too high


def test_the_residual_is_that_of_the_data_without_the_offset() -> None:
    x = np.random.default_rng(0).random((1, 8, 8)).astype(np.float32)
    noise = {"name": "poisson", "peak": 100.0, "offset": 0.25}
    assert np.abs(residual("identity", x + 0.25, x, noise).values).max() < 1e-6


def test_false_colours_show_their_range() -> None:
    values = np.linspace(-1, 1, 100).reshape(1, 10, 10)
    signed, rising = drawn([Shown("a", "A", values, "signed"), Shown("b", "B", values, "map")])
    assert signed.scale is not None
    assert signed.scale[0] == -signed.scale[1]
    assert rising.scale == pytest.approx((-0.99, 0.99, "map"), abs=0.01) or rising.scale is not None
    assert signed.uri != rising.uri


def test_plots_leave_out_what_they_cannot_show() -> None:
    assert plot("t", [Line([1, 2], [None, None])], "x", "y") == ""
    assert plot("t", [Line([1, 2], [0.0, -1.0])], "x", "y", log_y=True) == ""
    text = plot("t", [Line([0, 1, 10, 100], [1.0, float("nan"), 3.0, 4.0])], "x", "y", log_x=True)
    assert len(re.findall(r'points="([^"]+)"', text)[0].split()) == 2
    assert "nan" not in text.lower()
    flat = plot("t", [Line([1, 2], [5.0, 5.0])], "x", "y")
    assert "<polyline" in flat
    assert html.number([0.1, None], 2) == f"0.1 + {html.DASH}"


def test_codes_of_a_generative_prior_are_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    prior = ("--prior", "vae-synthesis", "--prior.weights", "digits")
    done = call("solve", "--op", "inpaint", "--noise.sigma", "0.02", *prior,
                "--iterations", "3", "-o", "out", "--report", "page.html")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "bundled digit" in done.output
    text = (tmp_path / "page.html").read_text("utf-8")
    assert '<section id="codes">' in text
    size = r'data-name="(code-\w+)" data-title="[^"]+" width="(\d+)" height="(\d+)"'
    names = re.findall(size, text)
    assert names == [("code-sheet", "168", "168"), ("code-traversal", "236", "100")]
    assert "the truth on the right" in text
    assert 'value="code-sheet"' not in text  # it is not to be laid over the images
    assert call("report", "out", "-o", "again.html").exit_code == 0
    again = (tmp_path / "again.html").read_text("utf-8")
    cut = [re.search(r'<section id="codes">.*?</section>', t, re.DOTALL) for t in (text, again)]
    assert cut[0] is not None
    assert cut[1] is not None
    assert len(cut[0][0]) == pytest.approx(len(cut[1][0]), rel=0.05)


def test_codes_are_those_that_the_prior_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only encode and decode are asked, so those of third parties do as well."""
    prior, x = Coded(), pictures()
    prior.basis = prior.basis.float()
    monkeypatch.setattr(coded, "build", lambda role, table: prior)
    request = Request(prior={"name": "vae-synthesis"})
    one, other = (0.5 * x[0]).float().numpy(), x[1].float().numpy()
    one[0, 0, 0] += 0.24  # outside of the span
    found = coded.codes(request, one, {"cut": one[:, :4], "the other": other})
    assert found is not None
    z = prior.encode(torch.from_numpy(one)[None])[0].numpy()
    assert np.allclose(found.code, z, atol=1e-6)
    left = one - prior.decode(torch.from_numpy(z)[None], one.shape)[0].numpy()
    assert found.residual == pytest.approx(np.sqrt(np.mean(left**2)), rel=1e-4)
    assert found.length == pytest.approx(np.linalg.norm(z) / 2**0.5, rel=1e-5)
    sheet, traversal = found.views
    middle = sheet.pixels[:, 2 * 26 : 2 * 26 + 24]
    inside = prior.decode(torch.from_numpy(z)[None], one.shape)[0].clamp(0, 1).numpy()
    assert np.allclose(middle[..., :24], inside, atol=1e-5)
    assert np.allclose(middle[..., -24:], other.clip(0, 1), atol=1e-5)
    assert "the other" in sheet.note
    assert traversal.pixels.shape == (1, 2 * 26 - 2, 7 * 26 - 2)
    assert coded.codes(Request(prior={"name": "tv"}), one, {}) is None
    assert coded.codes(request, np.zeros((1, 200, 24), np.float32), {}) is None
    monkeypatch.setattr(prior, "encode", lambda v: torch.full((1, 2), torch.nan))
    with pytest.raises(ipx.InputError, match="not finite"):
        coded.codes(request, one, {})
