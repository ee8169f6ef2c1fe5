"""Who may import whom, what stays light, and how the repository is laid out."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import ipx

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "numpy", "scipy", "skimage", "pywt", "PIL", "imagecodecs", "tifffile"}


@cache
def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> list[tuple[str, str]]:
    """(module, name) of every import; name is empty for ``import module``."""
    found = []
    for node in ast.walk(parsed(path)):
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
    "ipx.declare.options",
    "ipx.declare.registry",
    "ipx.files.atomic",
    "ipx.files.axes",
    "ipx.files.complex",
    "ipx.files.format",
    "ipx.files.images",
    "ipx.files.limits",
    "ipx.files.lookup",
    "ipx.files.picture",
    "ipx.files.panel",
    "ipx.files.record",
    "ipx.files.sheets",
    "ipx.jobs.assumed",
    "ipx.jobs.reporter",
    "ipx.jobs.solve",
    "ipx.jobs.tiled",
    "ipx.numerics.metrics",
    "ipx.numerics.text",
    "ipx.planning.matrix",
    "ipx.planning.request",
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
            if top == "ipx_cli":  # options that several commands have, where commands are
                assert (module, path.name) == ("ipx_cli.options", "command.py"), path
                assert name in ("SCALE", "max_pixels"), f"{path} imports {name}"
            if top == "ipx_plugins":
                assert rest[0] == own, f"{path} imports another plugin"
            if module in FOR_COMMANDS:
                assert not name.startswith("_"), f"{path} imports {name}"
            elif module == "ipx.toolkit":
                assert name in ("", *PUBLIC_TOOLKIT), f"{path} imports {name}, which is not public"
            elif top == "ipx":
                assert module == "ipx", f"{path} imports {module}, not the public face"
                assert name in ("", *ipx.__all__), f"{path} imports {name}, which is not public"


FLOORS = (
    "errors", "_version", "declare", "planning", "numerics", "files", "report", "parts", "solving",
    "toolkit", "jobs", "training", "testing", "host",
)  # fmt: skip
"""The floors of core: each stands only on those before it. docs/contributing.md"""


def floor(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@cache
def core_imports() -> list[tuple[Path, str, str]]:
    """(file, its module, imported module of ipx), imports for types only left out."""
    files = {
        ".".join(p.relative_to(ROOT / "core").with_suffix("").parts): p for p in sources("core")
    }
    found = []
    for own, path in files.items():
        todo: list[ast.AST] = [parsed(path)]
        while todo:
            node = todo.pop()
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                todo += node.orelse
                continue
            todo += ast.iter_child_nodes(node)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ipx."):
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                found += [(path, own, i if i in files else str(node.module)) for i in inner]
    return found


def test_each_floor_of_core_stands_on_those_below() -> None:
    for path, own, module in core_imports():
        here, there = floor(own), floor(module)
        if here in ("", "__init__"):
            continue
        assert there in FLOORS, f"{path} imports {module}, which is on no floor"
        below = FLOORS.index(there) < FLOORS.index(here)
        assert here == there or below, f"{path} on floor {here} imports {module} above it"


def test_no_import_circle_in_core() -> None:
    """Also not within a floor, nor through imports inside functions."""
    graph: dict[str, set[str]] = {}
    for _, own, module in core_imports():
        graph.setdefault(own.removesuffix(".__init__"), set()).add(module)
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for other in graph.get(module, ()):
                visit(other, (*path, module))
            done.add(module)

    for module in list(graph):
        visit(module, ())


def test_the_lowest_floors_are_light() -> None:
    for path in sources("core/ipx/declare") + sources("core/ipx/planning"):
        for node in parsed(path).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names]
                module = getattr(node, "module", None) or names[0]
                assert module.split(".")[0] not in HEAVY, path


@pytest.mark.parametrize("name", ["noise", "operator", "prior", "solver", "tuner", "restore"])
def test_a_function_is_no_module(name: str) -> None:
    """``import ipx.noise as m`` once gave the function of this name."""
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"ipx.{name}")
    assert callable(getattr(ipx, name))


def test_the_public_names_stand_in_one_list() -> None:
    source = (ROOT / "core/ipx/__init__.py").read_text()
    assert "from ipx" not in source
    stub = (ROOT / "core/ipx/__init__.pyi").read_text()
    assert all(len(re.findall(rf" as {name}\b", stub)) == 1 for name in ipx.__all__)
    assert ipx.__all__ == sorted(set(ipx.__all__))


def test_the_command_line_knows_no_mathematics() -> None:
    for path in sources("cli"):
        for module, _ in imports(path):
            assert module.split(".")[0] not in HEAVY | {"ipx_plugins"}, (path, module)


LIGHT = (
    ["--help"],
    ["list"],
    ["info", "tv"],
    ["solve", "--op", "blur", "--help"],
    ["solve", "--op", "blur", "--prior", "tv", "--dry-run"],
    ["plugins"],
    ["matrix", "--op", "blur"],
)

EACH = f"""
import os, sys
from ipx.declare.registry import registry
from ipx_cli.main import main
registry()
for command in {LIGHT!r}:
    reading, writing = os.pipe()
    if not os.fork():
        os.dup2(writing, 1)
        sys.argv = ["ipx", *command]
        code = 0
        try:
            main()
        except SystemExit as e:
            code = e.code
        sys.stdout.flush()
        loaded = sorted({HEAVY!r} & set(sys.modules))
        if code or loaded:
            print(command, "exit", code, "loaded", loaded, file=sys.stderr, flush=True)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as output:
        if not output.read():
            print(command, "prints nothing", file=sys.stderr)
    os.wait()
"""
"""Each command in a process of its own, which has the imports of all commands and plugins only."""


def test_light_commands_import_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EACH], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


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
    wanted = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff"}
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
