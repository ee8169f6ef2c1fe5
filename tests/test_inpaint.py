"""Inpainting: masks, holes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch

import ipx
from ipx_plugins.inpaint.operator import Inpaint
from small_operators import MASKS, noise_like


def test_masks() -> None:
    x = noise_like((3, 60, 80))
    pixels = Inpaint((3, 60, 80), missing=0.6)
    assert pixels.known(x).shape == (1, 60, 80)
    assert float(pixels.known(x).double().mean()) == pytest.approx(0.4, abs=0.03)
    values = Inpaint((3, 60, 80), kind="values", missing=0.2)
    assert values.known(x).shape == (3, 60, 80)
    assert float(values.known(x).double().mean()) == pytest.approx(0.8, abs=0.02)
    box = Inpaint((3, 60, 80), kind="box", box=(10, 20), position=(5, 6)).known(x)[0]
    assert int((~box).sum()) == 200
    assert not box[5, 6]
    assert not box[14, 25]
    assert not Inpaint((1, 9, 9), kind="box").known(x)[0, 4, 4]
    for kind in ("scratches", "text"):
        share = float(Inpaint((1, 60, 80), kind=kind).known(x).double().mean())
        assert 0.5 < share < 0.98
    for kind in MASKS:
        one, two = (Inpaint((3, 30, 30), kind=kind, seed=4).known(x) for _ in range(2))
        assert torch.equal(one, two)
    assert not torch.equal(pixels.known(x), Inpaint((3, 60, 80), seed=1).known(x))
    assert bool(Inpaint((1, 4, 4), missing=0.0).known(x).all())


def test_nothing_comes_out_of_a_hole() -> None:
    operator = Inpaint((1, 8, 8))
    x = noise_like((1, 8, 8))
    x[:, ~operator.known(x)] = torch.nan
    assert bool(operator(x).isfinite().all())
    assert torch.equal(operator.preview(operator(x)), operator(x))


def test_mask_files(tmp_path: Path) -> None:
    known = np.random.default_rng(0).random((6, 7)) > 0.4
    (tmp_path / "m.png").write_bytes(imagecodecs.png_encode(known.astype(np.uint8) * 255))
    opaque = np.dstack([known * 255] * 3 + [np.full((6, 7), 255)]).astype(np.uint8)
    (tmp_path / "rgba.png").write_bytes(imagecodecs.png_encode(opaque))
    tifffile.imwrite(tmp_path / "m.tif", known.astype(np.uint8))
    np.save(tmp_path / "m.npy", known)
    x = noise_like((2, 6, 7))
    for name in ("m.png", "rgba.png", "m.tif", "m.npy"):
        mask = Inpaint((2, 6, 7), mask=tmp_path / name).known(x)
        assert np.array_equal(mask.numpy(), known[None])
    each = np.stack([known, ~known])
    np.save(tmp_path / "each.npy", each)
    assert np.array_equal(Inpaint((2, 6, 7), mask=tmp_path / "each.npy").known(x).numpy(), each)


def test_errors_of_inpaint(tmp_path: Path) -> None:
    np.save(tmp_path / "none.npy", np.zeros((6, 7)))
    np.save(tmp_path / "nan.npy", np.full((6, 7), np.nan))
    np.save(tmp_path / "size.npy", np.ones((6, 8)))
    cases = {
        "none.npy": "leaves nothing known",
        "nan.npy": "not finite",
        "size.npy": "is 6 x 8 pixels, the picture 6 x 7",
        "absent.png": "there is no mask file",
        "mask.gif": "use PNG, TIFF, NPY",
    }
    for name, words in cases.items():
        with pytest.raises(ipx.InputError, match=words):
            Inpaint((1, 6, 7), mask=tmp_path / name)
    with pytest.raises(ipx.OptionError, match="needs a mask file"):
        Inpaint((1, 6, 7), kind="file")
    with pytest.raises(ipx.ShapeError, match="does not fit into a picture of 6 x 7"):
        Inpaint((1, 6, 7), kind="box", box=(7, 7))
    with pytest.raises(ipx.InputError, match="leaves nothing known"):
        Inpaint((1, 6, 7), missing=1.0)
    with pytest.raises(ipx.OptionError, match="missing must be"):
        Inpaint((1, 6, 7), missing=1.2)
