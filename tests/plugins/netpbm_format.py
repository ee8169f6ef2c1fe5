"""PGM and PPM, the work."""

import re

import numpy as np

from ipx import Format, InputError, Raster

HEAD = re.compile(rb"P([56])\s+(\d+)\s+(\d+)\s+(\d+)\s")


class Netpbm(Format):
    def decode(self, data: bytes) -> Raster:
        head = HEAD.match(data)
        if head is None:
            raise InputError("has no header of a PGM or PPM file")
        kind, width, height, top = map(int, head.groups())
        if top not in (255, 65535):
            raise InputError(f"has values up to {top}; save it with 8 or 16 bits")
        channels = 3 if kind == 6 else 1
        dtype = np.dtype(">u2" if top > 255 else "u1")
        samples = np.frombuffer(data, dtype, height * width * channels, head.end())
        return Raster(samples.reshape(height, width, channels))

    def encode(self, raster: Raster) -> bytes:
        height, width, channels = raster.samples.shape
        top = np.iinfo(raster.samples.dtype).max
        head = f"P{6 if channels == 3 else 5} {width} {height} {top}\n"
        return head.encode() + raster.samples.astype(">u2" if top > 255 else "u1").tobytes()
