"""Numbers in words. Imports nothing heavy."""

from __future__ import annotations


def size_text(size: float) -> str:
    """``850 MB`` or ``2.1 GB``, of 10^6 and 10^9 bytes."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
