"""The cells as Markdown, JSON and a grid of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ipx.files.atomic import write_atomic
from ipx.files.images import read
from ipx.files.panel import Column, panel
from ipx.files.record import environment, write_record
from ipx_plugins.seeds import METHODS, TASKS
from ipx_plugins.seeds.methods import method_of
from ipx_plugins.seeds.run import Bench, Cell

ENLARGE = 4


def save(bench: Bench, cells: Sequence[Cell]) -> None:
    """Write table.md, table.json and grid.png.

    Raises:
        InputError: a file cannot be written.
    """
    folder, s = bench.settings.folder, bench.settings
    settings = {k: v for k, v in asdict(s).items() if k != "how"}
    how = {k: v for k, v in vars(s.how).items() if k != "pca"}
    counts = {name: len(x) for name, x in bench.sets.items()}
    write_atomic(folder / "table.md", markdown(cells, counts).encode())
    write_record(
        folder / "table.json",
        {
            "settings": {**settings, **how},
            "pictures": counts,
            "failures": bench.failures,
            "environment": environment(),
            "cells": [{**cell, **summary(cell)} for cell in cells],
        },
    )
    grid(bench, cells)


def spread(values: Sequence[float | None]) -> tuple[float, float]:
    """Mean and standard deviation over the pictures; None (equal to the truth) is skipped."""
    finite = [v for v in values if v is not None]
    if not finite:
        return float("inf"), 0.0
    return float(np.mean(finite)), float(np.std(finite, ddof=1)) if len(finite) > 1 else 0.0


def summary(cell: Cell) -> dict[str, Any]:
    """Means and standard deviations of a cell."""
    names = [n for n in ("psnr", "ssim", "hole", "residual") if n in cell]
    return {f"{n}_mean": spread(cell[n])[0] for n in names} | {
        f"{n}_std": spread(cell[n])[1] for n in names
    }


def markdown(cells: Sequence[Cell], counts: dict[str, int]) -> str:
    """All tables in Markdown."""
    out = [
        "# Five tasks",
        "PSNR (dB) +- standard deviation over the pictures / SSIM (Gaussian window 11x11); for "
        "masks, the PSNR in the hole alone in brackets. The best PSNR of a column is bold; * "
        "means that a picture diverged. At sigma 0 the data are rounded to 8 bits.",
    ]
    for name, count in counts.items():
        for sigma in dict.fromkeys(c["sigma"] for c in cells):
            for tuned in (False, True):
                some = [
                    c for c in cells
                    if c["set"] == name and c["sigma"] == sigma
                    and (c["factor"] is not None) == tuned
                ]  # fmt: skip
                if not some:
                    continue
                weight = "lam tuned on other pictures" if tuned else "automatic lam"
                out.append(f"## {name}: {count} pictures, sigma {sigma:g}, {weight}")
                out.append(_table(some, _quality))
                if not tuned:
                    out += _beside(some, count)
    return "\n\n".join(out) + "\n"


def _beside(cells: Sequence[Cell], count: int) -> list[str]:
    """What stands below a table of scores: differences, objectives, cost."""
    out = []
    if count > 1:
        out += [
            "PSNR minus that of the best method of the column, picture by picture: mean and 95 % "
            "interval (Student's t):",
            _table(cells, _difference),
        ]
    with_model = [c for c in cells if c.get("objective")]
    if with_model:
        out += [
            "Objective f + lam R at the end, mean over the pictures. It compares methods that "
            "minimise one function, as synthesis and analysis of a flow do:",
            _table(with_model, lambda cell, best: f"{np.mean(cell['objective']):.4g}"),
        ]
    return [*out, "Seconds per picture / evaluations of the network:", _table(cells, _cost)]


def _best(cells: Sequence[Cell]) -> Cell | None:
    """The cell of the highest mean PSNR; the data are none."""
    some = [c for c in cells if c["method"] != "degraded"]
    return max(some, key=lambda c: spread(c["psnr"])[0], default=None)


def _difference(cell: Cell, best: Cell | None) -> str:
    """Mean difference of PSNR over the pictures, with half of its 95 % interval."""
    from scipy import stats

    if best is None or cell is best:
        return "best"
    both = zip(cell["psnr"], best["psnr"], strict=True)
    gaps = [a - b for a, b in both if a is not None and b is not None]
    if len(gaps) < 2:
        return "-"
    half = float(stats.t.ppf(0.975, len(gaps) - 1) * np.std(gaps, ddof=1) / len(gaps) ** 0.5)
    return f"{np.mean(gaps):+.2f} +- {half:.2f}"


def _table(cells: Sequence[Cell], text: Any) -> str:
    tasks = [t for t in TASKS if any(c["task"] == t for c in cells)]
    rows = _rows(cells)
    best = {t: _best([c for c in cells if c["task"] == t]) for t in tasks}
    lines = [
        "| method | " + " | ".join(TASKS[t].title for t in tasks) + " |",
        "|---" * (1 + len(tasks)) + "|",
    ]
    for row in rows:
        found = {c["task"]: c for c in cells if c["method"] == row}
        words = [text(found[t], best[t]) if t in found else "-" for t in tasks]
        lines.append(f"| {method_of(row).title} | " + " | ".join(words) + " |")
    return "\n".join(lines)


def _rows(cells: Sequence[Cell]) -> list[str]:
    """Methods in the order of `METHODS`, others after them."""
    there = list(dict.fromkeys(c["method"] for c in cells))
    known = list(METHODS)
    return sorted(there, key=lambda m: known.index(m) if m in known else len(known))


def _quality(cell: Cell, best: Cell | None) -> str:
    mean, deviation = spread(cell["psnr"])
    value = f"{mean:.2f}"
    if cell is best:
        value = f"**{value}**"
    text = f"{value} +- {deviation:.2f} / {spread(cell['ssim'])[0]:.3f}"
    if "hole" in cell:
        text += f" ({spread(cell['hole'])[0]:.2f})"
    if cell["factor"] is not None:
        text += f", x{cell['factor']:g}"
    return text + "*" * ("diverged" in cell["status"])


def _cost(cell: Cell, best: Cell | None) -> str:
    calls = cell["evaluations"]
    return f"{cell['seconds']:.2f}" + ("" if calls is None else f" / {calls:.0f}")


def grid(bench: Bench, cells: Sequence[Cell]) -> None:
    """Write grid.png: one column per method, one row per task, each with another picture.

    It shows the first set at sigma 0.02, or at the first sigma if that was not measured.
    """
    sigmas = bench.settings.sigmas
    sigma = 0.02 if 0.02 in sigmas else sigmas[0]
    name, truth = next(iter(bench.sets.items()))
    tasks = bench.settings.tasks
    some = [
        c
        for c in cells
        if c["set"] == name and c["sigma"] == sigma and c["factor"] is None
    ]  # fmt: skip
    which = [list(TASKS).index(t) % len(truth) for t in tasks]
    columns: list[Column] = [
        ("truth", _stack([truth[i].numpy() for i in which]), f"{name}, sigma {sigma:g}")
    ]
    for row in _rows(some):
        found = {c["task"]: c for c in some if c["method"] == row}
        pictures, words = [], []
        for task, i in zip(tasks, which, strict=True):
            if task not in found:
                pictures.append(np.ones_like(truth[0].numpy()))
                words.append("-")
                continue
            cell = found[task]
            path: Path = bench.settings.folder / "pictures" / cell["picture"]
            pictures.append(read(path).pixels)
            score = cell["psnr"][i]
            words.append("equal" if score is None else f"{TASKS[task].title}: {score:.2f} dB")
        columns.append((method_of(row).title, _stack(pictures), "\n".join(words)))
    panel(bench.settings.folder / "grid.png", columns)


def _stack(pictures: Sequence[Any]) -> Any:
    """The pictures below each other, enlarged, with white lines between them."""
    big = [p.repeat(ENLARGE, 1).repeat(ENLARGE, 2) for p in pictures]
    line = np.ones((3, 2 * ENLARGE, big[0].shape[2]), np.float32)
    parts = [part for p in big for part in (p, line)][:-1]
    return np.concatenate(parts, 1)
