"""Models beside the campaign, from rows: pairs, differences, places, and what is said of them."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from helpers.songs import nothing_warned, warned

from hiphopss import SOURCES, HiphopssError
from hiphopss.datasets.dsd100 import listed
from hiphopss.eval.aggregate import summary_path
from hiphopss.eval.bss.scores import METRICS
from hiphopss.eval.campaign import words
from hiphopss.eval.campaign.pairs import TARGETS, put_beside
from hiphopss.eval.campaign.picture import draw_pairs, plot_pairs
from hiphopss.eval.campaign.tables import campaign
from hiphopss.eval.table import Row

KNOWN = campaign("sisec2016")
NAMES = {song.number: song.name for song in listed()}


def row(song, source, value=None, **columns):
    """A row with the same score in all metrics, but for the columns given."""
    scores = dict.fromkeys(METRICS, value)
    plain = {"subset": "Test", "window_start_s": 0.0, "model": "HH"}
    return Row(song=song, source=source, **(plain | scores | columns))


def rows_of(
    numbers, *, model="HH", more=0.0, system="CHA", targets=TARGETS, label="Test", spread=0.0
):
    """A system's own scores in each of the campaign's windows, and ``more`` dB.

    The windows' scores lie symmetrically around their mean, ``spread`` dB apart.
    """
    rows = []
    for number in numbers:
        for target in targets:
            entry = KNOWN.songs[system, number, target]
            steps = (np.arange(entry.n) - (entry.n - 1) / 2) * spread
            values = {m: entry.scores[m, "mean"] + more for m in METRICS}
            rows += [
                row(
                    NAMES[number],
                    target,
                    subset=label,
                    window_start_s=15.0 * window,
                    model=model,
                    **{metric: value + step for metric, value in values.items()},
                )
                for window, step in enumerate(steps)
            ]
    return rows


def standing(beside, target, metric="SDR", subset="Test", model="HH"):
    (found,) = (
        one
        for one in beside.standings
        if (one.model, one.subset, one.target, one.metric) == (model, subset, target, metric)
    )
    return found


def test_the_original_beside_itself_differs_by_nothing_and_has_its_own_place():
    with nothing_warned():
        beside = put_beside(rows_of(range(1, 51), spread=0.3))
    assert len(beside.pairs) == 50 * 5 * 4
    for target in TARGETS:
        found = standing(beside, target)
        assert found.difference == pytest.approx(0, abs=1e-9)
        assert found.ci95 == pytest.approx(0, abs=1e-9)
        assert found.score == pytest.approx(found.original)
        assert found.is_whole
        systems = KNOWN.means("Test", target, "SDR")
        better = [s for s, sdr in systems.items() if sdr > systems["CHA"] and s != "IBM"]
        assert (found.place, found.n_places) == (len(better) + 1, len(systems))


def test_places_are_from_the_first_to_the_last():
    targets = {"vocals": 24, "bass": 13, "accompaniment": 24}
    best, worst = (
        put_beside(rows_of(range(1, 51), more=more, targets=targets)) for more in (20, -40)
    )
    for target, n in targets.items():
        assert (standing(best, target).place, standing(worst, target).place) == (1, n)
    # Between the two, the place counts the systems that have more in the table.
    near = put_beside(rows_of(range(1, 51), more=1.0, targets=["vocals"]))
    table = KNOWN.means("Test", "vocals", "SDR")
    table.pop("IBM")
    assert standing(near, "vocals").place == 1 + sum(
        value > table["CHA"] + 1.0 for value in table.values()
    )


def test_differences_are_those_of_a_paired_t_test():
    from scipy import stats

    random = np.random.default_rng(0)
    numbers, ours, rows = (3, 9, 27, 40), [], []
    for number in numbers:
        own = random.normal(0, 3)
        ours.append(KNOWN.songs["CHA", number, "drums"].scores["SAR", "mean"] + own)
        rows += rows_of([number], more=own, targets=["drums"])
    theirs = [KNOWN.songs["CHA", number, "drums"].scores["SAR", "mean"] for number in numbers]
    low, high = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    found = standing(put_beside(rows), "drums", "SAR")
    assert found.difference == pytest.approx((low + high) / 2)
    assert found.ci95 == pytest.approx((high - low) / 2)
    assert (found.n_songs, found.n_campaign_songs, found.place) == (4, 50, None)
    assert found.bound == pytest.approx(
        np.mean([KNOWN.songs["IBM", number, "drums"].scores["SAR", "mean"] for number in numbers])
    )


def test_fewer_songs_take_the_place_of_their_difference():
    # A song on which CHA is 4 dB below its mean doesn't put a model that is like CHA to the end.
    one = standing(put_beside(rows_of([1])), "drums")
    all_songs = standing(put_beside(rows_of(range(1, 51))), "drums")
    assert one.score < all_songs.score - 4
    assert one.place == all_songs.place
    assert (one.is_whole, one.ci95) == (False, None)


def test_windows_with_a_silent_true_source_count_for_none_of_the_four():
    rows = rows_of([8])
    n = KNOWN.songs["CHA", 8, "vocals"].n

    def extra(source, note, sdr):
        return row(NAMES[8], source, sdr, window_start_s=15.0 * (n + 5), note=note)

    rows += [extra(source, "", 90.0) for source in ("vocals", "drums", "other")]
    rows.append(extra("bass", "silent reference and estimate", None))
    beside = put_beside(rows)
    for source in SOURCES:
        assert standing(beside, source).difference == pytest.approx(0, abs=1e-9)
    # The accompaniment is scored with the vocals as a pair, and both sound there.
    n_windows = {
        p.target: p.n_windows for p in put_beside([*rows, extra(TARGETS[4], "", 90.0)]).pairs
    }
    assert n_windows["accompaniment"] == KNOWN.songs["CHA", 8, "accompaniment"].n + 1
    assert n_windows["bass"] == n_windows["vocals"] == n


def test_a_songs_score_may_be_the_median_over_windows():
    rows = rows_of([1, 2], targets=["bass"])
    rows[0] = replace(rows[0], SDR=99.0)
    beside = put_beside(rows, average="median")
    first = next(pair for pair in beside.pairs if pair.metric == "SDR")
    entry = KNOWN.songs["CHA", 1, "bass"]
    assert (first.score, first.original) == (
        entry.scores["SDR", "mean"],
        entry.scores["SDR", "median"],
    )
    assert standing(beside, "bass").place is None
    assert "place" not in words.notes(beside)[-1]
    with pytest.raises(HiphopssError, match="no average named 'mode': choose one of mean, median"):
        put_beside(rows, average="mode")


def test_excerpts_are_told():
    rows = [row for row in rows_of(range(1, 9)) if row.window_start_s < 60]
    with warned(r"ANiMAL - Clinic A \(4, not 14\), .* and 3 more: only whole songs"):
        put_beside(rows)


def test_both_halves_and_other_songs(tmp_path):
    rows = rows_of([1, 2], more=1) + rows_of([52], more=2, label="Dev")
    rows += rows_of([1, 2], more=5, model="HH_CS")
    rows += rows_of([1], more=9, label="another copy")  # under another label: the first counts
    rows.append(row("Somebody - Else", "bass", 1.0))
    beside = put_beside(rows)
    assert list(dict.fromkeys((p.model, p.number) for p in beside.pairs)) == [
        *(("HH", number) for number in (1, 2, 52)),
        *(("HH_CS", number) for number in (1, 2)),
    ]
    assert standing(beside, "other").difference == pytest.approx(1)
    assert standing(beside, "other", subset="Dev").difference == pytest.approx(2)
    both = standing(beside, "other", subset="Dev and Test")
    assert (both.difference, both.n_songs, both.n_campaign_songs) == (pytest.approx(4 / 3), 3, 100)
    assert {s.subset for s in beside.standings if s.model == "HH_CS"} == {"Test"}

    text = words.text(beside)
    assert "HH beside SiSEC 2016, on 2 of the 50 songs of DSD100's Test: SDR in dB" in text
    assert "CHA was trained on the Dev songs" in text
    assert all(len(line) <= 100 for line in text.splitlines())
    lines = words.lines(beside)
    assert "| HH_CS | bass | 2 | " in "\n".join(lines)
    tables = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in tables} == {9}

    words.write_pairs(tmp_path / "t_sisec2016.csv", beside)
    words.write_standings(summary_path(tmp_path / "t_sisec2016.csv"), beside)
    with open(tmp_path / "t_sisec2016.csv", encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert len(written) == 5 * 5 * 4
    assert written[0].items() >= {"number": "001", "target": "vocals", "CHA": "-1.515"}.items()
    with open(tmp_path / "t_sisec2016_summary.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(beside.standings)


def test_the_picture_has_a_dot_for_each_song_and_is_the_same_each_time(tmp_path):
    beside = put_beside(
        rows_of([1, 2, 52], more=1, targets=SOURCES)
        + rows_of([1, 2], model="HH_CS", targets=SOURCES)
    )
    figure = draw_pairs(beside)
    assert [axes.get_title() for axes in figure.axes] == list(SOURCES)
    diagonal, *dots = figure.axes[0].lines
    assert len(dots) == 5
    song = KNOWN.songs["CHA", 1, "vocals"].scores["SDR", "mean"]
    assert [float(dots[0].get_xdata()[0]), float(dots[0].get_ydata()[0])] == [
        song,
        pytest.approx(song + 1),
    ]
    assert [dot.get_markerfacecolor() == "none" for dot in dots] == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["HH", "HH_CS"]
    assert "Hollow: Dev" in figure.get_supxlabel()
    first, second = (
        plot_pairs(beside, tmp_path / name).read_bytes() for name in ("a.png", "b.png")
    )
    assert first == second


def test_nothing_to_compare_is_nothing_to_say():
    beside = put_beside([row("Somebody - Else", "bass", 1.0)])
    assert (beside.pairs, beside.standings) == ([], [])
    assert words.text(beside) == ""
    assert words.lines(beside) == []
