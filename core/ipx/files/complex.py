"""Complex data, such as k-space: NPY in, `Picture` with real and imaginary parts, NPY out."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ipx.errors import InputError
from ipx.files import codec
from ipx.files.atomic import check_folder, one_line
from ipx.files.contents import contents
from ipx.files.format import Array, Raster
from ipx.files.images import Picture
from ipx.files.lookup import by_content, by_suffix, complex_formats, label, listing
from ipx.files.record import digest

SMALL, LARGE = 1e-3, 3.0
"""Data whose root mean square is in this interval count as those of an image in [0, 1]."""


def read_complex(path: str | os.PathLike[str]) -> Picture:
    """Read complex data; ``pixels`` are the real, then the imaginary parts, ``(2 C, H, W)``.

    A file holds complex numbers, ``(H, W)`` or ``(H, W, 3)``, or real and imaginary parts,
    ``(2, H, W)`` or ``(H, W, 2)``. Its ``scale`` is 1 for data of an image in [0, 1], else such
    that the root mean square of ``pixels`` as complex numbers is 1/3.

    Raises:
        InputError: missing, damaged, of another format, not finite, or of several coils.
    """
    try:
        data = contents(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as e:
        raise InputError(f"{path}: cannot be read: {one_line(e)}") from e
    spec = by_content(data, path)
    if not spec.complex:
        names = listing(map(label, complex_formats()), "or")
        raise InputError(
            f"{path}: is {label(spec)}; data of this operator are complex, use {names}"
        )
    values = codec.numbers(spec, data, str(path))
    planes = np.ascontiguousarray(_planes(values, path))
    if not np.isfinite(planes).all():
        raise InputError(f"{path}: has values that are NaN or infinite; use 0 where not measured")
    size = float(np.sqrt(2 * np.mean(np.square(planes, dtype=np.float64))))
    scale = 1.0 if SMALL <= size <= LARGE or not size else 3 * size
    kind = "float64" if planes.dtype.itemsize > 4 else "float32"
    return Picture(
        pixels=(planes / scale).astype(kind),
        alpha=None,
        dtype=kind,
        scale=scale,
        offset=0.0,
        icc=None,
        format=spec.name,
        sha256=digest(path, data),
        path=Path(path),
    )


def _planes(values: Array, path: str | os.PathLike[str]) -> Array:
    """``(2 C, H, W)``: real parts, then imaginary parts."""
    shape = values.shape
    if not values.size:
        raise InputError(f"{path}: is empty, its shape is {shape}")
    if values.dtype.kind == "c":
        if values.ndim == 3 and shape[0] == 1:
            values = values[0]
        if values.ndim == 2:
            values = values[..., None]
        if values.ndim != 3 or values.shape[2] not in (1, 3):
            raise InputError(
                f"{path}: has shape {shape}: several coils or slices; multi-coil data are not "
                "supported, combine the coils and save one slice (H, W)"
            )
        colours: Array = np.moveaxis(values, -1, 0)
        return np.concatenate([colours.real, colours.imag])
    if values.dtype.kind in "iuf" and values.ndim == 3 and 2 in (shape[0], shape[2]):
        both: Array = values if shape[0] == 2 else np.moveaxis(values, -1, 0)
        return both if both.dtype.kind == "f" else both.astype(np.float32)
    raise InputError(
        f"{path}: holds {values.dtype} of shape {shape}; save complex numbers (H, W), or real and "
        "imaginary parts (2, H, W)"
    )


def check_complex(path: str | os.PathLike[str], samples: str | None = None) -> None:
    """Check that complex data can be written to a file; call it before a long computation.

    Args:
        path: the file.
        samples: the integer type that was asked for, if any.

    Raises:
        InputError: its format cannot hold them, or its folder is missing; integers cannot.
    """
    if samples is not None:
        raise InputError(f"{path}: complex data cannot be {samples}; ask for float32 or float64")
    spec = by_suffix(path)
    if spec is None or not spec.complex:
        suffixes = listing((s.suffixes[0] for s in complex_formats()), "or")
        raise InputError(f"{path}: data of this operator are complex; write {suffixes}")
    check_folder(path)


def encoded_complex(path: str | os.PathLike[str], planes: Array) -> bytes:
    """A file of complex data as `read_complex` reads them: ``(H, W)``, in colour ``(H, W, 3)``.

    Args:
        path: the file; its extension determines the format.
        planes: ``(2 C, H, W)``: real parts, then imaginary parts.

    Raises:
        InputError: see `check_complex`.
    """
    check_complex(path)
    spec = by_suffix(path)
    assert spec is not None
    real, imaginary = np.split(planes, 2)
    return codec.encode(spec, Raster(np.moveaxis(real + 1j * imaginary, 0, -1)), path)
