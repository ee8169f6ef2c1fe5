"""The pictures that the pages of the repository show: ``python -m _site.pictures`` makes them.

They are committed, so that the pages have them without the site.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from skimage import data, img_as_float

import ipx
from ipx.files.panel import panel

FOLDER = Path(__file__).parents[1] / "pictures"
NOISE = {"name": "gaussian", "sigma": 0.02}
BLUR = {"name": "blur", "sigma": 2.0}


def shown(name: str, truth: Any, op: Any, noise: Any, priors: Sequence[str]) -> None:
    """Write ``docs/pictures/NAME.png``: the truth, the data, and the results with some priors."""
    y = ipx.degrade(truth, op=op, noise=noise)
    columns = [("truth", truth, "")]
    before = ipx.solve(y, op=op, noise=noise, prior="smooth", lam=1e-6, iterations=1).before
    columns.append(("data", np.moveaxis(before[0].numpy(), 0, -1), ""))
    for prior in priors:
        x = ipx.restore(y, op=op, noise=noise, prior=prior)
        columns.append((prior, x, f"{float(ipx.psnr(x, truth)):.2f} dB"))
    FOLDER.mkdir(exist_ok=True)
    channels = [(t, np.moveaxis(np.atleast_3d(x), -1, 0), s) for t, x, s in columns]
    panel(FOLDER / f"{name}.png", channels)


def main() -> None:
    """Write all pictures."""
    camera = img_as_float(data.camera())[80:208, 190:318]
    text = img_as_float(data.page())[20:148, 60:188]
    coins = img_as_float(data.coins())[60:188, 20:148]
    holes = {"name": "inpaint", "missing": 0.6}
    shown("which_photograph", camera, BLUR, NOISE, ("tv", "bm3d", "drunet"))
    shown("which_text", text, BLUR, NOISE, ("tv", "bm3d", "drunet"))
    shown("which_holes", coins, holes, NOISE, ("tv", "bm3d", "drunet"))


if __name__ == "__main__":
    main()
