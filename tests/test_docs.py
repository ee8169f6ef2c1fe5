"""The code of the documentation runs as it stands.

The ``python`` blocks of a page run in order in one module, in an empty folder. A block that begins
with the line ``# some/file.py`` is that file: it is written, not run. `GIVEN` has what a page takes
for granted.
"""

from __future__ import annotations

import re
import shlex
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from third_party import as_installed, run_commands, run_tests

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+/\S+\.py)\n")


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Kind and text of the code blocks: ``python``, ``console``, or the path of a file."""
    for kind, text in BLOCK.findall(page.read_text("utf-8")):
        file = FILE.match(text)
        yield (file.group(1), text) if file and kind == "python" else (kind, text)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


GIVEN = {
    "README.md": "y = torch.rand(1, 1, 128, 128)",
    "docs/concepts.md": "y = np.random.default_rng(0).random((64, 64)).astype(np.float32)",
    "docs/denoisers.md": """
noisy = torch.rand(1, 1, 32, 32)
sigma_map = torch.full_like(noisy, 0.1)
""",
    "docs/fourier.md": "x = np.random.default_rng(0).random((32, 32))",
    "docs/images.md": """
import tifffile
tifffile.imwrite("photo.tif", np.zeros((8, 8), np.uint8))
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
