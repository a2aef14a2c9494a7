"""Scoring in processes and on a Dask cluster: the same rows, whatever dies."""

import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import numpy as np
import pytest
import soundfile
from helpers.cluster import awaited, cluster_of, gated, pages_of_the_second
from helpers.eval_songs import run as run_here
from helpers.eval_songs import settings
from threadpoolctl import threadpool_info

from hiphopss import SOURCES, HiphopssError
from hiphopss.datasets.songs import Song, find_songs
from hiphopss.eval import scoring
from hiphopss.eval.baselines.bounds import Mixture
from hiphopss.eval.comparison import compare
from hiphopss.eval.evaluation import evaluate
from hiphopss.eval.matching import Estimates
from hiphopss.eval.protocols import Scoring
from hiphopss.util import executor
from hiphopss.util.executor import Executor

RATE = 8000
SONGS = [f"song {k}" for k in range(6)]
UNTOLD = executor._Told(done=print, lost=None)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """References and estimates of six songs that differ in length: noise, two stems silent."""
    root = tmp_path_factory.mktemp("songs")
    for k, song in enumerate(SONGS):
        random = np.random.default_rng(k)
        stems = 0.1 * random.standard_normal((len(SOURCES), 4000 + 500 * k))
        stems[2:] = 0  # to be quick
        for kind, gain in (("true", 0), ("net", 0.2)):
            (root / kind / song).mkdir(parents=True)
            for source, stem in zip(SOURCES, stems + gain * stems.sum(axis=0), strict=True):
                soundfile.write(root / kind / song / f"{source}.wav", stem, RATE)
    return root


@pytest.fixture(scope="module")
def expected(data, tmp_path_factory):
    """Rows of one process."""
    table = tmp_path_factory.mktemp("one") / "one.csv"
    return run_here(data / "true", data / "net", table)


def score(data, table, **options):
    """Rows; no bar."""
    return evaluate(data / "true", data / "net", table, progress=False, where=Executor(**options))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers, for tests that leave them alive."""
    with cluster_of(2, tmp_path_factory.mktemp("cluster")) as (address, _, _):
        yield address


class Bar:
    """A progress bar that calls a function when the first song is done."""

    def __init__(self, total, then):
        self.total, self.then, self.n = total, then, 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def update(self, n=1):
        self.n += n
        if self.n == n:
            self.then()


def test_a_killed_dask_worker_loses_no_song(data, with_mixtures, tmp_path, monkeypatch):
    songs = with_mixtures
    expected = run_here(songs, data / "net", tmp_path / "one.csv", bounds=True)
    bars = []
    with cluster_of(2, tmp_path) as (address, processes, client):

        def kill():
            awaited((tmp_path / f"begun-{processes[0].pid}").exists)
            processes[0].send_signal(signal.SIGKILL)
            assert processes[0].wait() == -signal.SIGKILL
            (tmp_path / "gate").touch()

        def bar(*, total, **_):
            bars.append(Bar(total, kill))
            return bars[0]

        monkeypatch.setattr(scoring, "progress_bar", bar)
        monkeypatch.setattr(scoring, "_score_on_worker", partial(gated, tmp_path, SONGS[-1]))
        options = {"n_jobs": None, "dask": address, "bounds": True}
        rows = run_here(songs, data / "net", tmp_path / "dask.csv", **options)
        assert len(client.nthreads()) == 1
    assert rows == expected
    assert [row.song for row in rows] == [song for song in SONGS for _ in SOURCES] * 3
    assert bars[0].n == bars[0].total == 3 * len(SONGS)


def test_a_dask_cluster_scores_as_one_process(data, expected, tmp_path, cluster, monkeypatch):
    monkeypatch.chdir(data)  # where the workers are not
    options = {"n_jobs": None, "dask": cluster}
    assert run_here("true", "net", tmp_path / "a.csv", **options) == expected


def test_a_dask_cluster_computes_the_baselines_too(
    data, with_mixtures, tmp_path, cluster, monkeypatch
):
    shutil.copytree(data / "true" / SONGS[0], tmp_path / "learn" / "another")
    monkeypatch.chdir(with_mixtures.parent)  # where the workers are not
    options = settings(bounds=True, nmf=find_songs(tmp_path / "learn"))
    options |= {"references": with_mixtures.name, "progress": False}
    found = compare("net", tmp_path / "a.csv", where=Executor(dask=cluster), **options)
    here = compare("net", tmp_path / "b.csv", where=Executor(n_jobs=1), **options)
    assert found.rows == here.rows
    assert {row.model for row in found.rows} == {"net", "mixture", "ideal ratio mask", "NMF"}


@pytest.fixture(scope="module")
def with_mixtures(data):
    """The references once more, with the sum of each song's stems."""
    root = data / "with mixtures"
    for song in SONGS:
        (root / song).mkdir(parents=True)
        stems = [soundfile.read(data / "true" / song / f"{source}.wav")[0] for source in SOURCES]
        for name, samples in zip((*SOURCES, "mixture"), (*stems, sum(stems)), strict=True):
            soundfile.write(root / song / f"{name}.wav", samples, RATE)
    return root


