"""Files in and out: sample types, clipping, rates, errors."""

import os
import warnings

import numpy as np
import pytest
import soundfile
from helpers.songs import noise, nothing_warned, warned

from hiphopss import HiphopssError
from hiphopss.signal import reading, writing


@pytest.mark.parametrize(
    ("subtype", "largest"), [("PCM_16", 32767), ("PCM_24", 2**23 - 1), ("PCM_32", 2**31 - 1)]
)
def test_integers_are_divided_by_their_types_maximum(tmp_path, subtype, largest):
    path = tmp_path / "a.wav"
    bits = int(subtype[-2:])
    steps = np.array([[largest], [-largest], [largest // 2], [0]], np.int64)
    samples = (steps << (32 - bits)).astype(np.int32)
    soundfile.write(path, samples if bits > 16 else steps.astype(np.int16), 44100, subtype=subtype)
    read = reading.read(path)
    assert read.subtype == subtype
    np.testing.assert_allclose(read.waveform, steps / largest, rtol=2e-7)  # float32 rounding
    if subtype == "PCM_16":
        assert read.waveform[0, 0] == 1.0


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_what_is_read_and_written_is_unchanged(tmp_path, subtype):
    bits = int(subtype[-2:])
    values = np.random.default_rng(0).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (5000, 2))
    values[0] = -(2 ** (bits - 1))
    samples = (values << (32 - bits)).astype(np.int32)
    soundfile.write(tmp_path / "a.wav", samples, 44100, subtype=subtype)
    writing.write(tmp_path / "b.wav", reading.read(tmp_path / "a.wav").waveform, 44100, subtype)
    again, _ = soundfile.read(tmp_path / "b.wav", dtype="int32")
    np.testing.assert_array_equal(again, samples)


def test_integers_round_and_clip_with_a_warning_that_counts(tmp_path):
    waveform = np.array([0.4 / 32767, 0.6 / 32767, 1.5, -1.5, 1.0, -1.0])
    with warned(r"loud\.wav: 2 samples clipped"):
        writing.write(tmp_path / "loud.wav", waveform, 44100, "PCM_16")
    written, _ = soundfile.read(tmp_path / "loud.wav", dtype="int16")
    np.testing.assert_array_equal(written, [0, 1, 32767, -32768, 32767, -32767])


def test_float_is_not_clipped(tmp_path):
    waveform = np.array([0.1, 1.5, -2.0], np.float32)
    with warnings.catch_warnings(), nothing_warned():
        warnings.simplefilter("error")
        writing.write(tmp_path / "a.wav", waveform, 44100, "FLOAT")
    np.testing.assert_array_equal(reading.read(tmp_path / "a.wav").waveform[:, 0], waveform)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "aiff"])
def test_reads_what_libsndfile_reads(tmp_path, suffix):
    x = np.stack([noise(20000, 1), noise(20000, 2)], axis=1)
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, x, 44100)
    read = reading.read(path)
    assert read.waveform.shape == (20000, 2)
    assert read.sample_rate == 44100
    # OGG and MP3 lose detail
    assert np.corrcoef(read.waveform[:, 0], x[:, 0])[0, 1] > 0.9


def test_resampling_there_and_back_keeps_length_and_band(tmp_path):
    time = np.arange(48000) / 48000
    tone = np.sin(2 * np.pi * 1000 * time)[:, None].astype(np.float32)
    there = reading.resample(tone, 48000, 44100)
    assert len(there) == 44100
    back = reading.resample(there, 44100, 48000)
    assert len(back) == 48000
    np.testing.assert_allclose(back[2000:-2000], tone[2000:-2000], atol=1e-5)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_blocks_are_the_whole_file(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("hiphopss.signal.reading._BLOCK", 5000)
    path = tmp_path / f"a.{kind}"
    soundfile.write(path, np.stack([noise(17001, 1), noise(17001, 2)], axis=1), 44100)
    whole = reading.read(path)
    blocks = list(reading.read_blocks(path))
    assert len(blocks) == 4
    np.testing.assert_array_equal(np.concatenate(blocks), whole.waveform)
    header = reading.read_header(path)
    assert (header.n_samples, header.sample_rate, header.seconds) == (17001, 44100, 17001 / 44100)
    assert (header.n_channels, header.subtype) == (2, whole.subtype)


@pytest.mark.parametrize(("rate_in", "rate_out"), [(48000, 44100), (16000, 44100), (96000, 44100)])
@pytest.mark.parametrize("n_samples", [1, 100, 30011])
def test_resampling_in_blocks_is_resampling(rate_in, rate_out, n_samples):
    x = np.stack([noise(n_samples, 1), noise(n_samples, 2)], axis=1).astype(np.float32)
    expected = reading.resample(x, rate_in, rate_out)
    blocks = (x[start : start + 7001] for start in range(0, n_samples, 7001))
    found = np.concatenate(list(reading.resample_blocks(blocks, rate_in, rate_out)))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-6)  # -120 dB
    blocks = reading.resample_blocks([x], rate_in, rate_out, n_samples=lambda: len(expected) + 3)
    assert sum(map(len, blocks)) == len(expected) + 3
    assert list(reading.resample_blocks([], rate_in, rate_out)) == []


