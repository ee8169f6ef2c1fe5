"""A plugin with a file format of its own: PGM and PPM."""

from ipx import IOSpec, hookimpl


@hookimpl
def ipx_components():
    return [
        IOSpec(
            name="netpbm",
            target="netpbm_format:Netpbm",
            summary="Binary PGM and PPM, 8 and 16 bits.",
            suffixes=(".ppm", ".pgm"),
            dtypes=("uint8", "uint16"),
            layouts=("L", "RGB"),
            magic=rb"P[56]\s",
        )
    ]
