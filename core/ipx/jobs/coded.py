"""What the generative model of a run says of its result, for the report."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ipx.declare.capabilities import Latent, Shape, has
from ipx.errors import InputError
from ipx.files.format import Array
from ipx.files.sheets import sheet
from ipx.planning.request import Request
from ipx.report.codes import Codes
from ipx.report.pictures import Shown
from ipx.solving.build import build

LARGEST = 128
"""Longest side of images whose codes are shown; larger ones would take minutes."""

MULTIPLES = (1.5, 1.25, 1.0, 0.75, 0.5)
"""Of the codes in the rows of a sheet."""

STEPS = 5
"""Images in a row of a sheet."""

REACH, ROWS, COLUMNS = 3.0, 3, 7
"""Of the traversal: the largest number, how many numbers, how many values of each."""


def codes(request: Request, x: Array, others: dict[str, Array]) -> Codes | None:
    """Codes near that of the restored image; None for a prior without codes and for large images.

    Args:
        request: what was solved.
        x: the restored image, ``(C, H, W)``.
        others: images by their names in a sentence; the first of the same shape is the other end
            of the sheet.

    Raises:
        IpxError: the model cannot be loaded, does not take such images, or gives no finite code.
    """
    if not request.tree("prior").facts.has(Latent) or x.ndim != 3 or max(x.shape[1:]) > LARGEST:
        return None
    prior = build("prior", request.prior)
    if not has(prior, Latent):
        return None
    shape = tuple(x.shape)
    with torch.no_grad():
        z = _encoded(prior, x)
        away = prior.decode(z[None], shape)[0].numpy() - x
        views = [_traversal(prior, z, shape)]
        for name, other in others.items():
            if other.shape == x.shape:
                views.insert(0, _sheet(prior, z, _encoded(prior, other), name, shape))
                break
    return Codes(z.numpy(), float(np.sqrt(np.mean(np.square(away)))), tuple(views))


def _encoded(prior: Latent, x: Array) -> Tensor:
    """E(x), ``(n,)``."""
    z = prior.encode(torch.from_numpy(np.ascontiguousarray(x))[None].float())[0]
    if not bool(z.isfinite().all()):
        raise InputError("the model gives a code that is not finite")
    return z


def _grid(prior: Latent, z: Tensor, columns: int, shape: Shape) -> Array:
    """Decoded codes ``(N, n)``, row by row."""
    made = torch.cat([prior.decode(code[None], shape) for code in z]).nan_to_num()
    return sheet(list(made.clamp(0, 1).numpy()), columns, 1)  # the page enlarges it


def _sheet(prior: Latent, z: Tensor, end: Tensor, name: str, shape: Shape) -> Shown:
    """The plane of codes of two images: multiples of what lies between them."""
    line = torch.lerp(z[None], end[None], torch.linspace(0, 1, STEPS)[:, None])
    plane = torch.cat([multiple * line for multiple in MULTIPLES])
    told = (
        f"from the restored image on the left to {name} on the right; rows are "
        f"{', '.join(f'{m:g}' for m in MULTIPLES)} times these codes"
    )
    return Shown("code-sheet", "Sheet of codes", _grid(prior, plane, STEPS, shape), note=told)


def _traversal(prior: Latent, z: Tensor, shape: Shape) -> Shown:
    """The numbers farthest from 0, each from -REACH to REACH while the others stay."""
    dims = z.abs().argsort(descending=True)[:ROWS].tolist()
    moved = z.repeat(len(dims), COLUMNS, 1)
    for row, d in enumerate(dims):
        moved[row, :, d] = torch.linspace(-REACH, REACH, COLUMNS)
    now = ", ".join(f"z[{d}] = {float(z[d]):.2f}" for d in dims)
    told = f"rows: the numbers farthest from 0, {now}, from {-REACH:g} to {REACH:g}"
    made = _grid(prior, moved.flatten(0, 1), COLUMNS, shape)
    return Shown("code-traversal", "Traversal", made, note=told)
