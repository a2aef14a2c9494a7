"""Protection of the server against pages of other sites and against foreign host names.

The server has no accounts: anyone who reaches it may use it. So a page of another site, open in the
same browser, must not reach it: neither by sending requests (their origin is checked) nor through a
host name that it redirects to this machine (DNS rebinding; the host name is checked).
"""

from __future__ import annotations

import asyncio
import json
import re
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# blob: is the page's own memory, with the mix that it renders, the audio that it plays, and songs
# that were separated in the browser. 'wasm-unsafe-eval' lets the page compile its own engine, and
# no text.
_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "media-src 'self' blob:; img-src 'self' blob: data:; connect-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {
    "content-security-policy": f"{_POLICY}; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
RETRY_SECONDS = 10
"""When a client that was told that the server is busy should ask again."""

_STOPPING = "The server stops: start it again."
_SAFE_METHODS = ("GET", "HEAD")
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def page_policy() -> str:
    """What an exported page may do, for the page itself to say, as it has no headers of its own.

    It is the policy of served pages, without what browsers take from a header only.
    """
    return _POLICY


def bare_answer(status: int, message: str) -> bytes:
    """Make a whole HTTP answer, after which the connection is closed; with all headers."""
    body = json.dumps({"error": message}).encode()
    headers = {**_HEADERS, **_refusal_headers(status, body), "connection": "close"}
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
    return (head + "".join(f"{n}: {v}\r\n" for n, v in headers.items()) + "\r\n").encode() + body


def retry_headers(status: int) -> dict[str, str]:
    """Header that says when to ask again, if that is what the status means."""
    return {"retry-after": str(RETRY_SECONDS)} if status == 503 else {}


def _refusal_headers(status: int, body: bytes) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        **retry_headers(status),
    }


class Guard:
    """ASGI middleware: refuses foreign hosts and origins, and adds headers to every response.

    Parameters
    ----------
    app : callable
        Application to protect.
    host : str
        Address to which the server is bound, as given by its socket, since names have several
        spellings. If it is a loopback address, requests with a foreign host name are refused.
    name : str, optional
        The owner's name for this address, which is also accepted.
    """

    def __init__(self, app: ASGIApp, *, host: str, name: str | None = None):
        self._app = app
        own = {*_LOOPBACK_NAMES, host, (name or host).lower()}
        self._names = own if ip_address(host).is_loopback else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in _HEADERS.items()
                        if name.encode() not in present
                    ),
                ]
            await send(message)

        refusal = self._refusal(scope)
        status = 403
        if refusal is None:
            try:
                await self._app(scope, receive, send_guarded)
                return
            except asyncio.CancelledError:  # uvicorn stops, and this has taken too long
                if started:
                    return
                status, refusal = 503, _STOPPING
        body = json.dumps({"error": refusal}).encode()
        headers = {**_refusal_headers(status, body), "connection": "close"}
        start = {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await send_guarded(start)
        await send({"type": "http.response.body", "body": body})

    def _refusal(self, scope: Scope) -> str | None:
        """The reason for refusing a request; None if it is accepted."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        name = re.sub(r":\d*$", "", host).strip("[]").lower()
        if self._names is not None and name not in self._names:
            return "This server answers to localhost only: open the address that it printed."
        if scope["method"] in _SAFE_METHODS:
            return None
        origin = headers.get(b"origin")
        site = headers.get(b"sec-fetch-site", "same-origin")
        foreign = origin is not None and re.sub(r"^https?://", "", origin) != host
        if foreign or site not in ("same-origin", "none"):
            return "Requests from another site's page are refused: use the demo's own page."
        return None
