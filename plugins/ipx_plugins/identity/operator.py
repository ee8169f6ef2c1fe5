"""A x = x: `ipx.Identity`, which priors without a linear part use too."""

from __future__ import annotations

from ipx import Identity

__all__ = ["Identity"]
