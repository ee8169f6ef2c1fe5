"""WebP through Pillow."""

from __future__ import annotations

import io

from PIL import Image

from ipx import Format, Raster
from ipx_plugins.formats.common import with_pillow


class WebP(Format):
    """WebP, written losslessly."""

    def decode(self, data: bytes) -> Raster:
        """The picture, 8 bits, RGB or RGBA."""
        return with_pillow(data, "WEBP")

    def encode(self, raster: Raster) -> bytes:
        """A lossless file; ``exact`` keeps the colours of transparent pixels."""
        out = io.BytesIO()
        image = Image.fromarray(raster.packed)
        image.save(out, "WEBP", lossless=True, exact=True, icc_profile=raster.icc)
        return out.getvalue()
