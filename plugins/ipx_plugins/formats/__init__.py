"""File formats: PNG, TIFF, JPEG, NPY, NPZ, WebP."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import IOSpec, hookimpl

REALS = ("float32", "float16", "float64")
WHOLE = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")


@hookimpl
def ipx_components() -> Iterable[IOSpec]:
    """The formats, in the order in which error messages propose them."""
    return [
        IOSpec(
            name="png",
            target="ipx_plugins.formats.png:PNG",
            summary="8 and 16 bits, alpha, colour profile; reads palettes and 1 to 4 bits.",
            suffixes=(".png",),
            dtypes=("uint8", "uint16"),
            layouts=("L", "LA", "RGB", "RGBA"),
            magic=rb"\x89PNG\r\n\x1a\n",
            source="W3C, Portable Network Graphics (PNG) Specification",
        ),
        IOSpec(
            name="tiff",
            target="ipx_plugins.formats.tiff:TIFF",
            summary="Integers of 8 to 64 bits, floats of 16 to 64, alpha, colour profile.",
            suffixes=(".tif", ".tiff"),
            dtypes=REALS + WHOLE,
            layouts=("L", "LA", "La", "RGB", "RGBA", "RGBa", "bands"),
            magic=rb"II[*+]\0|MM\0[*+]",
            stacks=True,
            source="Adobe, TIFF Revision 6.0 (1992); BigTIFF",
        ),
        IOSpec(
            name="jpeg",
            target="ipx_plugins.formats.jpeg:JPEG",
            summary="8 bits, colour profile; written with quality 95 and full chroma.",
            suffixes=(".jpg", ".jpeg"),
            dtypes=("uint8",),
            layouts=("L", "RGB"),
            magic=rb"\xff\xd8\xff",
            lossless=False,
            source="ITU-T T.81 (1992), T.871 (JFIF)",
        ),
        IOSpec(
            name="npy",
            target="ipx_plugins.formats.npy:NPY",
            summary="A NumPy array (H, W) or (H, W, C): grey, colour, with alpha, many bands.",
            suffixes=(".npy",),
            dtypes=REALS + WHOLE,
            layouts=("L", "RGB", "RGBA", "bands"),
            magic=rb"\x93NUMPY",
            viewable=False,
            complex=True,
            stacks=True,
            source="NumPy, numpy.lib.format",
        ),
        IOSpec(
            name="npz",
            target="ipx_plugins.formats.npz:NPZ",
            summary="A NumPy array named image, with axes and pixel size of stacks and volumes.",
            suffixes=(".npz",),
            dtypes=REALS + WHOLE,
            layouts=("L", "RGB", "RGBA", "bands"),
            magic=rb"PK\x03\x04",
            viewable=False,
            stacks=True,
            source="NumPy, numpy.lib.format",
        ),
        IOSpec(
            name="webp",
            target="ipx_plugins.formats.webp:WebP",
            summary="8 bits in colour, alpha, colour profile; written losslessly.",
            suffixes=(".webp",),
            dtypes=("uint8",),
            layouts=("RGB", "RGBA"),
            magic=rb"RIFF....WEBP",
            lossless=False,
            source="RFC 9649",
        ),
    ]
