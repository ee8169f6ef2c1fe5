"""Images as arrays, lists, Pillow pictures and tensors; what their axes mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from PIL import Image
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import aslinearoperator

import ipx
from ipx.files.arrays import to_tensor

RNG = np.random.default_rng(0)
GREY = RNG.random((12, 10)).astype(np.float32)
STACK = RNG.random((6, 12, 10)).astype(np.float32)
FAST = {"prior": "tv", "lam": 0.01, "iterations": 3}
BLUR = {"name": "blur", "sigma": 1}


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_a_stack_is_not_read_as_channels(make: Any) -> None:
    for call in (
        lambda **more: ipx.solve(make(STACK), op=BLUR, **FAST, **more).image,
        lambda **more: ipx.degrade(make(STACK), op=BLUR, **more),
    ):
        with pytest.raises(ipx.InputError, match=r"say axes='.*' for channels, axes='BHW' for a"):
            call()
    whole = ipx.restore(make(STACK), op=BLUR, axes="BHW", **FAST)
    each = [ipx.restore(make(image), op=BLUR, **FAST) for image in STACK]
    assert whole.shape == STACK.shape
    assert np.allclose(np.asarray(whole), np.stack([np.asarray(e) for e in each]), atol=1e-6)
    usual = "HWC" if make is np.asarray else "CHW"
    assert ipx.restore(make(STACK), op=BLUR, axes=usual, **FAST).shape == STACK.shape


def test_a_shape_that_something_else_states_needs_no_word() -> None:
    channels = torch.from_numpy(STACK)
    operator = ipx.operator("blur", (6, 12, 10), sigma=1)
    assert ipx.restore(channels, op=operator, **FAST).shape == (6, 12, 10)
    y = ipx.degrade(torch.rand(3, 12, 10), op="fourier")  # real and imaginary parts of colours
    assert y.shape == (6, 12, 10)
    assert ipx.restore(y, op="fourier", **FAST).shape == (3, 12, 10)


@pytest.mark.parametrize("axes", ["BHW", "BCHW", "BHWC", "HW", "WH", "HWC", "CHW", "HWB"])
@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_axes_go_in_and_come_out(axes: str, make: Any) -> None:
    size = {"B": 2, "C": 3, "H": 5, "W": 4}
    image = make(RNG.random([size[a] for a in axes]))
    t, back = to_tensor(image, axes=axes)
    assert t.shape == tuple(size[a] if a in axes else 1 for a in "BCHW")
    assert np.array_equal(np.asarray(back(t)), np.asarray(image))
    where = tuple({"B": 1, "C": 2, "H": 3, "W": 2}[a] for a in axes)
    at = [{"B": 1, "C": 2, "H": 3, "W": 2}[a] if a in axes else 0 for a in "BCHW"]
    assert float(t[tuple(at)]) == float(image[where])


@pytest.mark.parametrize("axes", ["BHWC", "HWX", "BCW", "HHW", ""])
def test_axes_that_do_not_fit(axes: str) -> None:
    if axes:
        with pytest.raises(ipx.OptionError, match="axes"):
            to_tensor(STACK, axes=axes)
    with pytest.raises(ipx.InputError, match="axes="):
        to_tensor(STACK[None])


def test_lists_and_pillow_images() -> None:
    bytes_ = (GREY * 255).astype(np.uint8)
    pillow = Image.fromarray(bytes_)
    expected = ipx.restore(bytes_, op=BLUR, **FAST)
    assert np.array_equal(ipx.restore(pillow, op=BLUR, **FAST), expected)
    assert ipx.restore(GREY.tolist(), op=BLUR, **FAST).shape == GREY.shape
    two = ipx.restore([bytes_, bytes_], op=BLUR, **FAST)
    assert np.array_equal(two, np.stack([expected, expected]))
    deep = Image.fromarray((GREY * 65535).astype(np.uint16))
    assert float((to_tensor(deep)[0] - torch.from_numpy(GREY)).abs().max()) < 2e-5
    palette = Image.fromarray(np.stack([bytes_] * 3, -1)).convert("P")
    assert to_tensor(palette)[0].shape == (1, 3, 12, 10)
    with pytest.raises(ipx.InputError, match="mode RGBA"):
        to_tensor(Image.new("RGBA", (4, 4)))
    for odd in ([[0.1, 0.2], [0.3]], [GREY, GREY[:4]], "photo.png", None):
        with pytest.raises(ipx.InputError):
            to_tensor(odd)


def test_psnr_of_anything() -> None:
    bytes_ = (GREY * 255).astype(np.uint8)
    near = np.clip(bytes_.astype(int) + 3, 0, 255).astype(np.uint8)
    error = float(np.mean((bytes_ / 255.0 - near / 255.0) ** 2))
    expected = pytest.approx(-10 * np.log10(error), rel=1e-5)
    kinds: list[Any] = [np.asarray, Image.fromarray, torch.from_numpy]
    kinds.append(lambda a: (a / 255.0).tolist())
    for make in kinds:
        found = ipx.psnr(make(bytes_), make(near))
        assert found.shape == (1,)
        assert float(found) == expected
    assert float(ipx.psnr(Image.fromarray(bytes_), near / 255.0)) == expected
    assert ipx.psnr([bytes_, bytes_], [near, near]).shape == (2,)
    assert ipx.psnr(STACK, STACK * 0.9, axes="BHW").shape == (6,)
    with pytest.raises(ipx.InputError, match="axes="):
        ipx.psnr(STACK, STACK * 0.9)
    with pytest.raises(ipx.ShapeError):
        ipx.psnr(GREY, GREY[:4])


@pytest.mark.parametrize("colours", [1, 3])
def test_a_problem_of_anything(colours: int) -> None:
    shape = (colours, 12, 10)
    image = RNG.random(shape)
    last = image[0] if colours == 1 else np.moveaxis(image, 0, -1)
    operator, noise, prior = ipx.operator("blur", shape), ipx.noise("gaussian"), ipx.prior("tv")
    expected = torch.from_numpy(image)[None]
    for y in (image, image[None], last, last.tolist(), expected, [torch.from_numpy(image)]):
        made = ipx.Problem(y, operator, noise, prior, 0.1, x0=y)
        assert torch.equal(made.y, expected)
        assert made.x0 is not None
        assert torch.equal(made.x0, expected)
    pillow = Image.fromarray((last * 255).astype(np.uint8))
    assert ipx.Problem(pillow, operator, noise, prior, 0.1).y.shape == expected.shape
    with pytest.raises(ipx.ShapeError):
        ipx.Problem(image[:, :4], operator, noise, prior)


def test_flat_data_of_a_problem() -> None:
    matrix = csr_matrix(np.eye(20)[:7])
    operator = ipx.from_scipy(matrix, (1, 4, 5))
    y = RNG.random(7)
    for data in (y, y[None], y.tolist()):
        made = ipx.Problem(data, operator, ipx.noise("gaussian"), ipx.prior("tv"), 0.1)
        assert torch.equal(made.y, torch.from_numpy(y)[None])


@pytest.mark.parametrize("make", [aslinearoperator, csr_matrix, np.asarray])
def test_a_matrix_given_as_operator(make: Any) -> None:
    with pytest.raises(ipx.InputError, match=r"ipx\.from_scipy\(A, image_shape\)"):
        ipx.solve(GREY, op=make(np.eye(120)))


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_an_integer_result_of_real_data(make: Any) -> None:
    real = np.asarray(ipx.restore(make(GREY), op=BLUR, **FAST))
    found = np.asarray(ipx.restore(make(GREY), op=BLUR, dtype="uint8", **FAST))
    assert found.dtype == np.uint8
    assert np.array_equal(found, np.rint(real.clip(0, 1) * 255))


@pytest.mark.parametrize(
    ("image", "line"),
    [
        (np.array([["a"]]), "type <U1 cannot be restored; use numbers"),
        (np.zeros((4, 4), complex), "type complex128 cannot be restored; use numbers"),
        (torch.zeros(1, 4, 4, dtype=torch.complex64), "complex64 cannot be restored; use reals"),
        (torch.zeros(1, 4, 4, dtype=torch.bool), "bool cannot be restored; use reals"),
        (np.zeros((0, 4)), r"the image is empty: its shape is \(0, 4\)"),
        (np.array([[0.0, np.inf]]), "not finite"),
    ],
)
def test_what_is_no_image_is_refused(image: Any, line: str) -> None:
    with pytest.raises(ipx.InputError, match=line):
        to_tensor(image)
    with pytest.raises(ipx.OptionError, match="int32"):
        to_tensor(GREY, dtype=torch.int32)


@given(
    shape=st.tuples(st.integers(40, 90), st.integers(40, 90)),
    side=st.integers(1, 9),
    count=st.integers(1, 6),
    block=st.sampled_from([1, 4, 8]),
)
def test_squares_are_parts_of_the_image(
    shape: tuple[int, int], side: int, count: int, block: int
) -> None:
    y = torch.arange(float(shape[0] * shape[1])).reshape(1, 1, *shape)
    found = ipx.squares(y, side, count, block)
    if found is y:
        assert min(shape) < side * count or shape[0] * shape[1] < 2 * (side * count) ** 2
        return
    assert found.shape == (1, 1, side * count, side * count)
    cells = found[0, 0].reshape(count, side, count, side).transpose(1, 2)
    tops, lefts = cells[:, :, 0, 0] // shape[1], cells[:, :, 0, 0] % shape[1]
    assert bool((tops % block == 0).all())
    assert bool((lefts % block == 0).all())
    steps = torch.arange(side)
    inside = steps[:, None] * shape[1] + steps
    assert torch.equal(cells, cells[:, :, :1, :1] + inside)
