"""Dictionaries: cosines, K-SVD on the patches of one picture, online learning."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ipx_plugins.dictionary.pursuit import Codes, pursued


def cosines(side: int, count: int) -> Tensor:
    """Overcomplete cosines of mean 0, unit rows ``(count, side^2)`` float64, coarse ones first."""
    across = max(side, math.ceil(math.sqrt(count + 1)))
    i = torch.arange(side, dtype=torch.float64)
    rows = torch.cos(math.pi / across * torch.outer(torch.arange(across), i + 0.5).double())
    rows[1:] -= rows[1:].mean(1, keepdim=True)
    rows = rows / rows.norm(dim=1, keepdim=True)
    k = torch.arange(across)
    order = (k[:, None] ** 2 + k**2).flatten().argsort(stable=True)[1 : count + 1]
    picked: Tensor = torch.kron(rows, rows)[order]
    return picked


def ksvd(patches: Tensor, atoms: Tensor, bound: float, most: int) -> Tensor:
    """One step of approximate K-SVD (Rubinstein, Zibulevsky, Elad 2008): new atoms, unit rows.

    Args:
        patches: ``(N, n)``, without their means.
        atoms: ``(K, n)``.
        bound: norm of the rest at which the pursuit stops.
        most: largest number of atoms of a patch.
    """
    codes = pursued(patches, atoms, most, bound)
    atoms, rest, value = atoms.clone(), codes.rest.clone(), codes.value.clone()
    if not value.shape[1]:
        return atoms
    rows, columns = (codes.index >= 0).nonzero(as_tuple=True)
    which = codes.index[rows, columns]
    order = which.argsort(stable=True)
    counts = torch.bincount(which, minlength=len(atoms)).tolist()
    begun = 0
    for k, count in enumerate(counts):
        mine = order[begun : begun + count]
        begun += count
        if not count:
            continue
        own, place = rows[mine], columns[mine]
        weight = value[own, place]
        error = rest[own] + weight[:, None] * atoms[k]
        moved = weight @ error
        size = moved.norm()
        if float(size) == 0:
            continue
        atoms[k] = moved / size
        weight = error @ atoms[k]
        value[own, place] = weight
        rest[own] = error - weight[:, None] * atoms[k]
    return _unused_replaced(atoms, patches, rest, torch.tensor(counts, device=atoms.device))


def _unused_replaced(atoms: Tensor, patches: Tensor, rest: Tensor, counts: Tensor) -> Tensor:
    """Atoms that no patch uses become the patches that are approximated worst."""
    unused = (counts == 0).nonzero()[:, 0]
    take = min(len(unused), len(patches))
    worst = rest.square().sum(1).topk(take).indices
    found = patches[worst]
    size = found.norm(dim=1, keepdim=True)
    kept = torch.where(size > 0, found / size.clamp_min(1e-12), atoms[unused[:take]])
    return atoms.index_copy(0, unused[:take], kept)


@dataclass(frozen=True)
class Online:
    """Online dictionary learning (Mairal et al. 2009, algorithms 1 and 2), codes by OMP.

    Attributes:
        atoms: ``(K, n)``.
        gram: weighted mean of a a^T of the codes a, ``(K, K)``.
        cross: weighted mean of a p^T of codes and patches p, ``(K, n)``.
    """

    atoms: Tensor
    gram: Tensor
    cross: Tensor

    @staticmethod
    def of(atoms: Tensor) -> Online:
        """Before the first patch."""
        return Online(atoms, atoms.new_zeros(len(atoms), len(atoms)), torch.zeros_like(atoms))

    def updated(self, patches: Tensor, sparsity: int, rate: float) -> Online:
        """After patches ``(N, n)``, which count as ``rate`` of all."""
        codes = dense(pursued(patches, self.atoms, sparsity), len(self.atoms))
        gram = torch.lerp(self.gram, codes.mT @ codes / len(codes), rate)
        cross = torch.lerp(self.cross, codes.mT @ patches / len(codes), rate)
        atoms = self.atoms.clone()
        scale = float(gram.diagonal().mean())
        for k in range(len(atoms)):
            use = gram[k, k]
            if float(use) > 1e-6 * scale:
                moved = atoms[k] + (cross[k] - gram[k] @ atoms) / use
                atoms[k] = moved / moved.norm().clamp_min(1e-12)
        return Online(atoms, gram, cross)


def dense(codes: Codes, count: int) -> Tensor:
    """Codes as a matrix ``(N, K)``."""
    out = codes.value.new_zeros(len(codes.value), count)
    return out.scatter_add(1, codes.index.clamp_min(0), codes.value)
