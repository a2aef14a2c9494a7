"""Separation: against NumPy, of long and short songs, at other rates, in stereo."""

import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import released
import soundfile
from helpers.songs import RATE, noise, read_json, warned, write_song
from threadpoolctl import threadpool_limits

import hiphopss
from hiphopss import PRESETS, SOURCES, HiphopssError, SignalConfig
from hiphopss.datasets.mixtures import find_mixtures
from hiphopss.separation.engines import ENGINES, build_network
from hiphopss.separation.files import SeparationSettings, separate_files
from hiphopss.separation.separator import Separator
from hiphopss.signal import reading
from hiphopss.signal.patches import separation_patch_count
from hiphopss.signal.transform import analysis_window, frame_count
from hiphopss.weights.files import loaded_model, read_weights, save_weights

pytestmark = pytest.mark.usefixtures("keras")


def snr(estimate, reference):
    """Signal-to-noise ratio in dB."""
    error = np.asarray(estimate, np.float64) - reference
    return 10 * np.log10(np.sum(reference**2) / np.sum(error**2))


@pytest.fixture(scope="module")
def separator(published):
    return Separator.from_weights(published)


def loaded(path, *, engine="numpy", standalone_script=False):
    """A separator, or that of the released stand-alone script."""
    if not standalone_script:
        return Separator.from_weights(path, engine=engine)
    info, arrays = read_weights(path)
    info = info.in_standalone_script()
    network = build_network(info, arrays, engine=engine, origin=str(path))
    return Separator(network, info.config, info.fidelity)


def test_command_line_agrees_with_the_numpy_chain(tmp_path, published, arrays, run):
    stereo = np.stack([noise(40000, 1), noise(40000, 2)], axis=1).astype(np.float32)
    soundfile.write(tmp_path / "song.wav", stereo, RATE, subtype="FLOAT")
    status, out, _ = run(
        "separate", tmp_path / "song.wav", "-o", tmp_path / "out", "--weights", published,
        "--mono", "--subtype", "FLOAT", "--quiet",
    )  # fmt: skip
    assert status == 0
    assert out.strip() == str(tmp_path / "out" / "song")
    expected = released.separate(stereo.mean(axis=1).astype(float), arrays)
    for source, reference in zip(SOURCES, expected, strict=True):
        written, rate = soundfile.read(tmp_path / "out" / "song" / f"{source}.wav")
        assert rate == RATE
        assert written.shape == (40000,)
        assert snr(written, reference) > 100  # 80 asked for; float32 gives about 118


def test_a_16_bit_file_is_read_and_written_as_the_released_code_does(tmp_path, published, arrays):
    steps = np.round(32767 * noise(30000, 3)).astype(np.int16)
    soundfile.write(tmp_path / "song.wav", steps, RATE, subtype="PCM_16")
    separate_files(
        [tmp_path / "song.wav"], tmp_path / "out", SeparationSettings(published), progress=False
    )
    expected = released.separate(steps / 32767, arrays)
    for source, reference in zip(SOURCES, expected, strict=True):
        written, _ = soundfile.read(tmp_path / "out" / "song" / f"{source}.wav", dtype="int16")
        assert np.abs(written - 32767 * reference).max() < 0.51  # rounded to the nearest step


def test_standalone_script_uses_hann_and_drops_the_tail(tmp_path, published, arrays):
    from scipy.signal import get_window

    n_samples = 32100  # 65 frames, of which the patches of the script reach 60
    x = noise(n_samples, 3).astype(np.float32)
    soundfile.write(tmp_path / "song.wav", x, RATE, subtype="FLOAT")
    separate_files(
        [tmp_path / "song.wav"],
        tmp_path / "out",
        SeparationSettings(published, standalone_script=True),
        progress=False,
    )
    hann = get_window("hann", 1024, fftbins=False)
    expected = released.separate(x.astype(float), arrays, win=hann, reach=released.CONTEXT)
    for source, reference in zip(SOURCES, expected, strict=True):
        written, _ = soundfile.read(tmp_path / "out" / "song" / f"{source}.wav")
        assert snr(written, reference) > 80
        assert np.abs(written[59 * 512 : 59 * 512 + 100]).max() > 0.001
        assert not written[60 * 512 :].any()
    record = read_json(tmp_path / "out" / "separation.json")
    assert record["config"]["window"] == "hann"
    info, weights = read_weights(published)
    model = loaded_model(info.in_standalone_script(), weights, origin=str(published))
    assert model.get_layer("masks").epsilon == 1e-18


