"""The figure: what it shows, what it leaves out, and that it is the same every time."""

from dataclasses import replace

import pytest

from hiphopss import HiphopssError
from hiphopss.eval.aggregate import Summary
from hiphopss.eval.figure import draw_fig1, plot_fig1
from hiphopss.eval.protocols import protocol

SUBSETS = ("HHDS test", "DSD100 hip hop")
BOTTOM, TOP = -5.0, 11.0  # of the means below, but for the mixture's SAR


def summary(model, subset, sdr, sir, sar, half=1.0, n_songs=5):
    """The mean over sources, with the same interval for all metrics."""
    means = {"SDR": sdr, "SIR": sir, "SAR": sar, "ISR": None}
    return Summary(model, subset, "mean", means, dict.fromkeys(means, half), n_songs)


@pytest.fixture
def summaries():
    """Two models and the bounds on two test sets."""
    return [
        row
        for subset in SUBSETS
        for row in (
            summary("ideal ratio mask", subset, 6.0, TOP, 9.0),
            summary("HH", subset, 2.0, 6.0, 5.0),
            summary("HH_CS", subset, 4.0, 8.0, 5.5),
            summary("mixture", subset, BOTTOM, BOTTOM, 86.0),
            Summary("HH", subset, "vocals", {"SDR": 99.0}, {"SDR": 1.0}, 5),
        )
    ]


def draw(summaries, **options):
    return draw_fig1(summaries, **{"subsets": SUBSETS, "models": ["HH", "HH_CS"]} | options)


def labels(axes):
    return [label.get_text() for label in axes.get_xticklabels()]


def footnote(figure):
    return figure.get_supxlabel()


def test_panels_share_the_axis_and_bounds_stand_last(summaries):
    figure = draw(summaries)
    left, right = figure.axes
    assert [left.get_title(), right.get_title()] == [
        "HHDS test (5 songs)",
        "DSD100 hip hop (5 songs)",
    ]
    assert left.get_ylim() == right.get_ylim()
    assert labels(left) == ["HH", "HH_CS", "mixture", "ideal ratio\nmask"]
    places = left.get_xticks()
    assert places[2] - places[1] > places[1] - places[0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["SDR", "SIR", "SAR"]


def test_points_are_where_the_means_are(summaries):
    left, _ = draw(summaries).axes
    drawn = [line.get_ydata()[0] for line in left.lines if line.get_marker() in "os^"]
    for mean in (2.0, 6.0, 5.0, 4.0, 8.0, 5.5, BOTTOM, TOP, 9.0):
        assert mean in drawn
    assert 99.0 not in drawn


def test_what_is_off_the_axis_is_an_arrow_and_a_number(summaries):
    figure = draw(summaries)
    left, _ = figure.axes
    low, high = left.get_ylim()
    assert (low, high) == (BOTTOM - 1.0 - 1.5, TOP + 1.0 + 1.5)
    assert [text.get_text() for text in left.texts] == ["86"]
    assert "Arrows: beyond the axis" in footnote(figure)
    within = [s for s in summaries if s.model != "mixture"]
    assert "Arrows" not in footnote(draw(within))


def test_a_long_interval_does_not_squash_the_picture(summaries):
    wide = summary("HH", SUBSETS[1], 2.0, 6.0, 5.0, half=100.0, n_songs=2)
    others = [s for s in summaries if (s.model, s.subset) != ("HH", SUBSETS[1])]
    figure = draw([wide, *others])
    low, high = figure.axes[1].get_ylim()
    assert low == BOTTOM - 6.0 - 1.5
    assert high == TOP + 6.0 + 1.5
    markers = [line.get_marker() for line in figure.axes[1].lines]
    assert markers.count("v") == 3


def test_models_trained_on_test_songs_have_a_dagger(summaries):
    figure = draw(summaries, marks={"HH_CS", "unknown"})
    assert labels(figure.axes[0])[:2] == ["HH", "HH_CS†"]
    assert "† trained on test songs (Q3)" in footnote(figure)
    assert "†" not in footnote(draw(summaries, marks={"unknown"}))


def test_the_footnote_says_the_protocol_and_what_is_averaged(summaries):
    assert footnote(draw(summaries)).startswith("Means over songs with 95 % confidence intervals.")
    told = footnote(draw(summaries, protocol=protocol("released")))
    assert told.startswith(
        "Protocol released: BSS Eval v3 images, windows of 30 s every 15 s.\nMeans over songs with"
    )
    medians = [replace(s, averaging=protocol("sisec18").averaging, ci95=s.mean) for s in summaries]
    assert footnote(draw(medians)).startswith("Medians over songs.")


def test_the_same_numbers_are_the_same_files(summaries, tmp_path):
    options = {"subsets": {SUBSETS[0]: "HHDS"}, "models": ["HH"], "title": "Fig. 1"}
    files = plot_fig1(summaries, tmp_path / "fig1.png", **options)
    assert files == [tmp_path / "fig1.png", tmp_path / "fig1.svg"]
    again = plot_fig1(summaries, tmp_path / "v0.1", **options)
    assert [path.name for path in again] == ["v0.1.png", "v0.1.svg"]
    for first, second in zip(files, again, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert files[0].read_bytes().startswith(b"\x89PNG")
    assert "dc:date" not in files[1].read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": ["DSD"]}, "no scores of subset 'HHDS test'|no scores of model 'DSD'"),
        ({"models": ["HH", "DSD"]}, "no scores of model 'DSD': the table has ideal ratio mask, HH"),
        ({"subsets": ["Test"]}, "no scores of subset 'Test': the table has 'HHDS test', 'DSD100"),
        ({"models": ["mixture"]}, "needs a subset and a model"),
    ],
)
def test_what_has_no_scores_is_named(summaries, options, message):
    with pytest.raises(HiphopssError, match=message):
        draw(summaries, **options)


def test_a_figure_without_any_score_is_drawn():
    """As where some source is silent in every window of all songs."""
    nothing = dict.fromkeys(("SDR", "SIR", "SAR", "ISR"))
    summaries = [Summary("HH", subset, "mean", nothing, nothing, 0) for subset in SUBSETS]
    low, high = draw(summaries, models=["HH"]).axes[0].get_ylim()
    assert low < 0 < high
