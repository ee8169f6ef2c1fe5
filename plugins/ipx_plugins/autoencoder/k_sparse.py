"""The k-sparse code (Makhzani, Frey, ICLR 2014, section 2.1)."""

from __future__ import annotations

from torch import Tensor


def largest(code: Tensor, k: int) -> Tensor:
    """``code`` ``(B, n)`` with all but the k largest numbers of each picture set to 0."""
    k = min(k, code.shape[1])
    kept = code.topk(k, dim=1)
    return code.new_zeros(code.shape).scatter(1, kept.indices, kept.values)
