"""The roll call before processes train together, in plain sockets.

Process 0 listens on the coordinator's address. Every other process sends a line of JSON that says
who it is and what it is about to do, and gets one back, with an error for people or the sizes of
the files that follow.
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hiphopss.errors import HiphopssError
from hiphopss.util.progress import progress_bar

if TYPE_CHECKING:
    from hiphopss.training.processes import Cluster

_LONGEST_LINE = 1 << 20  # bytes
_GREETING = "hiphopss roll call"


def call_roll(
    cluster: Cluster, agreed: dict, files: dict[str, Path | None], progress: bool
) -> None:
    """Process 0: wait for the others, look whether they agree, send them the files.

    Parameters
    ----------
    cluster : Cluster
        Who is to come.
    agreed : dict
        What must be the same in all, as JSON can hold it.
    files : dict of str to Path
        To send; None where there is none.
    progress : bool
        Show how many are there.

    Raises
    ------
    HiphopssError
        If the port is taken, a file can't be read, or a process does not come or disagrees; those
        that came are told.
    """
    contents = {name: _read(path) if path else None for name, path in files.items()}
    deadline = time.monotonic() + cluster.patience
    others, error = {}, None
    with ExitStack() as stack:
        server = stack.enter_context(_listen(cluster))
        n_others = cluster.n_processes - 1
        bar = stack.enter_context(
            progress_bar(total=n_others, unit="process", desc="waiting", show=progress)
        )
        while len(others) < n_others and not error:
            server.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                connection, _ = server.accept()
            except TimeoutError:
                missing = sorted(set(range(1, cluster.n_processes)) - set(others))
                error = (
                    f"{cluster.coordinator}: waited {cluster.patience:g} s in vain for process "
                    f"{', '.join(map(str, missing))}: start all of them again"
                )
                break
            stream = stack.enter_context(connection.makefile("rwb"))
            stack.enter_context(connection)
            connection.settimeout(10)
            told = _read_line(stream)
            if not _is_ours(told):
                continue
            if told["process"] in others:
                error = f"process {told['process']}: there are two: number them differently"
            others[len(others) if error else told["process"]] = connection, stream
            error = error or _disagreement(cluster, agreed, told)
            bar.update()
        sizes = {n: None if c is None else [files[n].name, len(c)] for n, c in contents.items()}
        for connection, stream in others.values():
            connection.settimeout(cluster.patience)
            with suppress(OSError):  # that it is gone will show
                _write_line(stream, {"error": error, "files": sizes})
                if not error:
                    stream.write(b"".join(c for c in contents.values() if c is not None))
                stream.flush()
    if error:
        raise HiphopssError(error)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HiphopssError(f"{path}: can't be read ({error.strerror}): check the path") from error


def _is_ours(told: dict) -> bool:
    """Whether a message is another process's, and no stranger's."""
    agreed = told.get("agreed")
    return (
        told.get("greeting") == _GREETING
        and isinstance(told.get("process"), int)
        and isinstance(told.get("n_processes"), int)
        and isinstance(agreed, dict)
        and isinstance(agreed.get("features"), str)
    )


def _disagreement(cluster: Cluster, agreed: dict, told: dict) -> str | None:
    """Why process 0 and another can't train together, in a line."""
    who = f"process {told['process']}"
    if told["n_processes"] != cluster.n_processes:
        return (
            f"{who}: is one of {told['n_processes']}, process 0 one of {cluster.n_processes}: "
            "give all the same number of processes"
        )
    if told["agreed"]["features"] != agreed["features"]:
        return (
            f"{who}: has another feature file than process 0 (SHA-256 "
            f"{told['agreed']['features'][:12]}, not {agreed['features'][:12]}): "
            "copy one file to every machine"
        )
    for name, value in agreed.items():
        other = told["agreed"].get(name)
        if other != value:
            name = name.replace("_", " ")
            return f"{who}: has {name} {other}, process 0 {value}: give all the same"
    return None


def answer_roll(cluster: Cluster, agreed: dict, folder: Path) -> dict[str, Path | None]:
    """Another process: say what it is about to do, put process 0's files into a folder.

    Parameters
    ----------
    cluster : Cluster
        Where process 0 is, and who this is.
    agreed : dict
        As :func:`call_roll`.
    folder : Path
        For the files.

    Returns
    -------
    dict of str to Path
        Where they are; None where there is none.

    Raises
    ------
    HiphopssError
        If process 0 does not answer, or says what is wrong.
    """
    deadline = time.monotonic() + cluster.patience
    told = {
        "greeting": _GREETING,
        "process": cluster.process,
        "n_processes": cluster.n_processes,
        "agreed": agreed,
    }
    while True:
        left = max(0.01, deadline - time.monotonic())
        try:
            connection = socket.create_connection(cluster.address, timeout=min(left, 10))
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise HiphopssError(
                    f"{cluster.coordinator}: no answer from process 0 in {cluster.patience:g} s "
                    f"({error.strerror or error}): start it, look at address and firewall"
                ) from error
            time.sleep(0.2)
    lost = HiphopssError(
        f"{cluster.coordinator}: process 0 does not call the roll: see what it says, and whether "
        "something else uses this port"
    )
    with connection, connection.makefile("rwb") as stream:
        connection.settimeout(cluster.patience)
        try:
            _write_line(stream, told)
            stream.flush()
            answer = _read_line(stream)
            if "error" not in answer:
                raise lost
            if answer["error"]:
                raise HiphopssError(answer["error"])
            return _receive(stream, answer["files"], folder)
        except OSError as error:
            raise lost from error


def _receive(stream, sizes: dict, folder: Path) -> dict[str, Path | None]:
    files = {}
    for name, size in sizes.items():
        files[name] = None
        if size is not None:
            files[name] = folder / name / Path(size[0]).name
            files[name].parent.mkdir()
            content = stream.read(size[1])
            if len(content) < size[1]:
                raise ConnectionError("cut short")
            files[name].write_bytes(content)
    return files


def _listen(cluster: Cluster) -> socket.socket:
    """A server on all addresses of this machine, as JAX's coordinator will be."""
    _, port = cluster.address
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128
            )
        return socket.create_server(("", port), backlog=128)
    except OSError as error:
        raise HiphopssError(
            f"{cluster.coordinator}: can't listen on this port ({error.strerror}): choose another"
        ) from error


def _write_line(stream, message: dict) -> None:
    stream.write(json.dumps(message).encode() + b"\n")


def _read_line(stream) -> dict:
    """A message, or an empty one where none, or none of ours, comes."""
    try:
        message = json.loads(stream.readline(_LONGEST_LINE))
    except (OSError, ValueError):
        return {}
    return message if isinstance(message, dict) else {}
