"""The pages of the repository as pages of the site: one front page, tables of contents, links."""

from __future__ import annotations

import re
from pathlib import Path

from _site import notebooks

GROUP = re.compile(r"^\*\*(.+)\*\*$", re.MULTILINE)
ENTRY = re.compile(r"^\* \[.*?\]\(([^)#]+)\)", re.MULTILINE)

GENERATED = {
    "Use it": (
        ("how-to/index.rst", "How-to pages", "each one a file that runs, and a notebook."),
        ("gallery/index.md", "Gallery", "every operator, noise, prior and solver in a picture."),
    ),
    "Extend it": (
        ("reference/index.md", "Reference", "components, options, capabilities, commands, Python."),
    ),
}
"""Group of the front page to its generated pages: place, title, what it is."""

FRONT = """# ipx

Restore images: given data y = noise(A x), estimate x. Operators, noise models, priors and solvers
are plugins, which combine freely from a shell or from Python.

```console
$ ipx solve photo.tif --op blur --op.sigma 2 -o sharp.tif
```

"""


def front(readme: str) -> str:
    """The front page of the site: the list of ``docs/README.md`` and what is generated.

    Each group becomes a part of the navigation, in the order of the list.
    """
    parts = GROUP.split(readme)[1:]
    text = FRONT
    for name, listed in zip(parts[::2], parts[1::2], strict=True):
        more = GENERATED.get(name, ())
        rows = [f"* [{title}]({place}): {what}" for place, title, what in more]
        docs = [*ENTRY.findall(listed), *(place for place, _, _ in more)]
        text += "\n".join([f"**{name}**", "", listed.strip(), *rows, "", toctree(docs, name), ""])
    return text


def toctree(docs: list[str], caption: str = "") -> str:
    """A table of contents that shows in the navigation only."""
    head = ["```{toctree}", ":hidden:"] + ([f":caption: {caption}"] if caption else [])
    return "\n".join([*head, "", *(str(Path(d).with_suffix("")) for d in docs), "```", ""])


def read(doc: str, text: str) -> str:
    """The text of a page as the site shows it.

    Args:
        doc: place of the page in ``docs``, without suffix.
        text: as it is in the repository.
    """
    text = re.sub(r"\]\((?:\.\./)*examples/(\w+)\.py\)", r"](how-to/\1.rst)", text)
    if "/" not in doc:
        text = text.replace("](README.md)", "](index.md)")
    if doc in notebooks.PAGES:
        text += f"\nThis page as a notebook: {{download}}`{doc}.ipynb <notebooks/{doc}.ipynb>`.\n"
    if doc == "benchmarks/README":
        text += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"
    return text
