"""`hiphopss remix`: songs and folders of stems, mixed anew."""

import re
import tracemalloc

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, looped, noise

from hiphopss import SOURCES, HiphopssError
from hiphopss.remixing.mixing import Mix
from hiphopss.remixing.remix import remix
from hiphopss.separation.separator import separate

STEREO = np.stack([noise(30000, 1, 0.2), noise(30000, 2, 0.2)], axis=1)


@pytest.fixture
def song(tmp_path):
    soundfile.write(tmp_path / "song.wav", STEREO, RATE, subtype="PCM_16")
    return tmp_path / "song.wav"


@pytest.fixture
def stems(tmp_path):
    folder = tmp_path / "stems"
    folder.mkdir()
    for number, source in enumerate(SOURCES):
        soundfile.write(folder / f"{source}.wav", noise(9000, number), RATE, subtype="PCM_16")
    return folder


@pytest.mark.parametrize("rate", [RATE, 48000])
@pytest.mark.parametrize(
    ("subtype", "suffix"),
    [("PCM_16", "wav"), ("PCM_16", "flac"), ("PCM_24", "wav"), ("FLOAT", "wav")],
)
def test_settings_that_do_nothing_give_the_song_back(tmp_path, run, rate, subtype, suffix):
    waveform = STEREO.copy()
    waveform[:2] = [[-1, 1], [1, -1]]
    soundfile.write(tmp_path / "in.wav", waveform, rate, subtype=subtype)
    out = tmp_path / f"out.{suffix}"
    status, told, _ = run("remix", tmp_path / "in.wav", "-o", out, "--gain", "bass=0", "-q")
    assert (status, told.strip()) == (0, str(out))
    kind = "int32" if subtype.startswith("PCM") else "float32"
    before, after = (soundfile.read(p, dtype=kind)[0] for p in (tmp_path / "in.wav", out))
    np.testing.assert_array_equal(after, before)
    assert soundfile.info(out).samplerate == rate
    assert soundfile.info(out).subtype == subtype


@pytest.mark.parametrize("rate", [RATE, 32000])
def test_a_song_is_changed_by_its_stems(tmp_path, published, run, rate):
    soundfile.write(tmp_path / "song.wav", STEREO, rate, subtype="FLOAT")
    arguments = [
        "--gain",
        "vocals=-6",
        "--gain",
        "drums=+3",
        "--mute",
        "other",
        "--pan",
        "bass=-0.2",
    ]
    status, *_ = run(
        "remix", tmp_path / "song.wav", "-o", tmp_path / "out.wav", "--weights", published, "-q",
        *arguments,
    )  # fmt: skip
    assert status == 0
    found, found_rate = soundfile.read(tmp_path / "out.wav")
    parts = separate(STEREO, rate, weights=published)
    bass = parts["bass"] @ np.array([[1, 0], [np.sin(0.1 * np.pi), np.cos(0.1 * np.pi)]])
    expected = (
        STEREO
        + (10 ** (-6 / 20) - 1) * parts["vocals"]
        + (10 ** (3 / 20) - 1) * parts["drums"]
        - parts["other"]
        + (bass - parts["bass"])
    )
    assert found_rate == rate
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_karaoke_and_acapella_share_the_song(song, tmp_path, published, run):
    for short in ("karaoke", "acapella"):
        status, *_ = run(
            "remix", song, "-o", tmp_path / f"{short}.wav", "--weights", published, f"--{short}"
        )
        assert status == 0
    parts = {s: soundfile.read(tmp_path / f"{s}.wav")[0] for s in ("karaoke", "acapella")}
    whole = soundfile.read(song)[0]
    # both are rounded to 16 bits
    np.testing.assert_allclose(parts["karaoke"] + parts["acapella"], whole, atol=1.1 / 32767)
    vocals = separate(whole, RATE, weights=published)["vocals"]
    np.testing.assert_allclose(parts["acapella"], vocals, atol=1 / 32767)
    assert np.abs(vocals).max() > 0.01


def test_stems_are_summed_and_panned_mono_becomes_stereo(stems, tmp_path, run):
    status, *_ = run("remix", stems, "-o", tmp_path / "o.flac", "--gain", "bass=-20", "--mute",
                     "other", "--pan", "drums=1")  # fmt: skip
    assert status == 0
    found, _ = soundfile.read(tmp_path / "o.flac")
    vocals, bass, drums, _ = (soundfile.read(stems / f"{s}.wav")[0] for s in SOURCES)
    middle = vocals + 0.1 * bass
    expected = np.stack([middle, middle + np.sqrt(2) * drums], axis=1)
    np.testing.assert_allclose(found, expected, atol=1 / 32767)


