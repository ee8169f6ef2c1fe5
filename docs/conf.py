"""The documentation site: ``python -m sphinx -W docs docs/_build/html``.

The pages of this folder are Markdown, readable in the repository as they are. What can be derived
from the code is generated before the pages are read, into folders that git ignores: the reference,
the gallery and the notebooks of the how-to pages.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # ipx

from _site import generate, pages  # noqa: E402
from ipx import __version__  # noqa: E402

project = "ipx"
version = release = __version__
copyright = "the authors of ipx"

extensions = ["myst_parser", "sphinx_gallery.gen_gallery"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
root_doc = "index"
exclude_patterns = [
    "README.md",
    "_build",
    "_site",
    "examples",
    "gallery/parts",
    "**/tests",
    "**/src",
]
myst_heading_anchors = 4
suppress_warnings = ["config.cache"]  # the configuration of sphinx-gallery holds a function

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "how-to",
    "filename_pattern": os.environ.get("IPX_DOCS_EXAMPLES", r"\.py"),  # those that are run
    "ignore_pattern": r"conftest\.py",
    "within_subsection_order": "ExampleTitleSortKey",
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 60,
    "abort_on_example_error": True,
}

html_theme = "furo"
html_title = f"ipx {__version__}"
html_show_sourcelink = False
html_copy_source = False
templates_path: list[str] = []


def setup(app):  # type: ignore[no-untyped-def]  # sphinx is no dependency of the checks
    """Generate the derived pages first, then read each page with its links mapped to the site."""
    app.connect("builder-inited", lambda app: generate.everything(HERE), priority=400)
    app.connect("source-read", lambda app, doc, text: text.__setitem__(0, pages.read(doc, text[0])))
