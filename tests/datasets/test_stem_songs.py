"""Songs in stem files, wherever songs of WAV files go: features, scores, separation, hashes."""

import hashlib
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from helpers.eval_songs import run
from helpers.songs import RATE, noise, nothing_warned, read_json, warned
from helpers.stem_mp4 import make_stem_mp4

from hiphopss import SOURCES, HiphopssError, Mix, remix
from hiphopss.datasets.features.audition import audition
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.make import make_features
from hiphopss.datasets.mixtures import find_mixtures
from hiphopss.datasets.songs import Song
from hiphopss.datasets.stems import load_stems, mixture_gain, require_alike
from hiphopss.demo.catalogue import own_songs
from hiphopss.eval import scoring
from hiphopss.eval.matching import Estimates
from hiphopss.reproduction.store import Store
from hiphopss.separation.files import separate_files
from hiphopss.signal.containers import stream_paths
from hiphopss.signal.ffmpeg import ffmpeg_version, find_ffmpeg

N_SAMPLES = 50000


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The same song in both forms, as (stem file, folder of WAV files)."""
    root = tmp_path_factory.mktemp("made")
    stems = {
        s: np.stack([noise(N_SAMPLES, i), noise(N_SAMPLES, 7 + i)], 1)
        for i, s in enumerate(SOURCES, 2)
    }
    streams = {"mixture": sum(stems.values()), **stems}
    for name, stream in streams.items():
        (root / "wav").mkdir(exist_ok=True)
        soundfile.write(root / "wav" / f"{name}.wav", stream, RATE, subtype="FLOAT")
    return make_stem_mp4(root / "A - B.stem.mp4", streams), root / "wav"


def song_of(paths):
    return Song("A - B", "Dev", paths["mixture"], {s: paths[s] for s in SOURCES})


@pytest.fixture
def in_mp4(made, ffmpeg_on_path):
    return song_of(stream_paths(made[0]))


@pytest.fixture
def in_wav(made):
    return song_of({name: made[1] / f"{name}.wav" for name in ("mixture", *SOURCES)})


def test_stems_are_read_like_others_and_encoding_is_no_mastering(in_mp4, in_wav):
    assert require_alike(in_mp4.stems.values()).n_samples == N_SAMPLES
    with nothing_warned():
        stems = load_stems(in_mp4, RATE)
        gain = mixture_gain(in_mp4, stems, RATE)
    assert gain == pytest.approx(1, abs=0.03)  # what AAC costs, measured: 0.006
    true = load_stems(in_wav, RATE)
    assert stems.shape == true.shape
    # measured: 21 to 30 dB; another stem, or this one elsewhere, is below 3 dB
    assert (np.sum(true**2, 1) > 10 * np.sum((stems - true) ** 2, 1)).all()
    wrong = replace(in_mp4, mixture=in_mp4.stems["bass"])
    with pytest.raises(HiphopssError, match="not the mixture of the stems"):
        mixture_gain(wrong, stems, RATE)


def test_features_name_the_stem_file_and_notice_when_it_changes(in_mp4, in_wav, tmp_path):
    path = make_features([in_mp4], tmp_path / "mp4.h5", progress=False)
    other = make_features([in_wav], tmp_path / "wav.h5", progress=False)
    mp4 = in_mp4.mixture.parent
    digest = hashlib.sha256(mp4.read_bytes()).hexdigest()
    with FeatureFile(path) as file, FeatureFile(other) as wav:
        assert file.n_patches == wav.n_patches
        assert file.provenance["sha256"] == {f"Dev/A - B/{s}": digest for s in SOURCES}
        assert file.paths["Dev/A - B/bass"] == str(mp4 / "bass")
    audition(path, 0, tmp_path / "listen")
    heard, _ = soundfile.read(tmp_path / "listen" / "vocals.wav")
    vocals = load_stems(in_mp4, RATE)[0][: len(heard)]
    np.testing.assert_allclose(heard, vocals, atol=1e-6)
    moved = mp4.rename(mp4.with_name("moved.stem.mp4"))
    try:
        with pytest.raises(HiphopssError, match="vocals: not there any more"):
            audition(path, 0, tmp_path / "listen")
        mp4.write_bytes(moved.read_bytes() + b"\0")
        with pytest.raises(HiphopssError, match="not the stem that"):
            audition(path, 0, tmp_path / "listen")
    finally:
        moved.replace(mp4)


def test_the_store_knows_a_stem_file_by_its_content(in_mp4, tmp_path):
    store = Store(tmp_path)
    mp4 = in_mp4.mixture.parent
    digest = hashlib.sha256(mp4.read_bytes()).hexdigest()
    assert store.sha256(mp4) == digest
    # Versions of ffmpeg decode differently, so what is made of streams depends on it.
    assert store.sha256(mp4 / "bass") == f"{digest} by ffmpeg {ffmpeg_version(find_ffmpeg(mp4))}"
    assert list(store._known) == [str(mp4)]
    assert store.songs_hash([in_mp4]) != store.songs_hash([replace(in_mp4, mixture=None)])


def test_scores_are_those_of_the_decoded_stems(in_mp4, in_wav, tmp_path):
    estimates = tmp_path / "net" / "A - B"
    estimates.mkdir(parents=True)
    for i, source in enumerate(SOURCES):
        true = soundfile.read(in_wav.stems[source])[0]
        estimate = true + 0.3 * np.stack([noise(N_SAMPLES, 30 + i), noise(N_SAMPLES, 37 + i)], 1)
        soundfile.write(estimates / f"{source}.wav", estimate, RATE, subtype="FLOAT")
    tables = {}
    for name, song in (("mp4", in_mp4), ("wav", in_wav)):
        tables[name] = run([song], tmp_path / "net", tmp_path / f"{name}.csv")
    for row, wav in zip(tables["mp4"], tables["wav"], strict=True):
        # AAC's error is 21 dB below the stems or less, that of the estimates 10 dB: measured 0.4 dB
        assert abs(row.SDR - wav.SDR) < 1.5
    assert "AAC" in str(read_json(tmp_path / "mp4.json"))


def test_a_worker_that_lacks_a_stem_file_names_it(in_mp4):
    nowhere = song_of(stream_paths(in_mp4.mixture.parent.with_name("no.stem.mp4")))
    for song, told in ((nowhere, "no.stem.mp4/vocals: the Dask worker on"), (in_mp4, None)):
        models = [Estimates("net", None, [(song, song.stems)], None)]
        job = scoring._absolute(scoring.Job(song, models, N_SAMPLES, RATE, scoring.Scoring()))
        if told is None:
            (scores,) = scoring._score_on_worker(scoring.__version__, job)
            assert all(row.SDR > 100 for row in scores.rows)  # the references themselves
        else:
            with pytest.raises(HiphopssError, match=told):
                scoring._score_on_worker(scoring.__version__, job)


def test_the_mixture_of_a_stem_file_is_separated(in_mp4, tmp_path):
    done = separate_files([in_mp4.mixture], tmp_path / "out", progress=False)
    assert done.folders == [tmp_path / "out" / "A - B"]
    for source in SOURCES:
        info = soundfile.info(tmp_path / "out" / "A - B" / f"{source}.wav")
        assert (info.frames, info.channels, info.subtype) == (N_SAMPLES, 2, "PCM_16")
    assert find_mixtures([in_mp4.mixture] * 2) == {"A - B": in_mp4.mixture}
    missing = in_mp4.mixture.parent.with_name("no.stem.mp4") / "mixture"
    with pytest.raises(HiphopssError, match=r"no\.stem\.mp4/mixture: no such file"):
        find_mixtures([missing])


def test_other_files_are_told_to_be_mastered_as_before(in_wav, tmp_path):
    mixture, rate = soundfile.read(in_wav.mixture)
    soundfile.write(tmp_path / "mixture.wav", np.tanh(9 * mixture), rate)
    mastered = replace(in_wav, mixture=tmp_path / "mixture.wav")
    with warned("mastering"):
        mixture_gain(mastered, load_stems(in_wav, RATE), RATE)


def test_a_stem_file_is_mixed_and_offered_like_a_folder_of_stems(made, tmp_path, ffmpeg_on_path):
    path, wav = made
    mixed = remix(
        path, tmp_path / "a.wav", Mix(muted=frozenset({"drums", "other"})), subtype="FLOAT"
    )
    samples = soundfile.read(mixed.path)[0]
    expected = sum(soundfile.read(wav / f"{source}.wav")[0] for source in ("vocals", "bass"))
    # AAC at 256 kbit/s: the error is 20 dB below noise, which is the hardest signal to encode.
    assert np.std(samples - expected) < 0.2 * np.std(expected)
    (tmp_path / "songs").mkdir()
    shutil.copy(path, tmp_path / "songs")
    (offered,) = own_songs(tmp_path / "songs")
    assert (offered.title, offered.true_stems) == ("A - B", True)
    assert offered.seconds == pytest.approx(N_SAMPLES / RATE)


def test_the_demo_leaves_out_stem_files_that_nothing_decodes(made, tmp_path, monkeypatch):
    (tmp_path / "songs").mkdir()
    shutil.copy(made[0], tmp_path / "songs")
    soundfile.write(tmp_path / "songs" / "plain.wav", noise(RATE, 1), RATE)
    monkeypatch.setenv("PATH", str(tmp_path))
    with warned(r"only ffmpeg can decode it.*the song is left out"):
        (offered,) = own_songs(tmp_path / "songs")
    assert offered.title == "plain"
