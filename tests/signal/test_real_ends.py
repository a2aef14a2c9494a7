"""Files are read to their real ends, whatever their headers say of the length."""

import io
import struct

import numpy as np
import pytest
import soundfile
from helpers.songs import noise, nothing_warned, warned

from hiphopss import HiphopssError
from hiphopss.datasets.stems import require_alike
from hiphopss.signal import reading
from hiphopss.signal.formats import flac
from hiphopss.signal.formats.kinds import look_at

N = 30_000
RATE = 44_100
COMMENT = b"LIST" + struct.pack("<I", 600) + b"INFO" + bytes(596)


def encoded(kind, subtype="PCM_16", n_samples=N, rate=RATE, n_channels=2):
    """A file of noise, in memory."""
    file = io.BytesIO()
    x = 0.5 * np.stack([noise(n_samples, seed) for seed in range(n_channels)], axis=1)
    soundfile.write(file, x, rate, format=kind, subtype=subtype)
    return file.getvalue()


def with_bytes(data, place, new):
    return data[:place] + new + data[place + len(new) :]


def read_all(path):
    """Read a file in every way; all must agree."""
    header = reading.read_header(path, end=True)
    whole = reading.read(path)
    blocks = np.concatenate(list(reading.read_blocks(path, tell=False)))
    np.testing.assert_array_equal(blocks, whole.waveform)
    assert header.n_samples == len(blocks)
    assert (header.sample_rate, header.subtype) == (whole.sample_rate, whole.subtype)
    return whole.waveform


def wav_sizes(data, size, all_of_it=None):
    data = with_bytes(data, data.index(b"data") + 4, struct.pack("<I", size))
    return data if all_of_it is None else with_bytes(data, 4, struct.pack("<I", all_of_it))


def aiff_sizes(data, n_samples, size):
    data = with_bytes(data, data.index(b"COMM") + 10, struct.pack(">I", n_samples))
    return with_bytes(data, data.index(b"SSND") + 4, struct.pack(">I", size))


def caf_size(data, size):
    return with_bytes(data, data.index(b"data") + 4, size.to_bytes(8, "big"))


def w64_size(data, size):
    return with_bytes(data, data.index(b"data") + 16, size.to_bytes(8, "little"))


def flac_length(data, n_samples):
    word = int.from_bytes(data[18:26], "big")
    return with_bytes(data, 18, (word >> 36 << 36 | n_samples).to_bytes(8, "big"))


