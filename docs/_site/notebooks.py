"""Pages with code as notebooks, by jupytext: the code, the files and the commands of a page."""

from __future__ import annotations

import re
from pathlib import Path

PAGES = ("tutorial", "extending", "first")
"""The pages that are notebooks, too."""

FILE = re.compile(r"^```python\n# (\S+/\S+\.py)\n", re.MULTILINE)
CONSOLE = re.compile(r"^```console\n((?:\$ .*\n)+)```", re.MULTILINE)
LINK = re.compile(r"\[([^\[\]]+)\]\((?!https?:)[^()]+\)")


def source(text: str) -> str:
    """The Markdown of a notebook: files are written by it, commands are run, links are text.

    Args:
        text: of a page.
    """
    text = FILE.sub(r"```python\n%%writefile \1\n", text)
    text = CONSOLE.sub(lambda m: "```python\n" + m.group(1).replace("$ ", "!") + "```", text)
    return LINK.sub(r"\1", text)


def write(docs: Path) -> None:
    """Write ``docs/notebooks/PAGE.ipynb`` for each of `PAGES`."""
    import jupytext  # of the extra docs only

    folder = docs / "notebooks"
    folder.mkdir(exist_ok=True)
    for page in PAGES:
        book = jupytext.reads(source((docs / f"{page}.md").read_text("utf-8")), fmt="md")
        book.metadata["kernelspec"] = {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        }
        for number, cell in enumerate(book.cells):
            cell["id"] = f"{page}-{number}"  # the same in each build
        jupytext.write(book, folder / f"{page}.ipynb")
