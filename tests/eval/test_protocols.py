"""Protocols: the numbers of mir_eval, of museval and of the challenge, through files and tables."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.eval_songs import run
from helpers.museval_reader import museval_metrics, whole_museval
from helpers.songs import warned
from numpy.testing import assert_allclose

from hiphopss import SOURCES, HiphopssError
from hiphopss.eval.aggregate import format_summary, summarise, summary_path
from hiphopss.eval.paired import paired_differences
from hiphopss.eval.protocols import ACCOMPANIMENT, Averaging, Scoring, protocol, protocol_names
from hiphopss.eval.table import Row

TARGETS = (*SOURCES, ACCOMPANIMENT)
RATE = 100  # 30 s are 3000 samples


def write_song(tmp_path, rate=RATE, n_samples=4600, n_channels=2, silent=slice(1500, None)):
    """A song of noise without `other`, in which the drums are silent in a part."""
    random = np.random.default_rng(0)
    stems = 0.1 * random.standard_normal((4, n_samples, n_channels))
    stems[3] = 0
    stems[2, silent] = 0
    leaks = stems + 0.2 * stems.sum(axis=0) + 0.02 * random.standard_normal(stems.shape)
    for folder, signals in (("true", stems), ("net", leaks)):
        (tmp_path / folder / "song").mkdir(parents=True)
        for source, samples in zip(SOURCES, signals, strict=True):
            path = tmp_path / folder / "song" / f"{source}.wav"
            soundfile.write(path, samples, rate, subtype="DOUBLE")
    return stems, leaks


def pair(stems):
    return np.stack([stems[0], stems[1:].sum(axis=0)])


def evaluated(tmp_path, name, **options):
    """Rows by target and window."""
    options = {"protocol": name} | options
    rows = run(tmp_path / "true", tmp_path / "net", tmp_path / "s.csv", **options)
    return {(row.source, row.window_start_s): row for row in rows}


def values(row):
    """SDR, ISR, SIR and SAR, in museval's order; NaN if undefined."""
    return np.array([row.SDR, row.ISR, row.SIR, row.SAR], float)


@pytest.mark.slow
def test_released_is_bss_eval_v3_in_windows_and_a_pair(tmp_path):
    from mir_eval.separation import bss_eval_images

    stems, leaks = write_song(tmp_path)
    rows = evaluated(tmp_path, "released")
    assert list(rows) == [(target, start) for target in TARGETS for start in (0.0, 15.0)]
    first = slice(0, 3000)
    # The source that never sounds adds nothing.
    theirs = museval_metrics().bss_eval(
        stems[:3, first], leaks[:3, first], window=np.inf, framewise_filters=True
    )
    for i, source in enumerate(SOURCES[:3]):
        # Both solve the same equations; energies lose some of their 16 digits.
        assert_allclose(values(rows[source, 0.0]), [x[i, 0] for x in theirs[:4]], atol=1e-8)
        # In the second window the drums are silent, so no source is scored, as in the campaign ...
        assert np.isnan(values(rows[source, 15.0])).all()
        assert rows[source, 15.0].SI_SDR is None
    assert rows["bass", 15.0].note == "another source is silent"
    assert rows["other", 0.0].note == "silent reference"
    with pytest.warns(FutureWarning, match="mir_eval"):
        of_pair = bss_eval_images(pair(stems)[:, 1500:4500], pair(leaks)[:, 1500:4500], False)
    # ... but the accompaniment sounds.
    expected = [x[1] for x in of_pair[:4]]
    assert_allclose(values(rows[ACCOMPANIMENT, 15.0]), expected, atol=1e-8)
    s, e = stems[0, first].ravel(), leaks[0, first].ravel()
    target = (s @ e) / (s @ s) * s
    expected = 10 * np.log10((target @ target) / ((target - e) @ (target - e)))
    assert pytest.approx(expected, abs=1e-9) == rows["vocals", 0.0].SI_SDR


def test_released_duplicates_mono_to_stereo(tmp_path, scored):
    write_song(tmp_path, n_channels=1)
    evaluated(tmp_path, "released")
    sources, of_pair = (call["references"] for call in scored)
    assert (sources.shape, of_pair.shape) == ((4, 4600, 2), (2, 4600, 2))
    assert np.array_equal(sources[..., 0], sources[..., 1])
    assert np.array_equal(of_pair, pair(sources))
    assert [(call["mode"], call["window"], call["hop"]) for call in scored] == [
        ("images", 3000, 1500)
    ] * 2
    assert np.array_equal(scored[1]["estimates"][0], pair(scored[0]["estimates"][0]))


