"""A x = x: the identity of the core, which priors without a linear part use too."""

from __future__ import annotations

from ipx import Identity

__all__ = ["Identity"]
