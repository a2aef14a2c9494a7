"""Serving the demo over HTTP."""

from __future__ import annotations

import errno
import os
import socket
import webbrowser
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from hiphopss.demo.limits import Limits
from hiphopss.errors import HiphopssError
from hiphopss.util.extras import extras, require

if TYPE_CHECKING:
    from uvicorn import Server

    from hiphopss.demo.service import Demo


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    weights: Iterable[str | Path] | None = None,
    songs: str | Path | None = None,
    limits: Limits | None = None,
    open_page: bool = False,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the demo until it is interrupted.

    Parameters
    ----------
    host : str
        Address to bind to. Any address except a loopback address lets others use the demo.
    port : int
        Port to listen on; 0 chooses a free one.
    weights : iterable of path-like, optional
        Models to offer, as in :func:`hiphopss.demo.catalogue.load_models`.
    songs : path-like, optional
        Folder of songs to offer, as in :func:`hiphopss.demo.catalogue.own_songs`.
    limits : Limits, optional
        Limits on uploads and jobs.
    open_page : bool
        Open the page in the browser.
    ready : callable, optional
        Called with the address when the page can be opened; by default, a line says it.

    Raises
    ------
    HiphopssError
        If the port is not available, or if weights or songs can't be used.
    """
    require("demo", *extras()["demo"])
    from hiphopss.demo.service import Demo

    with (
        _listening(host, port) as listener,
        Demo(weights=weights, songs=songs, limits=limits) as demo,
    ):
        bound_host, bound_port, *_ = listener.getsockname()
        demo.prepare()
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{bound_port}/"
        if ready is None:
            print(ready_line(address), flush=True)
        else:
            ready(address)
        if open_page:
            Timer(0.5, webbrowser.open, [address]).start()
        with suppress(KeyboardInterrupt):  # this is how users stop the server
            web_server(demo, host=bound_host, name=host).run(sockets=[listener])


def ready_line(address: str) -> str:
    """What people are told when the page can be opened."""
    return f"hiphopss demo: {address} (Ctrl-C stops it, and deletes uploads and results)"


def web_server(demo: Demo, *, host: str, name: str | None = None) -> Server:
    """Make the web server of a demo; see :func:`hiphopss.demo.app.create_app`."""
    from uvicorn import Config

    from hiphopss.demo.app import create_app
    from hiphopss.demo.connections import Crowd, allow_files

    config = Config(
        create_app(demo, host=host, name=name),
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=2,
    )
    return Crowd(demo.limits, files=allow_files()).server(config)


def _listening(host: str, port: int) -> socket.socket:
    """Open a socket that listens at the address."""
    where = f"{host}:{port}"
    if not 0 <= port <= 65535:
        raise HiphopssError(f"{where}: no such port: choose one of 0 to 65535 with --port")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family)
        # Connections inherit this. asyncio sets it only on sockets known to be of TCP; without it
        # each answer on a connection that stays open waits 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except UnicodeError as error:
        raise HiphopssError(f"{host}: not a host's name: choose another with --host") from error
    except OSError as error:
        reason = error.strerror
        if error.errno and error.errno in errno.errorcode:
            reason = os.strerror(error.errno)
        raise HiphopssError(
            f"{where}: can't listen there ({reason}): choose others with --host and --port"
        ) from error
