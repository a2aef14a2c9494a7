"""The figure of docs/adapt.md, of made-up scores."""

import numpy as np
import pytest
from scipy import stats

from hiphopss.adaptation import figure


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    found = {}
    for test_set in figure.TEST_SETS:
        found[0, 0, test_set.collection] = rng.normal(0, 1, (test_set.n_test, 4))
        for size in figure.SIZES:
            for draw in range(1 if size == figure.SIZES[-1] else 2):
                found[size, draw, test_set.collection] = rng.normal(size, 1, (test_set.n_test, 4))
    return found


def test_the_interval_is_that_of_student():
    songs = np.array([1.0, 2.5, 2.0, 4.0])
    mean, half = figure.interval(songs)
    expected = stats.ttest_1samp(songs, 0).confidence_interval(0.95)
    np.testing.assert_allclose([mean - half, mean + half], expected)


def test_the_table_has_the_numbers_of_the_figure(scores):
    title, _, *rows = figure.table(scores).splitlines()
    assert len(rows) == len(figure.TEST_SETS) * (1 + len(figure.SIZES))
    draws = [scores[5, draw, "nocturne"] for draw in (0, 1)]
    row = next(row.split(" | ") for row in rows if "producer's other songs | 5 |" in row)
    assert row[3] == " ".join(f"{draw.mean():.2f}" for draw in draws)
    assert row[2].startswith(f"{np.mean(draws):.2f} ± ")
    assert row[4] == f"{np.mean(draws, axis=(0, 1))[0]:.2f}"
    axes = figure.draw_adaptation(scores).axes[0]
    means = axes.containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(means[3], np.mean(draws))
    np.testing.assert_allclose(means[0], scores[0, 0, "nocturne"].mean())
    assert title.count("|") == rows[0].count("|")
