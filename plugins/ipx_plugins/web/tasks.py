"""The tasks of a worker: look at a picture, foresee, restore."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from ipx import InputError, Observer, Progress, degrade
from ipx.files.atomic import write_atomic
from ipx.files.complex import read_complex
from ipx.files.format import Array
from ipx.files.images import bundled, encoded, read, write
from ipx.files.limits import pixel_limit
from ipx.files.lookup import by_suffix
from ipx.files.panel import brightening, false_colour
from ipx.jobs.reporter import Reporter
from ipx.jobs.solve import solve_file
from ipx.jobs.tiled import foresee_file
from ipx_plugins.web.asked import from_task

Tell = Callable[[str, Any], None]
Task = dict[str, Any]

EVERY = 1.0
"""Seconds between two pictures of a run."""

SIDE = 1600
"""Largest side of a picture on the page."""


def look(task: Task, tell: Tell) -> Task:
    """Read an uploaded picture; write it as the page shows it.

    Args:
        task: ``source``, ``preview`` (paths), ``max_pixels``.
        tell: not used.

    Returns:
        ``shape``, ``dtype``, ``format``, ``scale``, ``offset``, ``gain`` (see `shown`).
    """
    source = Path(task["source"])
    with pixel_limit(task["max_pixels"]):
        try:
            picture = read(source)
            pixels = picture.pixels
        except InputError:
            spec = by_suffix(source)
            if spec is None or not spec.complex:
                raise
            picture = read_complex(source)
            real, imaginary = np.split(picture.pixels, 2)
            pixels = np.log1p(np.hypot(real, imaginary))  # a spectrum spans decades
    gain = brightening([pixels])
    write_atomic(task["preview"], shown(pixels, gain))
    told = {name: getattr(picture, name) for name in ("dtype", "format", "scale", "offset")}
    return {**told, "shape": list(picture.shape), "gain": gain, "alpha": picture.alpha is not None}


def sample(task: Task, tell: Tell) -> Task:
    """Write the bundled photograph, blurred and noisy, with 16 bits; then `look`."""
    clean = bundled().pixels
    blurred = degrade(
        torch.from_numpy(clean),
        op={"name": "blur", "sigma": 1.5},
        noise={"name": "gaussian", "sigma": 0.01},
        axes="CHW",
    )
    write(task["source"], blurred.numpy(), dtype="uint16")
    return look(task, tell)


def shown(pixels: Array, gain: float = 1.0) -> bytes:
    """A picture ``(C, H, W)`` in [0, 1] as an 8-bit PNG, at most `SIDE` pixels a side.

    Args:
        pixels: many bands are shown in false colour, as in panels.
        gain: brightening.
    """
    picture = false_colour(np.asarray(pixels, np.float32))
    picture = np.nan_to_num(picture[:1] if picture.shape[0] == 2 else picture)
    longest = max(picture.shape[1:])
    if longest > SIDE:
        size = [max(round(n * SIDE / longest), 1) for n in picture.shape[1:]]
        picture = interpolate(torch.from_numpy(picture)[None], size, mode="area")[0].numpy()
    return encoded("shown.png", (gain * picture).clip(0, 1), dtype="uint8")


def foreseen(task: Task, tell: Tell) -> Task:
    """Memory and time that a restoration will take, see `ipx.jobs.tiled.foresee_file`."""
    with pixel_limit(task["max_pixels"]):
        return foresee_file(from_task(task), Path(task["source"])).to_json()


def restore(task: Task, tell: Tell) -> Task:
    """Restore a picture.

    Tells ``report`` (progress), ``note`` and ``frame`` (the number of the picture that now shows
    the run).

    Args:
        task: that of `Asked.to_task` with ``output``, ``folder``, ``argv``, ``facts`` (what `look`
            returned) and ``max_pixels``.
        tell: sends a message.

    Returns:
        The row of `solve_file`.
    """
    folder, facts, output = Path(task["folder"]), task["facts"], Path(task["output"])
    truth = None if task["truth"] is None else Path(task["truth"])
    window = Window(folder, facts["gain"], tell)
    with pixel_limit(task["max_pixels"]):
        row = solve_file(
            from_task(task),
            Path(task["source"]),
            output,
            truth=truth,
            reporter=Reporter(
                lambda report: tell("report", asdict(report)),
                lambda line: tell("note", line),
                task["argv"],
            ),
            observers=[window],
        )
        extent = (facts["offset"], facts["offset"] + facts["scale"])
        pixels = read(output, None if facts["format"] == "npy" else extent).pixels
    write_atomic(folder / "after.png", shown(pixels, facts["gain"]))
    height, width = facts["shape"][1:]
    alike = height * pixels.shape[2] == width * pixels.shape[1]
    return row | {"alike": alike, "size": list(pixels.shape)}


class Window(Observer):
    """Writes a picture of the run every second, and one of its start.

    Args:
        folder: where ``start.png`` and ``frame.png`` are written.
        gain: brightening.
        tell: sends the number of the picture.
    """

    def __init__(self, folder: Path, gain: float, tell: Tell) -> None:
        self.folder, self.gain, self.tell = folder, gain, tell
        self.last, self.number = time.monotonic(), 0

    def begin(self, progress: Progress) -> None:
        """The start of the last solve."""
        if not progress.trial:
            self._write("start.png", progress)

    def __call__(self, progress: Progress) -> None:
        """A picture, if the last one is old."""
        if time.monotonic() - self.last >= EVERY:
            self._write("frame.png", progress)
            self.last, self.number = time.monotonic(), self.number + 1
            self.tell("frame", self.number)

    def _write(self, name: str, progress: Progress) -> None:
        view = progress.problem.physical.view(progress.x)[0]
        write_atomic(self.folder / name, shown(view.detach().cpu().numpy(), self.gain))


TASKS: dict[str, Callable[[Task, Tell], Any]] = {
    "look": look,
    "foresee": foreseen,
    "restore": restore,
    "sample": sample,
}
