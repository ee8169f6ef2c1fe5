"""Orthogonal matching pursuit of many patches at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_CHUNK = 8192  # patches at a time, which bounds the memory
_PARALLEL = 1e-4  # an atom that is this near to the span of the others brings nothing


@dataclass(frozen=True)
class Codes:
    """Sparse sums of atoms.

    Attributes:
        index: numbers of the atoms, ``(N, k)``; -1 beyond those used.
        value: their coefficients, ``(N, k)``; 0 beyond those used.
        rest: the patches less their sums, ``(N, n)``.
    """

    index: Tensor
    value: Tensor
    rest: Tensor


def pursued(patches: Tensor, atoms: Tensor, most: int, bound: float | None = None) -> Codes:
    """OMP: add the atom of the largest inner product with the rest, and project anew.

    Args:
        patches: ``(N, n)``.
        atoms: unit rows, ``(K, n)``.
        most: largest number of atoms of a patch.
        bound: a patch stops where the norm of its rest is at most this; None: only at ``most``.
    """
    parts = [_pursued(p, atoms, most, bound) for p in torch.split(patches, _CHUNK)]
    wide = max((c.index.shape[1] for c in parts), default=0)

    def wider(x: Tensor, fill: float) -> Tensor:
        return torch.nn.functional.pad(x, (0, wide - x.shape[1]), value=fill)

    return Codes(
        torch.cat([wider(c.index, -1) for c in parts]),
        torch.cat([wider(c.value, 0) for c in parts]),
        torch.cat([c.rest for c in parts]),
    )


def _pursued(patches: Tensor, atoms: Tensor, most: int, bound: float | None) -> Codes:
    """By modified Gram-Schmidt: the rest stays orthogonal to an orthonormal basis of the atoms."""
    count, n = patches.shape
    rest, goal = patches.clone(), -1.0 if bound is None else bound * bound
    active = (rest.square().sum(1) > goal).nonzero()[:, 0]
    basis = patches.new_zeros(count, 0, n)
    index = torch.full((count, 0), -1, device=patches.device)
    for _ in range(min(most, n, len(atoms))):
        if not len(active):
            break
        own = rest[active]
        best = (own @ atoms.mT).abs().argmax(1)
        atom = atoms[best]
        old = basis[active]
        for _twice in range(2):  # the second pass removes what rounding left
            atom = atom - torch.einsum("akn,ak->an", old, torch.einsum("akn,an->ak", old, atom))
        size = atom.norm(dim=1, keepdim=True)
        fresh = size[:, 0] > _PARALLEL
        active, best, atom, own = active[fresh], best[fresh], (atom / size)[fresh], own[fresh]
        own = own - (own * atom).sum(1, keepdim=True) * atom
        rest = rest.index_copy(0, active, own)
        column = patches.new_zeros(count, 1, n).index_copy(0, active, atom[:, None])
        basis = torch.cat([basis, column], 1)
        number = torch.full((count, 1), -1, device=patches.device)
        index = torch.cat([index, number.index_copy(0, active, best[:, None])], 1)
        active = active[own.square().sum(1) > goal]
    return Codes(index, _coefficients(patches - rest, atoms, index), rest)


def _coefficients(sums: Tensor, atoms: Tensor, index: Tensor) -> Tensor:
    """The coefficients ``(N, k)`` of sums of atoms, by normal equations."""
    if not index.shape[1]:
        return sums.new_zeros(index.shape)
    used = index >= 0
    chosen = atoms[index.clamp_min(0)] * used[..., None]  # (N, k, n)
    gram = chosen @ chosen.mT + torch.diag_embed((~used).to(sums))
    value: Tensor = torch.linalg.solve(gram, (chosen @ sums[..., None]))[..., 0]
    return value * used
