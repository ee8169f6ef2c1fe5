"""The application: what each address answers."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from ipx import IpxError, UsageError
from ipx_plugins.web.asked import Asked, read_form
from ipx_plugins.web.bench import Bench
from ipx_plugins.web.fits import nothing, outlook
from ipx_plugins.web.guard import Guard, TooLargeError
from ipx_plugins.web.jobs import RECORD, Jobs
from ipx_plugins.web.pages import Pages
from ipx_plugins.web.store import GoneError, Store, Upload

HERE = Path(__file__).parent

SAMPLE = {"op": ["blur"], "op.blur.sigma": ["1.5"]}
"""The choices that suit the bundled picture, see `ipx_plugins.web.tasks.sample`."""


@dataclass(frozen=True)
class Limits:
    """The largest upload in bytes, and the largest number of pixels."""

    upload: int
    pixels: int


def application(root: Path, port: int, token: str, limits: Limits) -> Starlette:
    """The application.

    Args:
        root: a folder for its files.
        port: where it is served.
        token: the secret of its address.
        limits: of uploads.
    """
    bench = Bench(root)
    store, jobs = Store(root), Jobs(root, bench, limits.pixels)
    site = Site(store, bench, jobs, limits, Pages(limits.upload, store.uploads))

    @asynccontextmanager
    async def alive(app: Starlette) -> AsyncIterator[None]:
        await bench.start()
        try:
            yield
        finally:
            bench.ending = True
            await site.jobs.stop()
            await bench.stop()

    def route(path: str, method: str, answer: Callable[[Request], Awaitable[Response]]) -> Route:
        return Route(path, answer, methods=[method])

    static = StaticFiles(directory=HERE / "static")
    app = Starlette(
        routes=[
            route("/", "GET", site.page),
            route("/pictures", "POST", site.add_picture),
            route("/sample", "POST", site.add_sample),
            route("/pictures/{key}/preview.png", "GET", site.preview),
            route("/files", "POST", site.add_file),
            route("/plan", "POST", site.plan),
            route("/foresee", "POST", site.foresee),
            route("/jobs", "POST", site.add_job),
            route("/jobs/{key}", "GET", site.job),
            route("/jobs/{key}/cancel", "POST", site.cancel),
            route("/jobs/{key}/{shot}.png", "GET", site.shot),
            route("/jobs/{key}/files/{name}", "GET", site.file),
        ],
        middleware=[Middleware(Guard, port=port, token=token, most=limits.upload)],
        exception_handlers={
            GoneError: site.failed(404),
            IpxError: site.failed(422),
            TooLargeError: site.failed(413),
        },
        lifespan=alive,
    )
    app.mount("/static", static)
    return app


@dataclass(frozen=True)
class Site:
    """The answers."""

    store: Store
    bench: Bench
    jobs: Jobs
    limits: Limits
    pages: Pages

    def failed(self, status: int) -> Callable[[Request, Exception], Response]:
        """The answer to an error: its line."""

        def answer(request: Request, error: Exception) -> Response:
            where = {"HX-Retarget": "#trouble", "HX-Reswap": "innerHTML"}
            return HTMLResponse(self.pages.error(str(error)), status, where)

        return answer

    async def page(self, request: Request) -> Response:
        """The whole page, with the usual choices."""
        asked = Asked({}, {})
        found = await run_in_threadpool(outlook, asked)
        jobs = [*self.jobs.jobs.values()][::-1]
        return HTMLResponse(self.pages.whole(asked, found, jobs))

    async def add_picture(self, request: Request) -> Response:
        """Take the picture to restore."""
        async with request.form(max_files=1) as form:
            upload = await self._received(form)
        return await self._looked(upload)

    async def add_sample(self, request: Request) -> Response:
        """Take a bundled picture, blurred and noisy."""
        return await self._looked(self.store.add("sample.tif"), "sample")

    async def _looked(self, upload: Upload, do: str = "look") -> Response:
        """What a picture is, or why it is none."""
        task = {
            "do": do,
            "source": str(upload.path),
            "preview": str(upload.preview),
            "max_pixels": self.limits.pixels,
        }
        try:
            upload.facts = await self.bench.work(task)
        except IpxError as e:
            self.store.drop(upload)
            raise UsageError(str(e).replace(str(upload.path), upload.name)) from e
        page = self.pages.picture(upload, SAMPLE if do == "sample" else {})
        return HTMLResponse(page, headers={"HX-Trigger-After-Settle": "replan"})

    async def add_file(self, request: Request) -> Response:
        """Take a file that an option names, such as a mask."""
        async with request.form(max_files=1) as form:
            upload = await self._received(form)
            entry = str(form.get("entry", ""))
        page = self.pages.chosen_file(entry, upload)
        return HTMLResponse(page, headers={"HX-Trigger-After-Settle": "replan"})

    async def _received(self, form: FormData) -> Upload:
        files = [f for f in form.values() if isinstance(f, UploadFile) and f.filename]
        if not files:
            raise UsageError("no file was sent: choose one")
        file = files[0]
        upload = self.store.add(file.filename or "")

        def copy() -> None:
            with upload.path.open("wb") as target:
                shutil.copyfileobj(file.file, target)

        await run_in_threadpool(copy)
        return upload

    async def _form(self, request: Request) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        async with request.form(max_files=0, max_fields=500) as form:
            for name, value in form.multi_items():
                values.setdefault(name, []).append(str(value))
        return values

    async def _ready(self, request: Request) -> Asked:
        """A restoration that can start.

        Raises:
            UsageError: it cannot; says why.
        """
        asked = read_form(await self._form(request), self.store)
        if asked.picture is None:
            raise UsageError("choose a picture first")
        found = await run_in_threadpool(outlook, asked)
        if found.refused:
            raise UsageError(found.refused)
        return asked

    async def plan(self, request: Request) -> Response:
        """The plan, and the choices where they have changed."""
        form = await self._form(request)
        try:
            asked = read_form(form, self.store)
            found = await run_in_threadpool(outlook, asked)
        except UsageError as e:
            asked, found = Asked({}, {}), nothing(str(e))
        return HTMLResponse(self.pages.plan(asked, found, form))

    async def foresee(self, request: Request) -> Response:
        """Memory and time."""
        asked = await self._ready(request)
        task = {**asked.to_task(), "do": "foresee", "max_pixels": self.limits.pixels}
        try:
            found: dict[str, Any] = await self.bench.work(task)
        except IpxError as e:
            raise UsageError(_renamed(str(e), asked)) from e
        return HTMLResponse(self.pages.foreseen(found))

    async def add_job(self, request: Request) -> Response:
        """Begin a restoration."""
        return self._state(self.jobs.add(await self._ready(request)).id)

    async def job(self, request: Request) -> Response:
        """How a restoration stands."""
        return self._state(request.path_params["key"])

    async def cancel(self, request: Request) -> Response:
        """End a restoration."""
        key = request.path_params["key"]
        await self.jobs.cancel(self.jobs.get(key))
        return self._state(key)

    def _state(self, key: str) -> Response:
        job = self.jobs.get(key)
        ahead = self.jobs.before(job) if job.state == "waiting" else 0
        return HTMLResponse(self.pages.job(job, ahead))

    async def preview(self, request: Request) -> Response:
        """The uploaded picture."""
        return _png(self.store.get(request.path_params["key"]).preview)

    async def shot(self, request: Request) -> Response:
        """A picture of a restoration: its start, now, its end."""
        job, name = self.jobs.get(request.path_params["key"]), request.path_params["shot"]
        if name not in ("start", "frame", "after"):
            raise GoneError("there is no such picture")
        return _png(job.folder / f"{name}.png")

    async def file(self, request: Request) -> Response:
        """A file of the result, under the name that the command line would give it."""
        job = self.jobs.get(request.path_params["key"])
        found = job.files().get(request.path_params["name"])
        if job.state != "done" or found is None:
            raise GoneError("there is no such file")
        path, name = found
        if request.path_params["name"] == RECORD:
            told = f"attachment; filename*=utf-8''{quote(name, safe='')}"
            headers = {"Content-Disposition": told}
            return Response(job.record(), media_type="application/json", headers=headers)
        return FileResponse(path, filename=name, media_type="application/octet-stream")


def _png(path: Path) -> Response:
    if not path.is_file():
        raise GoneError("there is no such picture")
    return FileResponse(path, media_type="image/png")


def _renamed(text: str, asked: Asked) -> str:
    for path, name in asked.names.items():
        text = text.replace(path, name)
    return text
