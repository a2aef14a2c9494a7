"""Scoring in processes and on a Dask cluster: the same rows, whatever dies."""

import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from threadpoolctl import threadpool_info

from hiphopss import SOURCES, HiphopssError
from hiphopss.datasets.songs import find_songs
from hiphopss.eval import compare, evaluate, scoring
from hiphopss.util import executor as workers

RATE = 8000
SONGS = [f"song {k}" for k in range(6)]


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
    return evaluate(data / "true", data / "net", table, n_jobs=1, progress=False)


def score(data, table, **options):
    """Rows; no bar."""
    return evaluate(data / "true", data / "net", table, **{"progress": False} | options)


def started(*arguments):
    """A process of Dask's command line, quiet."""
    code = "import sys; from dask.__main__ import main; sys.exit(main())"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}  # for what is below
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, **quiet)


def awaited(condition, seconds=60):
    """What a condition gives as soon as that is true; long, for a busy machine."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@contextmanager
def cluster_of(n_workers, folder):
    """A scheduler and workers that nothing starts again: address, worker processes, client."""
    distributed = pytest.importorskip("distributed")
    file = folder / "scheduler.json"
    local = ("--no-dashboard", "--scheduler-file", file)
    scheduler = started("scheduler", *local, "--host", "127.0.0.1", "--port", 0)
    options = (*local, "--no-nanny", "--nthreads", 1, "--local-directory", folder)
    processes = [scheduler, *(started("worker", *options) for _ in range(n_workers))]
    try:
        awaited(file.exists)
        with distributed.Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(n_workers, timeout=60)
            yield client.scheduler_info()["address"], processes[1:], client
    finally:
        for process in processes:
            process.kill()
            process.wait()


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


def gated(folder, version, job):
    """On a worker: all songs but the first say who has begun them, and wait for the gate."""
    if job.song != SONGS[-1]:
        (folder / f"begun-{os.getpid()}").touch()
        awaited((folder / "gate").exists)
    return scoring._score_on_worker(version, job)


def test_a_killed_dask_worker_loses_no_song(data, with_mixtures, tmp_path, monkeypatch):
    songs, options = with_mixtures, {"bounds": True, "progress": False}
    expected = evaluate(songs, data / "net", tmp_path / "one.csv", n_jobs=1, **options)
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
        monkeypatch.setattr(scoring, "_score_on_worker", partial(gated, tmp_path))
        rows = evaluate(songs, data / "net", tmp_path / "dask.csv", dask=address, **options)
        assert len(client.nthreads()) == 1
    assert rows == expected
    assert [row.song for row in rows] == [song for song in SONGS for _ in SOURCES] * 3
    assert bars[0].n == bars[0].total == 3 * len(SONGS)


def test_a_dask_cluster_scores_as_one_process(data, expected, tmp_path, cluster, monkeypatch):
    monkeypatch.chdir(data)  # where the workers are not
    assert evaluate("true", "net", tmp_path / "a.csv", dask=cluster, progress=False) == expected


def test_a_dask_cluster_computes_the_baselines_too(
    data, with_mixtures, tmp_path, cluster, monkeypatch
):
    shutil.copytree(data / "true" / SONGS[0], tmp_path / "learn" / "another")
    monkeypatch.chdir(with_mixtures.parent)  # where the workers are not
    options = {"references": with_mixtures.name, "bounds": True, "progress": False}
    options |= {"nmf": find_songs(tmp_path / "learn")}
    found = compare("net", tmp_path / "a.csv", dask=cluster, **options)
    here = compare("net", tmp_path / "b.csv", n_jobs=1, **options)
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
    assert (status, told.count("\n")) == (2, 1)
    assert "vocals.wav: has samples that are NaN" in told
    assert os.listdir(tmp_path) == ["bad"]


def test_what_a_dask_worker_lacks_is_named(data):
    options = scoring.Options()
    stems = {source: data / "net" / SONGS[0] / f"{source}.wav" for source in SOURCES}
    missing = stems | {"bass": data / "elsewhere.wav"}
    for references, estimates, mixture in (
        (missing, stems, None),
        (stems, missing, None),
        (stems, stems, missing["bass"]),
    ):
        estimate = scoring._Estimate("net", estimates, False)
        job = scoring._Job(SONGS[0], "", references, [estimate], 4000, options, mixture)
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
        workers.on_dask(work, [1], address=cluster, done=print)


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
    told = workers._mend_dask(cluster, KilledWorker("loads-1", worker, 3), "song 1")
    assert told.startswith("song 1: 4 Dask workers died of it: give them more memory")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "foo://127.0.0.1:9", ""])
def test_without_a_dask_scheduler_nothing_is_scored(address, data, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "_CONNECT_S", 0.2)
    with pytest.raises(HiphopssError, match=f"^{address}: no Dask scheduler answers: give"):
        score(data, tmp_path / "scores.csv", dask=address)
    assert not os.listdir(tmp_path)


def test_without_dask_its_extra_is_named(data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(HiphopssError, match=r"not installed here: pip install 'hiphopss\[dask\]'"):
        score(data, tmp_path / "scores.csv", dask="tcp://127.0.0.1:9")


def test_a_cluster_has_its_own_number_of_processes(data, tmp_path):
    with pytest.raises(HiphopssError, match=r"^tcp://127.0.0.1:9: .*leave the number of processes"):
        score(data, tmp_path / "scores.csv", dask="tcp://127.0.0.1:9", n_jobs=2)


def test_scripts_need_no_guard(data, expected, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from hiphopss.eval import evaluate\n"
        "print('begun')\n"
        "rows = evaluate(*sys.argv[1:], n_jobs=2, progress=False)\n"
        "print(*(row.SDR for row in rows))\n"
    )
    command = [sys.executable, script, data / "true", data / "net", tmp_path / "a.csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"begun\n{' '.join(str(row.SDR) for row in expected)}\n"
    assert not done.stderr


def test_processes_give_results_in_order():
    seen = []
    results = workers.in_processes(abs, [-3, 1, -2], n_processes=2, done=seen.append)
    assert results == [3, 1, 2]
    assert sorted(seen) == [1, 2, 3]


def pages_of_the_second(n_numbers):
    """Pages that come from the system for an array after one of its size has gone."""
    resource = pytest.importorskip("resource")
    np.ones(n_numbers)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(n_numbers)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks the GNU C library")
def test_processes_keep_the_memory_of_one_song_for_the_next():
    n_numbers = 2**23  # 64 MiB, more than that library ever keeps unasked
    found = workers.in_processes(pages_of_the_second, [n_numbers], n_processes=1, done=print)
    # New ones would be 32 pages of 2 MiB, or 16384 of 4 KiB.
    assert found[0] < 16


def test_a_dead_process_is_told_in_one_line():
    with pytest.raises(HiphopssError, match=r"^a process died while scoring, .*n_jobs=1\)$"):
        workers.in_processes(os._exit, [1], n_processes=1, done=print)


def test_an_error_ends_the_work_of_other_processes():
    begin = time.monotonic()
    with pytest.raises(TypeError):
        workers.in_processes(time.sleep, [600, "soon"], n_processes=2, done=print)
    assert time.monotonic() - begin < 300  # of 600 s


def test_the_longest_songs_are_scored_first(data, expected, tmp_path, monkeypatch):
    orders = []

    def here(function, items, *, n_processes, done):
        orders.append((n_processes, [item.song for item in items]))
        results = [function(item) for item in items]
        for result in results:
            done(result)
        return results

    monkeypatch.setattr(scoring, "in_processes", here)
    assert score(data, tmp_path / "scores.csv", n_jobs=40) == expected
    assert orders == [(len(SONGS), SONGS[::-1])]


def test_threads_that_score_side_by_side_leave_blas_at_one():
    def threads():
        blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
        return max(library["num_threads"] for library in blas)

    before, inside, leave = threads(), threading.Event(), threading.Event()

    def other():
        with scoring._blas_held:
            inside.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with scoring._blas_held:
        thread.start()
        inside.wait()
    assert threads() == 1  # the other one is not done
    leave.set()
    thread.join()
    assert threads() == before
