"""Simulate a measurement of an image file: the work of ``ipx degrade``."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ipx.files import images
from ipx.files.atomic import folder_for
from ipx.files.complex import check_complex, encoded_complex
from ipx.files.depth import depth_of
from ipx.files.images import Picture
from ipx.files.lookup import by_suffix
from ipx.files.written import commit
from ipx.jobs.records import absolute, make_record
from ipx.jobs.reporter import Reporter
from ipx.numerics.metrics import psnr, ssim
from ipx.planning.request import Request, Table
from ipx.solving.degrade import degrade


def degrade_file(
    request: Request, source: Path, output: Path, *, reporter: Reporter | None = None
) -> Table:
    """Simulate a measurement of an image; write it and its record.

    Formats that hold float32 (TIFF, NPY) get it, so that the noise is neither rounded nor
    clipped; other formats keep the depth of the input, and the share of clipped values is noted.
    Complex data are encoded by `ipx.files.complex.encoded_complex`.

    Args:
        request: its operator, noise, seed and device are used.
        source: the clean image.
        output: the file of the data; missing folders are made.
        reporter: receives notes.

    Returns:
        The row: input, output, status, seed, seconds, clipped (share of values), psnr (dB), ssim
        (both None if the data have another size than the image).

    Raises:
        IpxError: nothing was written.
    """
    reporter = reporter or Reporter()
    s = request.settings
    picture = images.read(source, axes=s.axes, stacks=True)
    with folder_for(output):
        is_complex = request.tree("op").facts.traits.complex
        dtype, kept = (None, "complex") if is_complex else _types(request, output, picture)
        if is_complex:
            check_complex(output, s.sample_type)
        began = time.perf_counter()
        clean, y = _measured(request, picture)
        seconds = time.perf_counter() - began
        data = y.numpy()
        clipped = 0.0
        if np.dtype(kept).kind in "iu":
            clipped = float(((data < 0) | (data > 1)).mean())
            reporter.note(
                f"{output}: {kept} rounds the noise and clips {100 * clipped:.2g} % of the "
                "values; write .tif to keep them"
            )
        alike, both = y.shape == clean.shape, _batches(picture, y, clean)
        row = {
            "input": str(source),
            "output": str(output),
            "status": "ok",
            "seed": s.seed,
            "seconds": seconds,
            "clipped": clipped,
            "psnr": float(psnr(*both).mean()) if alike else None,
            "ssim": float(ssim(*both).mean()) if alike else None,
        }
        config = {"inputs": [absolute(source)], "output": absolute(output)}
        record = make_record("degrade", request, picture, reporter.command, row, config)
        plain = partial(images.encoded, like=picture, dtype=dtype)
        content = (encoded_complex if is_complex else plain)(output, data)
        commit(output, {output: content}, record)
    return row


def _measured(request: Request, picture: Picture) -> tuple[Tensor, Tensor]:
    """The image in the precision asked for, and its measurement."""
    s, clean = request.settings, torch.from_numpy(picture.pixels)
    clean = clean if s.precision is None else clean.to(getattr(torch, s.precision))
    y = degrade(
        clean, op=request.op, noise=request.noise, axes=picture.axes, seed=s.seed, device=s.device
    )
    return clean, y.cpu()


def _batches(picture: Picture, y: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Both with an axis for the pictures of a stack."""
    return (y, clean) if picture.stacked else (y[None], clean[None])


def _types(request: Request, output: Path, picture: Picture) -> tuple[str | None, str]:
    """The sample type to ask for, and the one that the output then has."""
    wanted, s = by_suffix(output), request.settings
    floats = wanted is not None and "float32" in wanted.dtypes
    whole = np.dtype(picture.dtype).kind != "f"
    dtype = s.sample_type or (s.precision or "float32" if floats and whole else None)
    dtype = depth_of(output, picture, dtype)
    return dtype, images.output_type(output, picture, dtype)[1]
