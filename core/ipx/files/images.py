"""Image files in, the same kind of files out: `read`, `write`, `Picture`.

Depth, range, alpha, orientation and colour profile are kept, or the request is refused; the
rules are in docs/images.md. Formats come from plugins, see `ipx.files.format`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ipx.declare.foreign import IOSpec
from ipx.errors import InputError, MemoryExhaustedError
from ipx.files import codec
from ipx.files.affine import affine
from ipx.files.atomic import check_folder, one_line, write_atomic
from ipx.files.contents import contents
from ipx.files.format import FEWEST, Array, Raster, is_image, layout_of
from ipx.files.lookup import (
    by_content,
    by_suffix,
    formats,
    label,
    listing,
    others,
    pictures_in as pictures_in,
    suffixes,
)
from ipx.files.record import digest, sha256 as sha256
from ipx.files.samples import alpha_of, as_type, map_of, opaque, samples_of, upright
from ipx.files.storage import Storage


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as read from a file: upright, its colours mapped to nominal [0, 1].

    Attributes:
        pixels: ``(C, H, W)``, C 1, 3 or more than 4; of a stack ``(T, C, H, W)``, of a volume
            ``(C, D, H, W)``, of several ``(T, C, D, H, W)``; float32, or float64 if the file has
            more than 24 significant bits. ``value in the file = pixels * scale + offset``.
        alpha: ``(H, W)``, upright, with the values of the file; None if there is none.
        dtype: type of the samples in the file: uint8, uint16, float32, ...
        scale: file units per unit of ``pixels``: 255, 65535, 1, or the range of the values.
        offset: file value that is 0 in ``pixels``.
        icc: the colour profile.
        format: name of the format, as in ``ipx list io``.
        sha256: of the bytes of the file, hexadecimal.
        path: the file.
        premultiplied: the colours are multiplied by alpha (TIFF's associated alpha).
        storage: how precisely the file stores, in units of ``pixels``: with the errors of a format
            with loss, else of rounding to integers.
        axes: of ``pixels``: ``CYX``, ``TCYX``, ``CZYX`` or ``TCZYX``.
        order: of the file, such as ``TZCYX``; empty for one picture.
        spacing: see `ipx.Raster`.
        kept: likewise.
    """

    pixels: Array
    alpha: Array | None
    dtype: str
    scale: float
    offset: float
    icc: bytes | None
    format: str
    sha256: str
    path: Path
    premultiplied: bool = False
    storage: Storage = Storage()
    axes: str = "CYX"
    order: str = ""
    spacing: tuple[float, ...] = ()
    kept: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stacked(self) -> bool:
        """True for a stack, whose pictures or volumes are restored one by one."""
        return self.axes.startswith("T")

    @property
    def shape(self) -> tuple[int, ...]:
        """``(C, H, W)``, or ``(C, D, H, W)``; of a stack that of each."""
        shape: tuple[int, ...] = self.pixels.shape
        return shape[1:] if self.stacked else shape

    def describe(self) -> dict[str, Any]:
        """The entry of a record: plain values, with the affine map and the sha256."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "format": self.format,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "scale": self.scale,
            "offset": self.offset,
            "alpha": self.alpha is not None,
            "icc": self.icc is not None,
            **({"axes": self.order, "pictures": len(self)} if self.order else {}),
            **({"spacing": list(self.spacing)} if self.spacing else {}),
        }

    def __len__(self) -> int:
        """The number of pictures or volumes in a stack, else 1."""
        return len(self.pixels) if self.stacked else 1


def read(
    path: str | os.PathLike[str],
    value_range: tuple[float, float] | None = None,
    *,
    absolute: bool = False,
    axes: str | None = None,
    stacks: bool = False,
) -> Picture:
    """Read an image file.

    Args:
        path: the file; its content determines the format.
        value_range: file values that become 0 and 1. By default: 0 and the largest value of the
            type for 8 and 16 unsigned bits; 0 and 1 for floats that all lie in [-2, 3], if some
            exceed `affine.DIM`; else the largest value, and 0 if the smallest is near it, for
            counts, or else the smallest.
        absolute: 0 in the file is 0 in ``pixels``, as the trait of an operator says. 1 is 1 for
            floats up to `affine.LARGEST` in size, if some exceed `affine.DIM`, else the largest
            size.
        axes: the meaning of the axes of a stack or a volume, such as ``ZYX``; by default what the
            file tells, see `ipx.files.axes`.
        stacks: read stacks and volumes, too, also without ``axes``.

    Raises:
        InputError: missing, empty, truncated, not an image, NaN, no pixels, a stack of unknown
            axes or where one picture is wanted, a wrong number of channels, ...; says what works.
        MemoryExhaustedError: the image does not fit in memory.
    """
    name = str(path)
    with reading(name):
        data = contents(path)
        spec = by_content(data, path)
        raster = codec.decode(spec, data, path, axes)
        if raster.axes and not (stacks or axes):
            raise InputError(f"{name}: is a stack or a volume, one picture is wanted; save a plane")
        samples = upright(raster.samples, raster.orientation)
        values = samples[..., : samples.shape[-1] - raster.alpha]
        scale, offset = affine(values, value_range, name, absolute)
        first = int(raster.axes.startswith("T"))
        pixels = _nominal(np.moveaxis(values, -1, first), scale, offset)
        alpha = np.ascontiguousarray(samples[..., -1]) if raster.alpha else None
        storage = _storage(raster, values)
    return Picture(
        pixels=pixels,
        alpha=alpha,
        dtype=values.dtype.name,
        scale=scale,
        offset=offset,
        icc=raster.icc,
        format=spec.name,
        sha256=digest(path, data),
        path=Path(path),
        premultiplied=raster.premultiplied,
        storage=storage.divided(scale),
        axes="T" * first + "C" + raster.axes.removeprefix("T") + "YX",
        order=raster.order,
        spacing=raster.spacing,
        kept=raster.kept,
    )


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Errors of the system in words."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{name}: is a folder, not an image file") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {one_line(error)}") from error
    except MemoryError as error:
        raise MemoryExhaustedError(f"{name}: does not fit in memory; cut it in parts") from error


def _storage(raster: Raster, values: Array) -> Storage:
    """How precisely the file stores; whole numbers are rounded."""
    storage = raster.storage.upright(raster.orientation)
    if not storage.errors and values.dtype.kind in "ui":
        storage = replace(storage, errors=(12**-0.5,))
    return storage


def _nominal(planes: Array, scale: float, offset: float) -> Array:
    """Values of a file in nominal [0, 1], as precise as they are."""
    wide = planes.dtype.itemsize > 4 or planes.dtype in (np.int32, np.uint32)
    work: npt.DTypeLike = np.float32 if planes.dtype in (np.uint8, np.uint16) else np.float64
    pixels = (planes.astype(work) - offset) / scale
    return np.ascontiguousarray(pixels, dtype=np.float64 if wide else np.float32)


def write(
    path: str | os.PathLike[str],
    pixels: Array,
    like: Picture | None = None,
    dtype: str | None = None,
) -> None:
    """Write ``pixels`` to an image file, whole or not at all; see `encoded`.

    Raises:
        InputError: as `encoded`, or the folder is missing or not writable.
    """
    write_atomic(path, encoded(path, pixels, like, dtype))


def encoded(
    path: str | os.PathLike[str],
    pixels: Array,
    like: Picture | None = None,
    dtype: str | None = None,
    axes: str | None = None,
) -> bytes:
    """The content of an image file with ``pixels``.

    Integers are clipped and rounded, floats are neither. The alpha of ``like`` is written too,
    resized (bilinear) if the size changed, and its profile if the number of channels is the same.

    Args:
        path: the file; its extension determines the format.
        pixels: ``(C, H, W)``, C 1, 3 or more than 4, in nominal [0, 1].
        like: the input whose depth, range, alpha and profile the output takes.
        dtype: type of the samples in place of that of ``like``; [0, 1] is then mapped to the full
            range of an unsigned integer, and unchanged for floats.
        axes: of ``pixels``, as in `Picture`; by default those of ``like``.

    Raises:
        InputError: the folder is missing or not writable; the format cannot hold this depth or
            alpha; ``pixels`` has NaN or a wrong shape.
    """
    spec, name = _target(path, like, dtype)
    pixels = np.asarray(pixels)
    axes = axes or ("CYX" if like is None else like.axes)
    if axes != "CYX" or (like is not None and like.order):
        return _encoded_stack(spec, path, pixels, like, (axes, name, dtype))
    if pixels.ndim != 3 or not is_image(pixels.shape[0]) or not pixels.size:
        raise InputError(
            f"{path}: an image is (1, H, W), (3, H, W) or ({FEWEST} or more, H, W), not "
            f"{pixels.shape}"
        )
    alpha = _keeps_alpha(path, spec, pixels.shape[0], like)
    scale, offset = map_of(None if like is None else (like.scale, like.offset), dtype, name)
    samples = samples_of(path, pixels, scale, offset, name)
    raster = Raster(samples)
    if like is not None and like.alpha is not None and alpha:
        plane = alpha_of(like.alpha, pixels.shape[1:], name)
        samples = np.concatenate([samples, plane[..., None]], axis=-1)
        raster = Raster(samples, alpha=True, premultiplied=like.premultiplied)
    if like is not None and like.shape[0] == pixels.shape[0]:
        raster = replace(raster, icc=like.icc)
    if like is not None and like.format == spec.name:
        raster = replace(raster, kept=like.kept, spacing=like.spacing)
    return codec.encode(spec, raster, path)


def _encoded_stack(
    spec: IOSpec,
    path: str | os.PathLike[str],
    pixels: Array,
    like: Picture | None,
    how: tuple[str, str, str | None],
) -> bytes:
    """The content of a file with a stack or a volume; ``how``: axes, sample type, type asked."""
    axes, name, dtype = how
    _check_stack(path, spec, axes)
    if pixels.ndim != len(axes) or not pixels.size:
        raise InputError(f"{path}: an image with axes {axes} has not the shape {pixels.shape}")
    _check_finite(path, pixels)
    scale, offset = map_of(None if like is None else (like.scale, like.offset), dtype, name)
    wide = np.dtype(name).kind != "f" and np.dtype(name).itemsize > 2
    planes = np.moveaxis(pixels.astype(np.float64) if wide else pixels, axes.index("C"), -1)
    samples = as_type(planes * scale + offset, name)
    told: dict[str, Any] = {} if like is None else {"order": like.order, "spacing": like.spacing}
    if like is not None and like.format == spec.name:
        told["kept"] = like.kept
    return codec.encode(spec, Raster(samples, axes=axes[:-2].replace("C", ""), **told), path)


def _check_finite(path: str | os.PathLike[str], pixels: Array) -> None:
    if not np.isfinite(pixels).all():
        raise InputError(f"{path}: not written, the image has values that are NaN or infinite")


def _check_stack(path: str | os.PathLike[str], spec: IOSpec, axes: str) -> None:
    if axes != "CYX" and not spec.stacks:
        able = listing([s.suffixes[0] for s in formats() if s.stacks and s.dtypes][:2], "or")
        raise InputError(f"{path}: {label(spec)} holds no stacks and volumes; write {able}")


def output_type(
    path: str | os.PathLike[str], like: Picture | None = None, dtype: str | None = None
) -> tuple[str, str]:
    """The format and the sample type that `write` will use; call it before a long computation.

    Raises:
        InputError: as `write`, except for what depends on the pixels.
    """
    spec, name = _target(path, like, dtype)
    return spec.name, name


def written_format(path: Path) -> IOSpec:
    """The format that a file of this name will have.

    Raises:
        InputError: no format has this extension, or it is only read.
    """
    spec = by_suffix(path)
    if spec is None:
        ending = f"unknown extension {path.suffix!r}" if path.suffix else "no extension"
        written = (suffix for suffix, s in suffixes().items() if s.dtypes)
        raise InputError(f"{path}: {ending}; ipx writes {', '.join(written)}")
    if not spec.dtypes:
        raise InputError(f"{path}: {label(spec)} is only read; write {others()}")
    return spec


def _target(
    path: str | os.PathLike[str], like: Picture | None, dtype: str | None
) -> tuple[IOSpec, str]:
    """The declaration of the format, and the sample type."""
    target = Path(path)
    spec = written_format(target)
    name = dtype or (like.dtype if like is not None else spec.dtypes[0])
    if not any(name in s.dtypes for s in formats()):
        raise InputError(f"{target}: {name} samples cannot be written; use uint8, uint16, float32")
    if name not in spec.dtypes:
        allowed = " or ".join(spec.dtypes)
        raise InputError(
            f"{target}: {label(spec)} cannot hold {name} samples; "
            f"write {others(name)}, or ask for {allowed} with dtype (--dtype)"
        )
    if like is not None and (like.axes != "CYX" or like.order):
        _check_stack(target, spec, like.axes)
    elif like is not None:
        _keeps_alpha(target, spec, like.shape[0], like)
    check_folder(target)
    return spec, name


def _keeps_alpha(
    path: str | os.PathLike[str], spec: IOSpec, colours: int, like: Picture | None
) -> bool:
    """True if the alpha of ``like`` is written; False if there is none, or it is opaque.

    Raises:
        InputError: the format cannot hold the image.
    """
    plain = layout_of(colours, False)
    what = "grey" if colours == 1 else "colour" if colours == 3 else f"{colours} bands"
    if plain not in spec.layouts:
        raise InputError(f"{path}: {label(spec)} cannot hold {what}; write {others('', plain)}")
    if like is None or like.alpha is None:
        return False
    layout = layout_of(colours, True, like.premultiplied)
    if layout in spec.layouts:
        return True
    if (like.alpha == opaque(like.alpha)).all():
        return False
    if like.premultiplied and layout.upper() in spec.layouts:
        what = "premultiplied alpha"
    elif any(name != name.rstrip("Aa") for name in spec.layouts):
        what = f"{what} with alpha"
    else:
        what = "alpha"
    raise InputError(f"{path}: {label(spec)} cannot hold {what}; write {others('', layout)}")


def bundled(subject: Literal["photograph", "face", "digit"] = "photograph") -> Picture:
    """A bundled image: a ``photograph`` of 256x256, a ``face`` of 64x64, a grey ``digit`` of 32x32.

    Sources and licences are in assets/README.md.
    """
    files = {"photograph": "astronaut.png", "face": "face.png", "digit": "digit.png"}
    name = files[subject]
    return read(Path(__file__).parents[1] / "assets" / name)
