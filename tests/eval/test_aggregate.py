"""Summaries against an independent computation."""

import csv
import random

import numpy as np
import pytest

from hiphopss import SOURCES
from hiphopss.eval.aggregate import (
    confidence_interval,
    format_summary,
    summarise,
    summary_path,
    write_summary,
)
from hiphopss.eval.table import METRICS, Row

N_SONGS, N_WINDOWS = 4, 3


@pytest.fixture(scope="module")
def scores():
    """Scores [shape=(n_metrics, n_songs, n_sources, n_windows)], some undefined or infinite."""
    values = 10 * np.random.default_rng(0).standard_normal((5, N_SONGS, 4, N_WINDOWS))
    values[:, 1, 0, :] = np.nan  # song 1 has no vocals
    values[:, 2, 3, 1] = np.nan  # other is silent in one window of song 2
    values[1, 3, 2, 0] = np.inf  # drums are alone in one window of song 3
    return values


def rows_of(scores, model="m", subset="Test"):
    """The same scores as rows, in no order."""
    rows = [
        Row(
            f"song {i}",
            subset,
            source,
            15.0 * k,
            *(None if np.isnan(value) else float(value) for value in scores[:4, i, j, k]),
            model,
            SI_SDR=None if np.isnan(scores[4, i, j, k]) else float(scores[4, i, j, k]),
        )
        for i in range(scores.shape[1])
        for j, source in enumerate(SOURCES)
        for k in range(N_WINDOWS)
    ]
    random.Random(0).shuffle(rows)
    return rows


def expected(scores, metric, source):
    """Mean, half-width of the interval and number of songs, by NumPy and scipy.stats."""
    from scipy import stats

    finite = np.where(np.isfinite(scores[metric]), scores[metric], np.nan)
    with np.errstate(invalid="ignore"):
        songs = np.nanmean(np.ma.masked_invalid(finite).filled(np.nan)[:, :, :], axis=2)
    values = np.nanmean(songs, axis=1) if source == "mean" else songs[:, SOURCES.index(source)]
    values = values[~np.isnan(values)]
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    return values.mean(), (high - low) / 2, len(values)


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_summary_is_that_of_an_independent_computation(scores):
    summaries = summarise(rows_of(scores))
    assert [s.source for s in summaries] == [*SOURCES, "mean"]
    for summary in summaries:
        for index, metric in enumerate(METRICS):
            mean, half, _ = expected(scores, index, summary.source)
            assert summary.mean[metric] == pytest.approx(mean, rel=1e-12)
            assert summary.ci95[metric] == pytest.approx(half, rel=1e-9)
        assert summary.n_songs == expected(scores, 0, summary.source)[2]
    assert summaries[0].n_songs == N_SONGS - 1


def test_models_and_subsets_are_kept_apart(scores):
    alone = summarise(rows_of(scores, "a"))
    both = summarise(
        rows_of(scores, "a") + rows_of(scores + 1, "b") + rows_of(scores + 2, "a", "Dev")
    )
    assert [(s.model, s.subset) for s in both[::5]] == [("a", "Test"), ("b", "Test"), ("a", "Dev")]
    assert both[:5] == alone
    assert both[5].mean["SDR"] == pytest.approx(alone[0].mean["SDR"] + 1)


def test_one_song_has_no_interval(scores):
    summaries = summarise(rows_of(scores[:, :1]))
    assert summaries[-1].n_songs == 1
    assert set(summaries[-1].ci95.values()) == {None}
    assert confidence_interval([]) is None


def test_students_t_of_two_songs():
    # t of 0.975 with one degree of freedom is 12.7062; the standard error of 1 and 3 is 1.
    assert confidence_interval([1.0, 3.0]) == pytest.approx(12.7062, abs=1e-4)


def test_a_source_without_a_single_score_is_empty(scores):
    scores = scores.copy()
    scores[:, :, 0] = np.nan
    vocals, *_, mean = summarise(rows_of(scores))
    assert vocals.mean["SDR"] is None
    assert vocals.n_songs == 0
    assert mean.n_songs == N_SONGS


def test_summary_file(scores, tmp_path):
    path = summary_path(tmp_path / "scores.csv")
    assert path.name == "scores_summary.csv"
    scores = scores.copy()
    scores[3] = np.nan
    summaries = summarise(rows_of(scores))
    write_summary(path, summaries)
    with open(path, newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == [
        *("model", "subset", "source", "SDR_mean", "SDR_ci95", "SIR_mean", "SIR_ci95"),
        *("SAR_mean", "SAR_ci95", "ISR_mean", "ISR_ci95", "SI_SDR_mean", "SI_SDR_ci95", "n_songs"),
        "windows",
    ]
    assert [line["source"] for line in lines] == [*SOURCES, "mean"]
    assert float(lines[4]["SIR_ci95"]) == summaries[4].ci95["SIR"]
    assert lines[0]["ISR_mean"] == ""
    assert lines[0]["n_songs"] == "3"


def test_text_table():
    def song(name, model, sdr):
        return [
            Row(name, "Test", source, 0.0, value, 9.5, 4.0, None, model)
            for source, value in zip(SOURCES, sdr, strict=True)
        ]

    rows = song("a", "mixture", (-6, -2, -1.5, None)) + song("b", "mixture", (-8, -3, -2.5, None))
    rows += song("a", "hh", (5, 6.4, -16.8, 1))
    assert format_summary(summarise(rows)).splitlines() == [
        "Test: means over songs ± half the 95 % confidence interval, in dB",
        "                   SDR of a source          mean of the sources",
        "model   songs vocals   bass  drums  other     SDR           SIR           SAR",
        "mixture     2  -7.00  -2.50  -2.00      -   -3.83 ±8.47    9.50 ±0.00    4.00 ±0.00",
        "hh          1   5.00   6.40 -16.80   1.00   -1.10          9.50          4.00",
    ]


def test_a_wide_interval_pushes_no_column_aside():
    rows = [
        Row(name, "", "bass", 0.0, value, -value, 4.0, None, "m")
        for name, value in (("a", 0.0), ("b", 4.0))
    ]
    heading, line = format_summary(summarise(rows)).splitlines()[2:]
    assert line == "m         2   2.00    2.00 ±25.41  -2.00 ±25.41   4.00 ±0.00"
    assert heading.index("SAR") + 3 == line.index("4.00") + 4
