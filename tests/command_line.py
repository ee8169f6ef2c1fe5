"""The command line called in this process."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from ipx_cli.main import cli


def call(*words: str | Path) -> Result:
    """The result of ``ipx WORDS``."""
    return CliRunner().invoke(cli, list(map(str, words)))
