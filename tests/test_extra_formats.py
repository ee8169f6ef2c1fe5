"""HDF5, FITS, DICOM and OME-Zarr: what the contract kit does not know of them."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ipx
from command_line import call
from ipx.files import images, large

VOLUME = np.random.default_rng(0).integers(0, 60000, (4, 8, 6)).astype(np.uint16)


def test_hdf5_keeps_axes_and_spacing(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path, out = tmp_path / "a.h5", tmp_path / "b.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("measured/volume", data=VOLUME)
        made.attrs["axes"], made.attrs["spacing"] = "ZYX", (0.3, 0.1, 0.1)
    picture = images.read(path, stacks=True)
    assert (picture.axes, picture.spacing) == ("CZYX", (0.3, 0.1, 0.1))
    images.write(out, picture.pixels, picture)
    assert images.read(out, stacks=True).spacing == picture.spacing
    with h5py.File(out) as file:
        assert np.array_equal(file["image"][()], VOLUME)
    with h5py.File(path, "a") as file:
        file["other"] = VOLUME
    with pytest.raises(ipx.InputError, match="has the datasets measured/volume, other"):
        images.read(path, stacks=True)


def test_fits_keeps_its_header(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    path, out = tmp_path / "a.fits", tmp_path / "b.fits"
    header = fits.Header({"OBJECT": "M 51", "CRVAL1": 202.47, "CTYPE1": "RA---TAN"})
    fits.PrimaryHDU(np.linspace(0, 9, 48, dtype=np.float32).reshape(8, 6), header).writeto(path)
    picture = images.read(path, stacks=True)
    images.write(out, picture.pixels, picture)
    with fits.open(out) as units:
        assert (units[0].header["OBJECT"], units[0].header["CRVAL1"]) == ("M 51", 202.47)
        assert np.allclose(units[0].data, fits.getdata(path), rtol=1e-6)
    fits.PrimaryHDU(VOLUME).writeto(tmp_path / "cube.fits")
    with pytest.raises(ipx.InputError, match="say --axes TYX"):
        images.read(tmp_path / "cube.fits")
    assert images.read(tmp_path / "cube.fits", axes="ZYX").shape == (1, 4, 8, 6)


def dicom(frames: int = 1) -> bytes:
    """A grey image of 12 bits."""
    pydicom = pytest.importorskip("pydicom")
    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    made.Rows, made.Columns, made.SamplesPerPixel = 8, 6, 1
    made.PhotometricInterpretation, made.PixelRepresentation = "MONOCHROME2", 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 16, 15
    made.PixelSpacing, made.SliceThickness = [0.5, 0.5], 2.0
    if frames > 1:
        made.NumberOfFrames = frames
    made.PixelData = VOLUME[:frames].tobytes()
    out = io.BytesIO()
    pydicom.dcmwrite(out, made, enforce_file_format=True)
    return out.getvalue()


def test_compressed_fits_is_read(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    pixels = np.random.default_rng(0).integers(0, 100, (64, 64), np.int16)
    path = tmp_path / "a.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels)]).writeto(path)
    found = images.read(path, value_range=(0, 100))
    assert np.allclose(100 * found.pixels[0], pixels, atol=1e-3)


def test_dicom_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(dicom())
    picture = images.read(path, stacks=True)
    assert np.array_equal(np.rint(picture.pixels[0] * 65535), VOLUME[0])
    assert picture.spacing == (500.0, 500.0)
    path.write_bytes(dicom(4))
    assert images.read(path, axes="ZYX").spacing == (2000.0, 500.0, 500.0)
    with pytest.raises(ipx.InputError, match="DICOM is only read"):
        images.write(tmp_path / "b.dcm", picture.pixels, picture)


def test_zarr_keeps_axes_and_spacing(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    path, out = tmp_path / "a.npz", tmp_path / "a.ozx"
    np.savez(path, image=VOLUME, axes="ZYX", spacing=(0.3, 0.1, 0.1))
    picture = images.read(path, stacks=True)
    images.write(out, picture.pixels, picture)
    again = images.read(out, stacks=True)
    assert np.array_equal(again.pixels, picture.pixels)
    assert (again.format, again.order, again.spacing) == ("zarr", "ZYX", (0.3, 0.1, 0.1))


@pytest.mark.parametrize(("axes", "shape"), [("YX", (300, 70)), ("TCYX", (1, 3, 300, 70))])
def test_zarr_is_restored_by_windows(tmp_path: Path, axes: str, shape: tuple[int, ...]) -> None:
    zarr = pytest.importorskip("zarr")
    source, out, whole = (tmp_path / name for name in ("a.ozx", "tiles.ozx", "whole.ozx"))
    pixels = np.random.default_rng(0).integers(0, 65536, shape, np.uint16)
    named = [{"name": a.lower(), "type": "space", "unit": "micrometer"} for a in axes]
    scale = {"type": "scale", "scale": [1.0, 1.0, 0.5, 0.5][-len(axes) :]}
    told = [{"axes": named, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}]
    store = zarr.storage.ZipStore(source, mode="w")
    group = zarr.open_group(store, mode="w", attributes={"ome": {"multiscales": told}})
    group.create_array("0", data=pixels, chunks=tuple(min(n, 32) for n in shape))
    store.close()
    with large.opened(source) as picture:
        assert picture is not None
        assert picture.held < pixels.nbytes  # a row of chunks
        rows = picture.samples(20, 50)
    assert np.array_equal(rows, np.moveaxis(pixels.reshape(-1, 300, 70), 0, -1)[20:50])
    words = ("--lam", "0.1", "--noise.sigma", "0.1", "--prior", "smooth")
    assert call("solve", source, *words, "--tile", "160", "-o", out).exit_code == 0
    assert call("solve", source, *words, "-o", whole).exit_code == 0
    found, wanted = (images.read(path, stacks=True) for path in (out, whole))
    assert found.spacing == wanted.spacing == (0.5, 0.5)
    assert np.abs(found.pixels - wanted.pixels).max() < 1e-3
    store = zarr.storage.ZipStore(out, mode="r")
    assert zarr.open_group(store, mode="r")["0"].chunks[-2:] == (256, 70)
    store.close()


def test_a_zarr_folder_is_one_image(tmp_path: Path) -> None:
    """Alone, among others, as a truth; it is not written."""
    zarr = pytest.importorskip("zarr")
    volume = (tmp_path / "in/v.zarr").absolute()
    pixels = np.random.default_rng(0).random((4, 12, 10), np.float32)
    scale = {"type": "scale", "scale": [0.3, 0.1, 0.1]}
    named = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    told = [{"axes": named, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}]
    group = zarr.open_group(volume, mode="w", attributes={"ome": {"multiscales": told}})
    group.create_array("0", data=pixels, chunks=(1, 8, 8))
    read = images.read(volume, stacks=True)
    assert (read.format, read.order, read.spacing) == ("zarr", "ZYX", (0.3, 0.1, 0.1))
    assert np.array_equal(read.pixels[0], pixels)
    assert images.sha256(volume) == read.sha256
    images.write(tmp_path / "in/a.png", pixels[:1], dtype="uint8")
    words = ("--lam", "0.1", "--noise.sigma", "0.1", "--prior", "smooth")
    done = call("solve", volume, *words, "--truth", volume)
    assert done.exit_code == 0, done.output
    out = volume.with_name("v-restored.ozx")
    found = images.read(out, stacks=True)
    assert (found.order, found.spacing) == ("ZYX", (0.3, 0.1, 0.1))
    out.unlink()
    Path(f"{out}.json").unlink()
    assert call("solve", tmp_path / "in", *words, "-o", tmp_path / "out").exit_code == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"a.png", "v.ozx", "v.ozx.json"}
    again = images.read(tmp_path / "out/v.ozx", stacks=True)
    assert np.array_equal(again.pixels, found.pixels)
    rest = call("solve", tmp_path / "in", *words, "-o", tmp_path / "out", "--resume")
    assert rest.exit_code == 0
    assert rest.output.count("done before") == 2, rest.output
    pattern = call("solve", tmp_path / "in/*.zarr", *words, "-o", tmp_path / "matching")
    assert pattern.exit_code == 0, pattern.output
    refused = call("solve", volume, *words, "-o", tmp_path / "b.zarr")
    assert refused.exit_code == 3
    assert "unknown extension '.zarr'" in refused.output
    assert call("explain", volume).exit_code == 0
    zarr.open_array(tmp_path / "plain.zarr", mode="w", shape=(8, 8), dtype="f4")[:] = 1
    with pytest.raises(ipx.InputError, match="single array of Zarr"):
        images.read(tmp_path / "plain.zarr")


@pytest.mark.parametrize(
    ("start", "library", "extra"),
    [
        (b"\x89HDF\r\n\x1a\n", "h5py", "hdf5"),
        (b"SIMPLE  =" + bytes(99), "astropy.io", "fits"),
        (bytes(128) + b"DICM", "pydicom", "dicom"),
        (b"PK\x03\x04" + bytes(99), "zarr", "zarr"),
    ],
)
def test_a_missing_library_is_said(
    tmp_path: Path, monkeypatch: Any, start: bytes, library: str, extra: str
) -> None:
    path = tmp_path / ("a.ozx" if extra == "zarr" else "a.bin")
    path.write_bytes(start)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ipx.MissingExtraError, match=f", or the extra {extra} of ipx-toolbox"):
        images.read(path, stacks=True)
