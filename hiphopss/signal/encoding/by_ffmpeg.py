"""ffmpeg as an encoder, which gets samples through a pipe: nothing else is written to a disk."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.signal.ffmpeg import FULL, first_line
from hiphopss.util.disk import cannot_write

_END_S = 600  # seconds that ffmpeg gets for the last samples and the list of all
_GONE_S = 10  # seconds that it gets to say why it reads no more

REPRODUCIBLE = ("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact")
"""Options with which the same samples give the same bytes: no time and no version is written."""


def find_encoder(label: object, what: str, otherwise: str) -> str:
    """Path of the program ``ffmpeg``, which writes what libsndfile can't.

    Parameters
    ----------
    label : object
        What is to be written, for the message.
    what : str
        Its format, for the message.
    otherwise : str
        What else can be done than installing it, which ends the message.

    Raises
    ------
    HiphopssError
        If it is not on the ``PATH``.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise HiphopssError(
            f"{label}: ffmpeg is missing (not on the PATH), and only it can write {what}: install "
            "it (apt install ffmpeg, brew install ffmpeg, or https://ffmpeg.org/download.html), or "
            f"{otherwise}"
        )
    return program


class Encoder:
    """ffmpeg while it reads samples. It is a context, whose end waits for the file to be complete.

    If the body raises, ffmpeg is killed.

    Parameters
    ----------
    program : str
        From :func:`find_encoder`.
    options : list of str
        How the samples come, and what is made of them.
    path : Path
        File to write.
    label : str or Path
        Name of the file in messages.

    Raises
    ------
    HiphopssError
        If ffmpeg can't be started.
    """

    def __init__(self, program: str, options: list[str], path: Path, label: str | Path):
        self._label = label
        safely = ["-nostdin", "-hide_banner", "-v", "error", "-y"]
        command = [program, *safely, "-protocol_whitelist", "file,pipe", *options]
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 (closed at the end)
        try:
            self._process = subprocess.Popen(
                [*command, f"file:{path.absolute()}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._told,
            )
        except OSError as error:
            self._told.close()
            raise HiphopssError(
                f"{program}: can't be run ({error.strerror}), but only it can write {label}: "
                "install ffmpeg again"
            ) from error
        assert self._process.stdin is not None
        self._pipe = self._process.stdin

    def write(self, samples: np.ndarray) -> None:
        """Pass samples on, `[shape=(n_block, n_channels)]`, with the lowest byte first."""
        little = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
        try:
            self._pipe.write(little.tobytes())
        except OSError as error:  # ffmpeg has ended, or reads no more
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GONE_S)
            raise self._failure() from error

    def __enter__(self) -> Encoder:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        try:
            if error is None:
                with suppress(OSError):  # ffmpeg has ended, and says why
                    self._pipe.close()
                if self._process.wait(_END_S):
                    raise self._failure()
        except subprocess.TimeoutExpired as late:
            raise HiphopssError(
                f"{self._label}: ffmpeg did not finish it within {_END_S} s: try again"
            ) from late
        finally:
            self._process.kill()
            with suppress(OSError):
                self._pipe.close()
            self._process.wait()
            self._told.close()

    def _failure(self) -> HiphopssError:
        """The error for what ffmpeg told."""
        self._told.seek(0)
        told = self._told.read()
        if any(full in told for full in FULL):
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return HiphopssError(f"{self._label}: {cannot_write(full)}")
        if (status := self._process.returncode) is not None and status < 0:
            told = f"ended by signal {-status}".encode()
        return HiphopssError(
            f"{self._label}: ffmpeg can't write it (it says {first_line(told)!r}): install ffmpeg "
            "4.4 or newer, or check the disk"
        )
