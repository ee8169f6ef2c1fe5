"""Writes a complete third-party package, for ``ipx new-plugin``."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path

from ipx.declare.registry import registry
from ipx.declare.specs import NAME
from ipx.errors import InputError, OptionError

_FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "src/__init__.py.txt": "src/{package}/__init__.py",
    "src/operator.py.txt": "src/{package}/operator.py",
    "tests/test_plugin.py.txt": "tests/test_{package}.py",
}


def create_plugin(name: str, folder: Path) -> list[Path]:
    """Write a package with an operator, its declaration, tests and a README.

    Args:
        name: of the package, the plugin and the operator, ``[a-z][a-z0-9-]*``.
        folder: where the folder ``name`` is made.

    Returns:
        The files written.

    Raises:
        OptionError: no such name is possible.
        InputError: the folder is there already, or cannot be written.
    """
    if not NAME.match(name) or not name[0].isalpha():
        hint = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
        raise OptionError(
            f"{name!r} cannot be the name of a plugin: use a-z, 0-9 and -"
            + (f", as in {hint}" if hint else "")
        )
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or package in sys.stdlib_module_names:
        raise OptionError(f"{name!r} cannot be the name of a plugin: Python has it for itself")
    if name in registry().names("operator"):
        raise OptionError(f"there is an operator {name} already; choose another name")
    values = {"name": name, "package": package, "cls": name.title().replace("-", "")}
    target = folder / name
    written: list[Path] = []
    try:
        target.mkdir(parents=True)
        for source, place in _FILES.items():
            text = files("ipx").joinpath("template", source).read_text(encoding="utf-8")
            path = target / place.format(**values)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(**values), encoding="utf-8")
            written.append(path)
    except FileExistsError:
        raise InputError(f"{target} exists already; choose another name or folder") from None
    except OSError as e:
        raise InputError(f"cannot write to {target}: {e.strerror or e}") from None
    return written
