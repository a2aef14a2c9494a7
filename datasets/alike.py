"""How alike the files of a song must be: in sampling rate, channels and length.

Data sets hold stems that differ a little in length: audio workstations export one stem a sample
shorter than another, and encoders such as MP3's and AAC's add some 20 to 50 ms of padding. Up to a
tolerance, by default 0.1 s, the longer files are cut to the shortest one, and a warning says by how
much. A larger difference may mean that files don't belong together, and is an error.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hiphopss.config import LENGTH_TOLERANCE_S
from hiphopss.errors import HiphopssError
from hiphopss.signal import reading

logger = logging.getLogger(__name__)

_ALLOW = ", or, if they differ a little, add --length-tolerance SECONDS"


@dataclass(frozen=True)
class Common:
    """Properties that the files of a song share.

    Attributes
    ----------
    n_samples : int
        Length of the shortest file, in samples of each channel.
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Largest number of channels.
    subtype : str
        Sample type of the first file, by libsndfile's name.
    cut : dict of Path to int
        The files that are longer, and by how many samples.
    """

    n_samples: int
    sample_rate: int
    n_channels: int
    subtype: str
    cut: dict[Path, int] = field(default_factory=dict)


def require_alike(
    paths: Iterable[Path],
    *,
    tolerance_s: float | None = None,
    downmixed: bool = False,
    whole: bool = True,
    mend: str = "export the song's files alike, or separate its mixture again",
    told: bool = True,
) -> Common:
    """Check the headers and ends of a song's files, which is fast, before any work begins.

    Parameters
    ----------
    paths : iterable of Path
        All files of a song that are used together; at least one.
    tolerance_s : float, optional
        Lengths must differ by less than this time, in seconds. By default that is
        ``LENGTH_TOLERANCE_S``; if it is given, the message of the error names the option
        ``--length-tolerance``.
    downmixed : bool
        Ignore the numbers of channels, because the caller averages the channels.
    whole : bool
        Refuse files that are cut off.
    mend : str
        What to do if files differ, for the message.
    told : bool
        Log a warning if files differ in length.

    Returns
    -------
    Common
        Properties of the files together.

    Raises
    ------
    HiphopssError
        If a file can't be read, is cut off or empty, or if two differ in sampling rate, length or
        number of channels (one channel matches any number). The message names both files.
    """
    headers = {path: reading.read_header(path, end=True) for path in paths}
    for path, header in headers.items():
        if whole and header.cut_off:
            raise cut_off(path, header)
    (first, common), *others = headers.items()
    for path, header in others:
        if header.sample_rate != common.sample_rate:
            raise _unlike(path, first, "Hz", header.sample_rate, common.sample_rate, mend)
    lengths = {path: header.n_samples for path, header in headers.items()}
    shortest, longest = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
    for path, other in (*((path, first) for path, _ in others), (shortest, longest)):
        if not within(lengths[path] - lengths[other], common.sample_rate, tolerance_s):
            advice = mend if tolerance_s is None else mend + _ALLOW
            raise _unlike(path, other, "samples", lengths[path], lengths[other], advice)
    widest = max(headers, key=lambda path: headers[path].n_channels)
    for path, header in headers.items():
        if not downmixed and header.n_channels not in (1, headers[widest].n_channels):
            found, wanted = header.n_channels, headers[widest].n_channels
            raise _unlike(path, widest, "channels", found, wanted, mend)
    n_samples = lengths[shortest]
    if told:
        tell_cut(lengths, common.sample_rate)
    cut = {path: length - n_samples for path, length in lengths.items() if length > n_samples}
    n_channels = headers[widest].n_channels
    return Common(n_samples, common.sample_rate, n_channels, common.subtype, cut)


def cut_off(path: Path, header: reading.Header | None = None) -> HiphopssError:
    """The error for a file that is shorter than its header says, or than the song's others."""
    told = header.cut_off if header else "cut off, it is shorter than its header says"
    return HiphopssError(f"{path}: {told}: export or copy it again")


def require_tolerance(seconds: float) -> None:
    """Raise :class:`HiphopssError` unless this can be a tolerance of lengths."""
    if not 0 <= seconds < math.inf:
        raise HiphopssError(f"length tolerance is {seconds} s: give 0 or a positive number")


def within(n_samples: int, sample_rate: int, tolerance_s: float | None = None) -> bool:
    """Whether a difference in length, in samples, is none or is tolerated."""
    tolerance_s = LENGTH_TOLERANCE_S if tolerance_s is None else tolerance_s
    return not n_samples or abs(n_samples) < tolerance_s * sample_rate


def tell_cut(lengths: Mapping[Path, int], sample_rate: int) -> None:
    """Log a warning if files differ in length, and so are cut to the shortest.

    Parameters
    ----------
    lengths : mapping of Path to int
        Length of each file (or of what is in a folder), in samples.
    sample_rate : int
        Sampling rate in Hz.
    """
    shortest, longest = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
    difference = lengths[longest] - lengths[shortest]
    if difference:
        logger.warning(
            "%s: %d samples, but %s has %d: the longer files are cut to the shortest (by up to %d "
            "sample%s, %.3g ms)",
            *(shortest, lengths[shortest], longest, lengths[longest]),
            *(difference, "s" * (difference > 1), 1000 * difference / sample_rate),
        )


def _unlike(
    path: Path, other: Path, unit: str, found: int, wanted: int, mend: str
) -> HiphopssError:
    return HiphopssError(f"{path}: {found} {unit}, but {other} has {wanted}: {mend}")
