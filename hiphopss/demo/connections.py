"""The server's connections: how many there may be, how slow, and how they are closed.

uvicorn leaves open what these limit: a client may take as long as it likes to send the head of a
request or to read an answer, and each such client holds a connection. It also closes a connection
at once after an answer, and if the client is then still sending, the operating system resets the
connection and the answer is lost. So each connection of uvicorn's is wrapped here.

The least rate is the same idea as ``MinRate`` of Apache's ``mod_reqtimeout``, the slow closing as
nginx's ``lingering_close``.
"""

from __future__ import annotations

import asyncio
import math
import sys
from contextlib import suppress
from typing import Any, cast

import h11
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from hiphopss.demo.limits import Limits
from hiphopss.demo.pace import Pace
from hiphopss.demo.security import bare_answer

_MOST = 400
_MOST_LEAVING = 2000  # beyond those, until they have read why they are refused, say
_BACKLOG = 2048  # and before, in the operating system, until they are accepted
_FILES = 8192  # so many files the process needs for all of them
_OWN_FILES = 60
_TICK = 0.5  # seconds between looks at all connections
_CLOSING_SECONDS = 5.0  # how long the client may take to read the end of an answer, and to close
_BRISK = 10  # times the least rate: slower clients give way when all connections are taken
_BEHIND = 2.0  # seconds
_STOP_SECONDS = 1.0  # for what is being sent when the server stops

_BUSY = "The server has too many visitors: try again in a minute."
_TOO_SLOW = "The request took too long: try again."
_SAID_ALL = (h11.DONE, h11.MUST_CLOSE, h11.CLOSED)


