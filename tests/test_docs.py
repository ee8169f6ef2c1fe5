"""The code of the documentation runs as it stands.

The ``python`` blocks of a page run in order in one module, in an empty folder. A block that begins
with the line ``# some/file.py`` is that file: it is written, not run. `GIVEN` has what a page takes
for granted.
"""

from __future__ import annotations

import re
import shlex
import sys
import textwrap
import types
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ipx
from ipx.declare.capabilities import capabilities_of, methods
from ipx.declare.kinds import KINDS
from ipx.declare.registry import registry
from ipx.declare.specs import Spec
from test_layers import FLOORS, PUBLIC_TOOLKIT
from test_links import DOCS
from third_party import as_installed, run_commands, run_tests

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *DOCS]
BLOCK = re.compile(r"^( *)```(python|console)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+/\S+\.py)\n")


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Kind and text of the code blocks: ``python``, ``console``, or the path of a file."""
    for _, kind, indented in BLOCK.findall(page.read_text("utf-8")):
        text = textwrap.dedent(indented)
        file = FILE.match(text)
        yield (file.group(1), text) if file and kind == "python" else (kind, text)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


GIVEN = {
    "README.md": "y = 0.5 + 0.1 * torch.rand(1, 1, 48, 48)",
    "docs/concepts.md": "y = 0.4 + 0.1 * np.random.default_rng(0).random((64, 64), np.float32)",
    "docs/denoisers.md": """
noisy = torch.rand(1, 1, 32, 32)
sigma_map = torch.full_like(noisy, 0.1)
""",
    "docs/fourier.md": "x = np.random.default_rng(0).random((32, 32))",
    "docs/images.md": """
import tifffile
tifffile.imwrite("photo.tif", np.zeros((8, 8), np.uint8))
stack = np.random.default_rng(0).random((3, 16, 20), np.float32)
cube = stack.transpose(1, 2, 0)
""",
    "docs/other_libraries.md": """
rng = np.random.default_rng(0)
image = np.tile(np.linspace(0.2, 0.8, 32), (32, 1))
noisy = blurred = image + 0.02 * rng.standard_normal(image.shape)
psf, mask = np.ones((3, 3)), rng.random(image.shape) < 0.3
""",
    "docs/training.md": """
class AutoencoderOptions(ipx.Options):
    width: int = ipx.opt(default=4, help="Features.")
""",
    "docs/vae_gan.md": "x = torch.rand(1, 3, 64, 64)",
}
"""What a page takes for granted, besides ipx, numpy and torch."""


def pages(kind: str) -> list[Path]:
    """Those with such a block."""
    return [p for p in PAGES if any(k == kind for k, _ in blocks(p))]


@pytest.mark.parametrize("page", pages("python"), ids=named)
def test_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("__main__")  # as in a notebook
    monkeypatch.setitem(sys.modules, "__main__", module)
    monkeypatch.chdir(tmp_path)
    exec("import numpy as np, torch, ipx", vars(module))
    exec(GIVEN.get(named(page), ""), vars(module))
    for kind, text in blocks(page):
        if kind == "python":
            exec(compile(text, named(page), "exec"), vars(module))


@pytest.mark.slow
def test_packages_of_the_tutorial(tmp_path: Path) -> None:
    """Its files and commands, in the order of the page."""
    site: list[Path] = []
    for kind, text in blocks(ROOT / "docs" / "tutorial.md"):
        if kind == "console":
            todo = [shlex.split(line)[1:] for line in text.splitlines()]
            for tool, *arguments in todo:
                if tool == "pip":
                    site.append(as_installed(tmp_path / arguments[-1]))
                elif tool == "pytest":
                    assert "passed" in run_tests(tmp_path / arguments[-1], *site)
            run_commands([command[1:] for command in todo if command[0] == "ipx"], tmp_path, *site)
        elif kind != "python":
            assert (tmp_path / kind).exists(), f"new-plugin writes no {kind}"
            (tmp_path / kind).write_text(text)


CONTRIBUTING = (ROOT / "docs" / "contributing.md").read_text("utf-8")


def test_the_map_of_the_core_names_every_module() -> None:
    table = re.findall(r"^\| `(\w+)` \| (.*) \|$", CONTRIBUTING, re.MULTILINE)
    named_there = {floor: set(re.findall(r"`(\w+)`", words)) for floor, words in table}
    core = ROOT / "core" / "ipx"
    for floor, names in named_there.items():
        assert names == {p.stem for p in (core / floor).glob("*.py")} - {"__init__"}, floor
    folders = [floor for floor in FLOORS if (core / floor).is_dir()]
    assert list(named_there) == folders


def test_the_way_of_a_restoration_is_the_one_that_is_told() -> None:
    way = CONTRIBUTING[CONTRIBUTING.index("## The way") : CONTRIBUTING.index("`ipx solve photo")]
    told = re.findall(r"`(\w+/\w+)\.py` `(\w+)`", way)
    assert len(told) >= 9
    registry.cache_clear()
    seen: list[tuple[str, str]] = []

    def look(frame: Any, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call" and "/ipx/" in code.co_filename:
            place = "/".join(Path(code.co_filename).with_suffix("").parts[-2:])
            if (place, code.co_name) not in seen:
                seen.append((place, code.co_name))

    y = np.random.default_rng(0).random((16, 16))
    sys.setprofile(look)
    try:
        ipx.solve(y, op="blur", prior="tv", iterations=3)
    finally:
        sys.setprofile(None)
    assert [call for call in seen if call in told] == told


def table(page: str, heading: str) -> list[list[str]]:
    """The cells of the rows of the tables under a heading, without those in the head."""
    text = (ROOT / page).read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.*) \|$", text.replace("\\|", "/"), re.MULTILINE)
    return [row.split(" | ") for row in rows if "`" in row]


def test_capabilities_and_traits_are_all_described() -> None:
    told = table("docs/plugins/README.md", "Capabilities")
    for kind in ("operator", "noise", "prior", "data", "problem"):
        names = {n for row in told if row[0] == kind for n in re.findall(r"`(\w+)`", row[1])}
        own = [c for c in capabilities_of(kind) if c.__module__ == "ipx.declare.capabilities"]
        assert names == {c.__name__ for c in own}, kind
        for row in told:
            for c in own:
                if row[0] == kind and f"`{c.__name__}`" == row[1]:
                    assert all(f"`{m}(" in row[2] for m in methods(c)), row
    traits = {row[1].strip("`"): row[2] for row in table("docs/plugins/README.md", "Traits")}
    assert list(traits) == [f.name for f in fields(ipx.Traits)]
    for f in fields(ipx.Traits):
        said = traits[f.name].strip("`").strip('"')
        assert said == str(f.default), f.name


def test_declarations_and_toolkit_are_all_described() -> None:
    text = (ROOT / "docs/plugins/README.md").read_text("utf-8")
    common = {f.name for f in fields(Spec)} - {"plugin"}
    assert {row[0].strip("`") for row in table("docs/plugins/README.md", "Declarations")} == common
    needs, tools = table("docs/plugins/README.md", "Solvers"), ""
    for f in fields(ipx.Need):
        assert f"`{f.name}`" in [row[0] for row in needs], f.name
    for f in {f.name for f in fields(ipx.AdapterSpec)} - {f.name for f in fields(Spec)}:
        assert any(f"`{f}`" in row[0] for row in table("docs/plugins/README.md", "Bridges")), f
    tools = " ".join(row[0] for row in needs)
    for name in PUBLIC_TOOLKIT:
        assert f"`{name}`" in tools, name
    for kind in KINDS.values():
        assert f"`{kind.spec.__name__}`" in text
