"""Safe unpacking of an archive from a third party, completely or not at all."""

from __future__ import annotations

import json
import lzma
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hiphopss.errors import HiphopssError
from hiphopss.util.files import require_space, written_whole
from hiphopss.util.progress import BYTES, progress_bar

if TYPE_CHECKING:
    from tqdm import tqdm

RECORD = "downloaded.json"
"""File in the root of an unpacked data set that says which archive it is from, and of each file the
size and CRC-32, as the archive has them."""

MAX_FILES = 20_000
MAX_BYTES = 64 << 30
MAX_RATIO = 100
"""Limit of unpacked to packed size; music packs to about half of its size, silence to nothing."""

_CHUNK = 1 << 20
_FREE_BYTES = 1 << 26  # small archives of silence may exceed MAX_RATIO
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(struct.error, EOFError, ValueError, NotImplementedError),
)

Member = tuple[zipfile.ZipInfo, tuple[str, ...]]


def unzip(
    archive: str | Path,
    folder: str | Path,
    *,
    holding: Sequence[str],
    told: dict[str, Any] | None = None,
    progress: bool = True,
) -> Path:
    """Unpack one folder of a zip archive.

    All entries are checked before anything is written. Dot-files and ``__MACOSX`` are left out.
    Permissions are not copied.

    Parameters
    ----------
    archive : path-like
        The zip file.
    folder : path-like
        Folder to make; it appears when it is complete.
    holding : sequence of str
        Names of folders. The folder in the archive that contains all of them (perhaps the archive's
        top) is unpacked, without its parent folders.
    told : dict, optional
        What to write into :data:`RECORD` in the folder, besides the size and CRC-32 of each file.
    progress : bool
        Show a progress bar on standard error.

    Returns
    -------
    Path
        The given ``folder``.

    Raises
    ------
    HiphopssError
        If the archive is damaged, encrypted, too large when unpacked, has links, duplicate paths or
        paths that lead outside, if not exactly one folder holds all of ``holding``, or the disk
        is full.
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise HiphopssError(f"{archive}: no such file: check the path")
    with _readable_errors(archive, folder), zipfile.ZipFile(archive) as opened:
        members = _require_safe(archive, opened.infolist())
        inside = _inside(archive, members, holding)
        total = sum(info.file_size for info, _ in inside)
        require_space(folder.absolute().parent, total, f"the unpacked {archive.name}")
        with (
            written_whole(folder) as temporary,
            progress_bar(total=total, desc=f"unpack {folder.name}", show=progress, **BYTES) as bar,
        ):
            for info, parts in inside:
                _extract(opened, info, temporary.joinpath(*parts), bar)
            if told is not None:
                files = {"/".join(parts): [info.file_size, info.CRC] for info, parts in inside}
                text = json.dumps({**told, "files": files}, indent=1, ensure_ascii=False)
                (temporary / RECORD).write_text(text + "\n", "utf-8")
    return folder


def _require_safe(archive: Path, infos: list[zipfile.ZipInfo]) -> list[Member]:
    """The entries to unpack, with their paths; raise if any entry looks malicious."""
    members, seen = [], set()
    for info in infos:
        parts = _parts(archive, info)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _unsafe(archive, f"{info.filename!r} is a link or a device")
        if info.flag_bits & 1:
            raise _unsafe(archive, f"{info.filename!r} is encrypted")
        if info.filename.endswith(("/", "\\")) or not parts:  # a folder
            continue
        path = "/".join(parts).casefold()  # some file systems ignore case
        if path in seen:
            raise _unsafe(archive, f"{info.filename!r} is in it twice")
        seen.add(path)
        if not any(part.startswith(".") or part == "__MACOSX" for part in parts):
            members.append((info, parts))
    total = sum(info.file_size for info in infos)
    packed = archive.stat().st_size
    if len(infos) > MAX_FILES or total > min(MAX_BYTES, _FREE_BYTES + MAX_RATIO * packed):
        raise _unsafe(archive, f"{len(infos)} files of {total} bytes are packed in {packed} bytes")
    return members


def _parts(archive: Path, info: zipfile.ZipInfo) -> tuple[str, ...]:
    name = info.filename.replace("\\", "/")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in parts:
        raise _unsafe(archive, f"{info.filename!r} leads outside of the folder")
    return parts


def _unsafe(archive: Path, reason: str) -> HiphopssError:
    return HiphopssError(f"{archive}: not unpacked, {reason}: get the archive from its source")


def _inside(archive: Path, members: list[Member], holding: Sequence[str]) -> list[Member]:
    """The entries of the folder that contains ``holding``, with paths relative to that folder."""
    roots = set.intersection(
        *(
            {parts[: parts.index(name)] for _, parts in members if name in parts[:-1]}
            for name in holding
        )
    )
    if len(roots) != 1:
        found = " and ".join(sorted("/".join(root) or "its top" for root in roots)) or "no folder"
        raise HiphopssError(
            f"{archive}: {found} in it with {' and '.join(map(repr, holding))} inside, where one "
            "is wanted: unpack it by hand"
        )
    root = roots.pop()
    return [(info, parts[len(root) :]) for info, parts in members if parts[: len(root)] == root]


def _extract(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, bar: tqdm) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(info) as packed, open(path, "xb") as out:
        while chunk := packed.read(_CHUNK):  # zipfile limits the size and checks the CRC
            out.write(chunk)
            bar.update(len(chunk))


@contextmanager
def _readable_errors(archive: Path, folder: Path) -> Iterator[None]:
    """Turn the errors of a full disk or a damaged archive into a :class:`HiphopssError`."""
    try:
        yield
    except (OSError, *_DAMAGE) as error:
        if isinstance(error, OSError) and error.errno:  # bz2 raises one without errno for bad data
            raise HiphopssError(
                f"{folder}: can't unpack {archive} into this ({error.strerror}): "
                "make room, or choose another folder"
            ) from error
        raise HiphopssError(
            f"{archive}: damaged, or no zip archive ({error}): download it again"
        ) from error
