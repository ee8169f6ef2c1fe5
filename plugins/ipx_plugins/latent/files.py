"""Reading pictures, writing grids of pictures, files of codes; files are written atomically."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import is_zipfile

import numpy as np
import torch
from torch import Tensor

from ipx import InputError, Shape
from ipx.files.atomic import one_line, write_atomic
from ipx.files.images import write
from ipx.files.lookup import pictures_of
from ipx.files.picture import picture
from ipx.files.sheets import sheet


def pictures(paths: Sequence[Path], colors: int, side: int | None) -> tuple[Tensor, list[str]]:
    """All pictures of files and folders as one batch ``(N, colors, H, W)``, and their paths.

    Args:
        paths: files, and folders whose pictures are taken in the order of their names; a folder
            without pictures stands for its sub-folders.
        colors: 1 or 3; grey becomes three equal channels, colour becomes Rec. 601 luma.
        side: cut the largest square from the middle and resize it (Lanczos) to this side.

    Raises:
        InputError: a folder is empty, a file cannot be read, or sizes differ.
    """
    files = pictures_of(paths)
    batch = [torch.from_numpy(picture(file, colors, side)) for file in files]
    for file, x in zip(files, batch, strict=True):
        if x.shape != batch[0].shape:
            (h, w), (height, width) = x.shape[1:], batch[0].shape[1:]
            raise InputError(
                f"{file}: is {h} x {w}, {files[0]} is {height} x {width}; "
                "--size resizes all to one size"
            )
    return torch.stack(batch), [str(f) for f in files]


def labelled(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Pictures and their labels: the names of the folders that they lie in."""
    files = pictures_of(paths)
    return files, [file.parent.name for file in files]


def grid(path: Path, batch: Tensor, columns: int, scale: int | None = None) -> None:
    """Write ``(N, C, H, W)`` as a grid, row by row, clipped to [0, 1] and rounded to 8 bits.

    ``scale`` is that of `ipx.files.sheets.sheet`.

    Raises:
        InputError: the file cannot be written.
    """
    whole = sheet(list(batch.float().cpu().numpy()), columns, scale)
    write(path, whole, dtype="uint8")


@dataclass(frozen=True)
class Codes:
    """The contents of a file of codes.

    Attributes:
        z: the codes, ``(N, n)`` float32.
        shape: shape of the pictures, ``(C, H, W)``.
        model: name of the model.
        sha256: hash of its weights.
        names: names of the pictures.
    """

    z: Tensor
    shape: Shape
    model: str
    sha256: str
    names: list[str]

    def save(self, path: Path) -> None:
        """Write an NPZ file.

        Raises:
            InputError: the file cannot be written.
        """
        out = io.BytesIO()
        np.savez(
            out,
            z=self.z.numpy(),
            shape=np.array(self.shape),
            model=np.array(self.model),
            sha256=np.array(self.sha256),
            names=np.array(self.names),
        )
        write_atomic(path, out.getvalue())


def load_codes(path: Path) -> Codes:
    """Read what `Codes.save` wrote.

    Raises:
        InputError: the file is missing, damaged, or of another kind.
    """
    if path.is_file() and not is_zipfile(path):
        raise InputError(f"{path}: is not a file of codes; ipx latent encode writes one")
    try:
        with np.load(path, allow_pickle=False) as file:
            z = torch.from_numpy(file["z"]).float()
            shape = tuple(int(n) for n in file["shape"])
            model, sha256 = str(file["model"]), str(file["sha256"])
            names = [str(n) for n in file["names"]]
    except KeyError as e:
        raise InputError(f"{path}: is not a file of codes: it has no {e.args[0]}") from e
    except Exception as e:  # NumPy raises what zipfile, zlib and the system raise
        raise InputError(f"{path}: is not a file of codes: {one_line(e)}") from e
    if z.ndim != 2 or not len(z) or len(shape) != 3 or not bool(z.isfinite().all()):
        raise InputError(f"{path}: holds no codes (N, n) of pictures (C, H, W)")
    return Codes(z, shape, model, sha256, names)
