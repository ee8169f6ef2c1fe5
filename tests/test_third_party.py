"""A third party's package: written, installed with pip, used from the shell and from code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipx.errors import InputError, OptionError
from ipx.host.scaffold import create_plugin

EXAMPLE = Path(__file__).parents[1] / "docs" / "plugins" / "ipx-example"


def run(*command: str | Path, folder: Path, site: Path | None = None) -> str:
    path = os.pathsep.join(str(p) for p in (site, os.environ.get("PYTHONPATH")) if p)
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(source: Path, site: Path, folder: Path) -> None:
    run(
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        site,
        source,
        folder=folder,
    )


def test_the_example_is_what_new_plugin_writes(tmp_path: Path) -> None:
    written = create_plugin("ipx-example", tmp_path)
    assert len(written) == 5
    for path in written:
        kept = EXAMPLE / path.relative_to(tmp_path / "ipx-example")
        assert kept.read_text() == path.read_text(), kept


def test_bad_names_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="as in my-blur"):
        create_plugin("My Blur", tmp_path)
    create_plugin("mine", tmp_path)
    with pytest.raises(InputError, match="exists already"):
        create_plugin("mine", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        create_plugin("mine", tmp_path / "file")


@pytest.mark.slow
def test_example_from_command_line_and_code(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(EXAMPLE, site, tmp_path)
    listed = json.loads(
        run("-m", "ipx_cli.main", "list", "operator", "--json", folder=tmp_path, site=site)
    )
    assert "ipx-example" in json.dumps(listed)
    rows = run(
        "-m",
        "ipx_cli.main",
        "solve",
        "--op",
        "ipx-example",
        "--op.strength",
        "0.7",
        "--prior",
        "tv",
        "--json",
        "-o",
        "out",
        folder=tmp_path,
        site=site,
    )
    row = json.loads(rows.splitlines()[0])
    assert row["psnr_after"] > row["psnr_before"]
    code = (
        "import ipx, numpy as np\n"
        "from ipx_example.operator import IpxExample\n"
        "a = IpxExample((1, 8, 8), strength=0.2)\n"
        "assert ipx.restore(np.ones((8, 8)), op=a, prior='tv').shape == (8, 8)\n"
    )
    run("-c", code, folder=tmp_path, site=site)


@pytest.mark.slow
def test_a_new_plugin_installs_and_passes_as_it_is(tmp_path: Path) -> None:
    create_plugin("my-fade", tmp_path)
    site = tmp_path / "site"
    install(tmp_path / "my-fade", site, tmp_path)
    told = run(
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests",
        folder=tmp_path / "my-fade",
        site=site,
    )
    assert "passed" in told
