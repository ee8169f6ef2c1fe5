"""Image files for the tests, written and read without ipx."""

import struct
import zlib

import imagecodecs
import numpy as np
import tifffile

PNG = b"\x89PNG\r\n\x1a\n"
UNSIGNED = ("uint8", "uint16")


def some(shape, dtype, seed=0):
    """Random samples over the whole range of the type, ends included."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        values = rng.random(shape).astype(dtype)
        values.flat[:2] = -0.25, 1.25
        return values
    info = np.iinfo(dtype)
    values = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    values.flat[:2] = info.min, info.max
    return values


def chunk(kind, body):
    body = kind + body
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


IEND = chunk(b"IEND", b"")


def png_of(samples, before=b"", after=b""):
    """A PNG with extra chunks before and after the pixels."""
    data = imagecodecs.png_encode(np.ascontiguousarray(samples))
    return data[:33] + before + data[33:-12] + after + data[-12:]


def save(path, samples, **tiff):
    """Write with the codec libraries directly, not with ipx."""
    if path.suffix == ".png":
        path.write_bytes(png_of(samples))
    elif path.suffix == ".npy":
        np.save(path, samples)
    else:
        wide = samples.ndim == 3
        alpha = wide and samples.shape[2] in (2, 4)
        tifffile.imwrite(
            path,
            samples,
            **{
                "photometric": "rgb" if wide and samples.shape[2] > 2 else "minisblack",
                "planarconfig": "contig" if wide else None,
                "extrasamples": ["unassalpha"] if alpha else None,
                "metadata": None,
            }
            | tiff,
        )
    return path


def stored(path):
    """The samples in a file, by the codec libraries directly."""
    if path.suffix == ".png":
        return imagecodecs.png_decode(path.read_bytes())
    return np.load(path) if path.suffix == ".npy" else tifffile.imread(path)
