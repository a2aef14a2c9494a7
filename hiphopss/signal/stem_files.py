"""Writing stem files: a song and its stems in one MP4, for DJ software and players.

The format is Native Instruments' (docs/dj.md says what is known of it, and from where): five stereo
streams of one codec and one rate, the mixture first, and a box ``moov/udta/stem`` with their names
and colours as JSON. Players that know nothing of stems play the mixture, the only stream that is
switched on. :mod:`hiphopss.signal.containers` reads such files.

ffmpeg encodes all streams at once from one pipe of ten channels, so that nothing but the file
itself is written to a disk. A box of the type ``uuid`` at the end, which players pass over, holds a
record of the caller's and the SHA-256 of all bytes before it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.errors import AudioError, HiphopssError
from hiphopss.signal import reading
from hiphopss.signal.containers import STREAMS, is_container
from hiphopss.signal.encoding.by_ffmpeg import REPRODUCIBLE, Encoder, find_encoder
from hiphopss.signal.formats.boxes import add_boxes, box, find_box
from hiphopss.signal.writing import to_integers
from hiphopss.util.files import written_whole

logger = logging.getLogger(__name__)

CODECS = ("aac", "alac")
"""Codecs of stem files, the default first: AAC at 256 kbit/s a stream, and ALAC, which is lossless.
"""

RATES = (44100, 48000)
"""Sampling rates in Hz that stem files have; songs at other rates are resampled to the first."""

TAGS = {
    **dict.fromkeys(("title", "artist", "album", "date", "genre", "comment")),
    "tracknumber": "track",
}
"""Names of tags that are written, and what ffmpeg calls them if that is something else."""

_BITRATE = "256k"
_KIND = b"uuid" + UUID("5f2c8f0e-9d0b-4a53-8f6e-6c1b6f3a7d21").bytes
_BLOCK = 2**17  # samples that are passed on at a time

Blocks = Iterable[tuple[np.ndarray, np.ndarray]]
"""Blocks of a mixture `[shape=(n_block, n_channels)]`, each with the block of its stems
`[shape=(n_sources, n_block, n_channels)]` in the order of ``SOURCES``."""


def stem_rate(sample_rate: int) -> int:
    """The rate in Hz that a stem file of a song of ``sample_rate`` has, one of ``RATES``."""
    return sample_rate if sample_rate in RATES else RATES[0]


def require_stereo(path: str | Path, n_channels: int) -> None:
    """Raise :class:`AudioError` if a song of ``n_channels`` is neither mono nor stereo."""
    if n_channels > 2:
        raise AudioError(
            f"{path}: has {n_channels} channels, but stem files are stereo: convert it to stereo, "
            "or leave out --stem-file"
        )


def require_ffmpeg(label: object) -> str:
    """Path of ``ffmpeg``, or an error as in :func:`by_ffmpeg.find_encoder`."""
    return find_encoder(label, "stem files", "leave out --stem-file")


def write_stem_file(
    path: str | Path,
    mixture: np.ndarray,
    stems: Mapping[str, np.ndarray],
    sample_rate: int,
    *,
    codec: str = "aac",
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write a song and its stems as a stem file ``SONG.stem.mp4``, for DJ software.

    Players that know the format play the sum of the stems, and others the mixture. Levels are not
    changed. A mono song becomes stereo; rates other than 44.1 and 48 kHz are resampled to 44.1 kHz.
    This needs ffmpeg.

    Parameters
    ----------
    path : path-like
        File to write; its name ends in ``.stem.mp4``, by which programs know it.
    mixture : np.ndarray [shape=(n_samples,)] or [shape=(n_samples, n_channels)]
        The song, mono or stereo, with full scale at 1.
    stems : mapping of str to np.ndarray
        An array of the same shape for each of ``SOURCES``, as :func:`hiphopss.separate` gives.
    sample_rate : int
        Sampling rate in Hz.
    codec : str
        One of ``CODECS``: ``"aac"``, or ``"alac"`` with 24 bit, which is lossless.
    tags : mapping of str to str, optional
        Tags of the song, by their names in libsndfile: ``title``, ``artist``, ``album``, ``date``,
        ``tracknumber``, ``genre``, ``comment``. Others are left out.

    Raises
    ------
    HiphopssError
        If the arrays don't fit each other or the format, there is no such codec, ffmpeg is missing
        or fails, or the file can't be written.

    Examples
    --------
    >>> stems = hiphopss.separate(waveform, 44100)  # doctest: +SKIP
    >>> hiphopss.write_stem_file("song.stem.mp4", waveform, stems, 44100)  # doctest: +SKIP
    """
    if not is_container(path):
        raise HiphopssError(f"{path}: no name of a stem file: let it end in .stem.mp4")
    if not sample_rate > 0:
        raise HiphopssError(f"sample rate {sample_rate}: give a positive number of Hz")
    if set(stems) != set(SOURCES):
        raise HiphopssError(f"stems {', '.join(stems) or 'none'}: give {', '.join(SOURCES)}")
    arrays = [np.asarray(mixture), *(np.asarray(stems[source]) for source in SOURCES)]
    shape = arrays[0].shape
    if len(shape) not in (1, 2) or not arrays[0].size or shape[1:] not in ((), (1,), (2,)):
        raise HiphopssError(
            f"mixture of shape {shape}: give (n_samples,) or (n_samples, n_channels), mono or "
            "stereo"
        )
    for name, array in zip(("mixture", *SOURCES), arrays, strict=True):
        if array.shape != shape:
            raise HiphopssError(f"{name} of shape {array.shape}: the mixture has {shape}")
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise HiphopssError(f"{name}: not finite numbers with full scale at 1: mend it first")
    rate = stem_rate(sample_rate)
    whole = np.stack([array.astype(np.float32).reshape(shape[0], -1) for array in arrays])
    whole = np.stack([reading.resample(array, sample_rate, rate) for array in whole])
    pieces = (whole[:, at : at + _BLOCK] for at in range(0, whole.shape[1], _BLOCK))
    write_blocks(path, ((p[0], p[1:]) for p in pieces), rate, codec=codec, bits=24, tags=tags)


