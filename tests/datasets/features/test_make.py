"""HDF5 feature files, patch by patch against NumPy."""

import io
import os
import time
import tracemalloc
from dataclasses import asdict, replace

import h5py
import numpy as np
import pytest
import released
import soundfile
from helpers.songs import RATE, noise, nothing_warned, warned, write_song

from hiphopss import PRESETS, SOURCES, HiphopssError, SignalConfig
from hiphopss.datasets.features import writer as feature_writer
from hiphopss.datasets.features.augmentation import AUGMENTATIONS, feature_switches
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.make import make_features
from hiphopss.datasets.songs import read_songs
from hiphopss.training.steps import read_ahead
from hiphopss.weights.converting import convert_weights


def read_stems(dataset, subset, name):
    folder = dataset / "Sources" / subset / name
    return [soundfile.read(folder / f"{source}.wav")[0] for source in SOURCES]


@pytest.mark.parametrize(("preset", "gain"), [("released", 1.0), ("corrected", 0.7)])
def test_patches_against_numpy(dataset, tmp_path, preset, gain):
    path = make_features(dataset, tmp_path / "f.h5", preset=preset, progress=False)
    expected_inputs, expected_targets = [], []
    for name, n_samples in (("000 - song", 60000), ("001 - song", 45001)):
        stems = [gain * stem for stem in read_stems(dataset, "Dev", name)]
        frames = np.array([np.abs(released.stft(x)) for x in (sum(stems), *stems)]) / 32 * 0.3
        n_frames = int(np.ceil(n_samples / 512)) + 2
        if preset == "released":
            count = int((n_frames + n_frames // 30 * 25) / 30)
        else:
            count = (n_frames - 30) // 5 + 1
        for number in range(count):
            patch = frames[:, 5 * number : 5 * number + 30]
            expected_inputs.append(patch[0])
            expected_targets.append(patch[1:])
    with FeatureFile(path) as file:
        assert file.n_patches == len(expected_inputs)
        inputs, targets = file.read(np.arange(file.n_patches))
        np.testing.assert_allclose(inputs, expected_inputs, atol=1e-6)
        np.testing.assert_allclose(targets, expected_targets, atol=1e-6)
        some, _ = file.read(np.array([3, 0, 3]))
        np.testing.assert_array_equal(some, inputs[[3, 0, 3]])
        assert file.fidelity == PRESETS[preset]
        assert file.config == SignalConfig()


def test_blocks_of_30_seconds_and_the_segment_table(tmp_path):
    n_samples = 30 * RATE + 7000  # the rest is shorter than a patch
    stems = {s: np.zeros(n_samples, np.float32) for s in SOURCES}
    stems["vocals"] = noise(n_samples, 1)
    stems["bass"][-7000:] = noise(7000, 2)
    write_song(tmp_path / "songs", "Dev", "long", stems)
    path = make_features(tmp_path / "songs", tmp_path / "f.h5", progress=False)
    with FeatureFile(path) as file:
        first, rest = file.segments()
        assert (first.songs, first.augmentation, first.version) == (["long"], "none", "unaugmented")
        assert {(p.song, p.subset, p.shift) for p in first.parts} == {("long", "Dev", 0)}
        assert (first.n_patches, first.n_frames, first.n_samples) == (157, 810, 30 * RATE)
        assert (rest.n_patches, rest.n_frames) == (1, 30)
        assert (rest.start, rest.first_frame) == (30 * RATE, 810)
        _, targets = file.read(np.array([157]))
    own = np.abs(released.stft(noise(7000, 2).astype(np.float32))) / 32 * 0.3
    assert len(own) == 16
    bass = targets[0, SOURCES.index("bass")]
    np.testing.assert_allclose(bass[:16], own, atol=1e-6)  # blocks are transformed on their own
    assert not bass[16:].any()


def test_a_file_is_hardly_larger_than_its_frames(tmp_path):
    n_samples = 60 * RATE
    write_song(tmp_path / "songs", "Dev", "a", {s: noise(n_samples, 1) for s in SOURCES})
    for preset in PRESETS:
        path = make_features(
            tmp_path / "songs", tmp_path / f"{preset}.h5", preset=preset, progress=False
        )
        with FeatureFile(path) as file:
            frames = sum(s.n_frames for s in file.segments())
            assert len(np.unique(np.add.outer(file.starts, np.arange(30)))) == frames
        assert os.path.getsize(path) <= 1.01 * frames * 5 * 513 * 4


def test_songs_without_vocals(dataset, tmp_path):
    (dataset / "Sources" / "Dev" / "000 - song" / "vocals.wav").unlink()
    with warned("no vocals in 000 - song: left out"):
        released_path = make_features(dataset, tmp_path / "r.h5", progress=False)
    with FeatureFile(released_path) as file:
        assert {song for s in file.segments() for song in s.songs} == {"001 - song"}
    silent = warned("their vocals are silence")
    with silent, warned("not the scaled sum"):  # it still has the vocals
        path = make_features(dataset, tmp_path / "c.h5", preset="corrected", progress=False)
    with FeatureFile(path) as file:
        assert {song for s in file.segments() for song in s.songs} == {"000 - song", "001 - song"}
        _, targets = file.read(np.array([0]))
        assert not targets[0, SOURCES.index("vocals")].any()


def test_nothing_half_written_stays_behind(dataset, tmp_path):
    song = dataset / "Sources" / "Dev" / "001 - song" / "bass.wav"
    data = song.read_bytes()
    song.write_bytes(data[:44] + data[44:].replace(data[2000:2004], b"\xff\xff\xff\x7f"))  # a NaN
    output = tmp_path / "out"
    with pytest.raises(HiphopssError, match=r"bass\.wav: has samples that are not finite"):
        make_features(dataset, output / "f.h5", progress=False)
    assert not output.exists()


def test_identity_follows_the_content(dataset, tmp_path):
    def identity(name, **options):
        path = make_features(dataset, tmp_path / name, progress=False, **options)
        with FeatureFile(path) as file:
            return file.identity

    first = identity("a.h5")
    assert identity("b.h5") == first
    assert identity("c.h5", preset="corrected") != first
    soundfile.write(dataset / "Sources" / "Dev" / "000 - song" / "bass.wav", noise(60000, 55), RATE)
    assert identity("d.h5") != first


def test_what_is_no_feature_file_is_refused(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["a"] = 1
    for name, part in (
        ("none.h5", "no such file: make it with"),
        ("text.h5", "not an HDF5 file"),
        ("other.h5", "not a feature file"),
    ):
        with pytest.raises(HiphopssError, match=part) as caught:
            FeatureFile(tmp_path / name)
        assert name in str(caught.value)


def test_only_a_feature_file_is_replaced(dataset, tmp_path, run, published):
    def make(name):
        return run("features", dataset, "-o", tmp_path / name, "--seed", 1)

    assert "hiphopss" not in make("f.h5")[2]  # a new one needs no word
    with h5py.File(tmp_path / "f.h5", "r+") as file:
        file.attrs["format"] = 1  # an older one can be made again, too
    status, _, error = make("f.h5")
    replaced = f"{tmp_path / 'f.h5'}: replaced the feature file that was there"
    assert (status, error.count(f"hiphopss: {replaced}\n")) == (0, 1)
    FeatureFile(tmp_path / "f.h5").close()

    (tmp_path / "song.wav").write_bytes(
        (dataset / "Mixtures/Test/002 - song/mixture.wav").read_bytes()
    )
    convert_weights(published, tmp_path / "m.weights.h5")
    (tmp_path / "cut.h5").write_bytes((tmp_path / "f.h5").read_bytes()[:5000])
    for name in ("song.wav", "m.weights.h5", "cut.h5"):
        before = (tmp_path / name).read_bytes()
        status, _, error = make(name)
        assert (status, error.count("\n")) == (2, 1)
        assert f"{tmp_path / name}: is there already, and is no feature file: choose" in error
        assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("nothere", "no such folder"),
        ("empty", "no folder 'Sources' in it"),
        ("text", "is a file, not a folder"),
    ],
)
def test_what_is_no_data_set_is_told_with_the_way_to_one(tmp_path, run, name, found):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no songs")
    status, _, error = run("features", tmp_path / name, "-o", tmp_path / "f.h5")
    assert (status, error.count("\n")) == (2, 1)
    assert f"{tmp_path / name}: {found}" in error
    assert ": name the root of a data set, which holds" in error
    assert "Sources/Dev/SONG/vocals.wav" in error
    assert "`hiphopss generate`" in error


def test_reading_patches_does_not_load_the_file(tmp_path):
    n_samples = 30 * RATE
    write_song(tmp_path / "songs", "Dev", "a", {s: noise(n_samples, 1) for s in SOURCES})
    path = make_features(tmp_path / "songs", tmp_path / "f.h5", preset="corrected", progress=False)
    batch = np.random.default_rng(0).permutation(512)[:8]
    tracemalloc.start()
    with FeatureFile(path) as file:
        file.read(batch)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    wanted = 8 * 5 * 30 * 513 * 4
    assert wanted <= peak < 2 * wanted < os.path.getsize(path) / 4


def test_patches_can_be_read_into_memory_that_was_used_before(dataset, tmp_path):
    (dataset / "Sources" / "Dev" / "001 - song" / "vocals.wav").unlink()
    (dataset / "Mixtures" / "Dev" / "001 - song" / "mixture.wav").unlink()  # it has them still
    with warned("their vocals are silence"):
        path = make_features(dataset, tmp_path / "f.h5", preset="corrected", progress=False)
    with FeatureFile(path) as file:
        everything = np.arange(file.n_patches)
        room = file.room(file.n_patches)
        for array in room:
            array[:] = np.nan
            assert array.ctypes.data % 64 == 0  # so that backends need not copy it
        for filled, own, new in zip(
            file.read(everything, out=room), room, file.read(everything), strict=True
        ):
            assert filled is own
            np.testing.assert_array_equal(filled, new)


def test_batches_that_areread_ahead_stay_until_the_next(dataset, tmp_path):
    path = make_features(dataset, tmp_path / "f.h5", preset="corrected", progress=False)
    with FeatureFile(path) as file:
        batches = np.random.default_rng(0).permutation(file.n_patches)[:27].reshape(9, 3)
        seen = 0
        for batch, read in zip(batches, read_ahead(file, batches), strict=True):
            time.sleep(0.005)  # for the thread to read all that it may
            for array, expected in zip(read, file.read(batch), strict=True):
                np.testing.assert_array_equal(array, expected)
            seen += 1
        assert seen == 9


def test_a_mixture_of_the_other_polarity_has_the_same_features(tmp_path):
    stems = {s: noise(40000, i) for i, s in enumerate(SOURCES)}
    patches = []
    for gain in (0.7, -0.7):
        write_song(tmp_path / str(gain), "Dev", "a", stems, gain=gain)
        path = make_features(
            tmp_path / str(gain), tmp_path / f"{gain}.h5", preset="corrected", progress=False
        )
        with FeatureFile(path) as file:
            patches.append(file.read(np.arange(file.n_patches)))
    for one, other in zip(*patches, strict=True):
        assert other.min() >= 0
        np.testing.assert_allclose(one, other, rtol=1e-6)  # gains to single precision


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_a_full_disk_is_one_error(dataset, tmp_path, monkeypatch):
    class Full(io.FileIO):
        def __init__(self, *_):
            super().__init__("/dev/full", "r+")

    monkeypatch.setattr(feature_writer.io, "FileIO", Full)
    with pytest.raises(HiphopssError, match=r"out\.h5: can't be written \(No space left") as caught:
        make_features(dataset, tmp_path / "out.h5", progress=False)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.h5"))


def test_a_mix_of_too_few_songs_is_told(tmp_path):
    for number in range(4):  # of whose one combination a tenth is none, or all
        stems = {s: noise(30000, 10 * number + i) for i, s in enumerate(SOURCES)}
        write_song(tmp_path / "songs", "Dev", f"{number:03d} - song", stems)
    for augmentation in ("MA", "COMBI"):
        with warned("songs: no songs are mixed"):
            make_features(
                tmp_path / "songs",
                tmp_path / f"{augmentation}.h5",
                augmentation=augmentation,
                preset="corrected",
                progress=False,
            )


def test_songs_without_a_mixture_are_told_where_its_level_counts(dataset, tmp_path):
    (dataset / "Mixtures" / "Dev" / "001 - song" / "mixture.wav").unlink()
    with warned("no mixture.wav of 001 - song: the stems are taken at their own level"):
        make_features(dataset, tmp_path / "c.h5", preset="corrected", progress=False)
    with nothing_warned():
        make_features(dataset, tmp_path / "r.h5", preset="released", progress=False)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_features_depend_on_these_switches_and_no_others(tmp_path, augmentation):
    songs = []
    for number in range(5):
        voices = SOURCES if number else SOURCES[1:]  # the first has no vocals
        stems = {s: noise(30000 + 3000 * number, 8 * number + i) for i, s in enumerate(voices)}
        write_song(tmp_path / "songs", "Dev", f"{number:03d} - song", stems, gain=0.7)
    songs = read_songs(tmp_path / "songs", ("Dev",))

    def content(fidelity):
        path = tmp_path / "f.h5"
        try:
            make_features(
                songs, path, augmentation=augmentation, preset=fidelity, seed=3, progress=False
            )
        except HiphopssError as error:  # of short songs, the mix augmentation can leave nothing
            return str(error)
        with FeatureFile(path) as file:
            arrays = (file.mixture, file.sources, file.starts, file.owners)
            return [array.tobytes() for array in arrays] + [file.segments()]

    base = PRESETS["corrected"]
    before, concerned = content(base), feature_switches(base, augmentation)
    for name, value in concerned.items():
        assert content(replace(base, **{name: not value})) != before, name
    others = {name: not value for name, value in asdict(base).items() if name not in concerned}
    assert content(replace(base, **others)) == before


def test_features_are_read_with_other_switches_only_where_they_fit(dataset, tmp_path):
    path = make_features(dataset, tmp_path / "f.h5", preset="released", progress=False)
    with FeatureFile(path) as file:
        own = file.identity
    with FeatureFile(path, replace(PRESETS["released"], absolute_loss=False)) as file:
        assert not file.fidelity.absolute_loss
        assert file.identity != own  # so a checkpoint of the other loss is not gone on from
    with FeatureFile(path, PRESETS["released"]) as file:
        assert file.identity == own
    with pytest.raises(HiphopssError, match=r"f\.h5: made with first_patches_only True, but"):
        FeatureFile(path, PRESETS["corrected"])
