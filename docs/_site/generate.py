"""Writes the generated pages. ``python docs/_site/generate.py`` does it without sphinx."""

from __future__ import annotations

from pathlib import Path

from _site import pages, reference


def texts(docs: Path) -> dict[str, str]:
    """Place in ``docs`` to text of each generated page."""
    front = pages.front((docs / "README.md").read_text("utf-8"))
    return {"index.md": front, **reference.texts()}


def everything(docs: Path) -> None:
    """Write all generated pages; those that are as they should be are left alone."""
    for place, text in texts(docs).items():
        path = docs / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
