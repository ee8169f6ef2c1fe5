"""The page of one run: images, fit, iterations, plan, and how to repeat it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ipx.files.format import Array
from ipx.report import codes, html, viewer, words
from ipx.report.html import number, text
from ipx.report.pictures import Shown, drawn, gain_of
from ipx.report.plots import Line, plot
from ipx.report.spectra import power, radial

SECTIONS = {
    "images": "Images",
    "fit": "Residual",
    "iterations": "Iterations",
    "lam": "Weight",
    "codes": "Codes",
    "plan": "Plan",
    "again": "Repeat",
    "record": "Record",
}

LEFT = "Residual y \N{MINUS SIGN} Ax"

SHOWN = 0.999
"""Share of the values of the residual that its distribution shows."""

HIGHER = 2.0
"""Largest density of the noise over that of the residual that is shown in full."""

CRITERIA = {"log_ratio": "log of misfit over target", "noise": "noise level that is left"}
"""Criteria of tuners, where their names do not say enough."""

STATUS = {
    "converged": "converged",
    "done": "all steps done",
    "budget": "iterations used up",
    "diverged": "diverged",
    "doubtful": "surely wrong",
    "unmixed": "chains not mixed",
}


@dataclass(frozen=True, eq=False)
class Run:
    """What the page of a run shows.

    Attributes:
        record: the record of the output, see docs/cli.md.
        images: the images, the data first.
        residual: y - A x, see `ipx.jobs.residual`, ``(C, H, W)`` or ``(M,)``; None without one.
        white: the level of the record is the standard deviation of white noise.
        at: the path of the record, for the command that repeats the run.
        missing: what could not be shown, and why, one line each.
        codes: of a generative prior; None for others.
    """

    record: Mapping[str, Any]
    images: Sequence[Shown]
    residual: Array | None = None
    white: bool = False
    at: str = ""
    missing: Sequence[str] = field(default_factory=list)
    codes: codes.Codes | None = None

    @property
    def result(self) -> Mapping[str, Any]:
        """The row of the record."""
        row: Mapping[str, Any] = self.record["result"]
        return row

    @property
    def name(self) -> str:
        """The name of the input for the reader."""
        return str(self.result["input"]).replace("\\", "/").rsplit("/", 1)[-1]


def page(run: Run) -> bytes:
    """The page as the bytes of an HTML file."""
    plan = run.result["plan"]
    said = " · ".join(text(plan[role]) for role in ("operator", "noise", "prior", "solver"))
    body = "\n".join(
        [
            html.notes([*run.missing], "missing"),
            html.notes(run.result.get("warnings") or []),
            _images(run),
            _fit(run),
            _iterations(run.record),
            _lam(run.record),
            codes.section(run.codes),
            _plan(run.record),
            _again(run),
            _files(run.record),
        ]
    )
    return html.document(run.name, said, body, SECTIONS)


def _images(run: Run) -> str:
    ready = drawn(run.images)
    true = [d for d in ready if d.shown.look == "image"]
    gain = gain_of(run.images)
    dim = f'<p class="note">Images are shown {gain:.3g} times brighter.</p>' if gain > 1 else ""
    left = "degraded" if any(d.shown.name == "degraded" for d in true) else "truth"
    side = f'<div class="side">{html.cards(_figures(run))}{dim}</div>'
    top = f'<div class="top">{viewer.viewer(ready, left, "restored")}{side}</div>'
    return html.section("images", "Before and after", top, viewer.grid(ready))


def _figures(run: Run) -> list[tuple[str, str, str]]:
    row = run.result
    out = [("Status", text(STATUS.get(row["status"], row["status"])), "")]
    for name, unit, digits in (("psnr", " dB", 2), ("ssim", "", 3)):
        before, after = row.get(f"{name}_before"), row.get(f"{name}_after")
        if after is not None:
            gain = f"from {before:.{digits}f}, {after - before:+.{digits}f}" if before else ""
            out.append((name.upper(), f"{after:.{digits}f}{unit}", gain))
    if row.get("sam_after") is not None:
        out.append(("Spectral angle", f"{row['sam_after']:.2f}°", f"from {row['sam_before']:.2f}°"))
    if row.get("lam") is not None:
        out.append(("Weight λ", number(row["lam"], 3), text(row.get("rule") or "")))
    if row.get("sigma") is not None:
        out.append(("Noise level", number(row["sigma"], 3), ""))
    out.append(("Iterations", number(row["iterations"]), ""))
    if row.get("seconds") is not None:
        out.append(("Time", f"{row['seconds']:.1f} s", ""))
    found = row.get("posterior")
    if found:
        out.append(
            ("Draws", number(found.get("draws")), f"{number(found.get('ess'), 3)} effective")
        )
        out += [
            (text(claim), number(value, 3), f"± {number(error, 2)}")
            for claim, (value, error) in (found.get("claims") or {}).items()
        ]
    return out


def _fit(run: Run) -> str:
    """The residual: how large it is, and whether it is white."""
    if run.residual is None:
        return ""
    known = run.residual[np.isfinite(run.residual)]
    if not known.size:
        return ""
    deviation = float(known.std())
    level = run.result.get("sigma") if run.white else None
    figures = [
        ("Standard deviation", number(deviation, 4), ""),
        ("Mean", number(float(known.mean()), 3), ""),
    ]
    if level:
        figures.append(
            ("Over the noise level", f"{deviation / level:.3f}", f"noise {number(level, 3)}")
        )
    share = known.size / run.residual.size
    if share < 1:
        figures.append(("Known", f"{100 * share:.1f} %", "of the values"))
    if run.residual.ndim == 1:
        return html.section("fit", LEFT, html.cards(figures))
    frequency, strength = radial(power(run.residual))
    white = [level**2] * len(frequency) if level else []
    lines = [Line(frequency.tolist(), strength.tolist(), "residual")]
    lines += (
        [Line(frequency.tolist(), white, "white noise of this level", dashed=True)] if white else []
    )
    told = (
        "White noise has a flat spectrum. Above the line: image that the result has lost. "
        "Below: noise that it has kept, or, at all frequencies, a level that is too high."
    )
    spectrum = plot("Spectrum of the residual", lines, "frequency in cycles per pixel", "power",
                    log_y=True, note=told)  # fmt: skip
    return html.section("fit", LEFT, html.cards(figures), _plots(spectrum, histogram(known, level)))


def histogram(values: Array, level: float | None) -> str:
    """The distribution of the residual, and beside it that of Gaussian noise of ``level``.

    The axes show `SHOWN` of the residual's values, around their median. The line of the noise is
    cut off where it is more than `HIGHER` times as high.
    """
    middle = float(np.median(values))
    spread = 1.1 * float(np.quantile(np.abs(values - middle), SHOWN)) or 1e-12
    low, high = middle - spread, middle + spread
    count, edges = np.histogram(values, 41, (low, high))
    density = count / (values.size * float(edges[1] - edges[0]))
    centres = (edges[:-1] + edges[1:]) / 2
    lines = [Line(centres.tolist(), density.tolist(), "residual")]
    if level:
        fine = np.linspace(low, high, 401)
        bell = np.exp(-0.5 * (fine / level) ** 2) / (level * (2 * np.pi) ** 0.5)
        near = bool(bell.max() <= HIGHER * density.max())
        lines.append(
            Line(fine.tolist(), bell.tolist(), "noise of this level", dashed=True, framed=near)
        )
    return plot("Distribution of the residual", lines, "value", "density")


def _plots(*figures: str) -> str:
    inside = "".join(figures)
    return f'<div class="plots">{inside}</div>' if inside else ""


def _iterations(record: Mapping[str, Any]) -> str:
    rows = record.get("history") or []
    steps = [row["iteration"] for row in rows]

    def curve(key: str, title: str, name: str, log_y: bool = False) -> str:
        values = [row.get(key) for row in rows]
        long = bool(steps) and steps[-1] > 20
        return plot(title, [Line(steps, values)], "iteration", name, log_x=long, log_y=log_y)

    return html.section(
        "iterations", "Iterations",
        _plots(
            curve("objective", "Objective f + λR", "objective"),
            curve("residual", "Change in one step", "relative change", log_y=True),
            curve("psnr", "PSNR against the truth", "PSNR in dB"),
        ),
    )  # fmt: skip


def _lam(record: Mapping[str, Any]) -> str:
    """The trials of the tuner, and the weight that it took."""
    every = record.get("trace") or []
    trials = [t for t in every if "prior" not in t and _one(t["lam"])]
    rule = record["result"].get("rule") or ""
    figures = [_scores(trials, key) for key in sorted({k for t in trials for k in _criteria(t)})]
    figures.append(_path([_first(t["lam"]) for t in trials], record["result"].get("lam")))
    rows = [
        [
            str(i),
            text(trial.get("prior", "")),
            number([_first(lam) for lam in _list(trial["lam"])]),
            "; ".join(f"{text(k)} {number(_first(trial[k]))}" for k in _criteria(trial)),
        ]
        for i, trial in enumerate(every, 1)
    ]
    head = ("trial", "prior alone", "λ", "criterion")
    return html.section(
        "lam",
        "How λ was found",
        f'<p class="note">{text(rule)}</p>' if rule not in ("", "given") else "",
        _plots(*figures),
        html.folded(f"{len(rows)} trials", html.table(head, rows, "Trials of λ")) if rows else "",
    )


def _scores(trials: Sequence[Mapping[str, Any]], key: str) -> str:
    """A criterion over the weight, the trials numbered."""
    some = [t for t in trials if key in t]
    lams, values = [_first(t["lam"]) for t in some], [_first(t[key]) for t in some]
    name = _criterion(key)
    line = Line(lams, values, points="numbers")
    return plot(f"{name.capitalize()}, each trial", [line], "λ", name, log_x=True)


def _path(lams: Sequence[float], taken: Any) -> str:
    """The weights in the order in which they were tried."""
    if not lams or not _one(taken):
        return ""
    order = [float(i) for i in range(1, len(lams) + 1)]
    lines = [
        Line(order, lams, "tried", points="dots"),
        Line([order[0], order[-1]], [taken, taken], "taken", dashed=True),
    ]
    return plot("The path of λ", lines, "trial", "λ", log_y=True)


def _criteria(trial: Mapping[str, Any]) -> list[str]:
    return [key for key in trial if key not in ("lam", "prior")]


def _criterion(key: str) -> str:
    return CRITERIA.get(key, key.replace("_", " "))


def _list(value: Any) -> list[Any]:
    """A weight as a list with an entry for each prior."""
    nested = isinstance(value, list) and value and isinstance(value[0], list)
    return value if nested else [value]


def _first(value: Any) -> Any:
    """The value of the one image."""
    return value[0] if isinstance(value, list) and value else value


def _one(value: Any) -> bool:
    """True for the weight of one prior."""
    return isinstance(value, int | float) or (
        isinstance(value, list) and len(value) == 1 and not isinstance(value[0], list)
    )


def _plan(record: Mapping[str, Any]) -> str:
    lines = "".join(f"<li>{text(line)}</li>" for line in words.plan_lines(record))
    said = record["result"]["plan"]
    exact = "exact" if said["exact"] else "approximate"
    if said["exact"] and said["tolerance"]:
        exact = f"iterative, to a relative residual of {said['tolerance']:g}"
    head = ("needed", "bridge", "accuracy", "what it does")
    course = record.get("history") or []
    if course and all(row.get("objective") is None for row in course):
        lines += (
            "<li>This prior has no value R(x): the solver takes its denoiser or its proximal map, "
            "and nothing is minimised.</li>"
        )
    options = html.table(
        ("role", "component", "option", "value", "default", "meaning"), words.options(record),
        "Options; values that differ from their defaults are bold",
    )  # fmt: skip
    return html.section(
        "plan", "Plan", words.formula(record),
        f'<ul class="plain">{lines}<li>The plan is {exact}.</li></ul>',
        html.folded("Bridges", html.table(head, words.bridges(record), "Bridges")),
        html.folded("Options", options),
    )  # fmt: skip


def _again(run: Run) -> str:
    return html.section(
        "again", "The same again",
        html.code("Command line", words.command(run.record, run.at)),
        html.code("Python", words.python(run.record)),
    )  # fmt: skip


def _files(record: Mapping[str, Any]) -> str:
    given = record["input"]
    rows = [[text(given.get("path")), text(given.get("sha256", ""))]]
    rows += [[text(path), text(value)] for path, value in record["files"].items()]
    if record.get("truth"):
        rows.append([text(record["truth"].get("path")), text(record["truth"].get("sha256"))])
    head, versions = ("file", "sha256"), words.environment(record)
    return html.section(
        "record", "Record",
        f'<p class="note">{text(record.get("time", ""))}</p>',
        html.folded("Files that were read", html.table(head, rows, "Files that were read")),
        html.folded("Versions", html.table(("name", "version"), versions, "Versions")),
    )  # fmt: skip
