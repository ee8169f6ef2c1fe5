"""The benchmark: each cell is computed once and appended to a file, so that runs can resume."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ipx import InputError, IpxError, UsageError
from ipx.errors import MemoryExhaustedError
from ipx.files.atomic import one_line
from ipx.files.images import write
from ipx.files.record import dumps
from ipx_plugins.seeds import TASKS, Method
from ipx_plugins.seeds.methods import How, available, identity, method_of, restore
from ipx_plugins.seeds.pca import PCA, fit
from ipx_plugins.seeds.pictures import VALIDATION, crops, tiles
from ipx_plugins.seeds.tasks import Case, measure

FACTORS = (0.1, 0.3, 1.0, 3.0)
"""Factors on the automatic weight that option ``tune`` tries."""

Cell = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """Settings of a run; empty ``methods`` stands for all whose weights are available."""

    folder: Path
    faces: Path | None
    train: Path | None
    ood: Path | None
    count: int
    ood_count: int
    tasks: tuple[str, ...]
    sigmas: tuple[float, ...]
    methods: tuple[str, ...]
    tune: int
    seed: int
    components: int
    device: str
    how: How


class Store:
    """Cells in ``results.jsonl``, one JSON object per line; truncated lines are ignored."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells: dict[str, Cell] = {}
        text = path.read_bytes() if path.exists() else b""
        for line in text.splitlines():
            try:
                cell = json.loads(line)
                self.cells[cell["key"]] = cell
            except (ValueError, KeyError, TypeError):
                continue
        self._torn = bool(text) and not text.endswith(b"\n")

    def add(self, cell: Cell) -> None:
        """Append a cell and flush it to disk."""
        try:
            with open(self.path, "ab") as file:
                file.write(b"\n" * self._torn + dumps(cell).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as e:
            raise InputError(f"{self.path}: cannot be written: {one_line(e)}") from e
        self._torn = False
        self.cells[cell["key"]] = json.loads(dumps(cell))


class Bench:
    """One run of the benchmark.

    Args:
        settings: the settings.
        note: called with a message for each finished cell and each method left out.

    Raises:
        InputError: pictures cannot be read, or are too few.
        UsageError: a method or device is unknown, or a requested method has no weights.
    """

    def __init__(self, settings: Settings, note: Callable[[str], None]) -> None:
        self.settings, self.note = settings, note
        self.failures: list[str] = []
        self.sets: dict[str, Tensor] = {}
        s = settings
        try:
            torch.empty(0, device=s.device)
        except (RuntimeError, AssertionError) as e:
            raise UsageError(f"device {s.device}: {one_line(e)[:200]}") from e
        self.how = s.how if s.train is None else replace(s.how, pca=lambda: self.pca)
        self.methods = self._methods()
        held = None if s.faces is None else tiles(s.faces)
        if held is not None:
            if len(held) < s.count:
                raise InputError(f"{s.faces}: has {len(held)} pictures, not {s.count}")
            self.sets["faces"] = held[: s.count]
        if s.ood_count:
            found = crops(s.ood_count) if s.ood is None else tiles(s.ood)[: s.ood_count]
            self.sets["ood"] = found
        if not self.sets:
            raise UsageError("nothing to measure: give --faces, or an --ood-count above 0")
        self.validation: Tensor | None = None
        if s.tune:
            first = max(VALIDATION, s.count)
            if held is None or len(held) < first + s.tune:
                raise UsageError(
                    f"--tune {s.tune} needs --faces with at least {first + s.tune} pictures: it "
                    f"uses those from number {first} on"
                )
            self.validation = held[first : first + s.tune].to(s.device)
        self.store = Store(s.folder / "results.jsonl")

    @cached_property
    def _training(self) -> Tensor:
        s = self.settings
        assert s.train is not None
        return tiles(s.train, leave_out=s.faces)

    @cached_property
    def pca(self) -> PCA:
        """The Gaussian prior of the training pictures, fitted on first use."""
        self.note(f"fitting {self.settings.components} principal components")
        return fit(self._training, self.settings.components)

    def _methods(self) -> dict[str, tuple[Method, dict[str, Any]]]:
        """The available methods, with the values on which their results depend."""
        from ipx_plugins.seeds import METHODS

        found = {}
        for name in self.settings.methods or METHODS:
            method = method_of(name)
            why = available(method, self.how)
            if why and self.settings.methods:
                raise UsageError(f"method {name} cannot be used: {why}")
            if why:
                self.note(f"{name} is left out: {why}")
                continue
            depends = identity(method, self.how)
            if method.name == "pca":
                depends |= {"train": _digest(self._training), "k": self.settings.components}
            found[name] = (method, depends)
        return found

    def run(self) -> list[Cell]:
        """All cells in the order of the table; stored ones are reused."""
        cells = []
        for name, pictures in self.sets.items():
            truth = pictures.to(self.settings.device)
            for task in self.settings.tasks:
                for sigma in self.settings.sigmas:
                    case = measure(truth, task, sigma, self.settings.seed)
                    for row, (method, _) in self.methods.items():
                        if method.tasks and task not in method.tasks:
                            continue
                        try:
                            cells += self._cells(name, case, sigma, row)
                        except MemoryExhaustedError:
                            raise
                        except IpxError as e:
                            self.failures.append(f"{name} {task} sigma {sigma:g} {row}: {e}")
                            self.note(f"failed: {self.failures[-1]}")
        return cells

    def _cells(self, name: str, case: Case, sigma: float, row: str) -> list[Cell]:
        """The cell with automatic lam, and the one with tuned lam where the method has a weight."""
        automatic = self._cell(name, case, sigma, row, None, None)
        if not self.settings.tune or automatic["lam"] is None:
            return [automatic]
        factor = self._factor(case.task, sigma, row)
        if factor == 1:
            return [automatic, {**automatic, "factor": 1.0}]
        lam = [factor * v for v in automatic["lam"]]
        return [automatic, self._cell(name, case, sigma, row, factor, lam)]

    def _cell(
        self,
        name: str,
        case: Case,
        sigma: float,
        row: str,
        factor: float | None,
        lam: list[float] | None,
    ) -> Cell:
        method, depends = self.methods[row]
        told = {"set": name, "task": case.task, "sigma": sigma, "method": row}
        key = self._key({**told, "factor": factor, "on": _digest(case.truth), **depends}, case)
        shown = self.settings.folder / "pictures" / f"{key}.png"
        before = self.store.cells.get(key)
        if before is not None and shown.exists():
            return before
        done = restore(method, case, self.how, lam)
        shown.parent.mkdir(exist_ok=True)
        write(shown, done.x[self.shown(case)].clamp(0, 1).cpu().numpy(), dtype="uint8")
        scores = case.scores(done.x)
        cell = {
            "key": key, **told, "factor": factor, **scores, "lam": done.lam,
            "status": done.status, "iterations": done.iterations, "seconds": done.seconds,
            "evaluations": done.evaluations, "solver": done.solver, "objective": done.objective,
            "picture": shown.name,
        }  # fmt: skip
        self.store.add(cell)
        weight = "" if factor is None else f" (lam x {factor:g})"
        self.note(
            f"{name} {case.task} sigma {sigma:g} {row}{weight}: {np.mean(scores['psnr']):.2f} dB, "
            f"{done.seconds:.2f} s per picture"
        )
        return self.store.cells[key]

    def _factor(self, task: str, sigma: float, row: str) -> float:
        """The factor on automatic lam with the highest mean PSNR on the validation pictures."""
        assert self.validation is not None
        method, depends = self.methods[row]
        case = measure(self.validation, task, sigma, self.settings.seed + 1)
        told = {"set": "validation", "task": task, "sigma": sigma, "method": row}
        key = self._key({**told, "on": _digest(case.truth), **depends}, case)
        if key not in self.store.cells:
            base = restore(method, case, self.how)
            assert base.lam is not None
            means = {}
            for factor in FACTORS:
                lam = [factor * v for v in base.lam]
                done = base if factor == 1 else restore(method, case, self.how, lam)
                means[factor] = float(np.mean(case.scores(done.x)["psnr"]))
            best = max(means, key=lambda f: means[f])
            self.note(f"validation {task} sigma {sigma:g} {row}: lam x {best:g}")
            self.store.add({"key": key, **told, "best": best, "psnr": means})
        return float(self.store.cells[key]["best"])

    def _key(self, depends: dict[str, Any], case: Case) -> str:
        every = {**depends, "operator": TASKS[case.task].operator, "seed": self.settings.seed}
        return hashlib.sha256(dumps(every).encode()).hexdigest()[:16]

    def shown(self, case: Case) -> int:
        """Index of the picture that the grid shows for a task; it differs between tasks."""
        return list(TASKS).index(case.task) % len(case.truth)


def _digest(x: Tensor) -> str:
    values = (x * 255).round().byte().cpu().numpy()
    return hashlib.sha256(values.tobytes()).hexdigest()[:16]
