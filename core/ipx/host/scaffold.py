"""Writes a complete third-party package, for ``ipx new-plugin``."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path

from ipx.declare.registry import registry
from ipx.declare.specs import NAME
from ipx.errors import InputError, OptionError, did_you_mean

TEMPLATES = {
    "operator": "operator",
    "prior": "prior",
    "solver": "solver",
    "denoiser": "prior",
    "model": "model",
}
"""The kinds of plugin, and the kind of component that each declares."""


def create_plugin(name: str, folder: Path, kind: str = "operator") -> list[Path]:
    """Write a package: a component, its declaration, tests and a README.

    Args:
        name: of the package, the plugin and the component, ``[a-z][a-z0-9-]*``.
        folder: the parent of the new folder ``name``.
        kind: one of `TEMPLATES`.

    Returns:
        The files written.

    Raises:
        OptionError: the name is taken or not allowed, or there is no such kind.
        InputError: the folder exists, or cannot be written.
    """
    if kind not in TEMPLATES:
        known = ", ".join(TEMPLATES)
        raise OptionError(f"no plugin of kind {kind}; take {known}{did_you_mean(kind, TEMPLATES)}")
    if not NAME.match(name) or not name[0].isalpha():
        hint = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
        raise OptionError(
            f"{name!r} cannot be the name of a plugin: use a-z, 0-9 and -"
            + (f", as in {hint}" if hint else "")
        )
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or package in sys.stdlib_module_names:
        raise OptionError(f"{name!r} cannot be the name of a plugin: Python uses it")
    found = importlib.util.find_spec(package)
    if found is not None and found.origin is not None:
        raise OptionError(f"a Python package {package} is installed already; choose another name")
    component = TEMPLATES[kind]
    if name in registry().names(component):
        raise OptionError(f"there is a {component} {name} already; choose another name")
    values = {"name": name, "package": package, "cls": name.title().replace("-", ""), "kind": kind}
    target = folder / name
    written: list[Path] = []
    try:
        target.mkdir(parents=True)
        for place, text in _templates(kind):
            path = target / place.format(**values)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(**values), encoding="utf-8")
            written.append(path)
    except FileExistsError:
        raise InputError(f"{target} exists already; choose another name or folder") from None
    except OSError as e:
        raise InputError(f"cannot write to {target}: {e.strerror or e}") from None
    return written


def _templates(kind: str) -> list[tuple[str, str]]:
    """The path and the text of each file, both with fields in braces."""
    root = files("ipx").joinpath("template")
    own = root.joinpath(kind)
    found = [
        ("pyproject.toml", root.joinpath("pyproject.toml.txt")),
        ("README.md", own.joinpath("README.md.txt")),
        ("tests/test_{package}.py", own.joinpath("tests", "test_plugin.py.txt")),
    ]
    sources = sorted(own.joinpath("src").iterdir(), key=lambda f: f.name)
    found += [("src/{package}/" + f.name.removesuffix(".txt"), f) for f in sources]
    return [(place, file.read_text(encoding="utf-8")) for place, file in found]
