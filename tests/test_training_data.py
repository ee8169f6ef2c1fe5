"""The pictures of a training: crops, tiles, arrays, what is held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ipx.errors import InputError, UsageError
from ipx.training import Data
from ipx.training.data import Pictures


def data(folder: Path, **values: object) -> Data:
    return Data(**{"data": folder, "crop": 8, "hold_out": ("03", "1?"), **values})


def test_crops_are_in_proportion_to_area(tmp_path: Path) -> None:
    for name, side, level in (("a", 10, 0), ("b", 20, 100), ("c", 20, 200)):
        pixels = np.full((side, side), level, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "too-small.png")
    few = {"data": tmp_path, "crop": 6, "hold_out": ("a",)}
    both = Pictures(Data(**few), 1).batch(0, 0, 4000)[:, 0, 0, 0]
    assert float((both == 100).float().mean()) == pytest.approx(0.5, abs=0.04)
    some = Pictures(Data(**few, limit=("b=0.2",)), 1).batch(0, 0, 4000)[:, 0, 0, 0]
    assert float((some == 100).float().mean()) == pytest.approx(0.2, abs=0.03)
    rest = {**few, "hold_out": ("c",)}
    share = Pictures(Data(**rest), 1).batch(0, 0, 4000)[:, 0, 0, 0]
    assert float((share == 0).float().mean()) == pytest.approx(0.2, abs=0.03)
    for wrong in ("b", "b=2", "z=0.5", "*=0.5"):
        with pytest.raises(UsageError, match="limit"):
            Pictures(Data(**few, limit=(wrong,)), 1)
    with pytest.raises(UsageError, match="hold-out z"):
        Pictures(Data(**{**few, "hold_out": ("z",)}), 1)
    with pytest.raises(InputError, match="no image of at least 64"):
        Pictures(Data(data=tmp_path), 1)


def test_processes_share_a_batch(folder: Path) -> None:
    pictures = Pictures(data(folder), 1)
    whole = pictures.batch(3, 7, 6)
    parts = [pictures.batch(3, 7, 6, rank, 2) for rank in (0, 1)]
    assert torch.equal(whole[0::2], parts[0])
    assert torch.equal(whole[1::2], parts[1])
    assert not torch.equal(whole, pictures.batch(3, 8, 6))


def test_the_last_many_are_held_out(folder: Path) -> None:
    assert [n for n, _ in Pictures(data(folder, hold_out=("last:2",)), 1).held] == [
        "10.png",
        "11.png",
    ]
    assert [n for n, _ in Pictures(data(folder, hold_out=()), 1).held] == ["11.png"]
    left = Pictures(data(folder, exclude=("00", "1?.png"), hold_out=("03",)), 1)
    assert len(left.train) == 8


def test_tiles(tmp_path: Path) -> None:
    mosaic = np.zeros((16, 24, 3), np.uint8)
    for i in range(5):  # the sixth stays black
        top, left = 8 * (i // 3), 8 * (i % 3)
        mosaic[top : top + 8, left : left + 8] = (i + 1, 50, 100)
    Image.fromarray(mosaic).save(tmp_path / "m.webp", lossless=True)
    found = Pictures(Data(data=tmp_path, crop=8, tiles=8, hold_out=("last:1",)), 3)
    assert [int(p[0, 0, 0]) for _, p in found.train] == [1, 2, 3, 4]
    assert [int(p[0, 0, 0]) for _, p in found.held] == [5]
    assert found.train[0][1].shape == (3, 8, 8)
    with pytest.raises(InputError, match="no mosaic of tiles of 7"):
        Pictures(Data(data=tmp_path, crop=7, tiles=7), 3)


def test_arrays_and_colours(tmp_path: Path) -> None:
    colour = np.zeros((4, 9, 8, 3), np.uint8)
    colour[..., 1] = 100
    np.savez(tmp_path / "a.npz", colour)
    np.save(tmp_path / "b.npy", (colour / 255.0).astype(np.float32).transpose(0, 3, 1, 2))
    for name in ("a.npz", "b.npy"):
        read = {"data": tmp_path / name, "crop": 8, "hold_out": ("last:1",)}
        assert Pictures(Data(**read), 3).train[0][1][:, 0, 0].tolist() == [0, 100, 0]
        assert Pictures(Data(**read), 1).train[0][1][:, 0, 0].tolist() == [59]  # 0.587 x 100
    np.save(tmp_path / "c.npy", np.zeros((4, 9, 8)) + 0.5)
    read = {"data": tmp_path / "c.npy", "crop": 8, "hold_out": ("last:1",)}
    assert Pictures(Data(**read), 3).train[0][1][:, 0, 0].tolist() == [128] * 3
    np.save(tmp_path / "d.npy", np.zeros((4, 9, 8), np.int32))
    np.save(tmp_path / "e.npy", np.array([{}]), allow_pickle=True)
    for name, why in (("d.npy", "int32"), ("e.npy", "cannot be read"), ("f.txt", "neither")):
        with pytest.raises(InputError, match=why):
            Pictures(Data(data=tmp_path / name, crop=8), 1)


def test_turned_and_mirrored(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for name in "ab":
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    for how, many in (("all", 8), ("mirror", 2), ("none", 1)):
        told = Data(data=tmp_path, crop=8, augment=how, hold_out=("a",))
        crops = Pictures(told, 1).batch(0, 0, 100)
        assert len({c.numpy().tobytes() for c in crops}) == many


def test_shrunk_crops_are_means(tmp_path: Path) -> None:
    pixels = np.tile(np.array([[0, 100], [100, 200]], np.uint8), (16, 16))
    for name in "ab":
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    told = Data(data=tmp_path, crop=8, shrink=1.0, hold_out=("a",))
    crops = Pictures(told, 1).batch(0, 0, 20)
    assert crops.shape == (20, 1, 8, 8)
    assert set(crops.unique().tolist()) <= {100}