def test_one_stem_and_the_rest_are_no_stems_to_mix(stems, tmp_path, run):
    for source in SOURCES[1:]:
        (stems / f"{source}.wav").unlink()
    (stems / "no_vocals.wav").write_bytes((stems / "vocals.wav").read_bytes())
    status, _, error = run("remix", stems, "-o", tmp_path / "o.wav", "--karaoke")
    assert status == 2
    assert "was made with --two-stems, so only no_vocals.wav" in error
    assert not (tmp_path / "o.wav").exists()


def test_a_missing_stem_is_silence_and_told(stems, tmp_path, run):
    (stems / "bass.wav").unlink()
    status, _, error = run("remix", stems, "-o", tmp_path / "o.wav", "-q")
    assert status == 0
    assert "no bass: counts as silence" in error
    rest = [soundfile.read(stems / f"{s}.wav")[0] for s in SOURCES if s != "bass"]
    np.testing.assert_allclose(soundfile.read(tmp_path / "o.wav")[0], sum(rest), atol=1 / 32767)


@pytest.mark.parametrize(
    ("arguments", "silent"),
    [
        (("--karaoke", "--solo", "vocals"), True),
        (("--solo", "bass"), True),  # which is missing
        (("--acapella", "--gain", "vocals=-inf"), True),
        (("--karaoke",), False),
    ],
)
def test_silence_is_told(stems, tmp_path, run, arguments, silent):
    (stems / "bass.wav").unlink()
    status, _, error = run("remix", stems, "-o", tmp_path / "o.wav", "-q", *arguments)
    assert status == 0
    assert ("o.wav: silence: " in error) == silent
    assert soundfile.read(tmp_path / "o.wav")[0].any() != silent


@pytest.mark.parametrize("suffix", ["wav", "ogg"])
def test_clipping_is_counted_or_avoided(stems, tmp_path, suffix, run):
    arguments = ["remix", stems, "--gain", "vocals=40"]
    _, _, error = run(*arguments, "-o", tmp_path / f"clipped.{suffix}")
    n_clipped = int(error.split("samples clipped")[0].split()[-1])
    loud = sum(soundfile.read(stems / f"{s}.wav")[0] * (100, 1, 1, 1)[i]
               for i, s in enumerate(SOURCES))  # fmt: skip
    # at the limit itself rounding may decide otherwise
    assert n_clipped == pytest.approx(np.sum(np.abs(loud) > 1), abs=5)
    assert "--normalize" in error
    _, _, error = run(*arguments, "-o", tmp_path / f"lowered.{suffix}", "--normalize")
    assert "clipped" not in error
    assert f"lowered by {20 * np.log10(np.abs(loud).max()):.1f} dB" in error
    if suffix == "wav":
        found, _ = soundfile.read(tmp_path / "lowered.wav")
        np.testing.assert_allclose(found, loud / np.abs(loud).max(), atol=2 / 32767)


def test_quiet_mixes_are_not_lowered(stems, tmp_path):
    done = remix(stems, tmp_path / "o.wav", Mix(), normalize=True, progress=False)
    assert done.lowered_db == 0
    plain = remix(stems, tmp_path / "p.wav", Mix(), progress=False)
    assert (tmp_path / "o.wav").read_bytes() == plain.path.read_bytes()


@pytest.mark.parametrize("suffix", ["aiff", "ogg", "mp3"])
def test_other_formats_by_their_ending(song, tmp_path, suffix):
    out = remix(song, tmp_path / f"o.{suffix}", Mix(), progress=False).path
    found, rate = soundfile.read(out)
    assert rate == RATE
    assert soundfile.info(out).format == suffix.upper()
    n = len(STEREO)
    assert np.corrcoef(found[:n, 0], STEREO[:, 0])[0, 1] > 0.95  # lossy ones dull the noise


def test_memory_does_not_grow_with_the_song(tmp_path, published):
    peaks = []
    for seconds in (30, 120):  # a few runs of patches are worked on at once, 7 s each
        path = tmp_path / f"{seconds}.wav"
        soundfile.write(path, 0.1 * np.tile(noise(RATE, 5), seconds), RATE)
        tracemalloc.start()
        remix(
            path, tmp_path / "o.wav", Mix(gains={"bass": 3}), weights=published,
            normalize=True, progress=False,
        )  # fmt: skip
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_mistakes_are_told_in_one_line(song, stems, tmp_path, run):
    out = tmp_path / "out.wav"
    (tmp_path / "empty").mkdir()
    high, six = tmp_path / "high.wav", tmp_path / "six.wav"
    soundfile.write(high, STEREO, 96000)
    soundfile.write(six, np.zeros((100, 6)), RATE)
    for arguments, told in [
        ((song, "-o", out, "--karaoke", "--acapella"), "not allowed with"),
        (
            (high, "-o", tmp_path / "o.mp3"),
            f"{tmp_path}/o.mp3: MP3 has no rate of 96000 Hz: name a file that ends in .wav, .flac",
        ),
        ((six, "-o", tmp_path / "o.mp3"), "o.mp3: MP3 has 2 channels at most, not 6: name a file"),
        ((song, "-o", song), "is the input: choose another output"),
        ((stems, "-o", stems / "bass.wav"), "is the input"),
        ((song, "-o", tmp_path / "out.xyz"), "name a file that ends in .wav, .flac"),
        ((song, "-o", tmp_path), "name a file that ends in"),
        ((tmp_path / "none.wav", "-o", out), "no such file"),
        ((tmp_path / "empty", "-o", out), "has no stems"),
        ((song, "-o", out, "--mute", "guitar"), "no source named 'guitar'"),
        ((song, "-o", out, "--gain", "vocals=x"), "give a number"),
        ((song, "-o", tmp_path / "o.mp3", "--subtype", "FLOAT"), "MP3 has no sample types"),
        ((song, "-o", tmp_path / "o.flac", "--subtype", "FLOAT"), "no sample type 'FLOAT' in FLAC"),
    ]:
        status, _, error = run("remix", *arguments, "-q")
        assert status == 2, arguments
        assert told in error
        assert error.count("\n") == 1
    assert not out.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        *("empty", "high.wav", "six.wav", "song.wav", "stems"),
    ]


