"""Stem files made with ffmpeg, which ``imageio-ffmpeg`` brings along for tests."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import soundfile

from hiphopss.signal.containers import STREAMS


def ffmpeg_program():
    """Path of the program; skips the test where there is none."""
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:  # a platform without a binary in the package
        pytest.skip("no ffmpeg for this platform")


def put_ffmpeg(folder):
    """Make a folder for the PATH that holds nothing but ``ffmpeg``."""
    folder.mkdir(exist_ok=True)
    name = folder / ("ffmpeg.exe" if sys.platform == "win32" else "ffmpeg")
    try:
        os.symlink(ffmpeg_program(), name)
    except OSError:  # Windows asks for a privilege
        shutil.copy(ffmpeg_program(), name)
    return folder


def make_stem_mp4(path, streams, sample_rate=44100, *, bitrate="256k"):
    """Write a file in Native Instruments' stem format.

    ``streams`` maps ``"mixture"``, ``"drums"`` and so on to ``[shape=(n_samples, n_channels)]`` or
    ``[shape=(n_samples,)]``; names that are missing give a file with fewer streams.
    """
    names = [name for name in STREAMS if name in streams]
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [ffmpeg_program(), "-nostdin", "-v", "error", "-y"]
        for name in names:
            wav = Path(folder, f"{name}.wav")
            soundfile.write(wav, streams[name], sample_rate, subtype="FLOAT")
            command += ["-i", wav]
        for number in range(len(names)):
            command += ["-map", f"{number}:a"]
        command += ["-c:a", "aac", "-b:a", bitrate, "-disposition:a", "0"]
        command += ["-disposition:a:0", "default", "-f", "mp4", f"file:{path}"]
        subprocess.run(command, check=True)
    return path
