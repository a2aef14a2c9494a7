"""Writing M4A: AAC through ``ffmpeg``.

ffmpeg writes an edit list, which says how many samples of silence its encoder put in front, and how
long the last frame is. So what is read back has the song's length, to the sample.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Self

import numpy as np

from hiphopss.signal.encoding.by_ffmpeg import REPRODUCIBLE, Encoder, find_encoder
from hiphopss.signal.encoding.formats import Encoding
from hiphopss.signal.encoding.tags import Tags

logger = logging.getLogger(__name__)


def require_ffmpeg(label: object) -> str:
    """Path of ``ffmpeg``, or an error as in :func:`by_ffmpeg.find_encoder`."""
    return find_encoder(label, "M4A", "choose another format")


class M4aWriter:
    """Writes an M4A file block by block, as :class:`hiphopss.signal.writing.Writer` does others.

    Parameters
    ----------
    path : Path
        File to write.
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Number of channels.
    encoding : Encoding
        The bitrate.
    label : str or Path
        Name of the file in messages.
    advice : str
        Advice in the warning about clipped samples.
    tags : Tags
        Title and so on.

    Raises
    ------
    HiphopssError
        If there is no ffmpeg, or if the file can't be written.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        n_channels: int,
        encoding: Encoding,
        *,
        label: str | Path,
        advice: str,
        tags: Tags,
    ):
        self.n_clipped = 0
        self._label, self._advice = label, advice
        samples = ["-f", "f32le", "-ar", str(sample_rate), "-ac", str(n_channels), "-i", "pipe:0"]
        codec = ["-c:a", "aac", "-b:a", f"{encoding.bitrate}k", *REPRODUCIBLE]
        options = [*samples, *codec, *tags.for_ffmpeg(), "-f", "ipod"]
        self._encoder = Encoder(require_ffmpeg(label), options, path, label)

    def write(self, waveform: np.ndarray) -> None:
        """Append samples `[shape=(n_samples, n_channels)]`."""
        samples = np.clip(waveform, -1, 1).astype(np.float32)
        self.n_clipped += int(np.count_nonzero(samples != waveform))
        self._encoder.write(samples)

    def close(self) -> None:
        """Finish the file; log a warning if samples were clipped."""
        self.__exit__(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._encoder.__exit__(error)
        if error is None and self.n_clipped:
            logger.warning(
                "%s: %d samples clipped at full scale: %s",
                *(self._label, self.n_clipped, self._advice),
            )