def test_stems_that_do_not_fit_together_are_refused(stems, tmp_path):
    bass, vocals = stems / "bass.wav", stems / "vocals.wav"
    advice = ": export the song's files alike, or separate its mixture again"
    for waveform, rate, told in [
        (noise(13410, 3), RATE, f"{bass}: 13410 samples, but {vocals} has 9000{advice}"),
        (noise(9000, 3), 48000, f"{bass}: 48000 Hz, but {vocals} has 44100{advice}"),
    ]:
        soundfile.write(bass, waveform, rate)
        with pytest.raises(HiphopssError, match=f"^{re.escape(told)}$"):
            remix(stems, tmp_path / "o.wav", Mix(), progress=False)
    # one channel goes with any number, two don't go with three
    soundfile.write(bass, np.zeros((9000, 3)), RATE)
    soundfile.write(stems / "drums.wav", np.zeros((9000, 2)), RATE)
    told = f"{stems / 'drums.wav'}: 2 channels, but {bass} has 3{advice}"
    with pytest.raises(HiphopssError, match=f"^{re.escape(told)}$"):
        remix(stems, tmp_path / "o.wav", Mix(), progress=False)
    assert not list(tmp_path.glob("o.*"))


def test_stems_that_differ_by_a_few_samples_are_cut(stems, tmp_path, run):
    remix(stems, tmp_path / "before.wav", Mix(), progress=False)
    bass, rate = soundfile.read(stems / "bass.wav", dtype="int16")
    soundfile.write(stems / "bass.wav", np.pad(bass, (0, 7)), rate, subtype="PCM_16")
    options = ("remix", stems, "-o", tmp_path / "after.wav", "-q")
    status, _, told = run(*options)
    assert (status, told.count("\n")) == (0, 1)
    assert f"samples, but {stems / 'bass.wav'} has 9007: the longer files are cut" in told
    assert "(by up to 7 samples, 0.159 ms)" in told
    before, after = (soundfile.read(tmp_path / f"{n}.wav")[0] for n in ("before", "after"))
    np.testing.assert_array_equal(after, before)
    status, _, told = run(*options, "--length-tolerance", 0)
    assert (status, told.count("\n")) == (2, 1)
    assert told.endswith("or, if they differ a little, add --length-tolerance SECONDS\n")
    assert run(*options, "--length-tolerance", -1)[0] == 2


def test_a_mono_stem_beside_stereo_ones_is_the_same_on_both_sides(stems, tmp_path):
    bass = np.stack([noise(9000, 7), noise(9000, 8)], axis=1)
    mono = {s: noise(9000, number) for number, s in enumerate(SOURCES) if s != "bass"}
    for source, stem in {**mono, "bass": bass}.items():
        soundfile.write(stems / f"{source}.wav", stem, RATE, subtype="FLOAT")
    remix(stems, tmp_path / "o.wav", Mix(), progress=False)
    found, _ = soundfile.read(tmp_path / "o.wav")
    assert found.shape == bass.shape
    np.testing.assert_allclose(found, bass + sum(mono.values())[:, None], atol=1e-6)


def test_a_song_is_separated_with_its_loops(tmp_path, run):
    soundfile.write(tmp_path / "song.wav", looped(), RATE, subtype="FLOAT")
    out = tmp_path / "out.wav"
    for loops, said in (("auto", True), ("off", False)):
        status, _, errors = run(
            *("remix", tmp_path / "song.wav", "-o", out, "--acapella", "--loops", loops)
        )
        assert status == 0
        assert (
            any("hiphopss: song.wav: " in line and "loop" in line for line in errors.split("\n"))
            is said
        )
        vocals = separate(soundfile.read(tmp_path / "song.wav")[0], RATE, loops=loops)["vocals"]
        np.testing.assert_allclose(soundfile.read(out)[0], vocals, atol=1e-6)
