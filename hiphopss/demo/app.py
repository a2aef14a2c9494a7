"""The demo's web application: its addresses and their handlers."""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hiphopss.demo.catalogue import Model
from hiphopss.demo.jobs import Full, Job
from hiphopss.demo.security import Guard, retry_headers
from hiphopss.demo.service import Demo, site_description, static_files
from hiphopss.demo.uploads import Receptions, Refused, busy, clean_name, inspect

_MEDIA_TYPES = {
    ".js": "text/javascript",
    ".flac": "audio/flac",
    ".json": "application/json",
    ".zip": "application/zip",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".bin": "application/octet-stream",
}
_UNSTORED = {"cache-control": "no-store"}
_REVALIDATED = {"cache-control": "no-cache"}
_PRIVATE = {"cache-control": "private, max-age=3600"}  # the files of a result never change


def create_app(demo: Demo, *, host: str = "127.0.0.1", name: str | None = None) -> ASGIApp:
    """Make the application that serves a demo.

    Parameters
    ----------
    demo : Demo
        Demo to serve.
    host, name : str
        Address to which the server is bound, and its owner's name for it; see
        :class:`hiphopss.demo.security.Guard`.
    """
    static = static_files()
    handlers = _Handlers(demo)
    # Starlette's types require handlers of any exception, not only of the one they are for.
    answers: dict[Any, Any] = {HTTPException: _plain_error, Refused: _refused}
    pages = {f"/{name}": path for name, path in static.items()} | {"/": static["index.html"]}
    app = Starlette(
        routes=[
            *(Route(address, _file(path)) for address, path in pages.items()),
            Route("/site.json", handlers.site),
            Route("/api/jobs", handlers.submit, methods=["POST"]),
            Route("/api/jobs/{id}", handlers.job, methods=["GET"]),
            Route("/api/jobs/{id}", handlers.cancel, methods=["DELETE"]),
            Route("/api/results/{id}", handlers.remove, methods=["DELETE"]),
            Route("/weights/{id}.bin", handlers.weights),
            Route("/results/{id}/result.json", handlers.result),
            Route("/results/{id}/{name}", handlers.track),
        ],
        exception_handlers=answers,
    )
    return Guard(app, host=host, name=name)  # outermost: its headers are for Starlette's errors too


def _file(path: Path) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return FileResponse(path, media_type=_media_type(path), headers=_REVALIDATED)

    return answer


def _media_type(path: Path) -> str | None:
    return _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]


async def _plain_error(request: Request, error: HTTPException) -> Response:
    messages = {404: "That is not there, or not any more: load the page again."}
    message = messages.get(error.status_code, f"{error.detail}: load the page again.")
    return JSONResponse(
        {"error": message}, error.status_code, {**(error.headers or {}), **_UNSTORED}
    )


async def _refused(request: Request, refusal: Refused) -> Response:
    headers = {**_UNSTORED, **retry_headers(refusal.status)}
    if refusal.status == 408:
        headers["connection"] = "close"  # the rest of the request would be as slow
    return JSONResponse({"error": str(refusal)}, refusal.status, headers)


class _Handlers:
    """Handlers of the addresses that depend on the demo."""

    def __init__(self, demo: Demo):
        self._demo = demo
        self._receptions = Receptions(demo.limits)

    async def site(self, request: Request) -> Response:
        """Describe models, songs and limits."""
        description = site_description(self._demo.catalogue, self._demo.limits)
        return JSONResponse(description, headers=_UNSTORED)

    async def submit(self, request: Request) -> Response:
        """Start a separation of a bundled song, of an earlier result, or of an uploaded file."""
        query = request.query_params
        model = self._demo.catalogue.models.get(query.get("model", ""))
        if model is None:
            raise Refused(422, "The server has no model of that name: load the page again.")
        with self._place() as submit:
            job = self._job_without_upload(query, model)
            if job:
                submit(job)
        if job is None:
            job = await self._job_of_upload(request, model)
        return JSONResponse({"job": job.id}, 202, _UNSTORED)

    @contextmanager
    def _place(self) -> Iterator[Callable[[Job], None]]:
        """Reserve a place in the queue; give what submits a job there, or leave it free."""
        queue = self._demo.queue
        try:
            queue.reserve()
        except Full:
            raise busy() from None
        submitted = False

        def submit(job: Job) -> None:
            nonlocal submitted
            queue.submit(job)
            submitted = True

        try:
            yield submit
        finally:
            if not submitted:
                queue.release()

    def _job_without_upload(self, query: Mapping[str, str], model: Model) -> Job | None:
        if "song" in query:
            song = self._demo.catalogue.songs.get(query["song"])
            if song is None:
                raise Refused(422, "The server has no song of that name: load the page again.")
            return self._demo.separate_song(song, model)
        if "result" in query:
            if self._demo.store.get(query["result"]) is None:
                raise Refused(422, "The song is not on the server any more: upload it again.")
            return self._demo.separate_result(query["result"], model)
        return None

    async def _job_of_upload(self, request: Request, model: Model) -> Job:
        """Receive an upload. It gets a place when it is complete, so slow clients hold none."""
        given = request.query_params.get("name")
        name = clean_name(given)
        path = self._demo.uploads / secrets.token_urlsafe(16)
        announced = request.headers.get("content-length", "")
        try:
            await self._receptions.receive(
                request.stream(),
                path,
                name=name,
                announced=int(announced) if announced.isdecimal() else None,
            )
            with self._place() as submit:
                await run_in_threadpool(inspect, path, name=name, limits=self._demo.limits)
                if await request.is_disconnected():
                    raise ClientDisconnect  # nobody would know the job's id to cancel it
                job = self._demo.separate_upload(path, given, model)
                submit(job)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, ClientDisconnect):
                raise Refused(400, "The upload was broken off: try again.") from error
            raise
        return job

    async def job(self, request: Request) -> Response:
        """Report the state of a job."""
        description = self._demo.queue.describe(request.path_params["id"])
        if description is None:
            raise HTTPException(404)
        return JSONResponse(description, headers=_UNSTORED)

    async def cancel(self, request: Request) -> Response:
        """Cancel a job."""
        if not self._demo.queue.cancel(request.path_params["id"]):
            raise HTTPException(404)
        return Response(status_code=204)

    async def remove(self, request: Request) -> Response:
        """Delete a visitor's own song."""
        if not await run_in_threadpool(self._demo.remove_result, request.path_params["id"]):
            raise HTTPException(404)
        return Response(status_code=204)

    async def result(self, request: Request) -> Response:
        """Describe a song's tracks, and whether the visitor may delete the song."""
        result = self._demo.store.get(request.path_params["id"])
        if result is None:
            raise Refused(404, "There is no such song here, or not any more: choose another.")
        description = result.description() | {"removable": not self._demo.is_shared(result.id)}
        return JSONResponse(description, headers=_UNSTORED)

    async def weights(self, request: Request) -> Response:
        """Send a model's weights, with which the page separates songs by itself."""
        path = await run_in_threadpool(self._demo.device_weights.path, request.path_params["id"])
        if path is None:
            raise HTTPException(404)
        return FileResponse(path, media_type=_media_type(path), headers=_REVALIDATED)

    async def track(self, request: Request) -> Response:
        """Send a file of a song; byte ranges are supported."""
        result = self._demo.store.get(request.path_params["id"])
        path = result and result.path(request.path_params["name"])
        if not path or not path.is_file():
            raise HTTPException(404)
        return FileResponse(path, media_type=_media_type(path), headers=_PRIVATE)
