"""Stem files made with ffmpeg, which ``imageio-ffmpeg`` brings along for tests."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.songs import noise

from hiphopss.signal import decoded, reading
from hiphopss.signal.containers import STREAMS

N_SAMPLES = 30011  # no multiple of AAC's frames


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


def streams_of(n_samples=N_SAMPLES, n_channels=2, first=2):
    """Noise that is different in each stream, and coloured, because AAC spares no bits for hiss."""
    return {
        name: np.stack([noise(n_samples, first + i + 7 * c) for c in range(n_channels)], 1)
        for i, name in enumerate(STREAMS)
    }


def start_anew(monkeypatch):
    """As if this were a new process."""
    monkeypatch.setattr(decoded, "_copies", decoded._Copies())


def one_line(path, told, read=reading.read, kind=reading.AudioError):
    with pytest.raises(kind, match=told) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def described(path):
    """What ffprobe says of a file, as JSON has it; skips the test where there is no ffprobe."""
    program = shutil.which("ffprobe")
    if program is None:
        pytest.skip("no ffprobe on the PATH (it comes with Debian's ffmpeg, not with the wheel)")
    command = [program, "-v", "warning", "-show_format", "-show_streams", "-of", "json", path]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


def told_of(path):
    """The lines of ``ffmpeg -i`` on the streams of a file, and on the file as a whole."""
    command = [ffmpeg_program(), "-hide_banner", "-i", f"file:{path}"]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stderr.splitlines()
    return [line.strip() for line in lines if "Audio:" in line], "\n".join(lines)


def samples_of(path, number, kind):
    """The samples of a stream as ffmpeg gives them, ``kind`` of them such as ``"s16le"``."""
    command = [ffmpeg_program(), "-nostdin", "-v", "error", "-i", f"file:{path}"]
    command += ["-map", f"0:a:{number}", "-c:a", f"pcm_{kind}", "-f", kind, "pipe:1"]
    done = subprocess.run(command, check=True, capture_output=True)
    kinds = {"s16le": "<i2", "s32le": "<i4", "f32le": "<f4"}
    return np.frombuffer(done.stdout, kinds[kind]).reshape(-1, 2)