def test_errors_come_back_from_dask_in_one_line(data, tmp_path, cluster, run):
    bad = tmp_path / "bad"
    for song in SONGS[:2]:
        (bad / song).mkdir(parents=True)
        for source in SOURCES:
            samples, _ = soundfile.read(data / "net" / song / f"{source}.wav")
            samples[9] = np.nan  # in the samples, which only the workers read
            soundfile.write(bad / song / f"{source}.wav", samples, RATE, subtype="FLOAT")
    table = tmp_path / "scores.csv"
    status, _, told = run("evaluate", data / "true", bad, "-o", table, "--dask", cluster, "-q")
    assert (status, told.count("\n")) == (2, 2)
    warning, error = told.splitlines()
    missing = ", ".join(SONGS[2:])
    assert warning == f"hiphopss: warning: {bad}: no estimates, not evaluated: {missing}"
    assert "vocals.wav: has samples that are not finite" in error
    assert os.listdir(tmp_path) == ["bad"]


def test_what_a_dask_worker_lacks_is_named(data):
    stems = {source: data / "net" / SONGS[0] / f"{source}.wav" for source in SOURCES}
    missing = stems | {"bass": data / "elsewhere.wav"}
    for references, estimates, mixture in (
        (missing, stems, None),
        (stems, missing, None),
        (stems, stems, missing["bass"]),
    ):
        song = Song(SONGS[0], "", mixture, references)
        models = [Estimates("net", None, [(song, estimates)], None)]
        models += [Estimates.computed(Mixture(), [song])] if mixture else []
        job = scoring.Job(song, models, 4000, RATE, Scoring())
        with pytest.raises(
            HiphopssError, match=r"elsewhere\.wav: the Dask worker on .* doesn't see"
        ):
            scoring._score_on_worker(scoring.__version__, job)
    with pytest.raises(HiphopssError, match=r"has hiphopss .*, not 0\.0: install the same version"):
        scoring._score_on_worker("0.0", job)


def test_packages_that_a_dask_worker_lacks_are_named(tmp_path, monkeypatch, cluster):
    (tmp_path / "only_here.py").write_text("def work(item): return item")
    monkeypatch.syspath_prepend(tmp_path)
    from only_here import work

    with pytest.raises(HiphopssError, match=r"^tcp://\S+: No module named 'only_here': install"):
        Executor(dask=cluster).map(work, [1], cost=abs, n_useful=1, done=print)


