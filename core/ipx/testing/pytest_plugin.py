"""Loaded by pytest wherever ipx is installed; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_report_header(config: pytest.Config) -> str:
    """One line: the version and the plugins that were found."""
    from ipx import __version__
    from ipx.declare.registry import registry

    reg = registry()
    broken = f", broken: {', '.join(p.name for p in reg.broken)}" if reg.broken else ""
    return f"ipx: {__version__}, {len(reg.plugins)} plugins{broken}"
