"""The formats of audio files that are written: sample types, bitrates and limits.

libsndfile takes a compression level between 0 and 1 in place of a bitrate. For MP3 it turns this
into one of the constant bitrates of the format. Vorbis has a quality, for which its header states
the bitrate that it aims at; the level with the right one is looked for.
"""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from functools import lru_cache

from hiphopss.errors import HiphopssError
from hiphopss.signal.writing import (
    LOSSY_SUBTYPES,
    OUTPUT_SUBTYPES,
    output_subtype,
    require_limits,
)

logger = logging.getLogger(__name__)

FORMATS = {
    **{"wav": "WAV", "flac": "FLAC", "mp3": "MP3", "ogg": "OGG", "aiff": "AIFF", "m4a": "M4A"},
}
"""libsndfile's name of each format, by the suffix of its files; M4A is ffmpeg's."""

LOSSY = tuple(LOSSY_SUBTYPES)

_MP3_RATES = {
    "MPEG-1": (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    "MPEG-2": (16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    "MPEG-2.5": (16, 24, 32, 40, 48, 56, 64),
}
"""Constant bitrates in kbit/s. libsndfile can't be asked for the lowest one, 8, of MPEG-2."""

_MP3_SPAN = {"MPEG-1": (320, 32), "MPEG-2": (160, 8), "MPEG-2.5": (64, 8)}
"""Bitrates in kbit/s to which libsndfile maps the compression levels 0 and 1."""

_LAST_LEVEL = 0.9999  # libsndfile refuses 1 for MP3
_AAC_BITS = 6144  # the most that a frame of 1024 samples may have for each channel
_PER_CHANNEL = {"MP3": 160, "M4A": 128}  # kbit/s if nothing is asked for
_VORBIS_LEVEL = 0.4  # if nothing is asked for: about 190 kbit/s for stereo at 44.1 kHz
_STEPS = 12  # of the search for Vorbis' quality: to 1 part in 4000


@dataclass(frozen=True)
class Encoding:
    """How one file is written.

    Attributes
    ----------
    format : str
        One of the values of :data:`FORMATS`.
    subtype : str
        libsndfile's name of the sample type, or that of the lossy codec.
    bitrate : int, optional
        In kbit/s; None for lossless formats, and for Vorbis at its usual quality.
    """

    format: str
    subtype: str
    bitrate: int | None = None

    @property
    def is_lossy(self) -> bool:
        """Whether the samples that are read back are other ones."""
        return self.format in LOSSY

    def describe(self) -> str:
        """Sample type or codec, and bitrate, as records have it."""
        return f"{self.subtype} {self.bitrate} kbit/s" if self.bitrate else self.subtype

    def advice(self) -> str:
        """What to do where samples are clipped."""
        plain = self.format in ("WAV", "AIFF")
        return f"use {'' if plain else '--format wav '}--subtype FLOAT to keep them"


def require_choice(name: str, bitrate: int | None, subtype: str | None) -> str:
    """Check a choice of a format, before the rate and the channels of any song are known.

    Parameters
    ----------
    name : str
        One of :data:`FORMATS`.
    bitrate : int, optional
        In kbit/s.
    subtype : str, optional
        Sample type.

    Returns
    -------
    str
        The format, one of the values of :data:`FORMATS`.

    Raises
    ------
    HiphopssError
        If there is no such format, or if it has no choice of bitrates or of this sample type.
    """
    if name not in FORMATS:
        raise HiphopssError(f"format {name!r}: no such format: choose {', '.join(FORMATS)}")
    kind = FORMATS[name]
    if bitrate is not None and kind not in LOSSY:
        lossy = ", ".join(other for other, kind in FORMATS.items() if kind in LOSSY)
        raise HiphopssError(
            f"bitrate {bitrate}: {name} is lossless and has none: leave it out, or choose {lossy}"
        )
    if bitrate is not None and bitrate < 1:
        raise HiphopssError(f"bitrate {bitrate}: give a number of kbit/s, such as 192")
    if subtype is None:
        return kind
    if kind in LOSSY:
        raise HiphopssError(f"sample type {subtype}: {name} has none: leave it out")
    if subtype not in OUTPUT_SUBTYPES or (kind, subtype) == ("FLAC", "FLOAT"):
        able = [kept for kept in OUTPUT_SUBTYPES if (kind, kept) != ("FLAC", "FLOAT")]
        raise HiphopssError(f"sample type {subtype}: not in {name}: choose {', '.join(able)}")
    return kind


def encoding_for(
    format: str,
    sample_rate: int,
    n_channels: int,
    *,
    given: str,
    bitrate: int | None = None,
    subtype: str | None = None,
    label: object,
    by: str = "format",
) -> Encoding:
    """How a song's files are written in a format.

    Parameters
    ----------
    format : str
        One of the values of :data:`FORMATS`.
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Number of channels.
    given : str
        Sample type of the song.
    bitrate : int, optional
        In kbit/s; by default 160 for each channel of MP3, 128 of M4A, or as much as the rate
        allows.
    subtype : str, optional
        Sample type; by default the one of the format nearest to the song's.
    label : object
        What the message calls the file.
    by : str
        How the user chooses a format, as in :func:`hiphopss.signal.writing.require_limits`.

    Raises
    ------
    HiphopssError
        If the format has no such rate, no such bitrate at this rate, or fewer channels.
    """
    require_limits(label, format, sample_rate, n_channels, by=by)
    if format not in LOSSY:
        nearest = subtype or output_subtype(given)
        if subtype is None and (format, nearest) == ("FLAC", "FLOAT"):
            nearest = "PCM_24"
        return Encoding(format, nearest)
    if format == "OGG":
        if bitrate is not None:
            _vorbis_level(sample_rate, n_channels, bitrate, label)
        return Encoding(format, LOSSY_SUBTYPES[format], bitrate)
    allowed = _bitrates(format, sample_rate, n_channels)
    if bitrate is None:
        bitrate = min(_PER_CHANNEL[format] * n_channels, max(allowed))
    if bitrate not in allowed:
        some = f"{allowed[0]} to {allowed[-1]}"
        if format == "MP3":
            some = f"one of {', '.join(map(str, allowed))}"
        raise HiphopssError(
            f"{label}: {format} has no bitrate of {bitrate} kbit/s at {sample_rate} Hz: "
            f"choose {some}"
        )
    return Encoding(format, LOSSY_SUBTYPES[format], bitrate)


def _bitrates(format: str, sample_rate: int, n_channels: int) -> range | tuple[int, ...]:
    """The bitrates in kbit/s that MP3 or M4A has at a rate."""
    if format == "MP3":
        return _MP3_RATES[_mpeg(sample_rate)]
    return range(8, _AAC_BITS * sample_rate * n_channels // 1024 // 1000 + 1)


def _mpeg(sample_rate: int) -> str:
    return "MPEG-1" if sample_rate >= 32000 else "MPEG-2" if sample_rate >= 16000 else "MPEG-2.5"


def libsndfile_options(encoding: Encoding, sample_rate: int, n_channels: int) -> dict:
    """The arguments of ``soundfile.SoundFile`` that set a bitrate.

    Parameters
    ----------
    encoding : Encoding
        From :func:`encoding_for`.
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Number of channels.
    """
    if encoding.format == "OGG":
        level = _VORBIS_LEVEL
        if encoding.bitrate is not None:
            level = _vorbis_level(sample_rate, n_channels, encoding.bitrate, "Vorbis")
        return {"compression_level": level}
    if encoding.format == "MP3" and encoding.bitrate is not None:
        most, least = _MP3_SPAN[_mpeg(sample_rate)]
        level = (most - encoding.bitrate) / (most - least)
        return {"compression_level": min(level, _LAST_LEVEL), "bitrate_mode": "CONSTANT"}
    return {}


@lru_cache
def _vorbis_level(sample_rate: int, n_channels: int, bitrate: int, label: object) -> float:
    """The compression level at which Vorbis aims at a bitrate in kbit/s."""
    least, most = (_aim(sample_rate, n_channels, level) for level in (1.0, 0.0))
    if least <= 0:
        raise HiphopssError(
            f"{label}: Vorbis has no choice of bitrates at {sample_rate} Hz: leave it out"
        )
    if not least <= 1000 * bitrate <= most:
        raise HiphopssError(
            f"{label}: Vorbis has no bitrate of {bitrate} kbit/s at {sample_rate} Hz: choose "
            f"{-(-least // 1000)} to {most // 1000}"
        )
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _aim(sample_rate, n_channels, middle) > 1000 * bitrate:
            low = middle
        else:
            high = middle
    return high


@lru_cache
def _aim(sample_rate: int, n_channels: int, level: float) -> int:
    """The bitrate in bit/s that an empty Vorbis file states; 0 or less if it states none."""
    import soundfile

    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", sample_rate, n_channels, "VORBIS", format="OGG", compression_level=level
    ):
        pass
    data = file.getvalue()
    # the first header: type, "vorbis", version (4 bytes), channels (1), rate, and three bitrates
    at = data.index(b"\x01vorbis") + 7 + 4 + 1 + 4 + 4
    return int.from_bytes(data[at : at + 4], "little", signed=True)
