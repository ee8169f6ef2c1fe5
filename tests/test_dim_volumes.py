"""Dim volumes of a camera: 16 bits, an offset, few photons; what is shown and told of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ipx.files import panel
from ipx.files.planes import sections
from ipx.report.pictures import Shown, drawn, gain_of


def boxes(depth: int = 8, side: int = 16) -> np.ndarray[Any, Any]:
    """A volume of two bright boxes on a dark ground."""
    x = np.full((depth, side, side), 0.1, np.float32)
    x[2:5, 3:9, 4:11] = 0.8
    x[4:7, 8:14, 2:6] = 0.5
    return x


def test_dim_volumes_are_shown_in_the_scale_of_their_data() -> None:
    """The rows between the sections count neither for brightness nor for false colours."""
    dim = sections(boxes()[None] / 300)
    assert gain_of([Shown("a", "A", dim)]) == pytest.approx(300 / 0.8, rel=1e-3)
    (signed,) = drawn([Shown("b", "B", dim, "signed")])
    assert signed.scale is not None
    assert signed.scale[1] == pytest.approx(0.8 / 300, rel=1e-3)
    sheet = np.asarray(Image.open(io.BytesIO(panel.drawn("p.png", [("", dim, "")]))))
    inner = sheet[:, sheet.shape[1] // 2, 0]
    assert {int(v) for v in inner} >= {panel.NO_VALUE, 255, round(255 * 0.1 / 0.8)}
