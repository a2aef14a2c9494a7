"""Writing M4A: AAC through ``ffmpeg``, which gets the samples through a pipe.

ffmpeg writes an edit list, which says how many samples of silence its encoder put in front, and how
long the last frame is. So what is read back has the song's length, to the sample.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.signal.encoding.formats import Encoding
from hiphopss.signal.encoding.tags import Tags

logger = logging.getLogger(__name__)

_LIMIT_S = 60  # for what ffmpeg still has to do once it has all samples
_FULL = ("No space left on device", "Disk quota exceeded", "File too large")


def require_ffmpeg(label: object) -> str:
    """Path of the program ``ffmpeg``.

    Parameters
    ----------
    label : object
        What can't be written without it, for the message.

    Raises
    ------
    HiphopssError
        If it is not on the ``PATH``.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise HiphopssError(
            f"{label}: only ffmpeg can write M4A, which is not on the PATH: install ffmpeg "
            "(https://ffmpeg.org/download.html), or choose another format"
        )
    return program


class M4aWriter:
    """Writes an M4A file block by block, as :class:`hiphopss.signal.writing.Writer` does others.

    The same samples give the same bytes with the same ffmpeg: no time and no version is written.

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
        plain = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
        codec = ["-c:a", "aac", "-b:a", f"{encoding.bitrate}k", *plain, *tags.for_ffmpeg()]
        command = [require_ffmpeg(label), "-hide_banner", "-v", "error", "-y", *samples, *codec]
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 (closed at the end)
        try:
            self._process = subprocess.Popen(
                [*command, "-f", "ipod", f"file:{path.absolute()}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._told,
            )
        except OSError as error:
            self._told.close()
            raise HiphopssError(
                f"{command[0]}: can't be run ({error.strerror}), but only it can write {label}: "
                "install ffmpeg again, or choose another format"
            ) from error
        assert self._process.stdin is not None
        self._pipe = self._process.stdin

    def write(self, waveform: np.ndarray) -> None:
        """Append samples `[shape=(n_samples, n_channels)]`."""
        samples = np.clip(waveform, -1, 1).astype("<f4")
        self.n_clipped += int(np.count_nonzero(samples != waveform))
        try:
            self._pipe.write(samples.tobytes())
        except OSError:  # ffmpeg has ended, and says why
            raise self._failure() from None

    def close(self) -> None:
        """Finish the file; log a warning if samples were clipped."""
        try:
            with suppress(OSError):
                self._pipe.close()
            try:
                status = self._process.wait(_LIMIT_S)
            except subprocess.TimeoutExpired:
                status = -1
            if status:
                raise self._failure()
        finally:
            self._stop()
        if self.n_clipped:
            logger.warning(
                "%s: %d samples clipped at full scale: %s",
                *(self._label, self.n_clipped, self._advice),
            )

    def _failure(self) -> HiphopssError:
        """The error that tells what ffmpeg says."""
        self._stop()
        self._told.seek(0)
        lines = self._told.read().decode("utf-8", "replace").splitlines()
        full = next((reason for reason in _FULL if any(reason in line for line in lines)), None)
        if full is not None:
            return HiphopssError(
                f"{self._label}: can't be written ({full}): make room, or choose a folder on "
                "another disk"
            )
        reason = "".join(char for char in (lines or ["nothing"])[0] if char.isprintable())[:100]
        return HiphopssError(
            f"{self._label}: can't be written (ffmpeg says {reason!r}): choose another format"
        )

    def _stop(self) -> None:
        """End ffmpeg, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        with suppress(OSError):
            self._pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        try:
            if error is None:
                self.close()
            else:
                self._stop()
        finally:
            self._told.close()
