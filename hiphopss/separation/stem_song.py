"""Separating a song into one stem file, for DJ software, and what the record in it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np

from hiphopss.config import TrackRecord
from hiphopss.errors import AudioError, HiphopssError
from hiphopss.loops.separator import Network
from hiphopss.separation.mixture import alongside
from hiphopss.separation.naming import names_of
from hiphopss.separation.record import is_same_song, song_record
from hiphopss.separation.separator import separate_blocks
from hiphopss.separation.settings import SeparationSettings
from hiphopss.signal import reading, writing
from hiphopss.signal.stem_files import read_record_text, stem_rate, write_blocks
from hiphopss.util.records import parse_record, read_record


def separate_to_stem_file(
    path: Path,
    mixture: Callable[..., Iterable[np.ndarray]],
    header: reading.Header,
    separator: Network,
    *,
    codec: str,
    finish: Callable[[], Mapping[str, Any]],
    progress: Callable[[int], None] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Separate a song into a stem file, which appears when it is complete.

    Parameters
    ----------
    path : Path
        File to write.
    mixture : callable
        Gives the song's blocks from its beginning `[shape=(n_block, n_channels)]`; called twice,
        because the stems come later than the blocks that they are made of, and the second time
        with ``tell=False``, for no more warnings.
    header : Header
        The song's header.
    separator : Network
        What separates it.
    codec : str
        One of :data:`hiphopss.signal.stem_files.CODECS`. ALAC gets the song's bits, 16 or 24.
    finish : callable
        Called when all stems are written, before the file appears; gives the record in it.
    progress : callable, optional
        Called with the number of samples that were separated.
    tags : mapping of str to str, optional
        Tags of the song, as in :func:`hiphopss.signal.stem_files.write_stem_file`.
    """
    rate = stem_rate(header.sample_rate)  # before separating, so that the sum is kept

    def blocks(tell: bool) -> Iterator[np.ndarray]:
        return reading.resample_blocks(mixture(tell=tell), header.sample_rate, rate)

    with closing(separate_blocks(separator, blocks(True), rate, progress)) as stems:
        write_blocks(
            path,
            _pairs(stems, blocks(False)),
            rate,
            codec=codec,
            bits=16 if writing.output_subtype(header.subtype) == "PCM_16" else 24,
            tags=tags,
            record=finish,
        )


def _pairs(
    stems: Iterator[np.ndarray], mixture: Iterator[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The mixture's blocks, and those of its stems."""
    for block, samples in alongside(stems, mixture):
        assert samples is not None
        yield samples, block


def known_in(path: Path) -> TrackRecord | None:
    """The record in a stem file; None if there is no such file.

    Raises
    ------
    AudioError
        If the file has none, or one that can't be read.
    """
    try:
        text = read_record_text(path) if path.exists() else b""
        if text is None:
            raise AudioError(
                f"{path}: is there already, and was not written here: move it away, or choose "
                "another output"
            )
        return parse_record(text, TrackRecord, origin=path, mend="remove it") if text else None
    except HiphopssError as error:  # it is this song's alone
        raise AudioError(str(error)) from error


def require_same_stem_file(target: Path, path: Path, song: dict[str, str | None]) -> None:
    """Raise :class:`AudioError` if a stem file is there that is not one of this song's.

    Parameters
    ----------
    target : Path
        The stem file.
    path : Path
        File to be separated.
    song : dict
        From :func:`hiphopss.separation.record.song_record`.
    """
    known = known_in(target)
    if known is not None and not is_same_song(song, known):
        raise AudioError(
            f"{path}: {target} holds the stems of another file ({known.file}): rename this one, "
            "choose another output, or remove that file"
        )


def has_stems_of(output: Path, name: str, path: Path, settings: SeparationSettings) -> bool:
    """Whether the stems of a file are there, by its hash.

    Parameters
    ----------
    output : Path
        Folder of stems.
    name : str
        Name of the track.
    path : Path
        The file.
    settings : SeparationSettings
        What is written of it, and how.
    """
    with suppress(HiphopssError, OSError):
        names = names_of(settings, {name: path})
        files = [output / file for file in names.of(name).values()]
        if settings.stem_file is not None:
            known = known_in(files[0])
        else:
            whole = all(file.is_file() for file in files)
            record = output / names.record(name)
            known = read_record(record, TrackRecord, mend="") if whole else None
        song = song_record(path) if known is not None else {"sha256": None}
        return known is not None and song["sha256"] is not None and song["sha256"] == known.sha256
    return False
