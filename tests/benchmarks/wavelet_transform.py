"""The orthonormal periodised transform, db4, 4 levels, 16 x 512x512 float32, against PyWavelets."""

from __future__ import annotations

import pywt
import torch
from common import interleaved, publish

from ipx_plugins.wavelet.decimated import Decimated


def main() -> None:
    """Both directions, in turn."""
    x = torch.randn(16, 1, 512, 512, generator=torch.Generator().manual_seed(0))
    ours = Decimated((1, 512, 512), wavelet="db4", levels=4)
    c, plain = ours.forward(x), x.numpy()
    theirs = pywt.wavedec2(plain, "db4", mode="periodization", level=4)
    ms = interleaved(
        {
            "forward": lambda: ours.forward(x),
            "forward, PyWavelets": lambda: pywt.wavedec2(
                plain, "db4", mode="periodization", level=4
            ),
            "inverse": lambda: ours.adjoint(c),
            "inverse, PyWavelets": lambda: pywt.waverec2(theirs, "db4", mode="periodization"),
        }
    )
    rows = [
        f"| {way} | {ms[way]:.1f} | {ms[f'{way}, PyWavelets']:.1f} "
        f"| {ms[way] / ms[f'{way}, PyWavelets']:.2f} |"
        for way in ("forward", "inverse")
    ]
    table = f"{__doc__}\n\n| direction | ipx, ms | PyWavelets, ms | ratio |\n|---|---|---|---|\n"
    publish("wavelet_transform", "The wavelet transform", table + "\n".join(rows), ("pywavelets",))


if __name__ == "__main__":
    main()
