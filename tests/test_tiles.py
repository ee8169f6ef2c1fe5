"""Images restored in tiles: geometry, seams, files read and written by rows, memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

import ipx
from command_line import call
from ipx.errors import MemoryExhaustedError, OptionError, UsageError
from ipx.files import images, large
from ipx.planning.settings import SolveSettings, bytes_in
from ipx.solving import cost
from ipx.solving.tile_cost import response
from ipx.solving.tiles import Cost, spans, tiled

BLUR: dict[str, Any] = {"name": "blur", "sigma": 1.0}
FREE = Cost(lambda h, w: float(h * w), 0.0, 0.0)


@pytest.fixture(scope="module")
def truth() -> np.ndarray[Any, Any]:
    """96 x 80, grey."""
    return images.bundled().pixels[1, 60:156, 80:160]


@pytest.fixture(scope="module")
def data(truth: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The truth blurred, with noise of 0.02."""
    noise = {"name": "gaussian", "sigma": 0.02}
    return np.asarray(ipx.degrade(truth, op=BLUR, noise=noise, seed=1))


# ---------------------------------------------------------------- geometry


@pytest.mark.parametrize("length", [16, 33, 49, 100, 513])
@pytest.mark.parametrize("reach", [0, 5, 40])
@pytest.mark.parametrize("factor", [1, 2])
def test_weights_of_the_tiles_add_up_to_one(length: int, reach: int, factor: int) -> None:
    total = torch.zeros(length * factor, dtype=torch.float64)
    for span in spans(length, 48, reach):
        weights = span.weights(factor, total)
        total[span.begin * factor : span.end * factor] += weights
        assert weights.min() >= 0
        assert span.start % 16 == 0
        # what has a weight is farther than the reach from each end that is no border
        assert span.start == 0 or span.begin - span.start >= reach
        assert span.stop == length or span.stop - span.end >= reach
    torch.testing.assert_close(total, torch.ones_like(total))


def test_tiles_are_the_largest_that_fit() -> None:
    small, large_ = (tiled((1000, 1000), 16, None, FREE, budget) for budget in (3e4, 3e5))
    assert small.memory <= 3e4 < large_.memory <= 3e5
    assert small.count > large_.count > 1
    assert tiled((1000, 1000), 16, None, FREE, None).count == 1
    with pytest.raises(MemoryExhaustedError, match="--max-memory"):
        tiled((1000, 1000), 16, None, FREE, 10.0)
    with pytest.raises(MemoryExhaustedError, match="smaller --tile"):
        tiled((1000, 1000), 16, 500, FREE, 1e4)


def test_sizes_of_memory_are_read_as_people_write_them() -> None:
    sizes = {"2GB": 2e9, "500 MB": 5e8, "1.5GiB": 1.5 * 2**30, "1000": 1000, "3m": 3e6}
    assert {text: bytes_in(text) for text in sizes} == sizes
    for wrong in ("", "much", "-2GB", "0", "2 GBit"):
        with pytest.raises(OptionError, match="2GB"):
            SolveSettings(max_memory=wrong)


def test_response_of_an_operator() -> None:
    blur = ipx.operator("blur", (1, 64, 64), kind="uniform", size=9, boundary="zero")
    assert response(blur) == 4
    assert response(ipx.operator("identity", (1, 64, 64))) == 0


# ---------------------------------------------------------------- arrays


@pytest.mark.parametrize("boundary", ["unknown", "reflect"])
def test_tiles_give_what_the_whole_gives(data: np.ndarray[Any, Any], boundary: str) -> None:
    told: dict[str, Any] = {"op": {**BLUR, "boundary": boundary}, "prior": "tv", "lam": 0.003}
    told["noise"] = {"name": "gaussian", "sigma": 0.02}
    tiles = ipx.solve(data, tile=48, iterations=30, **told)
    assert tiles.tiles is not None
    assert tiles.tiles["count"] == 4
    whole = ipx.solve(data, **told, iterations=tiles.iterations[0], tol=0)
    assert np.abs(tiles.image - whole.image).max() < 1e-3
    assert tiles.tiles["seam"] < 1e-3
    assert tiles.iterations[0] <= 30
    assert tiles.image.shape == data.shape
    assert tiles.image.dtype == data.dtype


