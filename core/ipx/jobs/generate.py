"""New pictures by a generator: files in, a file and its record out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ipx.files.atomic import check_folder
from ipx.files.images import output_type, read, write
from ipx.files.limits import check_pixels
from ipx.files.record import environment, record_path, write_record
from ipx.files.sheets import sheet
from ipx.parts.generator import Generator, Size


def generate(
    generator: Generator[Any],
    name: str,
    files: Sequence[Path],
    target: Path,
    *,
    size: Size | None = None,
    count: int = 1,
    columns: int = 8,
    scale: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Make pictures, and write them to a file with a record beside it.

    Args:
        generator: what makes them.
        name: its name in the record.
        files: the pictures that it takes.
        target: one picture, or a sheet of several, with 8 bits.
        size: height and width; None for the generator's.
        count: how many.
        columns: of the sheet.
        scale: see `ipx.files.sheets.sheet`.
        seed: of their random numbers.

    Returns:
        The record.

    Raises:
        InputError: a file cannot be read or written, or the size is beyond the limit of pixels.
        IpxError: what `Generator.generate` raises.
    """
    output_type(target, dtype="uint8")
    check_folder(target)
    if size is not None:
        check_pixels(size[1], size[0])
    given = [read(file) for file in files]
    started = time.perf_counter()
    pictures = [torch.from_numpy(np.ascontiguousarray(p.pixels, np.float32)) for p in given]
    made = generator.generate(pictures, size, count, seed)
    whole = sheet(list(made.detach().float().cpu().numpy()), columns, scale)
    write(target, whole, dtype="uint8")
    record = {
        "command": "generate",
        "generator": {"name": name, **generator.options.to_mapping()},
        "inputs": [p.describe() for p in given],
        "output": str(target),
        "shape": list(made.shape),
        "seed": seed,
        "seconds": time.perf_counter() - started,
        "environment": environment(),
    }
    write_record(record_path(target), record)
    return record