@pytest.mark.parametrize("n_samples", [1, 600, 20000, 400000])
def test_stems_sum_to_the_input(separator, n_samples):
    # 400,000 samples are more than one run of patches
    stereo = np.stack([noise(n_samples, 1), noise(n_samples, 2)], axis=1).astype(np.float32)
    stems = hiphopss.separate(stereo, RATE, weights=separator)
    assert list(stems) == list(SOURCES)
    assert all(stem.shape == stereo.shape for stem in stems.values())
    np.testing.assert_allclose(sum(stems.values()), stereo, atol=1e-6)  # -120 dB


@pytest.mark.parametrize("standalone_script", [False, True])
# about where a first run can go, and where a frame, a patch or a run begins
@pytest.mark.parametrize("n_samples", [46080, 46081, 61440, 61953, 63999, 200000])
def test_runs_of_patches_leave_no_seam(published, monkeypatch, n_samples, standalone_script):
    separator = loaded(published, standalone_script=standalone_script)
    x = noise(n_samples, 4)
    whole = hiphopss.separate(x, RATE, weights=separator)
    monkeypatch.setattr("hiphopss.separation.separator._RUN", 7)
    monkeypatch.setattr("hiphopss.separation.separator._PIECE", 3001)
    parts = hiphopss.separate(x, RATE, weights=separator)
    # Rounding is compared before it is amplified: by up to 1e5, where the stand-alone script drops
    # the tail, and samples that only one frame reaches are divided by the end of its window.
    undone = divisor(n_samples, separator.config) if standalone_script else 1
    for source in SOURCES:
        np.testing.assert_allclose(parts[source] * undone, whole[source] * undone, atol=1e-6)


def divisor(n_samples, config):
    """What the last samples are divided by where the tail is dropped, 1 elsewhere."""
    n_patches = separation_patch_count(frame_count(n_samples, config), config, drop_tail=True)
    last = ((n_patches - 1) * config.patch_hop + config.context - 1) * config.hop
    divisors = np.ones(max(n_samples, last + config.hop))
    divisors[last : last + config.hop] = analysis_window(config)[config.hop :]
    return divisors[:n_samples]