def test_level_and_weight_are_one_and_found_on_windows(data: np.ndarray[Any, Any]) -> None:
    how = ipx.solve(data, op=BLUR, prior="smooth", tile=48)
    assert len(how.level) == 1
    assert how.level[0] == pytest.approx(0.02, rel=0.3)
    assert how.lam is not None
    assert len(how.lam) == 1
    again = ipx.solve(data, op=BLUR, prior="smooth", tile=48)
    assert np.array_equal(how.image, again.image)


def test_dark_data_have_one_unit(data: np.ndarray[Any, Any]) -> None:
    told: dict[str, Any] = {"op": BLUR, "prior": "smooth", "lam": 0.05, "tile": 48}
    one = ipx.solve(data, noise={"name": "gaussian", "sigma": 0.02}, **told)
    dark = ipx.solve(data / 1000, noise={"name": "gaussian", "sigma": 2e-5}, **told)
    np.testing.assert_allclose(1000 * dark.image, one.image, atol=1e-4)


def test_windows_of_super_resolution_are_mapped_by_the_factor(truth: np.ndarray[Any, Any]) -> None:
    op = {"name": "super-resolution", "factor": 2, "filter": "mean"}
    told: dict[str, Any] = {"op": op, "prior": "smooth", "lam": 0.01}
    told["noise"] = {"name": "gaussian", "sigma": 0.01}
    small = ipx.degrade(truth, op=op, noise=told["noise"], seed=1)
    tiles = ipx.solve(small, tile=16, **told)
    whole = ipx.solve(small, **told, iterations=tiles.iterations[0], tol=0)
    assert tiles.image.shape == truth.shape
    assert tiles.tiles is not None
    assert tiles.tiles["count"] > 1
    assert np.abs(tiles.image - whole.image).max() < 1e-3


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"op": "fourier"}, "fourier cannot be restored in tiles"),
        ({"op": {**BLUR, "boundary": "valid"}}, "boundary unknown can"),
        ({"estimate": "mmse"}, "draws"),
        ({"lam": 1e6, "prior": "smooth", "op": "identity"}, "depends on the image"),
    ],
)
def test_what_has_no_tiles_is_refused(
    data: np.ndarray[Any, Any], changed: dict[str, Any], reason: str
) -> None:
    how: dict[str, Any] = {"op": BLUR, "prior": "tv", "lam": 0.01, "tile": 48} | changed
    if how["op"] == "fourier":
        data = np.asarray(ipx.degrade(data, op="fourier", noise="gaussian", seed=0))
    with pytest.raises((UsageError, ipx.InputError), match=reason):
        ipx.solve(data, axes="CHW" if data.ndim == 3 else None, **how)


# ---------------------------------------------------------------- memory