def allow_files() -> int:
    """Raise the limit on the open files of this process to what many connections need.

    Returns
    -------
    int
        How many files may be open.
    """
    if sys.platform == "win32":
        return _FILES
    import resource

    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return _FILES
    if files < _FILES:
        files = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
        with suppress(OSError, ValueError):  # macOS refuses more than a limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Crowd:
    """All connections of a server.

    Parameters
    ----------
    limits : Limits
        Limits on uploads; the least rate holds for everything that is sent and read.
    files : int
        How many files may be open. A connection is one, and may need another for its upload.
    """

    def __init__(self, limits: Limits, *, files: int):
        self.limits = limits
        # All that wait may be accepted at once. Where that is few, some of a crowd get no answer.
        self._backlog = min(_BACKLOG, files // 4)
        files -= self._backlog + _OWN_FILES
        self._most = min(_MOST, max(8, files // 4))
        self._most_leaving = min(_MOST_LEAVING, max(8, files - 2 * self._most))
        self._served: set[_Connection] = set()
        self._leaving: set[_Connection] = set()  # those that are read to the end
        self._slow: list[_Connection] = []  # the slowest last, at the time `_looked`
        self._looked = -math.inf
        self._watching = False

    def server(self, config: Config) -> Server:
        """Make the server of a configuration, whose connections are watched."""

        def connect(**settings: Any) -> _Connection:
            return _Connection(self, settings)

        config.http = cast(Any, connect)
        config.backlog = self._backlog
        return _Server(config, self)

    def admit(self, connection: _Connection, now: float) -> bool:
        """Serve a connection, if need be in place of the one that is slowest."""
        if len(self._served) >= self._most:
            if now - self._looked > _TICK:
                self._looked = now
                slow = [c for c in self._served if c.behind(now) >= _BEHIND]
                self._slow = sorted(slow, key=lambda c: c.behind(now))
            while self._slow and len(self._served) >= self._most:
                slowest = self._slow.pop()
                if slowest.behind(now) >= _BEHIND:
                    slowest.give_way()
        if not self._watching:
            self._watching = True
            asyncio.get_running_loop().call_later(_TICK, self._watch)
        if len(self._served) >= self._most:
            return False
        self._served.add(connection)
        return True

    def leave(self, connection: _Connection) -> bool:
        """Serve a connection no longer; return whether it may be read to the end."""
        self._served.discard(connection)
        if len(self._leaving) >= self._most_leaving:
            return False
        self._leaving.add(connection)
        return True

    def discard(self, connection: _Connection) -> None:
        """Forget a connection that is closed."""
        self._served.discard(connection)
        self._leaving.discard(connection)

    def close(self) -> None:
        """Close all connections; those that are being answered get a second to read it."""
        for connection in [*self._served, *self._leaving]:
            connection.stop()

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        for connection in [*self._served, *self._leaving]:
            connection.look(loop.time())
        self._watching = bool(self._served or self._leaving)
        if self._watching:
            loop.call_later(_TICK, self._watch)


class _Server(Server):
    def __init__(self, config: Config, crowd: Crowd):
        super().__init__(config)
        self._crowd = crowd

    async def shutdown(self, sockets: Any = None) -> None:
        self._crowd.close()
        await super().shutdown(sockets)


class _Http(H11Protocol):
    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(bare_answer(400, f"{msg} Load the page again."))
        self.transport.close()


class _Connection(asyncio.Protocol):
    """A connection: what arrives is passed on to uvicorn's protocol, until that closes it.

    Then the client gets the rest of the answer and is told that nothing follows; what it still
    sends is read and thrown away, so that the answer is not lost.
    """

    def __init__(self, crowd: Crowd, settings: dict[str, Any]):
        self._crowd = crowd
        self._http = _Http(**settings)
        self._passing = False  # whether uvicorn's protocol has the connection
        self._ended = False  # whether the client has said that it sends no more
        self._closed = False  # whether we have
        self._n_received = self._n_written = 0
        self._counted = 0  # bytes that `_pace` knows of
        self._phase: tuple[str, object] = ("", None)
        self._pace: Pace  # behind it, the connection is closed
        self._brisk: Pace  # behind it, the connection gives way to a new one

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = cast(asyncio.Transport, transport)
        admitted = self._crowd.admit(self, self._loop.time())
        self._update(self._loop.time())
        if admitted:
            self._passing = True
            self._http.connection_made(cast(asyncio.Transport, _Passed(self)))
            return
        self.write(bare_answer(503, _BUSY))
        self.close()

    def data_received(self, data: bytes) -> None:
        self._n_received += len(data)
        if self._passing:
            self._http.data_received(data)
        if self._n_received - self._n_before > 2 * self._crowd.limits.max_bytes:
            self.look(self._loop.time())

    def eof_received(self) -> bool:
        self._ended = True
        # The request may be whole, and the client still waits for its answer.
        return self._passing and self._http.conn.their_state in _SAID_ALL

    def pause_writing(self) -> None:
        if self._passing:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        if self._passing:
            self._http.resume_writing()
        elif not self._transport.is_closing():
            self._end_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._crowd.discard(self)
        if self._passing:
            self._passing = False
            self._http.connection_lost(exc)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._n_written += len(data)
        self._transport.write(data)

    def close(self) -> None:
        """Close the connection as soon as the client has read everything and closes it as well."""
        if self._closed:
            return
        self._closed = True
        self._leave()
        if not self._crowd.leave(self) or self._ended or self._transport.is_closing():
            self._transport.close()
            self._loop.call_later(_CLOSING_SECONDS, self._transport.abort)
            return
        self._transport.resume_reading()
        self._transport.set_write_buffer_limits(high=0)  # told when everything is written
        if not self._transport.get_write_buffer_size():
            self._end_writing()

    def is_closing(self) -> bool:
        return not self._passing or self._transport.is_closing()

    def behind(self, now: float) -> float:
        """Seconds by which the client is slower than it should be when others wait."""
        self._update(now)
        return self._brisk.behind(now)

    def give_way(self) -> None:
        """Close the connection for the sake of another."""
        self._refuse(503, _BUSY)
        self.close()

    def stop(self) -> None:
        """Close the connection because the server stops."""
        receiving = self._passing and self._http.conn.their_state is h11.SEND_BODY
        if self._phase[0] == "answering" and not receiving:
            self._loop.call_later(_STOP_SECONDS, self._transport.abort)
            return
        self._leave()
        self._transport.abort()

    def look(self, now: float) -> None:
        """Close the connection if the client is too slow."""
        phase = self._update(now)
        if phase == "waiting" and self._ended:
            self.close()
        elif self._pace.deadline > now:
            return
        elif phase == "waiting":
            self._refuse(408, _TOO_SLOW)
            self.close()
        else:
            self._leave()
            self._transport.abort()

    def _refuse(self, status: int, message: str) -> None:
        """Answer a request that is not answered yet, if there is one or its beginning."""
        conn = self._http.conn
        begun = conn.their_state is not h11.IDLE or conn.trailing_data[0]
        if self._passing and begun and conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.write(bare_answer(status, message))

    def _end_writing(self) -> None:
        try:
            self._transport.write_eof()
        except OSError:  # the client has closed it
            self._transport.abort()

    def _leave(self) -> None:
        """Tell uvicorn's protocol that the connection is closed; the rest is done here."""
        if self._passing:
            self._passing = False
            self._loop.call_soon(self._http.connection_lost, None)

    def _update(self, now: float) -> str:
        """Find out what the client has to do next, and how far it got."""
        unsent = self._transport.get_write_buffer_size()
        conn = self._http.conn
        limits = self._crowd.limits
        if not self._passing:
            name, patience = "closing", _CLOSING_SECONDS
        elif conn.their_state is h11.IDLE:  # the head of a request
            name, patience = "waiting", limits.idle_seconds
        elif conn.their_state is h11.SEND_BODY and conn.our_state in _SAID_ALL:
            name, patience = "refused", limits.idle_seconds
        else:
            name, patience = "answering", limits.reading_seconds
        # each request has a cycle of its own
        phase = (name, getattr(self._http, "cycle", None))
        if phase != self._phase:
            self._phase = phase
            self._began, self._n_before = now, self._n_received
            self._start(now, patience)
        n_bytes = self._n_received + self._n_written - unsent
        moved, self._counted = n_bytes - self._counted, n_bytes
        too_much = self._n_received - self._n_before > 2 * limits.max_bytes
        too_long = now - self._began > limits.upload_seconds
        if name in ("closing", "refused") and (too_much or too_long):
            self._pace.deadline = self._brisk.deadline = now
        elif name == "answering" and not unsent:
            # The application's turn: it has its own limits for the body of a request.
            receiving = conn.their_state is h11.SEND_BODY
            self._pace = Pace(now, patience=patience, rate=limits.bytes_per_second)
            if receiving:
                self._brisk.moved(moved, now)
            else:
                self._brisk.deadline = now + patience
        elif name != "waiting":  # the head of a request is due in time, at any rate
            self._pace.moved(moved, now)
            self._brisk.moved(moved, now)
        return name

    def _start(self, now: float, patience: float) -> None:
        rate = self._crowd.limits.bytes_per_second
        self._pace = Pace(now, patience=patience, rate=rate)
        self._brisk = Pace(now, patience=patience, rate=_BRISK * rate)


class _Passed:
    """The transport as uvicorn's protocol sees it."""

    def __init__(self, connection: _Connection):
        self._connection = connection

    def write(self, data: bytes) -> None:
        if not self.is_closing():
            self._connection.write(data)

    def close(self) -> None:
        self._connection.close()

    def is_closing(self) -> bool:
        return self._connection.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection._transport, name)
