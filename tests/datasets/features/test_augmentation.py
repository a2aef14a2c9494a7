"""Augmented feature files: patch by patch against NumPy, and heard again."""

import itertools
import math

import numpy as np
import pytest
import released
import soundfile
from helpers.songs import RATE, noise, warned, write_song

from hiphopss import PRESETS, SOURCES, HiphopssError, SignalConfig
from hiphopss.datasets.features import make as features_module
from hiphopss.datasets.features import source_signals
from hiphopss.datasets.features.audition import audition, list_segments
from hiphopss.datasets.features.augmentation import AUGMENTATIONS
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.make import make_features
from hiphopss.datasets.songs import read_songs

BLOCK_SECONDS = 1.0  # so that songs of a second or two have full blocks and a remainder
CONFIG = SignalConfig(block_seconds=BLOCK_SECONDS)
ALPHABETICAL = ("bass", "drums", "other", "vocals")
AUGMENTED = [name for name in AUGMENTATIONS if name != "none"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Five Dev songs of different lengths and a Test song; mixtures 0.5, 0.6, ... of the sum."""
    root = tmp_path_factory.mktemp("tiny") / "songs"
    for number in range(6):
        n_samples = 60000 + 7001 * number
        stems = {s: noise(n_samples, 10 * number + i) for i, s in enumerate(SOURCES)}
        subset = "Test" if number == 5 else "Dev"
        write_song(root, subset, f"{number} song", stems, gain=0.5 + number / 10)
    return root


def stem(root, name, source, subset="Dev"):
    return soundfile.read(root / "Sources" / subset / name / f"{source}.wav")[0]


def expected_versions(root, augmentation, preset, choices):
    """(mixture, targets) waveforms of every version, in NumPy, in the order of the file.

    ``choices`` are the versions that the file has where they are drawn at random: their songs
    follow from combinatorics, their sounds from the stems.
    """
    names = sorted(folder.name for folder in (root / "Sources" / "Dev").iterdir())
    level = {name: 0.5 + int(name[0]) / 10 if preset == "corrected" else 1.0 for name in names}
    quarter = 1 / 4 if preset == "released" else 1.0
    own = {name: {s: level[name] * stem(root, name, s) for s in SOURCES} for name in names}

    def mixed(parts, scale):
        length = min(len(part) for part in parts)
        targets = np.array([part[:length] for part in parts])
        return scale * targets.sum(axis=0), targets

    if augmentation == "circular-shift":
        for name, version in choices:
            shifts = dict(word.rstrip("s").split("+") for word in version.split())
            parts = []
            for source in SOURCES:
                shift = round(float(shifts[source]) * RATE)
                x = own[name][source]
                if preset == "released":
                    x = np.concatenate([np.zeros(shift), x[: len(x) - shift]])
                else:
                    x = np.concatenate([x[len(x) - shift :], x[: len(x) - shift]])
                parts.append(x)
            yield mixed(parts, 1.0)
    elif augmentation == "instrument":
        for name in names:
            for muted in (*ALPHABETICAL, None):
                parts = [own[name][s] * (s != muted) for s in SOURCES]
                yield mixed(parts, quarter)
    else:
        for name in names:
            yield mixed([own[name][s] for s in SOURCES], quarter)
        fours = list(itertools.combinations(names, 4))
        for _, version in choices:
            if version.startswith("combination"):
                numbers = [int(word.strip(",")) for word in version.split() if word[0].isdigit()]
                four = list(itertools.permutations(fours[numbers[0]]))[numbers[1]]
                yield mixed([own[n][s] for n, s in zip(four, SOURCES, strict=True)], quarter)


def expected_patches(waveforms, augmentation, preset):
    """Scaled input and targets of every patch of a version, block by block."""
    mixture, targets = waveforms
    block = round(BLOCK_SECONDS * RATE)
    for start in range(0, len(mixture), block):
        signals = np.array([mixture, *targets])[:, start : start + block]
        if augmentation == "mix" and preset == "released" and signals.shape[1] < block:
            continue
        frames = np.array([np.abs(released.stft(x)) for x in signals]) / math.sqrt(1024) * 0.3
        n_frames = frames.shape[1]
        if preset == "released":
            count = max(1, (n_frames + n_frames // 30 * 25) // 30)
        else:
            count = max(1, (n_frames - 30) // 5 + 1)
        frames = np.pad(frames, ((0, 0), (0, 30), (0, 0)))
        for number in range(count):
            patch = frames[:, 5 * number : 5 * number + 30]
            yield patch[0], patch[1:]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("augmentation", ["circular-shift", "instrument", "mix"])
def test_every_patch_against_numpy(tiny, tmp_path, augmentation, preset):
    dataset = read_songs(tiny, ("Dev",))[:2] if augmentation == "circular-shift" else tiny
    path = make_features(
        dataset,
        tmp_path / "f.h5",
        augmentation=augmentation,
        preset=preset,
        config=CONFIG,
        progress=False,
    )
    with FeatureFile(path) as file:
        versions = dict.fromkeys((s.songs[0], s.version) for s in file.segments())
        expected = [
            patch
            for waveforms in expected_versions(tiny, augmentation, preset, list(versions))
            for patch in expected_patches(waveforms, augmentation, preset)
        ]
        assert file.n_patches == len(expected)
        mixture, targets = file.read(np.arange(file.n_patches))
    # Magnitudes are below 10, in single precision.
    for patch, found, (all_together, apart) in zip(targets, mixture, expected, strict=True):
        assert np.abs(found - all_together).max() <= 2e-6
        assert np.abs(patch - apart).max() <= 2e-6


def test_patches_of_a_block(tmp_path):
    stems = {s: np.zeros(30 * RATE, np.float32) for s in SOURCES}
    write_song(tmp_path / "songs", "Dev", "long", stems)
    for preset, expected in (("released", 157), ("corrected", 512)):
        path = make_features(
            tmp_path / "songs",
            tmp_path / f"{preset}.h5",
            augmentation="instrument",
            preset=preset,
            progress=False,
        )
        with FeatureFile(path) as file:
            assert [s.n_patches for s in file.segments()] == [expected] * 5
            assert file.n_patches == 5 * expected


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("augmentation", AUGMENTED)
def test_scaling_of_targets_and_audition(tiny, tmp_path, augmentation, preset):
    """The sum of the targets is the mixture; 4 x the mixture in released IA and MA (Q4)."""
    path = make_features(
        tiny,
        tmp_path / "f.h5",
        augmentation=augmentation,
        preset=preset,
        config=CONFIG,
        progress=False,
    )
    with FeatureFile(path) as file:
        segments = file.segments()
        chosen = np.random.default_rng(0).permutation(len(segments))[:12]
        for number in chosen:
            segment = segments[number]
            folder = tmp_path / str(number)
            names = [p.name for p in audition(path, number, folder)]
            assert names == ["mixture.wav", *(f"{s}.wav" for s in SOURCES)]
            mixture, *targets = (soundfile.read(folder / name)[0] for name in names)
            quartered = preset == "released" and segment.augmentation in ("instrument", "mix")
            factor = 4 if quartered else 1
            np.testing.assert_allclose(sum(targets), factor * mixture, atol=1e-6)  # 24-bit float
            # What is written is what the file's magnitudes are of.
            inner = slice(0, len(mixture) // 512 - 1)
            stored_mixture, stored_targets = file.frames(segment)
            for stored, x in zip((stored_mixture, *stored_targets), (mixture, *targets)):  # noqa: B905
                again = np.abs(released.stft(x)) / 32
                np.testing.assert_allclose(stored[inner], again[inner], atol=1e-5)


def test_audition_with_the_stored_phase(tiny, tmp_path):
    for name, phase in (("with.h5", True), ("without.h5", False)):
        path = make_features(
            tiny,
            tmp_path / name,
            augmentation="mix",
            preset="corrected",
            config=CONFIG,
            store_phase=phase,
            progress=False,
        )
        audition(path, 7, tmp_path / name.removesuffix(".h5"))
    own, true = (
        {s: soundfile.read(tmp_path / kind / f"{s}.wav")[0] for s in ("mixture", *SOURCES)}
        for kind in ("with", "without")
    )
    assert len(own["mixture"]) == len(true["mixture"])
    inner = slice(0, len(true["mixture"]) - 1024)  # a frame at the cut has lost its neighbour
    np.testing.assert_allclose(own["mixture"][inner], true["mixture"][inner], atol=1e-5)
    for source in SOURCES:  # the mixture's phase is not the target's own
        assert np.linalg.norm(own[source]) == pytest.approx(np.linalg.norm(true[source]), rel=0.3)


def test_audition_refuses_other_audio(dataset, tmp_path):
    path = make_features(dataset, tmp_path / "f.h5", progress=False)
    with pytest.raises(HiphopssError, match=r"no segment 9: choose one of 0\.\.1"):
        audition(path, 9, tmp_path / "out")
    moved = dataset.rename(tmp_path / "moved")
    with pytest.raises(HiphopssError, match="not there any more: add --dataset and"):
        audition(path, 0, tmp_path / "out")
    assert audition(path, 0, tmp_path / "out", dataset=moved)
    stem_path = moved / "Sources" / "Dev" / "000 - song" / "drums.wav"
    soundfile.write(stem_path, noise(60000, 77), RATE)
    with pytest.raises(HiphopssError, match=r"drums\.wav: not the stem that .*f\.h5 was made from"):
        audition(path, 0, tmp_path / "again", dataset=moved)
    lines = list_segments(path).splitlines()
    assert len(lines) == 2
    assert "unaugmented" in lines[0]
    assert "000 - song" in lines[0]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("augmentation", AUGMENTED)
def test_each_source_signal_is_transformed_once(tiny, tmp_path, monkeypatch, augmentation, preset):
    transformed = []
    stft = features_module.stft

    def counting(waveform, *arguments, start, stop):
        transformed.append((waveform.ndim, stop - start))
        return stft(waveform, *arguments, start=start, stop=stop)

    monkeypatch.setattr(features_module, "stft", counting)
    # No more memory than all songs' shifted signals of a block need, as the real limit is for 13.
    monkeypatch.setattr(features_module, "_FRAMES", 50)  # a block has 88
    n_bytes = round(BLOCK_SECONDS * RATE) * 4 + 50 * 513 * 8
    monkeypatch.setattr(features_module, "_SIGNALS_BYTES", 5 * 4 * 3 * n_bytes)
    path = make_features(
        tiny,
        tmp_path / "f.h5",
        augmentation=augmentation,
        preset=preset,
        config=CONFIG,
        progress=False,
    )
    with FeatureFile(path) as file:
        segments = file.segments()
    distinct = {
        (part.song, source, part.shift, segment.start, segment.n_samples): min(
            segment.n_frames, math.ceil(segment.n_samples / 512) + 2
        )
        for segment in segments
        for source, part in zip(SOURCES, segment.parts, strict=True)
        if part.song
    }
    assert sum(n_frames for _, n_frames in transformed) == sum(distinct.values())
    assert {n_axes for n_axes, _ in transformed} == {1}
    if augmentation == "circular-shift":
        blocks = {(s.songs[0], s.start) for s in segments}
        assert len(distinct) == (8 if preset == "released" else 12) * len(blocks)


def test_memory_for_audio_is_bounded(tiny, tmp_path, monkeypatch):
    whole = make_features(
        tiny, tmp_path / "a.h5", augmentation="mix", config=CONFIG, progress=False
    )
    held = []
    write_group = features_module._write_group

    def counting(writer, segments, waveforms, *arguments):
        held.append(len(waveforms))
        write_group(writer, segments, waveforms, *arguments)

    monkeypatch.setattr(features_module, "_write_group", counting)
    monkeypatch.setattr(source_signals, "_STEMS_BYTES", 1)  # only the latest song is kept
    n_bytes = 45 * 512 * 4 + 50 * 513 * 8  # of a signal: the patches of a block reach 45 frames
    monkeypatch.setattr(features_module, "_FRAMES", 50)
    monkeypatch.setattr(features_module, "_SIGNALS_BYTES", 12 * n_bytes)  # there are 20
    scarce = make_features(
        tiny, tmp_path / "b.h5", augmentation="mix", config=CONFIG, progress=False
    )
    assert 8 < max(held) <= 12
    with FeatureFile(whole) as one, FeatureFile(scarce) as other:
        everything = np.arange(one.n_patches)
        for a, b in zip(one.read(everything), other.read(everything), strict=True):
            np.testing.assert_array_equal(a, b)


def test_test_songs_stay_out(tiny, tmp_path):
    for augmentation in AUGMENTATIONS:
        path = make_features(
            tiny, tmp_path / f"{augmentation}.h5", augmentation=augmentation, progress=False,
            config=CONFIG,
        )  # fmt: skip
        with FeatureFile(path) as file:
            assert {part.subset for s in file.segments() for part in s.parts} <= {"Dev", ""}
            assert not file.released_test_leak


def test_the_released_test_leak(tiny, tmp_path):
    options = {"config": CONFIG, "progress": False, "released_test_leak": True}
    path = make_features(tiny, tmp_path / "f.h5", augmentation="CS", **options)
    with FeatureFile(path) as file:
        assert file.released_test_leak
        versions = {
            (part.subset, s.songs[0], s.version) for s in file.segments() for part in s.parts
        }
        assert len(versions) == 6 * 14  # five Dev songs and the Test song
        assert {subset for subset, *_ in versions} == {"Dev", "Test"}
    combined = make_features(tiny, tmp_path / "c.h5", augmentation="combined", **options)
    with FeatureFile(combined) as file:
        of_test = {s.augmentation for s in file.segments() for p in s.parts if p.subset == "Test"}
        assert of_test == {"circular-shift"}
    for bad, message in (
        ({"augmentation": "CS", "preset": "corrected"}, "add --preset released"),
        ({"augmentation": "mix"}, "is one of the circular shift, not of 'mix'"),
    ):
        with pytest.raises(HiphopssError, match=message):
            make_features(tiny, tmp_path / "bad.h5", **(options | bad))
    assert not (tmp_path / "bad.h5").exists()


def test_what_is_of_no_use_is_refused(dataset, tmp_path):
    with pytest.raises(HiphopssError, match="no augmentation named 'speed': choose one of none"):
        make_features(dataset, tmp_path / "f.h5", augmentation="speed", progress=False)
    with pytest.raises(HiphopssError, match="from 4 songs, but there are 2: add songs"):
        make_features(dataset, tmp_path / "f.h5", augmentation="MA", progress=False)
    with pytest.raises(HiphopssError, match="two songs of Dev are called '000 - song': rename one"):
        make_features([*read_songs(dataset), *read_songs(dataset)], tmp_path / "f.h5")
    with pytest.raises(HiphopssError, match="seed -1: give 0 or more"):
        make_features(dataset, tmp_path / "f.h5", seed=-1, progress=False)
    for number in range(4):
        write_song(
            tmp_path / "short", "Dev", f"{number}", {s: noise(44100, number) for s in SOURCES}
        )
    with pytest.raises(HiphopssError, match="leaves nothing of these songs"):
        make_features(tmp_path / "short", tmp_path / "f.h5", augmentation="MA", progress=False)


def test_the_papers_test_songs_stay_out_of_dsd100s_dev(tmp_path):
    stems = {s: noise(40000, i) for i, s in enumerate(SOURCES)}
    for subset, name in (
        ("Dev", "052 - ANiMAL - Easy Tiger"),
        ("Dev", "055 - Someone - Else"),
        ("Test", "001 - ANiMAL - Clinic A"),
    ):
        write_song(tmp_path / "songs", subset, name, stems)
    write_song(tmp_path / "songs", "Dev", "Someone - Both", stems)
    write_song(tmp_path / "songs", "Test", "Someone - Both", stems)
    left_out = "left out of the training: 052 - ANiMAL - Easy Tiger, Someone - Both"
    with warned(left_out):
        path = make_features(tmp_path / "songs", tmp_path / "f.h5", progress=False)
    with FeatureFile(path) as file:
        assert {song for s in file.segments() for song in s.songs} == {"055 - Someone - Else"}
