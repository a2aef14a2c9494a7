"""Files of a Zenodo record: listing them, and downloading them with resumption.

Libraries that support DOIs restart an interrupted download from the beginning; this module resumes
it, checks the size and the checksum that the record gives, and says what to do if a server does
not answer.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from msgspec import Meta

from hiphopss.errors import HiphopssError
from hiphopss.util.files import require_space
from hiphopss.util.progress import BYTES, progress_bar
from hiphopss.util.records import parse_record

if TYPE_CHECKING:
    import requests
    from tqdm import tqdm

ZENODO = "https://zenodo.org"

ATTEMPTS = 4
"""Number of requests without any received data before giving up; new data restart the count."""

WAIT_S = 1.0
"""Seconds before the second attempt; every further wait is longer by this time."""

_TIMEOUT_S = (15, 60)  # for connecting, and between bytes
_HASHED = 1 << 20  # bytes that are read at once for a checksum
_CHUNK = 1 << 14  # an unfinished chunk is lost if the connection breaks
_LATER = (408, 429, *range(500, 600))  # HTTP statuses that may change later


@dataclass(frozen=True)
class RemoteFile:
    """A file that a record lists.

    Attributes
    ----------
    name, url : str
    size : int
        Number of bytes.
    checksum : str
        ``"md5:"`` and 32 hexadecimal digits.
    """

    name: str
    url: str
    size: int
    checksum: str


def zenodo_files(doi: str, *, base_url: str = ZENODO) -> list[RemoteFile]:
    """Ask Zenodo's API for the files of a record.

    Parameters
    ----------
    doi : str
        DOI of the form ``10.5281/zenodo.<number>``.
    base_url : str
        Address of the server.

    Returns
    -------
    list of RemoteFile

    Raises
    ------
    HiphopssError
        If the server can't be reached, or its answer isn't a record.
    """
    import requests

    number = doi.rpartition(".")[2]
    url = f"{base_url}/api/records/{number}"
    page = f"https://doi.org/{doi}"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            response = requests.get(url, timeout=_TIMEOUT_S)
            response.raise_for_status()
            break
        except requests.RequestException as error:
            if attempt == ATTEMPTS or not _may_pass(error):
                raise HiphopssError(_unreachable(url, error, page)) from error
        time.sleep(WAIT_S * attempt)
    told = f"{url}: the answer isn't a Zenodo record (a proxy's page?)"
    record = parse_record(response.content, _Record, origin=told, mend=_by_hand(page))
    return [_remote_file(item, f"{base_url}/records/{number}") for item in record.files]


@dataclass(frozen=True)
class _Listed:
    """A file in a record: Zenodo's form changed in October 2023, and later changed back."""

    checksum: Annotated[str, Meta(pattern=r"^(md5:)?[0-9a-fA-F]{32}\Z")]
    key: str = ""
    filename: str = ""
    size: Annotated[int, Meta(ge=0)] | None = None
    filesize: Annotated[int, Meta(ge=0)] | None = None
    links: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (self.key or self.filename) or (self.key and "self" not in self.links):
            raise ValueError("a file without a name or an address")
        if self.size is None and self.filesize is None:
            raise ValueError("a file without a size")


@dataclass(frozen=True)
class _Record:
    files: list[_Listed]


def _remote_file(item: _Listed, record_url: str) -> RemoteFile:
    name = item.key or item.filename
    size = item.filesize if item.size is None else item.size
    # In the other form, the link is not a download.
    url = item.links["self"] if item.key else f"{record_url}/files/{quote(name)}?download=1"
    return RemoteFile(name, url, size or 0, f"md5:{item.checksum.removeprefix('md5:').lower()}")


def download(file: RemoteFile, path: Path, *, page: str, progress: bool = True) -> Path:
    """Download a file, resuming an earlier attempt.

    Data received so far are kept as ``<path>.part``. The file appears when its size and checksum
    are right; nothing is downloaded if it already exists.

    Parameters
    ----------
    file : RemoteFile
        From :func:`zenodo_files`.
    path : Path
        Target, which must always belong to the same file.
    page : str
        Address of the record's web page, for messages.
    progress : bool
        Show a progress bar on standard error.

    Returns
    -------
    Path
        The given ``path``.

    Raises
    ------
    HiphopssError
        If the server can't be reached or sends wrong data, or if the disk is full.
    """
    if path.exists() and _checksum(path, file, progress) == file.checksum:
        return path
    part = path.with_name(f"{path.name}.part")
    with _disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        require_space(path.parent, file.size - _size_of(part), file.name)
        with progress_bar(total=file.size, desc=file.name, show=progress, **BYTES) as bar:
            _fetch(file, part, page, bar)
        if _checksum(part, file, progress) != file.checksum:
            part.unlink()
            raise HiphopssError(
                f"{file.url}: what came has another checksum than the record says: "
                "run it again to download it anew"
            )
        os.replace(part, path)
    return path


