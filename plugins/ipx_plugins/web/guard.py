"""What is let in: requests of this machine's own page, which know the secret, of bounded size."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE = ("GET", "HEAD")
FORM = 100_000
"""Bytes that a form may have besides its file."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer: nothing of another origin is loaded, or may load this."""


class TooLargeError(Exception):
    """The body of a request is larger than allowed."""


class Guard:
    """Checks Host, token and Origin before anything else; limits the body.

    The token comes with the first request, in the address, then in a cookie of this port. Host
    keeps out a foreign name that was made to point to this machine. Origin and SameSite keep out
    requests of foreign pages.

    Args:
        app: the application behind it.
        port: its port.
        token: the secret.
        most: the largest upload in bytes.
    """

    def __init__(self, app: ASGIApp, port: int, token: str, most: int) -> None:
        self.app, self.token, self.most = app, token, most + FORM
        self.cookie = f"ipx-{port}"  # cookies do not know ports
        self.hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        self.origins = {f"http://{host}" for host in self.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        known = self._is(given)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    out.setdefault(name, value)
                if known:
                    out.append(
                        "Set-Cookie",
                        f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/",
                    )
            await send(message)

        refused = self._refused(scope["method"], headers, known)
        if refused is not None:
            await PlainTextResponse(refused[1], refused[0])(scope, receive, answer)
            return
        await self.app(scope, self._limited(receive), answer)

    def _refused(
        self, method: str, headers: Mapping[str, str], known: bool
    ) -> tuple[int, str] | None:
        """Status and reason; None for what is let in."""
        if headers.get("host", "") not in self.hosts:
            return 421, "This server answers to 127.0.0.1 only."
        if not known and not self._is(self._from(headers.get("cookie", ""))):
            return 403, "Open the address that ipx serve has printed; it has a token in it."
        if method not in SAFE and headers.get("origin", "") not in self.origins:
            return 403, "This request comes from another page."
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > self.most:
            return 413, self.too_large
        return None

    @property
    def too_large(self) -> str:
        """What is said of a body that is too large."""
        limit = (self.most - FORM) / 1e6
        return f"The file is larger than {limit:g} MB; --max-upload raises the limit."

    def _is(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())

    def _from(self, cookies: str) -> str:
        return cookie_parser(cookies).get(self.cookie, "")

    def _limited(self, receive: Receive) -> Receive:
        """``receive``, which raises `TooLargeError` once the body exceeds the limit."""
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.most:
                raise TooLargeError(self.too_large)
            return message

        return limited