def test_equal_rates_leave_blocks_alone():
    blocks = [np.ones((3, 1), np.float32), np.zeros((2, 1), np.float32)]
    for one, other in zip(reading.resample_blocks(blocks, 44100, 44100), blocks, strict=True):
        assert one is other


def test_errors_name_the_file_in_one_line(tmp_path):
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "empty.wav", np.zeros((0, 1)), 44100)
    bad = np.array([0.0, np.nan])
    soundfile.write(tmp_path / "nan.wav", bad, 44100, subtype="FLOAT")
    for name, part in (
        ("missing.wav", "no such file"),
        ("text.wav", "not an audio file"),
        ("empty.wav", "no samples"),
        ("nan.wav", "not finite"),
    ):
        with pytest.raises(HiphopssError, match=part) as caught:
            reading.read(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("suffix", "kept", "told"),
    [
        ("flac", 0.02, "cut off: none of it is there: copy"),
        ("ogg", 0.02, "damaged or cut off: copy"),
        ("wav", 30 / 200_044, "or a damaged one: get it again"),
        ("flac", 0.0005, "or a damaged one: get it again"),
        ("wav", 0, "empty: copy"),
        ("raw", 1, "not an audio file"),
    ],
)
def test_what_is_cut_off_is_not_taken_for_something_else(tmp_path, suffix, kept, told):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(100_000, 1), 44100, subtype="PCM_16" if suffix == "raw" else None)
    path.write_bytes(path.read_bytes()[: round(kept * path.stat().st_size)])
    for read in (reading.read, lambda path: reading.read_header(path, end=True)):
        with pytest.raises(reading.AudioError, match=told) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ")


def test_end_is_looked_at_where_a_file_is_shorter_than_that(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(5), 44100)
    assert reading.read_header(tmp_path / "a.wav", end=True).n_samples == 5


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that Linux has")
def test_a_full_disk_is_told_in_one_line():
    with (
        pytest.raises(HiphopssError, match=r"stem\.wav: can't be written"),
        writing.Writer("/dev/full", 44100, 1, "FLOAT", label="stem.wav") as writer,
    ):
        writer.write(np.zeros((100000, 1)))


@pytest.mark.parametrize(
    ("suffix", "rate", "n_channels"),
    [(".mp3", 48000, 2), (".ogg", 192000, 8), (".flac", 192000, 8), (".wav", 384000, 16)],
)
def test_formats_within_their_limits_are_written(tmp_path, suffix, rate, n_channels):
    kind = writing.OUTPUT_FORMATS[suffix]
    subtype = writing.LOSSY_SUBTYPES.get(kind, "PCM_16")
    path = tmp_path / f"a{suffix}"
    with writing.Writer(path, rate, n_channels, subtype, format=kind) as writer:
        writer.write(np.zeros((5000, n_channels), np.float32))
    header = reading.read_header(path)
    assert (header.sample_rate, header.n_channels) == (rate, n_channels)


@pytest.mark.parametrize(
    ("kind", "rate", "n_channels", "told"),
    [
        ("MP3", 96000, 2, r"a: MP3 has no rate of 96000 Hz: name .* \.wav, .*\.ogg, \.m4a$"),
        ("MP3", 44100, 3, "a: MP3 has 2 channels at most, not 3: name a file that ends in .wav"),
        ("OGG", 384000, 2, r"no rate of 384000 Hz: .* \.wav, \.flac"),  # libsndfile crashes
        ("FLAC", 44100, 9, r"8 channels at most, not 9: .* \.wav, \.aif, \.aiff, \.ogg$"),
        ("WAV", 44100, 1025, "not 1025: give less of them"),
    ],
)
def test_formats_beyond_their_limits_are_refused(tmp_path, kind, rate, n_channels, told):
    subtype = writing.LOSSY_SUBTYPES.get(kind, "PCM_16")
    with pytest.raises(HiphopssError, match=told):
        writing.Writer(tmp_path / "b", rate, n_channels, subtype, label="a", format=kind)
    assert not (tmp_path / "b").exists()


def test_a_file_that_can_not_be_begun_is_named_as_its_owner_does(tmp_path):
    (tmp_path / ".partial-a.wav").mkdir()
    with pytest.raises(HiphopssError, match=r"^a\.wav: can't be written \([^)]*\)") as caught:
        writing.Writer(tmp_path / ".partial-a.wav", 44100, 1, "PCM_16", label="a.wav")
    for noise_word in ("partial", "Error :", "disk full"):
        assert noise_word not in str(caught.value)
