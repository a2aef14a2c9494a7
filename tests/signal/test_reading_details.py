"""What reading does with its options, and with formats whose headers promise something else.

ffmpeg is not started here: what would start it is replaced.
"""

import io
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
from helpers.songs import noise, nothing_warned, warned

from hiphopss.signal import decoding, reading
from hiphopss.signal.containers import SUBTYPE
from hiphopss.signal.decoding import Reader
from hiphopss.signal.ffmpeg import Song
from hiphopss.signal.formats.pieces import Layout, Part
from hiphopss.signal.lengths import Stream

N, RATE = 3000, 44_100


@pytest.fixture
def song(tmp_path):
    """A WAV file of noise; function that writes it with other settings."""

    def make(n_samples=N, n_channels=2, rate=RATE, subtype="PCM_16"):
        path = tmp_path / "a.wav"
        x = np.stack([noise(n_samples, seed) for seed in range(n_channels)], axis=1)
        soundfile.write(path, x, rate, subtype=subtype)
        return path

    return make


@pytest.fixture
def asked(monkeypatch):
    """The arrays that readers were asked to fill."""
    arrays, fill = [], Reader.fill

    def kept(self, out):
        arrays.append(out)
        return fill(self, out)

    monkeypatch.setattr(Reader, "fill", kept)
    return arrays


def promising(monkeypatch, *parts):
    """From now on, files hold these parts, and are hardly possible."""
    monkeypatch.setattr(decoding, "look_at", lambda path: Layout("WAV", parts))
    monkeypatch.setattr(decoding, "_UNLIKELY", 0.001)


def test_exact_samples_are_those_of_libsndfile(song):
    found = reading.read(song(), exact=True)
    expected, _ = soundfile.read(song(), dtype="float64")
    assert found.waveform.dtype == np.float64
    np.testing.assert_array_equal(found.waveform, expected)
    assert (found.sample_rate, found.subtype) == (RATE, "PCM_16")


def test_exact_samples_must_be_finite_too(tmp_path):
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), RATE, subtype="FLOAT")
    with pytest.raises(reading.AudioError, match=r"nan\.wav: has samples that are not finite"):
        reading.read(tmp_path / "nan.wav", exact=True)


def test_the_rest_is_read_into_one_array(song, asked):
    path = song()
    with reading.opened(path) as reader:
        first, none, rest = reader.read(1000), reader.read(0), reader.read()
        assert len(reader.read()) == 0
    assert none.shape == (0, 2)
    whole, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(np.concatenate([first, rest]), whole)
    assert [len(array) for array in asked[:3]] == [1000, 0, N - 1000]
    assert np.shares_memory(rest, asked[2])
    asked.clear()
    reading.read(path)
    assert len(asked[0]) == N


def test_a_header_that_is_hardly_possible_gets_no_more_memory_than_it_fills(
    song, asked, monkeypatch
):
    path = song()
    expected = reading.read(path).waveform
    promising(monkeypatch, Part())
    asked.clear()
    monkeypatch.setattr(decoding, "_AT_ONCE", 1000)
    np.testing.assert_array_equal(reading.read(path).waveform, expected)
    assert max(len(array) for array in asked) == 501
    monkeypatch.setattr(decoding, "_AT_ONCE", 1)  # fewer than there are channels
    with reading.opened(song(5)) as reader:
        assert len(reader.read()) == 5


def test_only_a_header_that_is_hardly_possible_is_checked_on_demand(song, asked, monkeypatch):
    path = song()
    assert reading.read_header(path, end=True).n_samples == N
    promising(monkeypatch, Part(n_samples=N + 100))
    assert reading.read_header(path).n_samples == N + 100
    assert not asked
    monkeypatch.setattr(reading, "_BLOCK", 1000)
    header = reading.read_header(path, end=True)
    assert header == reading.Header(N, RATE, 2, "PCM_16", N + 100)
    assert len(asked) > 4


def test_options_reach_the_decoder(song, monkeypatch):
    path, given = song(), []

    @contextmanager
    def opened(path, **options):
        given.append(options["most_seconds"])
        with decoding.opened(path, **options) as reader:
            yield reader

    monkeypatch.setattr(reading, "opened", opened)
    next(reading.read_blocks(path, most_seconds=2.5))
    reading.read_header(path, most_seconds=3.5)
    assert given == [2.5, 3.5]


def test_blocks_tell_of_what_is_cut_off_unless_they_are_told_not_to(song):
    path = song()
    path.write_bytes(path.read_bytes()[: 44 + 4 * 1000])
    with warned(r"a\.wav: cut off: 0\.023 of 0\.068 s are there"):
        assert sum(map(len, reading.read_blocks(path))) == 1000
    with nothing_warned():
        assert sum(map(len, reading.read_blocks(path, tell=False))) == 1000


@pytest.mark.parametrize(("n_channels", "n_block"), [(1, 900), (2, 900), (4, 450), (7, 257)])
def test_blocks_of_many_channels_are_shorter(song, monkeypatch, n_channels, n_block):
    monkeypatch.setattr(reading, "_BLOCK", 900)
    lengths = [len(block) for block in reading.read_blocks(song(2000, n_channels))]
    assert sum(lengths) == 2000
    assert set(lengths[:-1]) == {n_block}


