"""Weights of one's own from few songs: what is written, and when nothing is."""

import os
import signal
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from helpers.short_songs import RATE, stem, write_init, write_song

from hiphopss import SOURCES, AdaptationSettings, HiphopssError, adapt, separate
from hiphopss.adaptation import adapting
from hiphopss.verification.verify import verify
from hiphopss.weights.files import read_weights

QUICK = AdaptationSettings(steps=40, batch_size=16, learning_rate=0.01, seed=1)


class FakeTrainee:
    """In place of the network, where it does not matter what is learnt: each step adds 1."""

    model = None

    def __init__(self, info, arrays, settings, *, origin):
        self.n_steps = []

    def restart(self, arrays):
        self.arrays = {name: array.copy() for name, array in arrays.items()}
        self.n_steps.append(0)

    def step(self, mixture, frames, targets):
        self.n_steps[-1] += 1
        for array in self.arrays.values():
            array += 1
        return 0.5

    def using(self, arrays):
        return nullcontext()

    def estimates(self, mixture, frames):
        return np.zeros((len(mixture), len(SOURCES), frames.shape[1], mixture.shape[2]))


@pytest.fixture(scope="module")
def init(tmp_path_factory, keras):
    return write_init(tmp_path_factory.mktemp("init") / "old.weights.h5")


@pytest.fixture
def songs(tmp_path):
    for seed in range(2):
        write_song(tmp_path / "songs" / f"song {seed}", seed)
    return tmp_path / "songs"


@pytest.fixture
def fake(monkeypatch):
    """No network is trained; ``scores``, before and after, can be changed; what would be saved."""
    found = SimpleNamespace(scores=[1.0, 2.0], arrays=[], told=[], trainees=[])

    def trainee(*arguments, **options):
        found.trainees.append(FakeTrainee(*arguments, **options))
        return found.trainees[-1]

    monkeypatch.setattr(adapting, "Trainee", trainee)
    monkeypatch.setattr(
        adapting, "sdr_of", lambda *_: np.array([[score] * len(SOURCES) for score in found.scores])
    )
    monkeypatch.setattr(adapting, "assign_arrays", lambda _, a, **__: found.arrays.append(a))
    monkeypatch.setattr(adapting, "save_weights", lambda *_, **told: found.told.append(told))
    return found


def test_it_learns_the_songs_and_says_by_how_much(songs, init, tmp_path, run):
    output = tmp_path / "mine.weights.h5"
    found = adapt(songs, output, QUICK, init=init, progress=False)
    assert found.pieces == found.songs == ["song 0", "song 1"]
    assert found.before.shape == found.after.shape == (2, len(SOURCES))
    # Random weights halve nothing; tones of their own pitches are easy to tell apart.
    assert found.gain_db > 3

    stems = {source: stem(source, 7, seed=9) for source in SOURCES}
    mixture = sum(stems.values()).astype(np.float32)

    def error(weights):
        parts = separate(mixture, RATE, weights=weights, loops="off")
        return sum(np.sum((parts[source] - stems[source]) ** 2) for source in SOURCES)

    assert error(output) < error(init) / 2  # a song that neither has heard

    info, _ = read_weights(output)
    before, _ = read_weights(init)
    assert (info.config, info.fidelity) == (before.config, before.fidelity)
    made = info.provenance
    assert made["init"] == before.sha256
    assert made["init_name"] == "old.weights.h5"
    assert made["songs"] == ["an older song", "song 0", "song 1"]
    assert made["released_test_leak"] is False
    assert made["sdr_before"] < made["sdr_after"]
    assert made["held_out"] == found.pieces
    assert made["loops"] == "off"
    assert verify(output, look_in=[songs, init.parent]).ok

    (tmp_path / "mixtures").mkdir()
    soundfile.write(tmp_path / "mixtures" / "song 0.wav", mixture, RATE)
    estimates = tmp_path / "est"
    assert (
        run("separate", tmp_path / "mixtures", "-o", estimates, "--weights", output, "-q")[0] == 0
    )
    _, _, err = run("evaluate", songs, estimates, "-o", tmp_path / "scores.csv", "-q")
    assert "mine was trained on 1 of the 1 songs that are scored: song 0" in err


def test_nothing_is_written_that_is_no_better(songs, init, tmp_path, fake, run):
    fake.scores = [2.0, 1.5]
    output = tmp_path / "new" / "mine.weights.h5"
    arguments = ("adapt", songs, "-o", output, "--init", init, "--steps", "10", "-q")
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"{output}: not written" in err
    assert "from 2.00 to 1.50 dB" in err
    assert not fake.told
    assert not output.parent.exists() or not list(output.parent.iterdir())