def md5_of(path: Path, *, name: str = "", progress: bool = True) -> str:
    """MD5 of a file, in hexadecimal.

    Parameters
    ----------
    path : Path
        The file.
    name : str, optional
        Its name in the progress bar, if it has another on the disk.
    progress : bool
        Show a progress bar on standard error.
    """
    digest, size = hashlib.md5(usedforsecurity=False), path.stat().st_size
    label = f"check {name or path.name}"
    with (
        open(path, "rb") as file,
        progress_bar(total=size, desc=label, show=progress, **BYTES) as bar,
    ):
        while chunk := file.read(_HASHED):
            digest.update(chunk)
            bar.update(len(chunk))
    return digest.hexdigest()


def _checksum(path: Path, file: RemoteFile, progress: bool) -> str:
    """Checksum of a downloaded file, in the form used in records."""
    return f"md5:{md5_of(path, name=file.name, progress=progress)}"


def _fetch(file: RemoteFile, part: Path, page: str, bar: tqdm) -> None:
    """Append to the partial file until it is complete, with as many connections as needed."""
    import requests

    idle = 0
    while (start := _size_of(part)) < file.size or not part.exists():
        failure = None
        try:
            _append(file, part, start, bar)
        except requests.RequestException as error:
            failure = error
        idle = 0 if _size_of(part) > start else idle + 1
        if failure and (idle == ATTEMPTS or not _may_pass(failure)):
            kept = f"; {_size_of(part)} of {file.size} bytes are kept" if _size_of(part) else ""
            raise HiphopssError(_unreachable(file.url, failure, page, kept)) from failure
        if idle == ATTEMPTS:
            raise HiphopssError(f"{file.url}: the server sends nothing: try again later")
        time.sleep(WAIT_S * idle)


def _append(file: RemoteFile, part: Path, start: int, bar: tqdm) -> None:
    """Request the missing data; if the server ignores ranges and sends all, start again."""
    import requests

    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(file.url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
        if response.status_code == 416:  # no such range: the partial file is of something else
            part.unlink()
            return
        response.raise_for_status()
        resumed = response.status_code == 206
        if resumed:
            answer = response.headers.get("Content-Range", "")
            right = answer.startswith(f"bytes {start}-") and answer.endswith(f"/{file.size}")
        else:
            right = response.headers.get("Content-Length") in (None, str(file.size))
        if not right:
            raise HiphopssError(
                f"{file.url}: the server sends another part or size than the record says "
                f"({file.size} bytes): try again later"
            )
        bar.n = start if resumed else 0
        bar.refresh()
        with open(part, "ab" if resumed else "wb") as out:
            for chunk in response.iter_content(_CHUNK):
                if out.tell() + len(chunk) > file.size:
                    raise HiphopssError(
                        f"{file.url}: the server sends more than the {file.size} bytes of the "
                        "record: try again later"
                    )
                out.write(chunk)
                bar.update(len(chunk))


def _may_pass(error: requests.RequestException) -> bool:
    """Whether the same request may succeed later."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code in _LATER
    passing = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, passing)


def _unreachable(url: str, error: requests.RequestException, page: str, kept: str = "") -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        reason = f"status {error.response.status_code}"
    elif isinstance(error, requests.Timeout):
        reason = "no answer in time"
    elif isinstance(error, requests.exceptions.SSLError):
        reason = "its certificate isn't trusted"
    elif isinstance(error, requests.exceptions.ChunkedEncodingError):
        reason = "the connection broke"
    elif isinstance(error, requests.ConnectionError):
        reason = "no connection"
    else:
        reason = type(error).__name__
    return (
        f"{url}: can't be downloaded ({reason}{kept}): check the network and run it again, "
        f"or {_by_hand(page)}"
    )


def _by_hand(page: str) -> str:
    return f"download the archive by hand from {page} and add --archive ZIP"


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors on writing a file into a :class:`HiphopssError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise HiphopssError(
            f"{path}: can't be written ({reason}): make room, or choose another folder, "
            "and run it again"
        ) from error


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
