"""MP3s with and without a count of their frames, with something between them, joined, damaged."""

import io
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from helpers.songs import noise, nothing_warned, warned

from hiphopss import HiphopssError
from hiphopss.signal import quiet, reading
from hiphopss.signal.formats import mpeg
from hiphopss.signal.formats.kinds import look_at
from hiphopss.signal.formats.mpeg_frames import frame_at

N, RATE = 40_000, 44_100


def encoded(mode="CONSTANT", rate=RATE, n_samples=N, n_channels=2):
    file = io.BytesIO()
    x = np.stack([noise(n_samples, seed) for seed in range(n_channels)], axis=1)
    x[: n_samples // 2] *= 0.01  # so that variable rates vary
    options = {"bitrate_mode": mode, "compression_level": 0.6}
    soundfile.write(file, x, rate, format="MP3", subtype="MPEG_LAYER_III", **options)
    return file.getvalue()


def frames(data, at=0):
    """Places of the frames of an MP3 that holds nothing else."""
    places = []
    while at + 4 <= len(data):
        places.append(at)
        at += frame_at(data[at : at + 4]).size
    return places


def without_count(data):
    return data[frames(data)[1] :]


def tag(n_bytes):
    size = bytes((n_bytes >> shift) & 127 for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + size + bytes(n_bytes)


def read_all(path):
    """Read a file in every way; all must agree."""
    whole = reading.read(path).waveform
    np.testing.assert_array_equal(np.concatenate(list(reading.read_blocks(path))), whole)
    assert reading.read_header(path, end=True).n_samples == len(whole)
    return whole


@pytest.fixture
def put(tmp_path):
    def put(data, name="song.mp3"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return put


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_a_normal_mp3_is_left_to_libsndfile(put, mode):
    path = put(encoded(mode))
    assert look_at(path).parts[0].pieces is None
    with soundfile.SoundFile(path) as file:
        expected = file.read(dtype="float32")
    np.testing.assert_array_equal(read_all(path), expected)
    assert len(expected) == N


@pytest.mark.parametrize("rate", [RATE, 22_050, 11_025])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_all_frames_are_read_without_a_count(put, mode, rate, n_channels):
    data = without_count(encoded(mode, rate, n_channels=n_channels))
    spf = 1152 if rate == RATE else 576
    with nothing_warned():
        plain = read_all(put(data))
        assert len(plain) == spf * len(frames(data))
        # A cover must not make the guess of the length longer.
        np.testing.assert_array_equal(read_all(put(tag(300_000) + data)), plain)
        np.testing.assert_array_equal(read_all(put(bytes(100) + data)), plain)


def test_what_is_no_frame_is_passed_over(put):
    data = encoded()
    middle = frames(data)[10]
    expected = read_all(put(data))
    rubbish = np.random.default_rng(0).bytes(5000)
    with nothing_warned():
        for changed in (
            data + b"APETAGEX" + bytes(5000),
            data + b"TAG" + bytes(125),
            data[:middle] + tag(3000) + data[middle:],
            data[:middle] + rubbish + data[middle:],
            rubbish + data,
        ):
            np.testing.assert_array_equal(read_all(put(changed)), expected)


def counted(data, n_frames, n_bytes=None):
    """The same MP3 with another count."""
    at = max(data.find(b"Xing"), data.find(b"Info")) + 8
    data = data[:at] + struct.pack(">I", n_frames) + data[at + 4 :]
    return data if n_bytes is None else data[: at + 4] + struct.pack(">I", n_bytes) + data[at + 8 :]


@pytest.mark.parametrize("n_frames", [0, 5, 1000])
def test_a_wrong_count_is_not_believed(put, n_frames):
    data = encoded()
    with nothing_warned():
        found = read_all(put(counted(data, n_frames)))
    np.testing.assert_array_equal(found, read_all(put(data)))


def test_what_is_there_of_an_mp3_is_read_and_told(put):
    data = encoded()
    whole = read_all(put(data))
    with warned(r"song\.mp3: cut off: 0\.\d of 0\.9 s are there"):
        found = reading.read(put(data[: len(data) // 2])).waveform
    assert 0.4 * N < len(found) < 0.6 * N
    np.testing.assert_allclose(found, whole[: len(found)], atol=1e-6)


def test_joined_mp3s_lose_nothing(put):
    first, second = encoded(), encoded("VARIABLE", n_samples=N // 2)
    both = np.concatenate([read_all(put(first)), read_all(put(second))])
    with nothing_warned():
        for between in (b"", tag(2000), b"TAG" + bytes(125)):
            np.testing.assert_array_equal(read_all(put(first + between + second)), both)
        bare = read_all(put(without_count(first) + without_count(second)))
    assert len(bare) == 1152 * (len(frames(first)) + len(frames(second)) - 2)


def vbri(data):
    """The same MP3 with the count of Fraunhofer's encoders in place of Xing's."""
    size = frames(data)[1]
    count = b"VBRI\0\1" + struct.pack(">HHII", 1105, 75, len(data), len(frames(data)) - 1)
    return (data[:4] + bytes(32) + count).ljust(size, b"\0") + data[size:]


def test_the_count_of_other_encoders_is_no_sound(put):
    data = encoded("VARIABLE")
    found, bare = read_all(put(vbri(data))), read_all(put(without_count(data)))
    np.testing.assert_array_equal(found, bare)


def framed(n_frames, bitrate):
    """Silent frames of one size: MPEG 1, layer 3, 44,100 Hz, 2 channels."""
    head = bytes((255, 251, bitrate << 4, 0x64))
    return (head + bytes(frame_at(head).size - 4)) * n_frames


@pytest.mark.parametrize("kind", ["VBRI", "Xing"])
@pytest.mark.parametrize("bitrates", [(1, 14, 1), (9, 14, 1), (14, 1, 14), (1, 1, 14)])
def test_a_count_of_another_size_than_the_frames_loses_nothing(put, kind, bitrates):
    """libmpg123 guesses the number of samples from the first frame that it gets."""
    told, first, others = (
        framed(n, bitrate) for n, bitrate in zip((1, 1, 199), bitrates, strict=True)
    )
    count = b"Xing" + struct.pack(">II", 1, 200)  # without the number of bytes
    if kind == "VBRI":
        count = b"VBRI\0\1" + struct.pack(">HHII", 1105, 75, 0, 200)
    told = (told[:4] + bytes(32) + count).ljust(len(told), b"\0")
    with nothing_warned():
        assert len(read_all(put(told + first + others))) == 200 * 1152


def test_many_small_parts_share_their_memory():
    data = vbri(encoded("VARIABLE", n_samples=3000))
    n_parts = 200
    file = io.BytesIO(data * n_parts)
    parts = mpeg.layout(file, 0, len(data) * n_parts).parts
    assert len(parts) > n_parts / 2
    own = {id(piece): len(piece) for part in parts for piece in part.pieces or () if piece[0] == 0}
    assert sum(own.values()) < 2**15


def test_an_mp3_that_calls_itself_another_layer_is_read_or_refused(put):
    data = encoded()
    places = frames(data)
    for layer in (1, 2):
        for changed in (places[:1], places[5:6], places):
            bad = bytearray(data)
            for at in changed:
                bad[at + 1] = bad[at + 1] & ~6 | (4 - layer) << 1
            if changed is places:
                with pytest.raises(HiphopssError, match="not an audio file") as caught:
                    read_all(put(bytes(bad)))
                assert "\n" not in str(caught.value)
            else:
                assert len(read_all(put(bytes(bad)))) > N - 2 * 1152


def test_wav_may_hold_mp3(put):
    data = encoded()
    fmt = struct.pack("<HHIIHHHHIHHH", 0x55, 2, RATE, 16_000, 1, 0, 12, 1, 2, 417, 1, 0)
    wav = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    wav += b"data" + struct.pack("<I", len(data)) + data
    path = put(b"RIFF" + struct.pack("<I", len(wav)) + wav, "song.wav")
    np.testing.assert_array_equal(read_all(path), read_all(put(data)))


def test_a_file_full_of_headers_ends_soon(put):
    with pytest.raises(HiphopssError, match="not an audio file"):
        reading.read(put(b"\xff\xfb\x90\x64" * 20_000))


def test_libmpg123_is_silent_and_other_lines_are_not(put):
    places = frames(encoded())
    data = bytearray(encoded())
    for at in places[5:15]:
        data[at + 4 : at + 40] = bytes(reversed(range(36)))  # damaged inside
    code = (
        "import sys, logging\nfrom hiphopss.signal import reading\n"
        "from hiphopss.errors import HiphopssError\n"
        "logging.basicConfig(format='%(message)s')\n"
        "try:\n    for block in reading.read_blocks(sys.argv[1]): logging.warning('our line')\n"
        "except HiphopssError: logging.warning('our line')\n"
    )
    command = [sys.executable, "-c", code, put(bytes(data) + bytes(data)[-5000:])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(done.stderr.splitlines()) == {"our line"}


@pytest.mark.skipif(sys.platform not in quiet._NAMES, reason="C's stderr is no variable here")
def test_only_cs_stderr_is_turned_and_turned_back():
    code = (
        "import ctypes, os\nfrom hiphopss.signal.quiet import quiet_c\n"
        "c = ctypes.CDLL(None)\n"
        "def say(text):\n"
        "    stream = ctypes.c_void_p.in_dll(c, NAME)\n"
        "    c.fputs(text, stream); c.fflush(stream)\n"
        "say(b'1 ')\n"
        "with quiet_c():\n    say(b'2 ')\n    os.write(2, b'3 ')\n"
        "    with quiet_c(): say(b'4 ')\n    say(b'5 ')\n"
        "say(b'6')\n"
    ).replace("NAME", repr(quiet._NAMES[sys.platform]))
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stderr.split() == ["1", "3", "6"]