def test_stereo_masks_come_from_the_down_mix(separator):
    left = noise(30000, 1)
    stereo = np.stack([left, 0.25 * left], axis=1)
    stems = hiphopss.separate(stereo, RATE, weights=separator)
    for stem in stems.values():
        np.testing.assert_allclose(stem[:, 1], 0.25 * stem[:, 0], atol=1e-6)
    mono = hiphopss.separate(stereo, RATE, weights=separator, mono=True)
    for source in SOURCES:
        assert mono[source].shape == (30000,)
        np.testing.assert_allclose(mono[source], stems[source].mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("rate", [16000, 22050, 48000, 96000])
def test_other_rates_come_back_at_their_own_length(separator, rate):
    time = np.arange(int(0.8 * rate) + 1) / rate
    x = 0.3 * np.sin(2 * np.pi * 440 * time) * np.hanning(len(time))
    stems = hiphopss.separate(x, rate, weights=separator)
    assert all(stem.shape == x.shape for stem in stems.values())
    # soxr there and back, within its pass band
    np.testing.assert_allclose(sum(stems.values()), x, atol=1e-4)


def test_integer_stems_sum_to_the_input_within_two_steps(tmp_path, published):
    steps = np.round(20000 * noise(30000, 5)).astype(np.int16)
    soundfile.write(tmp_path / "song.wav", np.stack([steps, -steps], 1), RATE, subtype="PCM_16")
    separate_files(
        [tmp_path / "song.wav"], tmp_path / "out", SeparationSettings(published), progress=False
    )
    stems = [
        soundfile.read(tmp_path / "out" / "song" / f"{s}.wav", dtype="int16")[0] for s in SOURCES
    ]
    total = np.sum(stems, axis=0, dtype=int)
    assert np.abs(total - np.stack([steps, -steps], 1)).max() <= 2  # four times half a step
    record = read_json(tmp_path / "out" / "separation.json")
    assert record["model"] == "model_hh_fft_1024"
    assert record["preset"] == "released"
    assert SignalConfig(**record["config"]) == SignalConfig()


def test_sample_type_of_the_stems(tmp_path, published):
    for kind, expected in (
        ("PCM_24", "PCM_24"),
        ("FLOAT", "FLOAT"),
        ("PCM_32", "PCM_24"),
        ("PCM_U8", "PCM_16"),
    ):
        path = tmp_path / f"{kind}.wav"
        soundfile.write(path, noise(2000, 1), 22050, subtype=kind)
        separate_files([path], tmp_path / "out", SeparationSettings(published), progress=False)
        info = soundfile.info(tmp_path / "out" / kind / "bass.wav")
        assert (info.subtype, info.samplerate, info.frames) == (expected, 22050, 2000)


def test_tracks_of_files_folders_and_data_sets(tmp_path):
    write_song(tmp_path / "set", "Test", "a song", {s: noise(100, 1) for s in SOURCES})
    folder = tmp_path / "folder" / "album"
    folder.mkdir(parents=True)
    for name in ("one.flac", "two.wav"):
        soundfile.write(folder / name, noise(100, 1), RATE)
    (folder / ".two.wav").write_text("hidden")
    (folder / "cover.txt").write_text("no audio")
    tracks = find_mixtures([tmp_path / "set", tmp_path / "folder"])
    assert list(tracks) == ["a song", "one", "two"]
    assert tracks["a song"].name == "mixture.wav"
    soundfile.write(tmp_path / "one.wav", noise(100, 1), RATE)
    with pytest.raises(HiphopssError, match=r"one\.wav: would be written to the same folder"):
        find_mixtures([tmp_path / "folder", tmp_path / "one.wav"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(HiphopssError, match="empty: no audio files"):
        find_mixtures([tmp_path / "empty"])


def test_files_of_others_in_the_output_stay(tmp_path, published):
    soundfile.write(tmp_path / "song.wav", noise(2000, 1), RATE)
    (tmp_path / "out" / "song").mkdir(parents=True)
    (tmp_path / "out" / "song" / "notes.txt").write_text("mine")
    separate_files(
        [tmp_path / "song.wav"], tmp_path / "out", SeparationSettings(published), progress=False
    )
    names = sorted(p.name for p in (tmp_path / "out" / "song").iterdir())
    assert names == sorted(["notes.txt", "track.json", *(f"{s}.wav" for s in SOURCES)])
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["separation.json", "song"]


def test_one_folder_is_one_models(tmp_path, published):
    soundfile.write(tmp_path / "one.wav", noise(2000, 1), RATE)
    soundfile.write(tmp_path / "two.wav", noise(2000, 1), RATE)
    settings = SeparationSettings(published)
    separate_files([tmp_path / "one.wav"], tmp_path / "out", settings, progress=False)
    separate_files([tmp_path / "two.wav"], tmp_path / "out", settings, progress=False)
    with pytest.raises(HiphopssError, match=r"separation\.json: .* with another mono"):
        separate_files(
            [tmp_path / "two.wav"], tmp_path / "out", replace(settings, mono=True), progress=False
        )


def test_what_a_killed_run_left_is_cleared_away(tmp_path, published):
    soundfile.write(tmp_path / "song.wav", noise(2000, 1), RATE)
    left = tmp_path / "out" / ".partial-song"
    left.mkdir(parents=True)
    (left / "vocals.wav").write_text("half")
    separate_files(
        [tmp_path / "song.wav"], tmp_path / "out", SeparationSettings(published), progress=False
    )
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["separation.json", "song"]


def test_stems_of_others_are_not_replaced(tmp_path, published):
    write_song(tmp_path / "set", "Test", "a", {s: noise(2000, 1) for s in SOURCES})
    mixture = tmp_path / "set" / "Mixtures" / "Test" / "a" / "mixture.wav"
    own = tmp_path / "set" / "Sources" / "Test"
    before = (own / "a" / "vocals.wav").read_bytes()
    with pytest.raises(HiphopssError, match=r"a/vocals\.wav: is there already"):
        separate_files([mixture], own, SeparationSettings(published), progress=False)
    assert (own / "a" / "vocals.wav").read_bytes() == before


def test_an_output_inside_the_input_is_not_an_input(tmp_path, published):
    soundfile.write(tmp_path / "song.wav", noise(2000, 1), RATE)
    for _ in range(2):
        separate_files(
            [tmp_path], tmp_path / "stems", SeparationSettings(published), progress=False
        )
    assert sorted(p.name for p in (tmp_path / "stems").iterdir()) == ["separation.json", "song"]
    assert list(find_mixtures([tmp_path / "song.wav", tmp_path / "song.wav"])) == ["song"]
    (tmp_path / "song.wav").rename(tmp_path / "...wav")
    with pytest.raises(HiphopssError, match=r"\.\.\.wav: no folder can be named"):
        find_mixtures([tmp_path / "...wav"])


def test_a_bad_waveform_is_refused(separator):
    with pytest.raises(HiphopssError, match="sample rate 0"):
        hiphopss.separate(np.zeros(100), 0, weights=separator)
    for waveform, part in (
        (np.zeros(100, np.int16), "has integers"),
        (np.zeros((2, 44100)), r"shape \(2, 44100\)"),
        (np.zeros(0), r"shape \(0,\)"),
        (np.array([np.nan, 0]), "not finite"),
    ):
        with pytest.raises(HiphopssError, match=part):
            hiphopss.separate(waveform, RATE, weights=separator)


@pytest.mark.parametrize("standalone_script", [False, True])
@pytest.mark.parametrize("rate", [RATE, 48000])
def test_both_engines_give_the_same_stems(published, rate, standalone_script):
    n_samples = 500000  # some runs of patches
    stereo = np.stack([noise(n_samples, 6), noise(n_samples, 7)], axis=1).astype(np.float32)
    one, other = (
        loaded(published, engine=engine, standalone_script=standalone_script) for engine in ENGINES
    )
    ours = hiphopss.separate(stereo, rate, weights=one)
    keras = hiphopss.separate(stereo, rate, weights=other)
    for source in SOURCES:
        # Rounding in two orders; where all outputs are near 0 it moves masks most.
        assert snr(ours[source], keras[source]) > 100
    assert hiphopss.separate(stereo[:100], rate, weights=published, engine="keras").keys() == {
        *SOURCES
    }


def test_separation_imports_neither_keras_nor_tensorflow(tmp_path, published):
    soundfile.write(tmp_path / "song.wav", noise(2000, 1), RATE)
    program = (
        "import sys\nfrom hiphopss.cli import main\n"
        "status = main(sys.argv[1:])\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else status)"
    )
    arguments = ["separate", tmp_path / "song.wav", "-o", tmp_path / "out", "--weights", published]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.count("Error")) == (0, 0), done.stderr
    assert (tmp_path / "out" / "song" / "vocals.wav").exists()


def test_an_unknown_engine_is_refused(published):
    with pytest.raises(HiphopssError, match="no engine named 'torch': choose numpy or keras"):
        Separator.from_weights(published, engine="torch")


def test_weights_of_another_size_are_refused(tmp_path):
    from hiphopss.network.model import build_model

    path = tmp_path / "odd.weights.h5"
    other = SignalConfig(frame=2048, hop=1024)
    save_weights(path, build_model(seed=1), config=other, fidelity=PRESETS["released"])
    for engine in ENGINES:
        with pytest.raises(HiphopssError, match=r"odd\.weights\.h5: array conv1/kernel: found"):
            Separator.from_weights(path, engine=engine)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_any_number_of_threads_gives_the_same_stems(separator, monkeypatch, n_threads):
    x = noise(500000, 8)
    usual = hiphopss.separate(x, RATE, weights=separator)
    monkeypatch.setattr("hiphopss.separation.separator.processor_count", lambda: n_threads)
    stems = hiphopss.separate(x, RATE, weights=separator)
    for source in SOURCES:
        np.testing.assert_array_equal(stems[source], usual[source])


def test_samples_that_are_not_finite_late_in_a_song_leave_no_stems(tmp_path, published):
    x = noise(200000, 1)
    x[-1] = np.nan
    soundfile.write(tmp_path / "song.wav", x, RATE, subtype="FLOAT")
    with pytest.raises(HiphopssError, match=r"song\.wav: has samples that are not finite"):
        separate_files(
            [tmp_path / "song.wav"], tmp_path / "out", SeparationSettings(published), progress=False
        )
    assert not (tmp_path / "out").exists()


def test_bad_files_stop_all_or_are_given_to_who_takes_them(tmp_path, published):
    soundfile.write(tmp_path / "a.wav", noise(2000, 1), RATE)
    (tmp_path / "b.wav").write_text("no audio")
    settings, options = SeparationSettings(published), {"progress": False}
    with pytest.raises(reading.AudioError, match=r"b\.wav: not an audio file"):
        separate_files([tmp_path], tmp_path / "out", settings, **options)
    assert not (tmp_path / "out").exists()  # stopped before any work
    with warned(r"b\.wav: not an audio file.* \(the song is left out\)") as messages:
        done = separate_files([tmp_path], tmp_path / "out", settings, leave_out=True, **options)
    assert done.folders == [tmp_path / "out" / "a"]
    assert [str(problem).split(": ")[0] for problem in done.left_out] == [str(tmp_path / "b.wav")]
    assert all(isinstance(problem, reading.AudioError) for problem in done.left_out)
    assert len(messages) == 1
    with pytest.raises(reading.AudioError, match=r"b\.wav: not an audio file"):
        separate_files([tmp_path / "b.wav"], tmp_path / "new", settings, leave_out=True, **options)


def test_an_mp3_that_ends_early_is_told(tmp_path, published):
    path = tmp_path / "song.mp3"
    soundfile.write(path, noise(4 * RATE, 1), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with warned(r"song\.mp3: cut off: (1\.9|2\.0) of 4\.0 s are there"):
        separate_files([path], tmp_path / "out", SeparationSettings(published), progress=False)
    assert soundfile.info(tmp_path / "out" / "song" / "bass.wav").duration == pytest.approx(2, 0.1)


@pytest.mark.parametrize("rate", [RATE, 48000])
def test_memory_does_not_grow_with_the_song(tmp_path, published, monkeypatch, rate):
    def one_by_one(function, runs, *, n_threads):  # so that memory is the same each time
        with threadpool_limits(1, user_api="blas"):
            yield from map(function, runs)

    monkeypatch.setattr("hiphopss.separation.separator.ordered_map", one_by_one)

    def peak(seconds):
        path = tmp_path / f"{seconds}.wav"
        soundfile.write(path, np.zeros((seconds * rate, 2), np.int16), rate)
        tracemalloc.start()
        separate_files([path], tmp_path / "out", SeparationSettings(published), progress=False)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(60) < 1.1 * peak(20)
