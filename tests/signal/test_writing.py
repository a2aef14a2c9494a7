"""Audio files that are written: the same samples are the same bytes, and full disks."""

import signal

import numpy as np
import pytest
import soundfile
from helpers.disk import files_limited
from helpers.songs import noise

from hiphopss import HiphopssError
from hiphopss.signal.writing import LOSSY_SUBTYPES, OUTPUT_FORMATS, OUTPUT_SUBTYPES, Sink, Writer

KINDS = [
    (format, subtype)
    for format in dict.fromkeys(OUTPUT_FORMATS.values())
    for subtype in ([LOSSY_SUBTYPES[format]] if format in LOSSY_SUBTYPES else OUTPUT_SUBTYPES)
    if (format, subtype) != ("FLAC", "FLOAT")
]


def write(path, format, subtype, samples):
    with Writer(path, 44100, 2, subtype, format=format) as writer:
        writer.write(samples)


@pytest.fixture(scope="module")
def samples():
    return np.stack([noise(30_000, 0), noise(30_000, 1)], axis=1).astype(np.float32)


@pytest.mark.parametrize(("format", "subtype"), KINDS)
def test_the_same_samples_are_the_same_bytes(tmp_path, samples, format, subtype):
    """Without a time, and without a number that is drawn by the time."""
    for name in ("a", "b"):
        write(tmp_path / name, format, subtype, samples)
    first = (tmp_path / "a").read_bytes()
    assert first == (tmp_path / "b").read_bytes()
    assert b"PEAK" not in first[:200]
    assert soundfile.info(tmp_path / "a").frames == len(samples)
    error = soundfile.read(tmp_path / "a")[0] - samples
    # Of lossy files, libraries need no more than to be right as a whole.
    assert np.std(error) <= (0.5 if format in LOSSY_SUBTYPES else 1e-3) * np.std(samples)


def test_ogg_streams_are_numbered_by_their_content(tmp_path, samples):
    for name, some in (("a", samples), ("b", samples[::-1])):
        write(tmp_path / name, "OGG", "VORBIS", some)
    numbers = [(tmp_path / name).read_bytes()[14:18] for name in "ab"]
    assert numbers[0] != numbers[1]


@pytest.mark.parametrize(("format", "subtype"), KINDS)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_disk_that_is_full_is_told(tmp_path, samples, format, subtype, share):
    """Also at the last bytes, which libsndfile may write without a look at what comes of it."""
    write(tmp_path / "whole", format, subtype, samples)
    n_bytes = int(share * (tmp_path / "whole").stat().st_size)
    with (
        files_limited(n_bytes),
        pytest.raises(HiphopssError, match=r"song: can't be written \(File too large\): allow"),
        Writer(tmp_path / "a", 44100, 2, subtype, format=format, label="song") as writer,
    ):
        writer.write(samples)


def test_a_file_that_can_not_be_made_is_told(tmp_path):
    with pytest.raises(HiphopssError, match=r"song: can't be written \(No such file or directory"):
        Writer(tmp_path / "no" / "a", 44100, 2, "PCM_16", label="song")


def test_an_interrupt_while_libsndfile_writes_is_not_lost(tmp_path, samples, monkeypatch):
    """It comes in a method that libsndfile calls, through which nothing can be raised."""
    write_bytes, came = Sink.write, []

    def interrupted(self, data):
        if len(data) > 1000 and not came:
            came.append(True)
            signal.raise_signal(signal.SIGINT)
        return write_bytes(self, data)

    monkeypatch.setattr(Sink, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a", "WAV", "PCM_16", samples)