def test_songs_that_kill_dask_workers_are_named(cluster):
    from distributed.scheduler import KilledWorker, WorkerState

    worker = WorkerState(
        address="tcp://1.2.3.4:5",
        name="w",
        pid=1,
        nthreads=1,
        memory_limit=0,
        local_directory="",
        status="",
        nanny="",
        server_id="",
        scheduler=None,
    )
    told = executor._mend_dask(cluster, KilledWorker("loads-1", worker, 3), "song 1")
    assert str(told).startswith("song 1: 4 Dask workers died of it: give them more memory")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "foo://127.0.0.1:9", ""])
def test_without_a_dask_scheduler_nothing_is_scored(address, data, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executor, "_CONNECT_S", 0.2)
    with pytest.raises(HiphopssError, match=f"^{address}: no Dask scheduler answers: give"):
        score(data, tmp_path / "scores.csv", dask=address)
    assert not os.listdir(tmp_path)


def test_without_dask_its_extra_is_named(data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(HiphopssError, match=r'the extra \'dask\' .*: pip install "distributed>'):
        score(data, tmp_path / "scores.csv", dask="tcp://127.0.0.1:9")


def test_a_cluster_has_its_own_number_of_processes(data, tmp_path):
    with pytest.raises(HiphopssError, match=r"^tcp://127.0.0.1:9: .*leave the number of processes"):
        score(data, tmp_path / "scores.csv", dask="tcp://127.0.0.1:9", n_jobs=2)


def test_scripts_need_no_guard(data, expected, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from hiphopss import Executor, evaluate\n"
        "print('begun')\n"
        "rows = evaluate(*sys.argv[1:], where=Executor(n_jobs=2), progress=False)\n"
        "print(*(row.SDR for row in rows))\n"
    )
    command = [sys.executable, script, data / "true", data / "net", tmp_path / "a.csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"begun\n{' '.join(str(row.SDR) for row in expected)}\n"
    assert not done.stderr


def test_processes_give_results_in_order():
    seen = []
    options = {"cost": float, "n_useful": 1, "done": seen.append}
    assert Executor(n_jobs=2).map(abs, [-3, 1, -2], **options) == [3, 1, 2]
    assert sorted(seen) == [1, 2, 3]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks the GNU C library")
def test_processes_keep_the_memory_of_one_song_for_the_next():
    n_numbers = 2**23  # 64 MiB, more than that library ever keeps unasked
    found = executor._in_processes(pages_of_the_second, [n_numbers], n_processes=1, told=UNTOLD)
    # New ones would be 32 pages of 2 MiB, or 16384 of 4 KiB.
    assert found[0] < 16


def test_a_dead_process_is_told_in_one_line():
    with pytest.raises(HiphopssError, match=r"^a process died, .*n_jobs=1\)$"):
        executor._in_processes(signal.raise_signal, [signal.SIGTERM], n_processes=1, told=UNTOLD)


def test_an_error_ends_the_work_of_other_processes():
    begin = time.monotonic()
    with pytest.raises(TypeError):
        executor._in_processes(time.sleep, [600, "soon"], n_processes=2, told=UNTOLD)
    assert time.monotonic() - begin < 300  # of 600 s


def test_the_longest_songs_are_scored_first(data, expected, tmp_path, monkeypatch):
    orders = []

    def here(function, items, *, n_processes, told):
        orders.append((n_processes, [item.song.name for item in items]))
        results = [function(item) for item in items]
        for result in results:
            told.done(result)
        return results

    monkeypatch.setattr(executor, "_in_processes", here)
    assert score(data, tmp_path / "scores.csv", n_jobs=40) == expected
    assert orders == [(len(SONGS), SONGS[::-1])]


def test_threads_that_score_side_by_side_leave_blas_at_one():
    def threads():
        blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
        return max(library["num_threads"] for library in blas)

    before, inside, leave = threads(), threading.Event(), threading.Event()

    def other():
        with scoring.blas_held:
            inside.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with scoring.blas_held:
        thread.start()
        inside.wait()
    assert threads() == 1  # the other one is not done
    leave.set()
    thread.join()
    assert threads() == before
