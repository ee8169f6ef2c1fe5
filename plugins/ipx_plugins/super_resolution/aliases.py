"""Groups of aliased frequencies, on the half spectrum of the real FFT."""

from __future__ import annotations

import torch
from torch import Tensor


class Aliases:
    """Groups of the ``s^2`` frequencies that are aliased by decimation by s.

    The groups are those of the coarse half spectrum, ``(H/s, W/(2s)+1)``; member 0 is the
    lowest frequency. Members beyond the fine half spectrum are taken by Hermitian symmetry.

    Args:
        height: H, a multiple of s.
        width: W, a multiple of s.
        factor: s.
    """

    def __init__(self, height: int, width: int, factor: int) -> None:
        rows, columns = _members(height, factor), _members(width, factor)
        columns = columns[:, : width // factor // 2 + 1]
        s, half = factor, width // 2 + 1
        k = rows[:, None, :, None].expand(s, s, rows.shape[1], columns.shape[1])
        l = columns[None, :, None, :].expand(k.shape)  # noqa: E741  # the usual pair k, l
        mirrored = l >= half
        k = torch.where(mirrored, (height - k) % height, k)
        l = torch.where(mirrored, width - l, l)  # noqa: E741
        index = (k * half + l).flatten()
        self.shape = (s * s, k.shape[2], k.shape[3])
        self._half = (height, half)
        self._take, self._flip = index, mirrored.flatten()
        # index among the members of each frequency of the fine half spectrum
        back = torch.zeros(height * half, dtype=torch.int64)
        order = torch.arange(index.numel())
        back[index[self._flip]] = order[self._flip]
        back[index[~self._flip]] = order[~self._flip]
        self._back, self._back_flip = back, self._flip[back]
        self._on: dict[torch.device, tuple[Tensor, Tensor, Tensor, Tensor]] = {}

    def _tables(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if like.device not in self._on:
            tables = (self._take, self._flip, self._back, self._back_flip)
            take, flip, back, back_flip = (t.to(like.device) for t in tables)
            self._on[like.device] = (take, flip, back, back_flip)
        return self._on[like.device]

    def gather(self, spectrum: Tensor) -> Tensor:
        """``(..., H, W//2+1)``, real or complex, to members ``(..., s^2, H/s, W/(2s)+1)``."""
        take, flip, _, _ = self._tables(spectrum)
        return _pick(spectrum.flatten(-2), take, flip).reshape(*spectrum.shape[:-2], *self.shape)

    def scatter(self, members: Tensor) -> Tensor:
        """The inverse of `gather`."""
        _, _, back, flip = self._tables(members)
        return _pick(members.flatten(-3), back, flip).reshape(*members.shape[:-3], *self._half)


def _members(n: int, s: int) -> Tensor:
    """Frequencies of one axis, ``(s, n/s)``: row 0 is the lowest of each group."""
    m = n // s
    base = torch.arange(m)
    base = torch.where(base <= m // 2, base, base - m)
    return (base + m * torch.arange(s)[:, None]) % n


def _pick(values: Tensor, index: Tensor, flip: Tensor) -> Tensor:
    """values[index], conjugated where ``flip``."""
    out = values.index_select(-1, index)
    if not out.is_complex():
        return out
    return torch.where(flip, out.conj(), out)
