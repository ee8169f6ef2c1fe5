"""Who may import whom, what stays light, and how the repository is laid out."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ipx

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "numpy", "scipy", "skimage", "pywt", "PIL", "imagecodecs", "tifffile"}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> list[tuple[str, str]]:
    """(module, name) of every import; name is empty for ``import module``."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(a.name, "") for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [(node.module or "", a.name) for a in node.names]
    return found


def test_the_core_knows_no_plugin_and_no_command_line() -> None:
    for path in sources("core"):
        for module, _ in imports(path):
            assert module.split(".")[0] not in ("ipx_plugins", "ipx_cli"), path


# what a plugin that adds a command or a file format works with, docs/plugins/README.md
FOR_COMMANDS = (
    "ipx.errors",
    "ipx.declare.registry",
    "ipx.files.format",
    "ipx.files.images",
    "ipx.files.panel",
    "ipx.files.record",
    "ipx.numerics.metrics",
)


# what authors of solvers work with: the names that it hands on
PUBLIC_TOOLKIT = [
    alias.name
    for node in ast.parse((ROOT / "core" / "ipx" / "toolkit" / "__init__.py").read_text()).body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
]


def test_plugins_import_the_public_core_and_themselves() -> None:
    for path in sources("plugins"):
        own = path.relative_to(ROOT / "plugins" / "ipx_plugins").parts[0]
        for module, name in imports(path):
            top, *rest = module.split(".")
            assert top != "ipx_cli", path
            if top == "ipx_plugins":
                assert rest[0] == own, f"{path} imports another plugin"
            if module in FOR_COMMANDS:
                assert not name.startswith("_"), f"{path} imports {name}"
            elif module == "ipx.toolkit":
                assert name in ("", *PUBLIC_TOOLKIT), f"{path} imports {name}, which is not public"
            elif top == "ipx":
                assert module == "ipx", f"{path} imports {module}, not the public face"
                assert name in ("", *ipx.__all__), f"{path} imports {name}, which is not public"


def test_the_command_line_knows_no_mathematics() -> None:
    for path in sources("cli"):
        for module, _ in imports(path):
            assert module.split(".")[0] not in HEAVY | {"ipx_plugins"}, (path, module)


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["list"],
        ["info", "tv"],
        ["solve", "--op", "blur", "--help"],
        ["solve", "--op", "blur", "--prior", "tv", "--dry-run"],
        ["plugins"],
        ["matrix"],
    ],
)
def test_light_commands_import_nothing_heavy(command: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from ipx_cli.main import main\n"
        f"sys.argv = ['ipx', *{command!r}]\n"
        "try:\n    main()\nexcept SystemExit as e:\n    assert not e.code, e.code\n"
        f"loaded = sorted({HEAVY!r} & set(sys.modules))\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_files_are_short() -> None:
    for folder in ("core", "plugins", "cli"):
        for path in sources(folder):
            lines = len(path.read_text().splitlines())
            assert lines <= 400, f"{path} has {lines} lines"


def test_top_level() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    top = {Path(p).parts[0] for p in listed if not p.startswith(".")}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"}
    assert top <= wanted | {"core", "plugins", "cli", "tests", "docs"}
    for root, package in (("core", "ipx"), ("plugins", "ipx_plugins"), ("cli", "ipx_cli")):
        inside = {p.name for p in (ROOT / root).iterdir() if p.name != "__pycache__"}
        assert inside == {package}


def test_public_names_exist_and_hooks_are_documented() -> None:
    for name in ipx.__all__:
        assert getattr(ipx, name) is not None
    text = (ROOT / "docs" / "plugins" / "README.md").read_text()
    assert "### ipx_components()" in text
    assert "### ipx_commands(cli)" in text
