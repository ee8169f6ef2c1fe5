"""JPEG through Pillow, which rejects truncated files; libjpeg fills them with grey."""

from __future__ import annotations

import io

from PIL import Image

from ipx import Format, Raster
from ipx_plugins.formats.common import with_pillow


class JPEG(Format):
    """JPEG, and the first picture of an MPO."""

    def decode(self, data: bytes) -> Raster:
        """The picture, 8 bits, grey or RGB."""
        return with_pillow(data, "JPEG", "MPO")

    def encode(self, raster: Raster) -> bytes:
        """A file with quality 95 and no chroma subsampling."""
        out = io.BytesIO()
        image = Image.fromarray(raster.packed)
        image.save(out, "JPEG", quality=95, subsampling=0, icc_profile=raster.icc)
        return out.getvalue()