def write_blocks(
    path: str | Path,
    blocks: Blocks,
    sample_rate: int,
    *,
    codec: str = "aac",
    bits: int = 16,
    tags: Mapping[str, str] | None = None,
    record: Callable[[], Mapping[str, Any]] | None = None,
) -> None:
    """Write a stem file block by block; it appears when it is complete.

    Parameters
    ----------
    path : path-like
        File to write.
    blocks : iterable of tuple of np.ndarray and np.ndarray
        Mixture and stems, mono or stereo, in single precision.
    sample_rate : int
        One of ``RATES``.
    codec : str
        One of ``CODECS``.
    bits : int
        Bits of a sample of ALAC, 16 or 24.
    tags : mapping of str to str, optional
        As in :func:`write_stem_file`.
    record : callable, optional
        Gives, after the last block, what :func:`read_record_text` shall give of the file. The key
        ``stems`` is added: the hash.

    Raises
    ------
    HiphopssError
        As in :func:`write_stem_file`.

    Logs
    ----
    WARNING
        If samples are clipped in ALAC.
    """
    if codec not in CODECS:
        raise HiphopssError(f"codec {codec!r}: no such codec: choose {' or '.join(CODECS)}")
    program, n_clipped = require_ffmpeg(path), 0
    options = _options(sample_rate, codec, bits, tags or {})
    with written_whole(path) as temporary:
        with Encoder(program, options, temporary, path) as encoder:
            for mixture, stems in blocks:
                samples = _side_by_side(mixture, stems)
                if codec == "alac":
                    samples, clipped = to_integers(samples, bits)
                    n_clipped += clipped
                encoder.write(samples)

        def last() -> Iterator[bytes]:
            if record is not None:
                hashes = {"stem.mp4": _sha256_until(temporary, None)}
                yield box(_KIND, json.dumps({**record(), "stems": hashes}).encode())

        try:
            add_boxes(temporary, udta=[box(b"stem", manifest().encode())], last=last)
        except (ValueError, FileNotFoundError) as error:
            told = error if isinstance(error, ValueError) else "no file"
            raise HiphopssError(
                f"{path}: ffmpeg wrote something else than an MP4 ({told}): install it again"
            ) from error
    if n_clipped:
        logger.warning(
            "%s: %d samples clipped at full scale: use --stem-codec aac to keep them",
            *(path, n_clipped),
        )


@lru_cache
def manifest() -> str:
    """What the box ``stem`` says, as JSON: names and colours of the stems, and effects, off."""
    text = Path(__file__).with_name("stem_manifest.toml").read_text("utf-8")
    return json.dumps(tomllib.loads(text))


def read_record_text(path: str | Path) -> bytes | None:
    """The record in a stem file that was written here, as JSON that nobody has checked.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    bytes or None
        None if there is none.
    """
    found = find_box(path, _KIND)
    return None if found is None else found[1]


def content_sha256(path: str | Path) -> str:
    """SHA-256 of the part of a stem file that stands before its record, in hexadecimal."""
    found = find_box(path, _KIND)
    return _sha256_until(path, None if found is None else found[0])


def _sha256_until(path: str | Path, stop: int | None) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        left = os.fstat(file.fileno()).st_size if stop is None else stop
        while left and (block := file.read(min(left, 2**20))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _side_by_side(mixture: np.ndarray, stems: np.ndarray) -> np.ndarray:
    """The streams as channels of one, `[shape=(n_block, 2 * n_streams)]`; mono becomes stereo."""
    named = {"mixture": mixture, **dict(zip(SOURCES, stems, strict=True))}
    return np.concatenate(
        [np.broadcast_to(named[name], (len(mixture), 2)) for name in STREAMS], axis=1
    )


def _options(sample_rate: int, codec: str, bits: int, tags: Mapping[str, str]) -> list[str]:
    """ffmpeg's options, up to the name of the file."""
    pcm, kind = ("f32le", "fltp") if codec == "aac" else ("s16le", "s16p")
    if codec == "alac" and bits == 24:
        pcm, kind = "s32le", "s32p"
    n = len(STREAMS)
    graph = [f"[0:a]asplit={n}" + "".join(f"[in{i}]" for i in range(n))]
    graph += [f"[in{i}]pan=stereo|c0=c{2 * i}|c1=c{2 * i + 1}[out{i}]" for i in range(n)]
    options = ["-f", pcm, "-ar", str(sample_rate), "-ac", str(2 * n), "-i", "pipe:0"]
    options += ["-filter_complex", ";".join(graph)]
    for number, name in enumerate(STREAMS):
        options += ["-map", f"[out{number}]", f"-metadata:s:a:{number}", f"handler_name={name}"]
        # Only one stream is switched on, so that other players don't play all of them.
        options += [f"-disposition:a:{number}", "default" if number == 0 else "0"]
    options += ["-c:a", codec, "-sample_fmt", kind, *REPRODUCIBLE]
    options += ["-b:a", _BITRATE] if codec == "aac" else []
    for name, text in tags.items():
        if name in TAGS and text:
            options += ["-metadata", f"{TAGS[name] or name}={text.replace(chr(0), '')}"]
    # The edit list says in ticks of the movie how long the song is: so to the sample. "ipod" is
    # ffmpeg's name of Apple's kind of MP4, brand M4A.
    return [*options, "-movie_timescale", str(sample_rate), "-f", "ipod"]