def test_the_header_of_a_stream_is_remembered_without_opening_it(tmp_path, monkeypatch):
    known = {tmp_path / "a.stem.mp4" / "bass": Stream(100, RATE, 2)}
    monkeypatch.setattr(reading, "stream_header", known.__getitem__)
    header = reading.read_header(str(tmp_path / "a.stem.mp4" / "bass"))
    assert header == reading.Header(100, RATE, 2, SUBTYPE)


def test_mono_is_the_mean_of_the_channels():
    x = np.array([[1.0, 0.5], [-1.0, 0.0], [0.25, 0.25]], np.float32)
    mono = reading.to_mono(x)
    assert mono.dtype == np.float32
    np.testing.assert_array_equal(mono, [0.75, -0.5, 0.25])
    one = x[:, :1]
    np.testing.assert_array_equal(reading.to_mono(one), one[:, 0])
    assert np.shares_memory(reading.to_mono(one), x)


def test_the_last_resampled_block_is_cut_where_it_has_to_end():
    x = noise(5000, 1)[:, None].astype(np.float32)
    expected = reading.resample(x, 48_000, RATE)
    wanted = len(expected) - 3
    blocks = reading.resample_blocks([x], 48_000, RATE, n_samples=lambda: wanted)
    found = np.concatenate(list(blocks))
    assert len(found) == wanted
    np.testing.assert_allclose(found, expected[:wanted], atol=1e-6)  # as for whole files


def test_resampling_leaves_at_least_one_sample():
    lengths = [reading.resampled_length(n, 96_000, RATE) for n in (0, 1, 3, 96_000)]
    assert lengths == [1, 1, 1, RATE]


@pytest.mark.parametrize("rate", decoding.RATES)
def test_the_strangest_rates_are_still_read(song, rate):
    assert reading.read(song(10, rate=rate)).sample_rate == rate


def test_a_part_ends_where_it_is_known_to_end(song):
    """What libsndfile would decode behind that is no sound."""
    with Reader(song(), Layout("WAV", (Part(n_samples=100),)), "a") as reader:
        lengths = [len(reader.read(30)) for _ in range(5)]
    assert lengths == [30, 30, 30, 10, 0]


def test_what_parts_without_samples_state_counts(song):
    parts = (Part(), Part(n_samples=0, stated=2.0))
    with Reader(song(), Layout("WAV", parts), "a") as reader:
        assert (reader.header.n_samples, reader.header.n_stated) == (N, N + 2)


def test_an_early_end_is_told_but_for_a_frame_or_two(song):
    path = song(rate=1000)
    for n_lost, told in ((51, True), (50, False)):  # 0.05 s
        layout = Layout("WAV", (Part(n_samples=N + n_lost),))
        with (
            warned(r"^a: ends at 3\.0 s, where 3\.1 s were expected") if told else nothing_warned(),
            Reader(path, layout, "a") as reader,
        ):
            assert len(reader.read()) == N


def test_nothing_but_a_header_is_told(song):
    layout = Layout("WAV", (Part(((0, 44),), n_samples=100),))
    with (
        Reader(song(), layout, "a") as reader,
        pytest.raises(reading.AudioError, match=r"^a: damaged, none of it can be decoded: copy"),
    ):
        reader.read()


@pytest.mark.parametrize(
    ("kind", "quiet"), [("MP3", True), ("MPEG", True), ("", True), ("WAV", False)]
)
def test_libmpg123_is_kept_from_the_terminal(song, monkeypatch, kind, quiet):
    used = []

    @contextmanager
    def counted():
        used.append(1)
        yield

    monkeypatch.setattr(decoding, "quiet_c", counted)
    with Reader(song(), Layout(kind), "a") as reader:
        reader.read()
    assert bool(used) == quiet


def test_a_decoded_copy_has_the_sample_type_of_its_original(song):
    with Reader(song(subtype="FLOAT"), Layout("MP4"), "a", subtype="AAC") as reader:
        assert reader.header.subtype == "AAC"


@pytest.mark.parametrize(("system", "path"), [("nt", "a.wav"), ("posix", b"a.wav")])
def test_names_are_bytes_but_on_windows(monkeypatch, system, path):
    with monkeypatch.context() as other:
        other.setattr(decoding.os, "name", system)
        found = decoding.native_path("a.wav")
    assert found == path


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [("AU", b"\0\0\0\1", b"\0\0\0\x63"), ("CAF", b"ulaw", b"what")],
)
def test_an_encoding_that_only_libsndfile_lacks_is_left_to_ffmpeg(
    song, tmp_path, monkeypatch, kind, old, new
):
    file, given = io.BytesIO(), []
    soundfile.write(file, np.zeros((500, 2)), RATE, format=kind, subtype="ULAW")
    path = tmp_path / "odd"
    path.write_bytes(file.getvalue().replace(old, new, 1))

    @contextmanager
    def decoded_song(path, layout, *, most_seconds):
        given.append((path, layout.kind, most_seconds))
        yield Song(song(), "WHAT", 2.0)

    monkeypatch.setattr(decoding, "decoded_song", decoded_song)
    header = reading.read_header(path, most_seconds=7)
    assert header == reading.Header(N, RATE, 2, "WHAT", 2 * N)
    layout = Layout(kind)  # of which ffmpeg has no name
    monkeypatch.setattr(decoding, "look_at", lambda path: layout)
    with pytest.raises(reading.AudioError, match="odd: not an audio file that libsndfile reads:"):
        reading.read(path)
    assert given == [(path, kind, 7)]