class Limited(ipx.Prior):
    """1/2 |x|^2, which runs out of memory above so many values."""

    provides = (ipx.Value, ipx.Grad, ipx.Prox)
    most = 64 * 64

    def value(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel() > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x.square().flatten(1).sum(1) / 2

    def grad(self, x: torch.Tensor) -> torch.Tensor:
        self.value(x)
        return x

    def prox(self, x: torch.Tensor, t: Any) -> torch.Tensor:
        self.value(x)
        return x / (1 + ipx.column(ipx.vector(t, x), x))


def test_a_batch_that_exceeds_the_memory_is_halved(data: np.ndarray[Any, Any]) -> None:
    # in float32 the kernels for a batch of another size round otherwise
    batch = np.stack([data[:40, :40] + 0.01 * i for i in range(5)]).astype(np.float64)
    told: dict[str, Any] = {"op": BLUR, "lam": 0.01, "solver": "fista", "axes": "BHW"}
    told["noise"] = {"name": "gaussian", "sigma": 0.02}
    halved = ipx.solve(batch, prior=Limited(), **told)
    free = Limited()
    free.most = 1 << 40
    whole = ipx.solve(batch, prior=free, **told)
    np.testing.assert_allclose(halved.image, whole.image, atol=1e-6)
    assert halved.lam == whole.lam
    assert len(halved.status) == len(halved.level) == len(halved.iterations) == 5


def test_memory_that_ends_in_the_middle_makes_tiles_smaller(data: np.ndarray[Any, Any]) -> None:
    told: dict[str, Any] = {"prior": Limited(), "lam": 0.1, "solver": "fista"}
    told["noise"] = {"name": "gaussian", "sigma": 0.02}
    with pytest.raises(MemoryExhaustedError, match="--tile auto"):
        ipx.solve(data, **told)
    how = ipx.solve(data, tile="auto", **told)
    assert how.tiles is not None
    assert max(how.tiles["window"]) <= 64
    np.testing.assert_allclose(how.image, data / 1.1, atol=1e-3)


def test_a_refusal_points_to_tiles(data: np.ndarray[Any, Any]) -> None:
    with pytest.raises(MemoryExhaustedError, match=r"may be used.*--tile auto"):
        cost.Work.check(_work(data), 251 << 20)


def _work(data: np.ndarray[Any, Any]) -> cost.Work:
    from ipx.jobs.foresee import work_of
    from ipx.planning.request import Request

    request = Request(op={"name": "identity"}, prior={"name": "tv"}, lam=0.1)
    return work_of(request, torch.zeros(1, 1, 2000, 2000))


# ---------------------------------------------------------------- files


@pytest.fixture
def scan(tmp_path: Path, data: np.ndarray[Any, Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """scan.tif: 16 bits, in strips of 8 rows, in the present folder."""
    monkeypatch.chdir(tmp_path)
    samples = np.rint(data.clip(0, 1) * 65535).astype(np.uint16)
    tifffile.imwrite("scan.tif", samples, compression="zlib", rowsperstrip=8)
    return Path("scan.tif")


HOW = ("--op", "blur", "--op.sigma", "1", "--prior", "smooth", "--lam", "0.05", "--noise.sigma")
LEVEL = "0.02"


def test_a_file_is_restored_by_windows_with_its_record(
    scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    samples = large.LargePicture.samples

    def watched(self: large.LargePicture, top: int, bottom: int) -> Any:
        read.append((top, bottom))
        return samples(self, top, bottom)

    monkeypatch.setattr(large.LargePicture, "samples", watched)
    monkeypatch.setattr(images, "read", None)  # nobody reads it as a whole
    found = call("solve", scan, *HOW, LEVEL, "--tile", "32", "-o", "out.tif", "--json")
    assert found.exit_code == 0, found.output
    row = json.loads(found.stdout)
    assert row["tiles"]["count"] == 9
    assert row["tiles"]["seam"] < 1e-3
    rows = read[-row["tiles"]["rows"] :]  # those before are of the survey and of probes
    assert max(bottom - top for top, bottom in rows) <= row["tiles"]["window"][0] < 96
    record = json.loads(Path("out.tif.json").read_text())
    assert record["state"] == "done"
    assert record["config"]["tile"] == 32
    assert record["result"]["tiles"] == row["tiles"]
    assert not [*Path().glob(".ipx-*")]
    with tifffile.TiffFile("out.tif") as tif:
        page = tif.pages[0].aspage()
        assert (page.dtype, page.is_tiled) == (np.uint16, True)

    again = call("solve", scan, *HOW, LEVEL, "--tile", "32", "-o", "out.tif", "--resume")
    assert again.exit_code == 0
    assert "done before" in again.stderr
    before = Path("out.tif").read_bytes()
    repeated = call("solve", "--config", "out.tif.json", "--force")
    assert repeated.exit_code == 0, repeated.output
    assert Path("out.tif").read_bytes() == before


def test_any_format_goes_in_and_out(scan: Path, truth: np.ndarray[Any, Any]) -> None:
    images.write("clean.png", truth[None], dtype="uint8")
    images.write("scan.png", images.read(scan).pixels, dtype="uint8")
    np.save("scan.npy", images.read(scan).pixels[0])
    for name in ("scan.png", "scan.npy"):
        found = call("solve", name, *HOW, LEVEL, "--tile", "32", "--truth", "clean.png", "--json")
        assert found.exit_code == 0, found.output
        row = json.loads(found.stdout)
        made = images.read(row["output"])
        assert made.shape == (1, *truth.shape)
        clean = images.read("clean.png").pixels
        error = np.mean((made.pixels.clip(0, 1).astype(float) - clean) ** 2)
        assert row["psnr_after"] == pytest.approx(-10 * np.log10(error), abs=0.05)


def test_alpha_and_colour_are_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 65536, (70, 60, 4)).astype(np.uint16)
    at = tmp_path / "a.tif"
    tifffile.imwrite(at, samples, photometric="rgb", extrasamples=["unassalpha"])
    how = ("--prior", "smooth", "--lam", "0.1", "--noise.sigma", "0.1", "--tile", "32")
    found = call("solve", at, *how, "-o", tmp_path / "b.tif")
    assert found.exit_code == 0, found.output
    made = images.read(tmp_path / "b.tif")
    assert made.alpha is not None
    assert np.array_equal(made.alpha, samples[..., 3])
    assert made.shape == (3, 70, 60)


def test_memory_decides_and_the_dry_run_says_how(scan: Path) -> None:
    dry = call("solve", scan, *HOW, LEVEL, "--tile", "32", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "9 tiles of at most" in dry.stdout
    whole = call("solve", scan, *HOW, LEVEL, "--max-memory", "64GB", "--dry-run", "--json")
    assert json.loads(whole.stdout)["pictures"][0]["tiles"] is None
    small = call("solve", scan, *HOW, LEVEL, "--max-memory", "50MB")
    assert small.exit_code == 5, small.output
    assert "larger --max-memory" in small.stderr
    assert not Path("scan-restored.tif").exists()


def test_what_shows_the_whole_image_is_refused(scan: Path) -> None:
    found = call("solve", scan, *HOW, LEVEL, "--tile", "32", "--panel", "panel.png")
    assert found.exit_code == 2
    assert "a panel shows the whole image" in found.stderr
    wrong = call("solve", scan, "--max-memory", "much")
    assert wrong.exit_code == 2
    assert not Path("scan-restored.tif").exists()


@pytest.mark.parametrize("how", [{}, {"compression": "zlib", "tile": (16, 32)}, {"byteorder": ">"}])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_rows_of_a_tiff(tmp_path: Path, how: dict[str, Any], kind: str, planar: str) -> None:
    samples = np.random.default_rng(0).integers(0, 255, (70, 50, 3)).astype(kind)
    stored = samples if planar == "contig" else np.moveaxis(samples, -1, 0)
    at = tmp_path / "a.tif"
    tifffile.imwrite(at, stored, photometric="rgb", planarconfig=planar, **how)
    with large.opened(at) as picture:
        assert np.array_equal(picture.samples(13, 41), samples[13:41])
        told, read = picture.picture, images.read(at)
        assert told.describe() == read.describe()
        np.testing.assert_array_equal(picture.pixels(samples[13:41]), read.pixels[:, 13:41])


def test_every_device_is_found_by_auto() -> None:
    from ipx.numerics.devices import best_device, open_device

    assert open_device("auto").type == best_device()
    assert best_device() in ("cpu", "cuda", "mps")