def test_sisec18_is_what_museval_writes_and_reads(tmp_path, monkeypatch, caplog):
    stems, leaks = write_song(tmp_path, 700, 3600, 1, slice(1400, 2100))
    rows = evaluated(tmp_path, "sisec18", museval_json=tmp_path / "json")
    assert not caplog.messages
    metrics, times = museval_metrics(), range(5)
    theirs = metrics.bss_eval(stems[:3], leaks[:3], window=700, hop=700)
    of_pair = metrics.bss_eval(pair(stems), pair(leaks), window=700, hop=700)
    for index, source in ((1, "bass"), (2, "drums")):
        found = np.array([values(rows[source, float(t)]) for t in times]).T
        # Both solve the same equations; energies lose some of their 16 digits.
        assert_allclose(found, [x[index] for x in theirs[:4]], atol=1e-8)
        assert np.isnan(found[:, 2]).all()
    # museval takes the vocals from the pair, in which they lose no window to the drums.
    for index, source in enumerate(("vocals", ACCOMPANIMENT)):
        found = np.array([values(rows[source, float(t)]) for t in times]).T
        assert_allclose(found, [x[index] for x in of_pair[:4]], atol=1e-8)
        assert np.isfinite(found).all()
    (tmp_path / "bin").mkdir()
    museval = whole_museval(tmp_path / "bin", monkeypatch)
    store = museval.EvalStore()
    store.add_eval_dir(tmp_path / "json")
    read = store.agg_frames_tracks_scores()
    summaries = summarise(rows.values(), Averaging("median", "median"))
    for summary in summaries[:-1]:
        if summary.source != "other":
            for metric in ("SDR", "ISR", "SIR", "SAR"):
                assert read[summary.source, metric] == pytest.approx(summary.mean[metric])
    track = museval.TrackStore("song")
    track.scores = json.loads((tmp_path / "json/test/song.json").read_text("utf-8"))
    track.validate()  # against museval's schema
    assert {f["duration"] for t in track.scores["targets"] for f in t["frames"]} == {1.0}


def test_mdx_is_the_sdr_of_the_challenge(tmp_path):
    stems, leaks = write_song(tmp_path)
    rows = evaluated(tmp_path, "mdx")
    error = np.sum((stems - leaks) ** 2, axis=(1, 2)) + 1e-7
    expected = 10 * np.log10((np.sum(stems**2, axis=(1, 2)) + 1e-7) / error)
    assert list(rows) == [(source, 0.0) for source in SOURCES]
    assert_allclose([row.SDR for row in rows.values()], expected, atol=1e-9)
    assert {(row.SIR, row.SAR, row.ISR) for row in rows.values()} == {(None, None, None)}
    assert [row.SI_SDR is None for row in rows.values()] == [False, False, False, True]
    record = json.loads((tmp_path / "s.json").read_text("utf-8"))
    assert (record["protocol"], record["measure"], record["mode"]) == ("mdx", "usdr", None)


def test_every_protocol_is_an_option(tmp_path, run):
    write_song(tmp_path, 700, 2200)
    table = tmp_path / "s.csv"
    for name in protocol_names():
        options = "-o", table, "--protocol", name, "-q", "--jobs", 1
        if name != "released":  # its windows are of 30 s, which the song hasn't
            status, out, err = run("evaluate", tmp_path / "true", tmp_path / "net", *options)
            assert (status, err) == (0, "")
            assert out.startswith(f"{name}: {protocol(name).label}\n")
    status, _, err = run("compare", tmp_path / "net", *options, "--references", tmp_path / "true")
    assert (status, err) == (0, "")
    assert "SDR_mean" in summary_path(table).read_text("utf-8")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"protocol": "bss"}, "no protocol named 'bss': choose one of sources, released, sisec18"),
        ({"protocol": "released", "mode": "sources"}, "mode sources: protocol 'released' has its"),
        ({"protocol": "sisec18", "window_s": 2.0}, "window 2 s: protocol 'sisec18' has its own"),
        ({"protocol": "mdx", "hop_s": 1.0}, "hop 1 s: protocol 'mdx' has its own: leave one"),
        ({"protocol": "mdx", "engine": "mir_eval"}, "engine 'mir_eval' has no protocol 'mdx'"),
        ({"length_tolerance_s": -1.0}, "length tolerance is -1.0 s: give 0 or a positive number"),
    ],
)
def test_what_contradicts_a_protocol_is_named_in_one_line(settings, message):
    with pytest.raises(HiphopssError, match=message) as caught:
        Scoring(**settings).check()
    assert "\n" not in str(caught.value)


