"""The fit of the loop stage's constants."""

import tomllib
from dataclasses import asdict, dataclass, fields, replace
from importlib.resources import files

import numpy as np
import pytest
from helpers.songs import RATE, looped, noise, write_song

from hiphopss.config import SignalConfig
from hiphopss.datasets.songs import read_songs
from hiphopss.datasets.stems import load_stems
from hiphopss.loops.beat import Constants
from hiphopss.loops.separator import LoopSeparator
from hiphopss.separation import loop_fitting

SHARES = np.array([0.4, 0.2, 0.2, 0.2], np.float32)


class Fixed:
    """A network that gives each source a share of the mixture."""

    config = SignalConfig()

    def stems(self, blocks, progress=None):
        for block in blocks:
            yield SHARES[:, None, None] * block


@dataclass(frozen=True)
class Point:
    x: float = 0.0
    y: float = 5.0
    z: float = 1.0


def hill(points):
    return [-((p.x - 2) ** 2) - 0.3 * (p.y - p.x - 1) ** 2 - 0.01 * p.z for p in points]


def test_the_search_finds_the_top_of_a_hill():
    tried = {"x": (0, 1, 2, 3), "y": (1, 2, 3, 4, 5), "z": (0, 1)}
    found = loop_fitting.improve(hill, Point(), tried, worth=0.0, rounds=9)
    assert found == Point(2, 3, 0)


def test_what_is_worth_little_is_not_changed():
    assert loop_fitting.improve(hill, Point(2, 3), {"z": (0, 1)}, worth=0.02) == Point(2, 3)
    assert loop_fitting.improve(hill, Point(2, 3), {"z": (0, 1)}, worth=0.005) == Point(2, 3, 0)


def test_a_source_that_gets_worse_counts_more_than_one_that_gets_better():
    assert loop_fitting.objective(np.array([[1.0, np.nan], [-0.05, 2.0]])) == pytest.approx(
        2.95 / 3
    )
    assert loop_fitting.objective(np.array([[1.0, -0.3]])) == pytest.approx(0.35 - 10 * 0.2 / 2)


def test_ratios_are_those_of_all_parts_together():
    rng = np.random.default_rng(0)
    sources, errors = rng.normal(size=(2, 4, 20, 9)) + 1j * rng.normal(size=(2, 4, 20, 9))
    sources[3] = 0
    orthogonal = errors - sources * (
        (errors * sources.conj()).sum((1, 2)).real / ((abs(sources) ** 2).sum((1, 2)) + 1e-9)
    ).reshape(4, 1, 1)
    ratios = loop_fitting.Ratios()
    for part in (slice(0, 6), slice(6, 20)):  # the gain does not count
        ratios.add(sources[:, part], 0.5 * (sources + 0.1 * orthogonal)[:, part])
    energies = [(abs(x[:3]) ** 2).sum((1, 2)) for x in (sources, 0.1 * orthogonal)]
    found = ratios.decibels()
    np.testing.assert_allclose(found[:3], 10 * np.log10(energies[0] / energies[1]), atol=1e-6)
    assert np.isnan(found[3])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A set of a song whose bass repeats under a voice, and one in which nothing does."""
    root = tmp_path_factory.mktemp("set") / "set"
    beat = looped(seconds=2, voice=0.05)
    still, voice = 0 * beat, noise(len(beat), 7, 0.2)
    for subset in ("Dev", "Test"):
        stems = {"vocals": voice, "bass": beat, "drums": still, "other": still}
        write_song(root, subset, "looped", stems)
        stems["bass"] = noise(len(beat), 8, 0.2)
        write_song(root, subset, "unlooped", stems)
    return root


def test_the_gain_of_what_is_kept_is_that_of_the_stems(root, monkeypatch):
    monkeypatch.setattr("hiphopss.loops.separator._LEAST_COVERED", 0)  # the voice repeats in part
    looped_song, other = read_songs(root, ("Dev",))
    assert loop_fitting.excerpts(Fixed(), other, 1.0) is None
    alone, loops = loop_fitting.Ratios(), loop_fitting.Ratios()
    for one in loop_fitting.excerpts(Fixed(), looped_song, 60.0):  # all of it
        alone.add(one.sources, one.alone())
        loops.add(one.sources, one.separated(Constants()))
    sources = load_stems(looped_song, RATE)
    mixture = sources.sum(axis=0)[:, None]
    stems = np.concatenate(list(LoopSeparator(Fixed()).stems([mixture])), axis=1)
    whole, network = loop_fitting.Ratios(), loop_fitting.Ratios()
    whole.add(sources, stems[..., 0])
    network.add(sources, SHARES[:, None] * mixture[:, 0])
    gains = loops.decibels() - alone.decibels()
    assert gains[1] > 1
    np.testing.assert_allclose(gains, whole.decibels() - network.decibels(), atol=0.3)


def test_the_fit_writes_a_better_file(root, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loop_fitting.Separator, "from_weights", lambda: Fixed())
    poor = replace(Constants(), disagreement=1e4)
    monkeypatch.setattr(loop_fitting, "Constants", lambda: poor)
    monkeypatch.setattr(loop_fitting, "TRIED", {"gate": (0.2,), "disagreement": (1.0, 1e3)})
    loop_fitting.main([str(root), "--seconds", "1.5", "--output", str(tmp_path / "c.toml")])
    text = (tmp_path / "c.toml").read_text("utf-8")
    assert "1.5 s of each of 1 songs (of 2 Dev songs in set," in text
    assert tomllib.loads(text) == asdict(replace(poor, disagreement=1.0))
    told = capsys.readouterr().out
    assert "unlooped: " not in told
    assert "looped: gains" in told


def test_the_file_has_all_constants_and_nothing_else():
    text = files("hiphopss.loops").joinpath("constants.toml").read_text("utf-8")
    assert tomllib.loads(text) == asdict(Constants())
    assert {field.type for field in fields(Constants)} == {"int", "float"}
    for field in fields(Constants):
        assert type(getattr(Constants(), field.name)).__name__ == field.type, field.name
