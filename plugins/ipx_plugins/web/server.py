"""The server process: socket, secret, temporary folder, and their end."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import uvicorn

from ipx import InputError, UsageError
from ipx.files.atomic import one_line
from ipx_plugins.web.app import Limits, application

HOST = "127.0.0.1"


def run(port: int, max_upload: int, max_pixels: int, opened: bool) -> None:
    """Serve the page until the process is interrupted.

    Args:
        port: on 127.0.0.1; 0 for a free one.
        max_upload: the largest upload in bytes.
        max_pixels: the largest number of pixels of an image.
        opened: open the page in the browser.

    Raises:
        UsageError: the port is taken.
    """
    with _listening(port) as listener, _folder() as root:
        own = listener.getsockname()[1]
        token = secrets.token_urlsafe(24)
        app = application(root, own, token, Limits(max_upload, max_pixels))
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=1,
        )
        address = f"http://{HOST}:{own}/?token={token}"
        click.echo(address)
        click.echo("ipx: this address is for you alone; Ctrl-C ends the server", err=True)
        if opened:
            webbrowser.open(address)
        uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """A socket that listens: a browser that is early waits."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(64)
        except OSError as e:
            raise UsageError(f"port {port} of {HOST}: {one_line(e)}; give another --port") from e
        yield listener


@contextmanager
def _folder() -> Iterator[Path]:
    """A private folder, the current one meanwhile: relative paths lead nowhere else."""
    before = Path.cwd()
    try:
        root = Path(tempfile.mkdtemp(prefix="ipx-serve-"))
    except OSError as e:
        raise InputError(f"no temporary folder can be made: {one_line(e)}") from e
    try:
        os.chdir(root)
        yield root
    finally:
        os.chdir(before)
        shutil.rmtree(root, ignore_errors=True)
