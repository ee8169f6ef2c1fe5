"""Third-party packages in tests: as if installed, and commands that find them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from command_line import fork
from ipx.declare.registry import registry
from ipx_cli.main import cli


def run(*command: str | Path, folder: Path, sites: Sequence[Path] = ()) -> str:
    """What Python prints, with the packages of ``sites``."""
    path = os.pathsep.join(str(p) for p in (*sites, os.environ.get("PYTHONPATH")) if p)
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_commands(commands: list[list[str]], folder: Path, *sites: Path) -> str:
    """What commands of ipx print, one after the other in one process."""

    def each() -> None:
        os.chdir(folder)
        for command in commands:
            try:
                cli(command)
            except SystemExit as e:
                assert not e.code, command

    told, errors, code = fork(each, *sites).communicate()
    assert code == 0, told + errors
    return told


def run_tests(package: Path, *sites: Path) -> str:
    """What pytest prints for the tests of a package."""
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    return run(*command, folder=package, sites=sites)


def as_installed(package: Path) -> Path:
    """Its sources, with the metadata that pip would write: on the path, it is installed."""
    site, name = package / "src", package.name
    declare(name, name.replace("-", "_"), site)
    return site


def declare(name: str, module: str, site: Path) -> None:
    """Metadata in ``site`` that declare a plugin."""
    told = site / f"{module}-0.1.0.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    (told / "entry_points.txt").write_text(f"[ipx.v1]\n{name} = {module}\n")


@contextmanager
def installed(name: str, site: Path) -> Iterator[None]:
    """The plugin ``name`` in tests/plugins is found; its metadata go to ``site``."""
    declare(name, name, site)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent / "plugins"))
        patch.syspath_prepend(str(site))
        registry.cache_clear()
        yield
    registry.cache_clear()
