"""Opening the writer of an audio file, whatever its format."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self

import numpy as np

from hiphopss.signal.encoding.formats import Encoding, libsndfile_options
from hiphopss.signal.encoding.m4a import M4aWriter
from hiphopss.signal.encoding.tags import Tags
from hiphopss.signal.writing import Writer


class AudioWriter(Protocol):
    """What :func:`open_writer` gives: a context, at whose end the file is complete.

    Attributes
    ----------
    n_clipped : int
        Number of samples that were clipped, of which :meth:`close` warns.
    """

    n_clipped: int

    def write(self, waveform: np.ndarray) -> None:
        """Append samples `[shape=(n_samples, n_channels)]`."""

    def close(self) -> None:
        """Finish the file."""

    def __enter__(self) -> Self: ...

    def __exit__(self, error: type[BaseException] | None, /, *_: object) -> None: ...


def open_writer(
    path: Path,
    sample_rate: int,
    n_channels: int,
    encoding: Encoding,
    *,
    label: str | Path | None = None,
    advice: str | None = None,
    tags: Tags | None = None,
) -> AudioWriter:
    """Open a file for writing block by block.

    Parameters
    ----------
    path : Path
        File to write.
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Number of channels.
    encoding : Encoding
        From :func:`hiphopss.signal.encoding.formats.encoding_for`.
    label : str or Path, optional
        Name of the file in messages, if it is not ``path``.
    advice : str, optional
        Advice in the warning about clipped samples.
    tags : Tags, optional
        Title and so on; none by default.

    Raises
    ------
    HiphopssError
        If the file can't be written, or if ffmpeg is needed and missing.
    """
    told = advice or encoding.advice()
    if encoding.format == "M4A":
        return M4aWriter(
            path,
            sample_rate,
            n_channels,
            encoding,
            label=label or path,
            advice=told,
            tags=tags or Tags(),
        )
    return Writer(
        path,
        sample_rate,
        n_channels,
        encoding.subtype,
        label=label,
        format=encoding.format,
        advice=told,
        options=libsndfile_options(encoding, sample_rate, n_channels),
        tags=tags,
    )
