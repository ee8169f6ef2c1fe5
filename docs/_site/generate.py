"""Writes the generated pages and pictures."""

from __future__ import annotations

import os
from pathlib import Path

from _site import gallery, notebooks, pages, reference


def texts(docs: Path, drawn: frozenset[str]) -> dict[str, str]:
    """Place in ``docs`` to text of each generated page.

    Args:
        docs: the folder of the pages.
        drawn: the names of the pictures that the gallery has, such as ``prior-tv``.
    """
    front = pages.front((docs / "README.md").read_text("utf-8"))
    return {"index.md": front, **gallery.pages(drawn), **reference.texts(drawn)}


def everything(docs: Path) -> None:
    """Draw the missing pictures, write all generated pages and the notebooks.

    ``IPX_DOCS_GALLERY`` says of which kinds pictures are drawn, ``operator,noise`` for example. By
    default it is all of them. Pages that are as they should be are left alone.
    """
    kinds = os.environ.get("IPX_DOCS_GALLERY", ",".join(gallery.KINDS)).split(",")
    gallery.draw(docs / "gallery" / "pictures", [kind for kind in kinds if kind])
    drawn = frozenset(path.stem for path in (docs / "gallery" / "pictures").glob("*.png"))
    made = texts(docs, drawn)
    for folder in ("reference", "gallery"):
        for path in (docs / folder).glob("*.md"):
            if path.relative_to(docs).as_posix() not in made:
                path.unlink()  # of an earlier version, or of a plugin that is gone
    for place, text in made.items():
        path = docs / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    notebooks.write(docs)