def test_settings_equal_to_the_protocols_are_the_protocol():
    told = Scoring(protocol="released", mode="images", window_s=30, hop_s=15)
    told.check()
    assert told.resolved() == protocol("released")
    assert Scoring(mode="sources").resolved() == protocol("sources")
    changed = Scoring(mode="images", window_s=20).resolved()
    assert changed.name == "sources, but mode images, window 20 s"
    assert changed.label == (
        "BSS Eval v3 images, windows of 20 s every 10 s, means over windows and songs"
    )


def rows_of(scores, model="m"):
    """Rows of one source [shape=(n_songs, n_windows)], and of the accompaniment at 100 dB."""
    return [
        Row(f"s{i}", "", source, float(k), sdr, None, None, None, model)
        for i, song in enumerate(scores)
        for k, score in enumerate(song)
        for source, sdr in (("bass", score), (ACCOMPANIMENT, 100.0))
    ]


def test_medians_are_over_windows_and_songs_and_have_no_interval():
    rows = rows_of([[0.0, 1.0, 9.0], [2.0, 4.0, None], [5.0, 5.0, 80.0]])
    medians = Averaging("median", "median")
    bass, accompaniment, mean = summarise(rows, medians)
    assert (bass.mean["SDR"], bass.ci95["SDR"], bass.n_songs) == (3.0, None, 3)
    assert (accompaniment.source, accompaniment.mean["SDR"]) == (ACCOMPANIMENT, 100.0)
    assert (mean.source, mean.mean["SDR"]) == ("mean", 3.0)
    heading, *_ = format_summary([bass, accompaniment, mean]).splitlines()
    assert heading == "All songs: medians over songs, in dB"
    assert summarise(rows)[0].mean["SDR"] == pytest.approx((10 / 3 + 3 + 30) / 3)


def test_differences_of_medians_leave_the_accompaniment_out_of_the_mean():
    rows = rows_of([[0.0, 1.0, 9.0]], "a") + rows_of([[3.0, 0.0, 0.0]], "b")
    medians = Averaging("median", "median")
    found = {d.source: d.mean for d in paired_differences(rows, "a", "b", averaging=medians)}
    assert found == {"bass": 1.0, ACCOMPANIMENT: 0.0, "mean": 1.0}
    found = {d.source: d.mean for d in paired_differences(rows, "a", "b")}
    assert found["mean"] == pytest.approx(7 / 3)


def test_musevals_files_of_other_protocols_come_with_a_warning(tmp_path):
    write_song(tmp_path)
    with warned("scores of the protocol mdx .* but museval's are BSS Eval v4, windows of 1 s"):
        evaluated(tmp_path, "mdx", museval_json=tmp_path / "json")
    assert (tmp_path / "json" / "test" / "song.json").exists()


def test_lengths_within_the_tolerance_are_cut_with_a_warning(tmp_path, run):
    write_song(tmp_path)
    path = Path(tmp_path, "net", "song", "drums.wav")
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples[:-5], rate, subtype="DOUBLE")
    options = ["evaluate", tmp_path / "true", tmp_path / "net", "-o", tmp_path / "s.csv", "-q"]
    options += ["--protocol", "mdx"]
    status, _, told = run(*options, "--length-tolerance", 0)
    assert (status, told.count("\n")) == (2, 1)
    assert "4595 samples, but" in told
    assert "--length-tolerance" in told
    status, _, told = run(*options)
    assert (status, told.count("\n")) == (0, 1)
    assert "4595 samples, but" in told
    assert "(by up to 5 samples, 50 ms)" in told


@pytest.mark.parametrize("name", protocol_names())
def test_songs_that_are_too_short_for_bss_eval_have_no_scores(tmp_path, name):
    """Songs of 512 samples, for which 512 filter taps fit nearly everything."""
    write_song(tmp_path, rate=8000, n_samples=512, silent=slice(0))
    rows = evaluated(tmp_path, name)
    drums = rows["drums", 0.0]
    if name == "mdx":
        assert (drums.note, drums.SDR is None) == ("", False)
    else:
        assert np.isnan(values(drums)).all()
        assert drums.note == "too short: BSS Eval needs more than 512 samples"
    summary = {s.source: s for s in summarise(rows.values())}
    assert summary["drums"].n_songs == (name == "mdx")


@pytest.mark.parametrize("n_samples", [1, 2, 3])
@pytest.mark.parametrize("name", protocol_names())
def test_songs_of_hardly_a_sample_have_no_scores(tmp_path, name, n_samples):
    """They have more sources than samples, but are no transposed arrays."""
    write_song(tmp_path, rate=8000, n_samples=n_samples, silent=slice(0))
    rows = evaluated(tmp_path, name)
    assert rows
    if name != "mdx":  # which has no filters
        assert all(np.isnan(values(row)).all() for row in rows.values())
