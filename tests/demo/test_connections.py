"""The server's connections: slow clients, crowds, and answers to clients that still send."""

import asyncio
import contextlib
import json
import logging
import select
import socket
import threading
import time

import pytest
from helpers.demo_client import PATIENCE

from hiphopss.demo.limits import Limits

uvicorn = pytest.importorskip("uvicorn")

SLOW = Limits(max_bytes=2_000_000, bytes_per_second=100_000, idle_seconds=0.5, reading_seconds=0.7)
FEW = 300  # files, for which 47 connections are served
HEAD = b"POST /%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST /%s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


async def application(scope, receive, send):
    """Answers at once, after the body (``/read``), with 12 MB (``/much``), or not (``/never``)."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/read":
        while (await receive()).get("more_body"):
            pass
    if scope["path"] == "/never":
        await receive()
        await asyncio.sleep(PATIENCE)
    n_pieces = 12 if scope["path"] == "/much" else 1
    length = str(1_000_000 * n_pieces).encode()
    headers = [(b"content-length", length if n_pieces > 1 else b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(n_pieces):
        body = bytes(1_000_000) if n_pieces > 1 else b"done"
        await send({"type": "http.response.body", "body": body, "more_body": number + 1 < n_pieces})


@contextlib.contextmanager
def serving(limits=SLOW, files=FEW):
    """The port of a server of :func:`application`."""
    from hiphopss.demo.connections import Crowd
    from hiphopss.demo.security import Guard

    guarded = Guard(application, host="127.0.0.1")
    config = uvicorn.Config(guarded, log_config=None, ws="none", timeout_graceful_shutdown=2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Crowd(limits, files=files).server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def port():
    with serving() as port:
        yield port


@pytest.fixture(autouse=True)
def quiet(caplog):
    """No test leaves a traceback in the log."""
    yield
    faults = [r for r in caplog.records if r.exc_info or r.levelno >= logging.ERROR]
    assert not faults


def connected(port, data=b""):
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
    connection.sendall(data)
    return connection


def read(connection):
    """Status, headers and body of the answer, after which the server closes the connection."""
    found = bytearray()
    while piece := connection.recv(2**20):
        found += piece
    head, _, body = found.partition(b"\r\n\r\n")
    first, *lines = head.decode().lower().split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


def asked(port, path="/", timeout=PATIENCE):
    with connected(port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n".encode()) as connection:
        connection.settimeout(timeout)
        connection.sendall(b"Connection: close\r\n\r\n")
        return read(connection)


def assert_guarded(headers):
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_head_that_never_ends_is_answered_while_others_are_served(port):
    slow = [connected(port, b"GET / HTTP/1.1\r\n") for _ in range(20)]
    begun = time.monotonic()
    while time.monotonic() < begun + 0.8:
        for connection in slow:
            with contextlib.suppress(OSError):
                connection.sendall(b"X: y\r\n")
        assert asked(port)[0] == 200
        time.sleep(0.1)
    for connection in slow:
        connection.settimeout(PATIENCE)
        status, headers, body = read(connection)
        assert status == 408
        assert_guarded(headers)
        assert "try again" in json.loads(body)["error"]
        connection.close()


def test_connection_without_a_request_is_closed_without_a_word(port):
    with connected(port) as connection:
        assert connection.recv(1000) == b""


def test_answer_reaches_a_client_that_is_still_sending(port):
    # the answer comes at once, and the body is larger than what the system keeps for the server
    for extra in (b"", b"Connection: close\r\n"):
        head = HEAD.replace(b"\r\n\r\n", b"\r\n" + extra + b"\r\n") % (b"at-once", 3_000_000)
        with connected(port, head) as connection:
            for _ in range(30):
                connection.sendall(bytes(100_000))
            if not extra:
                connection.shutdown(socket.SHUT_WR)
            status, headers, body = read(connection)
        assert (status, body) == (200, b"done")
        assert_guarded(headers)


def test_rest_of_a_refused_request_is_read_only_so_far(port):
    with connected(port, HEAD % (b"at-once", 10**9)) as connection:
        n_sent = 0
        with contextlib.suppress(OSError):
            while n_sent < 10**9:
                n_sent += connection.send(bytes(100_000))
    assert n_sent < 10**8  # 4 MB, and what both systems keep
    # nor does the server wait for what does not come
    with connected(port, HEAD % (b"at-once", 10**6)) as connection:
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        with contextlib.suppress(ConnectionError):
            while connection.recv(1000):  # raises a timeout if it waits
                pass


def test_answer_that_is_not_read_is_given_up(port):
    with connected(port, b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n") as connection:
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        time.sleep(2)
        n_bytes = 0
        with contextlib.suppress(OSError):
            while piece := connection.recv(2**20):
                n_bytes += len(piece)
    assert n_bytes < 12_000_000
    assert len(asked(port, "/much")[2]) == 12_000_000


def test_client_that_says_it_sends_no_more_gets_its_answer(port):
    with connected(port, HEAD % (b"read", 4) + b"body") as connection:
        connection.shutdown(socket.SHUT_WR)
        assert read(connection)[2] == b"done"


@pytest.mark.parametrize(
    "data",
    [
        b"GET /\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + bytes(200_000),
        CHUNKED % b"read" + b"no length\r\n",
    ],
)
def test_what_is_not_http_is_answered_with_the_headers(port, data):
    with connected(port, data) as connection:
        status, headers, body = read(connection)
    assert status == 400
    assert_guarded(headers)
    assert "Invalid HTTP" in json.loads(body)["error"]


def test_damage_after_the_answer_is_no_fault_of_the_server(port):
    with connected(port, CHUNKED % b"at-once") as connection:
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        connection.sendall(b"no length\r\n")
        with contextlib.suppress(OSError):
            while connection.recv(1000):
                pass


def test_slow_clients_give_way_when_all_connections_are_taken():
    limits = Limits(idle_seconds=PATIENCE)  # nobody is told off before the others need the place
    with serving(limits) as port:
        slow = [connected(port, HEAD % (b"read", 10**6)) for _ in range(30)]
        slow += [connected(port, b"GET / HTTP/1.1\r\n") for _ in range(30)]
        time.sleep(0.5)
        refused, _, _ = select.select(slow, [], [], 0)
        assert refused  # more than the places
        for connection in refused:
            status, headers, body = read(connection)
            assert (status, headers["retry-after"]) == (503, "10")
            assert_guarded(headers)
            assert "try again" in json.loads(body)["error"]
        time.sleep(1.6)
        assert [asked(port)[0] for _ in range(40)] == [200] * 40
        for connection in slow:
            connection.close()


def test_server_stops_while_clients_are_slow():
    with serving(Limits()) as port:
        clients = [connected(port, HEAD % (b"read", 10**6)) for _ in range(3)]
        clients += [connected(port, b"GET / HTTP/1.1\r\n"), connected(port)]
        clients += [connected(port, b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n")]
        clients += [connected(port, b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n")]
        assert asked(port)[0] == 200
        begun = time.monotonic()
    assert time.monotonic() - begun < PATIENCE / 2
    for connection in clients:
        connection.close()


def test_answers_do_not_wait_for_acknowledgements():
    """A connection has this of the socket that listens; asyncio doesn't set it on all systems."""
    from hiphopss.demo.server import _listening

    with _listening("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        with socket.create_connection(address, PATIENCE), listener.accept()[0] as connection:
            for one in (listener, connection):
                assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