WRONG = {
    "WAV of size 0": ("WAV", lambda d: wav_sizes(d, 0, 0)),
    "WAV of no size": ("WAV", lambda d: wav_sizes(d, 0xFFFFFFFF, 0xFFFFFFFF)),
    "WAV of half a size": ("WAV", lambda d: wav_sizes(d, 60_000)),
    "WAV of arecord": ("WAV", lambda d: wav_sizes(d, 0x80000000, 0x80000024)),
    "RF64 of size 0": ("RF64", lambda d: with_bytes(d, d.index(b"ds64") + 8, bytes(16))),
    "BW64": ("RF64", lambda d: b"BW64" + d[4:]),
    "AIFF of size 0": ("AIFF", lambda d: aiff_sizes(d, 0, 0)),
    "AIFF of size 8": ("AIFF", lambda d: aiff_sizes(d, 0, 8)),
    "AU of size 0": ("AU", lambda d: with_bytes(d, 8, bytes(4))),
    "AU of 2 GB": ("AU", lambda d: with_bytes(d, 8, b"\x80\0\0\0")),
    "CAF of no size": ("CAF", lambda d: caf_size(d, 2**64 - 1)),
    "W64 of size 0": ("W64", lambda d: w64_size(d, 0)),
    "W64 of all sizes": ("W64", lambda d: w64_size(d, 2**63 - 1)),
    "FLAC of no length": ("FLAC", lambda d: flac_length(d, 0)),
    "FLAC behind a tag": ("FLAC", lambda d: b"ID3\4\0\0\0\0\7\x68" + bytes(1000) + d),
    "WAV behind zeros": ("WAV", lambda d: bytes(100) + d),
    "AIFF behind a tag": ("AIFF", lambda d: b"ID3\4\0\0\0\0\7\x68" + bytes(1000) + d),
    "WAV with a tag": ("WAV", lambda d: d + b"TAG" + bytes(1000)),
    "WAV with zeros": ("WAV", lambda d: d + bytes(5000)),
    "WAV with a chunk": ("WAV", lambda d: d + b"LIST" + struct.pack("<I", 600) + bytes(600)),
    "FLAC with a tag": ("FLAC", lambda d: d + b"TAG" + bytes(125)),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_length_loses_nothing(tmp_path, case):
    kind, change = WRONG[case]
    data = encoded(kind)
    (tmp_path / "good").write_bytes(data)
    (tmp_path / "bad").write_bytes(change(data))
    with nothing_warned():
        found = read_all(tmp_path / "bad")
    np.testing.assert_array_equal(found, read_all(tmp_path / "good"))


def test_an_empty_wav_with_a_comment_has_no_samples(tmp_path):
    data = encoded("WAV", n_samples=0)
    (tmp_path / "a").write_bytes(data + b"LIST" + struct.pack("<I", 600) + bytes(600))
    with pytest.raises(HiphopssError, match="a: has no samples"):
        reading.read(tmp_path / "a")


@pytest.mark.parametrize("kind", ["WAV", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC"])
def test_what_is_there_of_a_file_is_read_and_told(tmp_path, kind):
    data = encoded(kind)
    (tmp_path / "good").write_bytes(data)
    (tmp_path / "cut").write_bytes(data[: len(data) // 2])
    with warned(r"cut: cut off: 0\.\d of 0\.7 s are there"):
        found = read_all(tmp_path / "cut")
    assert 0.4 * N < len(found) <= N / 2
    np.testing.assert_array_equal(found, read_all(tmp_path / "good")[: len(found)])
    header = reading.read_header(tmp_path / "cut")
    assert header.n_stated == pytest.approx(N, abs=1)
    assert reading.read_header(tmp_path / "good").cut_off is None
    with pytest.raises(HiphopssError, match=r"cut: cut off: 0\.\d of 0\.7 s are there: export or"):
        require_alike([tmp_path / "cut"])


@pytest.mark.parametrize("kept", [0.1, 0.3, 0.77, 0.97, 0.9999])
def test_flac_is_read_up_to_its_last_whole_frame(tmp_path, kept):
    data = encoded("FLAC", n_samples=5 * N)
    (tmp_path / "good").write_bytes(data)
    (tmp_path / "cut").write_bytes(data[: int(kept * len(data))])
    with warned("cut: cut off"):
        found = read_all(tmp_path / "cut")
    assert kept * 5 * N - 2 * 4096 < len(found) < 5 * N
    np.testing.assert_array_equal(found, read_all(tmp_path / "good")[: len(found)])


def joined(kind, subtype="PCM_16", rate=RATE):
    first, second = encoded(kind, subtype, N, rate), encoded(kind, subtype, N // 2, rate)
    return first, second, first


@pytest.mark.parametrize(
    ("kind", "subtype", "rate"),
    [
        *(("WAV", "PCM_16", RATE), ("RF64", "PCM_24", RATE), ("AIFF", "PCM_16", RATE)),
        *(("FLAC", "PCM_16", RATE), ("OGG", "VORBIS", RATE), ("OGG", "OPUS", 48_000)),
        ("MP3", "MPEG_LAYER_III", RATE),
    ],
)
def test_joined_files_are_read_one_after_the_other(tmp_path, kind, subtype, rate):
    files = joined(kind, subtype, rate)
    expected = []
    for number, data in enumerate(files):
        (tmp_path / str(number)).write_bytes(data)
        expected.append(read_all(tmp_path / str(number)))
    (tmp_path / "all").write_bytes(b"".join(files))
    with nothing_warned():
        found = read_all(tmp_path / "all")
    np.testing.assert_array_equal(found, np.concatenate(expected))


@pytest.mark.parametrize(("rate", "n_channels"), [(48_000, 2), (RATE, 1)])
@pytest.mark.parametrize("kind", ["MP3", "FLAC", "OGG"])
def test_joined_files_that_differ_are_refused(tmp_path, kind, rate, n_channels):
    subtype = {"MP3": "MPEG_LAYER_III", "FLAC": "PCM_16", "OGG": "VORBIS"}[kind]
    first, other = encoded(kind, subtype), encoded(kind, subtype, N, rate, n_channels)
    (tmp_path / "all").write_bytes(first + other)
    with pytest.raises(HiphopssError, match=r"all: changes from .* to .*: split it"):
        reading.read(tmp_path / "all")


def test_large_flac_files_that_were_joined_are_found(tmp_path):
    """They are looked for at some places only, unless these or the last frame are odd."""
    loud = encoded("FLAC", n_samples=6 * N)
    silent = io.BytesIO()
    soundfile.write(silent, np.zeros((6 * N, 2), np.int16), RATE, format="FLAC")
    for data in (loud + loud, silent.getvalue() + loud, loud + silent.getvalue()):
        (tmp_path / "all").write_bytes(data)
        assert len(look_at(tmp_path / "all").parts) == 2
        assert reading.read_header(tmp_path / "all").n_samples == 12 * N
    (tmp_path / "one").write_bytes(loud)
    assert look_at(tmp_path / "one").parts[0].pieces is None


def test_a_chain_among_other_streams_is_read(tmp_path):
    """Streams of other kinds, such as pictures, may have pages between those of the sound."""
    data = encoded("OGG", "VORBIS")
    (tmp_path / "good").write_bytes(data)
    pages, at = [], 0
    while (at := data.find(b"OggS", at)) >= 0:
        pages.append(at)
        at += 4
    other = b"OggS\0\2" + bytes(8) + struct.pack("<III", 7, 0, 0) + b"\1\x08fishead\0"
    later = b"OggS\0\0" + bytes(8) + struct.pack("<III", 7, 1, 0) + b"\1\x08something"[:11]
    second = pages[1]
    mixed = other[:36] + data[:second] + later[:36] + data[second:]
    (tmp_path / "mixed").write_bytes(mixed)
    np.testing.assert_array_equal(read_all(tmp_path / "mixed"), read_all(tmp_path / "good"))


@pytest.mark.parametrize("codec", ["GSM610", "G721_32", "NMS_ADPCM_16", "IMA_ADPCM", "ULAW"])
def test_formats_that_can_not_seek_are_read(tmp_path, codec):
    soundfile.write(tmp_path / "a.wav", 0.3 * noise(3000, 1), 8000, subtype=codec)
    with nothing_warned():
        assert len(read_all(tmp_path / "a.wav")) >= 3000


def test_a_header_can_not_ask_for_memory(tmp_path):
    (tmp_path / "a").write_bytes(flac_length(encoded("FLAC"), 2**36 - 1))
    with warned("cut off: 0.7 of "):
        assert len(reading.read(tmp_path / "a").waveform) == N
    data = encoded("WAV")
    place = data.index(b"fmt ") + 12
    for rate in (0, 1, 10**9):
        (tmp_path / "b").write_bytes(with_bytes(data, place, struct.pack("<I", rate)))
        with pytest.raises(HiphopssError) as caught:
            reading.read(tmp_path / "b")
        assert "\n" not in str(caught.value)


def test_a_wav_of_more_than_4_gb_has_its_samples(tmp_path):
    """Its size in the header is the remainder; the file is sparse, and takes no space."""
    data = encoded("WAV", n_samples=100)
    n_bytes = 2**32 + 4000
    path = tmp_path / "long.wav"
    with open(path, "wb") as file:
        file.write(wav_sizes(data[:44], 4000, 4036) + bytes(4000) + data[44:])
        file.seek(44 + n_bytes - 400)
        file.write(data[44:])
    assert reading.read_header(path).n_samples == n_bytes // 4
    with reading.opened(path) as reader:
        assert reader.fill(np.empty((50, 2), np.float32)) == 50


def test_wav_with_several_chunks_of_samples_is_read_whole(tmp_path):
    data = encoded("WAV")
    (tmp_path / "good").write_bytes(data)
    samples, size = data[44:], 40_000
    pieces = [samples[:size], samples[size : 2 * size], samples[2 * size :]]
    chunks = [b"data" + struct.pack("<I", len(piece)) + piece for piece in pieces]
    chunks.insert(1, COMMENT)
    changed = data[:36] + b"".join(chunks)
    (tmp_path / "many").write_bytes(with_bytes(changed, 4, struct.pack("<I", len(changed) - 8)))
    with nothing_warned():
        found = read_all(tmp_path / "many")
    np.testing.assert_array_equal(found, read_all(tmp_path / "good"))
    (tmp_path / "cut").write_bytes(changed[:-40_000])
    with warned("cut: cut off: 0.5 of 0.7 s are there"):
        assert len(read_all(tmp_path / "cut")) == N - 10_000


def with_comment(kind):
    """A file with a chunk behind its samples, which its size counts."""
    data = encoded(kind)
    order = ">" if kind == "AIFF" else "<"
    comment = (b"ANNO" if kind == "AIFF" else b"LIST") + struct.pack(f"{order}I", 600) + COMMENT[8:]
    data += comment
    return with_bytes(data, 4, struct.pack(f"{order}I", len(data) - 8))


@pytest.mark.parametrize("kind", ["WAV", "AIFF"])
def test_joined_files_with_chunks_behind_their_samples_lose_nothing(tmp_path, kind):
    data = with_comment(kind)
    (tmp_path / "one").write_bytes(data)
    (tmp_path / "all").write_bytes(data * 3)
    with nothing_warned():
        one, found = read_all(tmp_path / "one"), read_all(tmp_path / "all")
    np.testing.assert_array_equal(found, np.concatenate([one] * 3))


@pytest.mark.parametrize("name", [b"LIST", b"abcd"])
def test_a_cut_chunk_behind_the_samples_is_no_sound(tmp_path, name):
    data = encoded("WAV")
    chunk = name + struct.pack("<I", 6000) + b"\x21\x43" * 3000
    data = wav_sizes(data, len(data) - 44, len(data) + len(chunk) - 8) + chunk
    for n_lost in (0, 3000, 5990):
        (tmp_path / "a").write_bytes(data[: len(data) - n_lost])
        with nothing_warned():
            assert len(read_all(tmp_path / "a")) == N


def test_a_cut_chunk_behind_the_samples_of_aiff_is_no_sound(tmp_path):
    data = encoded("AIFF") + b"abcd" + struct.pack(">I", 6000) + b"\x21\x43" * 3000
    data = with_bytes(data, 4, struct.pack(">I", len(data) - 8))
    (tmp_path / "a").write_bytes(data[:-3000])
    with nothing_warned():
        assert len(read_all(tmp_path / "a")) == N


@pytest.mark.parametrize("padding", [b"", b"\0"])
def test_an_odd_chunk_before_the_samples_may_lack_its_padding(tmp_path, padding):
    data = encoded("WAV")
    (tmp_path / "good").write_bytes(data)
    chunk = b"LIST" + struct.pack("<I", 17) + b"INFOISFT\5\0\0\0abcde" + padding
    changed = with_bytes(data[:36] + chunk + data[36:], 4, struct.pack("<I", len(data) + 17))
    (tmp_path / "odd").write_bytes(changed)
    with nothing_warned():
        found = read_all(tmp_path / "odd")
    np.testing.assert_array_equal(found, read_all(tmp_path / "good"))


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "FLAC"])
def test_what_joined_files_lack_is_told_of_all_together(tmp_path, kind):
    """One of three lacks a half: the others are not taken for cut off as well."""
    data = encoded(kind)
    (tmp_path / "a").write_bytes(data + data + data[: len(data) // 2])
    with warned(r"a: cut off: 1\.[67] of 2\.0 s are there"):
        assert 2.4 * N < len(read_all(tmp_path / "a")) <= 2.5 * N


def first_frame(data):
    return data.index(b"\xff\xf8", 42)


@pytest.mark.parametrize("kept", [20, 2000])
def test_joined_flac_that_is_cut_in_its_first_frame_keeps_the_rest(tmp_path, kept):
    data = encoded("FLAC")
    (tmp_path / "good").write_bytes(data)
    (tmp_path / "a").write_bytes(data + data[: first_frame(data) + kept])
    with warned(r"a: cut off: 0\.7 of 1\.4 s are there"):
        found = read_all(tmp_path / "a")
    np.testing.assert_array_equal(found, read_all(tmp_path / "good"))


@pytest.mark.parametrize("stated", [0, 1, 4096, 3 * 4096, N - 1])
@pytest.mark.parametrize("tag", [b"", b"TAG" + bytes(125), b"ID3\3\0\0\0\0\x10\0" + bytes(2048)])
def test_flac_of_no_or_a_smaller_length_is_read_whole(tmp_path, stated, tag):
    data = encoded("FLAC")
    (tmp_path / "good").write_bytes(data)
    (tmp_path / "a").write_bytes(flac_length(data, stated) + tag)
    with nothing_warned():
        found = read_all(tmp_path / "a")
    np.testing.assert_array_equal(found, read_all(tmp_path / "good"))


def test_one_sample_too_few_is_told_as_that(tmp_path):
    (tmp_path / "a").write_bytes(flac_length(encoded("FLAC"), N + 1))
    with warned(f"a: cut off: {N} of {N + 1} samples are there"):
        read_all(tmp_path / "a")


class Counting(io.BytesIO):
    """Counts the bytes that are read."""

    n_read = 0

    def read(self, size=-1):
        data = super().read(size)
        self.n_read += len(data)
        return data


def test_joined_flac_files_are_looked_for_once():
    """Not once for each of them, which would take minutes in a file that is made for that."""
    head = encoded("FLAC", n_samples=100)[:42]
    file = Counting(head * 3000)
    starts = list(flac._behind(file, 0, 3000 * 42))
    assert starts == list(range(42, 3000 * 42, 42))
    assert file.n_read == 3000 * 42 - 4
