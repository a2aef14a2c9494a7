"""What the demo holds and for how long, and its queue, without a web server."""

import shutil
import threading
import time

import numpy as np
import pytest
import soundfile
from helpers.songs import read_json

from hiphopss.demo import drawing
from hiphopss.demo.jobs import Full, Job, JobQueue
from hiphopss.demo.results import Result
from hiphopss.demo.store import ResultStore
from hiphopss.errors import HiphopssError


@pytest.fixture
def queue():
    queue = JobQueue(limit=3)
    yield queue
    queue.close()


def submitted(queue, work, **options):
    queue.reserve()
    job = Job(work, **options)
    queue.submit(job)
    return job


def wait(job, *states):
    deadline = time.monotonic() + 30
    while job.state not in states:
        assert time.monotonic() < deadline, job
        time.sleep(0.001)


def test_jobs_end_in_order_and_are_cleared_once(queue):
    seen = []
    jobs = [
        submitted(
            queue,
            lambda job, k=k: seen.append(k) or f"result{k}",
            clear=lambda k=k: seen.append(f"cleared{k}"),
        )
        for k in range(3)
    ]
    for job in jobs:
        wait(job, "done")
    assert seen == [0, "cleared0", 1, "cleared1", 2, "cleared2"]
    shown = queue.describe(jobs[1].id)
    assert (shown["progress"], shown["result"]) == (1, "results/result1/result.json")
    assert queue.describe("none") is None


def test_failures_are_told_and_the_queue_goes_on(queue, capfd):
    def bad(job):
        raise HiphopssError("song: damaged: export it again")

    def broken(job):
        raise ZeroDivisionError

    first, second, third = (submitted(queue, work) for work in (bad, broken, lambda job: "id"))
    wait(third, "done")
    assert (first.state, first.error) == ("failed", "song: damaged: export it again.")
    assert second.error == "The server failed (ZeroDivisionError): try again."
    assert "ZeroDivisionError" in capfd.readouterr().err  # for who runs the server


def test_places_are_bounded(queue):
    gate = threading.Event()
    jobs = [submitted(queue, lambda job: gate.wait(30) and "id") for _ in range(3)]
    with pytest.raises(Full):
        queue.reserve()
    queue.cancel(jobs[2].id)
    queue.reserve()
    queue.release()
    gate.set()
    wait(jobs[1], "done")
    for _ in range(3):
        queue.reserve()
    with pytest.raises(Full):
        queue.reserve()


def test_progress_never_falls_and_stages_follow(queue):
    steps = [("reading", 1.0), ("separating", 0.5), ("reading", 0.2), ("drawing", 1.0)]
    seen = []

    def work(job):
        for step in steps:
            job.report(*step)
            seen.append(job.progress)
        return "id"

    wait(submitted(queue, work), "done")
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)


def filled(store, size=10):
    with store.new() as (id, folder):
        (folder / "original.flac").write_bytes(bytes(size))
        result = Result(id, "song", folder, 44100, 1, 1, "PCM_16", 0.0)
    store.put(result)
    return result


def test_results_expire_after_their_last_use(tmp_path):
    now = 0.0
    store = ResultStore(tmp_path, seconds=100, clock=lambda: now)
    first, second = filled(store), filled(store)
    now = 90.0
    assert store.get(first.id) is first
    now = 120.0
    store.tidy()
    assert store.get(second.id) is None
    assert not second.folder.exists()
    assert first.folder.exists()


@pytest.mark.parametrize("bounds", [{"most": 2}, {"most_bytes": 25}])
def test_results_are_bounded_and_the_least_used_goes(tmp_path, bounds):
    store = ResultStore(tmp_path, **bounds)
    first, second, third = (filled(store) for _ in range(3))
    store.get(first.id)
    store.tidy()
    assert [r.folder.exists() for r in (first, second, third)] == [True, False, True]


def test_one_result_stays_however_large(tmp_path):
    store = ResultStore(tmp_path, most_bytes=5)
    only = filled(store)
    store.tidy()
    assert store.get(only.id) is only


def test_result_that_fails_leaves_no_folder(tmp_path):
    store = ResultStore(tmp_path)
    with pytest.raises(HiphopssError), store.new():
        raise HiphopssError("song: damaged")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_samples", [1, 700, 44100, 3_000_000])
def test_spectrogram_shows_when_and_how_high(n_samples):
    time_ = np.arange(n_samples) / 44100
    tone = np.sin(2 * np.pi * 3000 * time_) * (np.arange(n_samples) >= n_samples // 2)
    blocks = (
        np.array_split(tone[:, None].astype(np.float32), 7) if n_samples > 7 else [tone[:, None]]
    )
    levels = drawing.spectrogram(blocks, n_samples, 44100)
    assert levels.shape == (drawing.N_COLUMNS, drawing.N_BANDS)
    assert np.isfinite(levels).all()
    if n_samples < 44100:
        return
    loud = levels[:, levels.max(axis=0).argmax()]
    assert (loud[510:990] > loud[:470].max() + 40).all() or n_samples == 44100
    mel = np.linspace(*(np.log10(1 + np.array([30, 22050]) / 700)), drawing.N_BANDS)
    band = np.abs(mel - np.log10(1 + 3000 / 700)).argmin()
    assert abs(int(levels[750].argmax()) - band) <= 1
    # a sine of full scale has a quarter of power 1 in a bin of a window of sum 1, and spreads
    assert levels.max() == pytest.approx(-6, abs=3)


def test_peaks_are_of_all_channels_and_blocks(tmp_path):
    rng = np.random.default_rng(0)
    waveform = rng.uniform(-0.9, 0.9, (300_001, 2)).astype(np.float32)  # three blocks of reading
    soundfile.write(tmp_path / "song.wav", waveform, 44100, subtype="FLOAT")
    drawing.write_peaks(tmp_path / "song.wav", tmp_path / "peaks.json", len(waveform))
    peaks = read_json(tmp_path / "peaks.json")
    per_peak = peaks["samples_per_peak"]
    assert per_peak == 151
    pieces = [waveform[k : k + per_peak] for k in range(0, len(waveform), per_peak)]
    np.testing.assert_allclose(peaks["min"], [p.min() for p in pieces], atol=6e-4)  # 3 decimals
    np.testing.assert_allclose(peaks["max"], [p.max() for p in pieces], atol=6e-4)


def test_result_removed_by_others_meanwhile_does_not_stop_tidying(tmp_path):
    store = ResultStore(tmp_path, most=1)
    first, second = filled(store), filled(store)
    shutil.rmtree(second.folder)
    store.tidy()
    assert store.get(first.id) is None
    assert store.get(second.id) is second
