"""Headless Chromium and axe-core; tests are skipped, with a word, where one is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="not run: Playwright is missing")
_axe = pytest.importorskip("axe_playwright_python", reason="not run: axe-core is missing")
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if _CHROMIUM is None:
    pytest.skip("not run: Chromium is missing", allow_module_level=True)

_AXE = Path(str(_axe.__file__)).parent / "axe.min.js"
_FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser of Playwright."""
    with playwright.sync_playwright() as run:
        made = run.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)
        yield made
        made.close()


def violations(page: Any, rules: list[str] | None = None) -> list[dict[str, Any]]:
    """What axe-core finds serious or critical; of the rules, if there are any."""
    page.evaluate(_AXE.read_text("utf-8"))
    asked = "" if rules is None else f"{{runOnly: {rules!r}}}"
    found = page.evaluate(f"axe.run({asked}).then((result) => result.violations)")
    return [v for v in found if v["impact"] in ("serious", "critical")]
