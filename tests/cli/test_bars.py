"""Progress bars, and lines that are told beside them."""

import logging
import sys
import warnings

import numpy as np
import pytest
import soundfile
from helpers.songs import RATE, noise

from hiphopss.util.progress import progress_bar, say


def on_screen(text):
    """The lines that a terminal shows of a text with carriage returns."""
    lines = []
    for line in text.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


@pytest.mark.parametrize("terminal", [True, False])
def test_warnings_share_no_line_with_a_bar(tmp_path, run, published, monkeypatch, terminal):
    loud = np.clip(40 * noise(20000, 1), -1, 1)
    soundfile.write(tmp_path / "loud.wav", loud, RATE, subtype="PCM_16")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    arguments = ["separate", tmp_path / "loud.wav", "-o", tmp_path / "out", "--weights", published]
    status, _, err = run(*arguments)
    assert status == 0
    lines = on_screen(err) if terminal else err.split("\n")
    n_warnings = err.count("warning: ")
    assert 0 < n_warnings == sum(line.startswith("hiphopss: warning: ") for line in lines)
    assert not any("loud" in line and "s of audio" in line and "warning" in line for line in lines)
    assert "100%" in lines[-2]
    assert terminal == (sum("s of audio" in line for line in lines) == 1)  # it moves down, or stays


def test_what_is_logged_is_shown_in_lines_of_its_own(run, monkeypatch, recwarn):
    def work():
        with progress_bar(total=2, desc="bar", show=True):
            logger.warning("%s: no", "a.csv")
            logger.info("%s: yes", "b.csv")
            logger.debug("%s: all", "c.csv")
            warnings.warn("of another library, for programmers", UserWarning, stacklevel=1)

    logger = logging.getLogger("hiphopss.some.module")
    level, handlers = (
        logging.getLogger("hiphopss").level,
        list(logging.getLogger("hiphopss").handlers),
    )
    monkeypatch.setattr("hiphopss.weights.registry.list_weights", work)
    for _ in range(2):  # not twice the second time
        status, _, err = run("weights", "list")
        assert status == 0
        told = [line for line in err.split("\n") if ".csv" in line]
        assert told == ["hiphopss: warning: a.csv: no", "hiphopss: b.csv: yes"]
    assert not recwarn.list
    assert logging.getLogger("hiphopss").level == level
    assert logging.getLogger("hiphopss").handlers == handlers


def test_an_error_comes_after_the_bars(capsys):
    items = iter(progress_bar(range(3), desc="bar", show=True))
    next(items)
    say("hiphopss: error: x: mend it", last=True)
    del items  # would write the bar again
    bar, *rest = on_screen(capsys.readouterr().err)
    assert bar.startswith("bar: ")
    assert rest == ["hiphopss: error: x: mend it", ""]


@pytest.mark.usefixtures("uncompiled")
def test_progress_bars_show_what_is_done(dataset, tmp_path, run):
    features, weights = tmp_path / "f.h5", tmp_path / "m.weights.h5"
    _, _, err = run("features", dataset, "-o", features)
    assert "2/2" in err
    _, _, err = run("train", features, "-o", weights, "--epochs", "2", "--batch-size", "4")
    last = err.rstrip().split("\r")[-1]
    assert "epoch 2/2: 100%" in last
    assert "patch/s, loss=" in last
    mixtures = dataset / "Mixtures" / "Test"
    _, _, err = run("separate", mixtures, "-o", tmp_path / "out", "--weights", weights)
    assert "1/1 002 - song 100%" in err
    assert "1/1 s of audio" in err
