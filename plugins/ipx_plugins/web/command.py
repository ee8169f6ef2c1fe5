"""The command ``ipx serve``."""

from __future__ import annotations

from importlib.util import find_spec

import click

from ipx import MissingExtraError
from ipx.files.limits import MAX_PIXELS

EXTRA = {
    "jinja2": "jinja2",
    "multipart": "python-multipart",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
}
"""Modules of the extra ``web``, and the packages that have them."""


@click.command("serve")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on 127.0.0.1.  [default: a free one]",
)
@click.option(
    "--max-upload",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Refuse files of more megabytes.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=MAX_PIXELS,
    show_default=True,
    help="Refuse images with more pixels.",
)
@click.option("--open", "opened", is_flag=True, help="Open the page in the browser.")
def serve(port: int, max_upload: int, max_pixels: int, opened: bool) -> None:
    """Restore pictures on a local page.

    Prints the address of the page, which has a secret in it, and serves this machine only until
    it is interrupted. Pictures and results are in a temporary folder and removed at the end.
    """
    missing = [package for module, package in EXTRA.items() if find_spec(module) is None]
    if missing:
        raise MissingExtraError.of("ipx serve", *missing, extra="web")
    from ipx_plugins.web.server import run

    run(port, max_upload * 1_000_000, max_pixels, opened)