def test_the_command_prints_a_table(songs, init, tmp_path, fake, run):
    output = tmp_path / "mine.weights.h5"
    status, out, err = run("adapt", songs, "-o", output, "--init", init, "--steps", "10", "-q")
    assert (status, err) == (0, "")
    title, *rows, last = out.splitlines()
    assert title.split() == ["SDR", "in", "dB,", "before", "->", "after", "mean", *SOURCES]
    assert [row[:6] for row in rows] == ["song 0", "song 1", "mean  "]
    assert rows[-1].count("1.00 -> 2.00") == 5
    assert last == str(output)


def test_a_share_of_the_beginning_is_kept(songs, init, tmp_path, fake):
    output, steps = tmp_path / "mine.weights.h5", 10
    settings = AdaptationSettings(steps=steps, batch_size=4, keep=0.25)
    found = adapt(songs, output, settings, init=init, progress=False)
    _, before = read_weights(init)
    assert 1 <= found.steps <= steps
    for name, array in fake.arrays[0].items():
        np.testing.assert_allclose(array, before[name] + 0.75 * found.steps, atol=1e-5)
    assert fake.told[0]["provenance"]["settings"]["keep"] == 0.25


def test_an_interrupt_leaves_nothing(songs, init, tmp_path, fake, monkeypatch):
    output = tmp_path / "new" / "mine.weights.h5"

    def interrupted(self, *batch):
        os.kill(os.getpid(), signal.SIGINT)
        return 0.5

    monkeypatch.setattr(FakeTrainee, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        adapt(songs, output, QUICK, init=init, progress=False)
    assert not output.parent.exists() or not list(output.parent.iterdir())


def test_training_stops_when_it_helps_no_more(songs, init, tmp_path, fake, monkeypatch):
    errors = iter([3.0, 1.0, 2.0, 2.0, 2.0] * 2)
    monkeypatch.setattr(adapting.RelativeError, "of", lambda *_: next(errors))
    settings = AdaptationSettings(steps=100, batch_size=2, patience=3)
    found = adapt(songs, tmp_path / "mine.weights.h5", settings, init=init, progress=False)
    # Of ten checks in 100 steps the second is best, and three later ones are not better.
    assert fake.trainees[0].n_steps == [50, 50, 20]
    assert found.steps == 20


def test_a_loss_that_is_not_finite_is_one_line(songs, init, tmp_path, fake, monkeypatch):
    monkeypatch.setattr(FakeTrainee, "step", lambda *_: float("nan"))
    with pytest.raises(HiphopssError, match="not finite: lower the learning rate"):
        adapt(songs, tmp_path / "mine.weights.h5", QUICK, init=init, progress=False)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"steps": 0}, "steps 0"),
        ({"keep": 1.0}, "keep 1"),
        ({"learning_rate": float("nan")}, "learning rate nan"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_settings_that_make_no_sense(settings, told, tmp_path):
    with pytest.raises(HiphopssError, match=told):
        adapt(tmp_path, tmp_path / "m.weights.h5", AdaptationSettings(**settings))


def test_an_output_of_another_name_or_a_folder(tmp_path):
    (tmp_path / "m.weights.h5").mkdir()
    for name, told in (("m.h5", "must end in .weights.h5"), ("m.weights.h5", "is a folder")):
        with pytest.raises(HiphopssError, match=told):
            adapt(tmp_path, tmp_path / name)


def test_what_the_beginning_has_heard_is_told_and_recorded(tmp_path, fake, lines):
    init = write_init(tmp_path / "old.weights.h5", released_test_leak=True)
    write_song(tmp_path / "songs" / "an older song")
    write_song(tmp_path / "songs" / "new", 1)
    adapt(tmp_path / "songs", tmp_path / "m.weights.h5", QUICK, init=init, progress=False)
    assert any("trained on 1 of the songs already" in line for line in lines.wrong)
    made = fake.told[0]["provenance"]
    assert made["released_test_leak"] is True
    assert made["songs"] == ["an older song", "new"]
    assert made["adapted_to"] == ["an older song", "new"]


def test_of_a_single_song_parts_are_held_out(init, tmp_path, fake, lines):
    folder, quick = write_song(tmp_path / "song", seconds=18), AdaptationSettings(steps=5)
    found = adapt(folder, tmp_path / "m.weights.h5", quick, init=init, progress=False)
    assert found.songs == ["song"]
    assert found.pieces == [f"part {number} of 3 of song" for number in (1, 2, 3)]
    assert any("song is the only song" in line for line in lines.told)
    assert len(fake.told) == 1
