"""How the default weights were trained: the network for JAX, mixes, and a few steps of training."""

import ast
from pathlib import Path

import numpy as np
import pytest

from hiphopss.config import PRESETS, SOURCES, SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.spec import array_shapes
from hiphopss.weights.default import __main__ as program
from hiphopss.weights.default import effects, mixing, train
from hiphopss.weights.default.bass import make_bass
from hiphopss.weights.default.drums import make_drums
from hiphopss.weights.default.facts import FACTS, Sources, read_lines
from hiphopss.weights.default.mixing import Mixer, Shelf
from hiphopss.weights.default.other import make_other
from hiphopss.weights.default.plan import Plan
from hiphopss.weights.default.soundfont import Played, play

CONFIG, FIDELITY = SignalConfig(), PRESETS["corrected"]
SMALL = SignalConfig(frame=256, hop=128)
NOWHERE = Sources(*[Path("nowhere")] * 5)


@pytest.fixture(scope="module")
def shelves():
    """A tone of its own for each stem, two rows of each kind."""
    t = np.arange(6 * 44100) / 44100
    found = {}
    for place, (stem, kinds) in enumerate(FACTS["kinds"].items()):
        row = (8000 * np.sin(2 * np.pi * 150 * 3**place * t)).astype(np.int16)
        level = np.sqrt(np.mean(row.astype(float) ** 2))
        found[stem] = {kind: Shelf([row, row], np.array([level, level])) for kind in kinds}
    return found


def small(monkeypatch):
    """Few mixes, of few bins."""
    monkeypatch.setattr(train, "SignalConfig", lambda: SMALL)
    monkeypatch.setattr(train, "POOL", 3)
    monkeypatch.setattr(train, "N_VALIDATION", 2)


def glorot(seed, config=SMALL):
    """Initial weights, without Keras."""
    rng = np.random.default_rng(seed)
    shapes = array_shapes(config, FIDELITY)
    limits = {
        name: np.sqrt(6 / (np.prod(shape) / shape[0] + shape[0])) for name, shape in shapes.items()
    }
    return {
        name: rng.uniform(-limits[name], limits[name], shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def test_the_network_is_the_one_of_the_preset_corrected():
    pytest.importorskip("jax")
    arrays = glorot(2, CONFIG)
    mixture = np.random.default_rng(3).random((2, CONFIG.context, CONFIG.bins), np.float32)
    frames = np.array([0, 7, 29])
    found = train.estimates_of(arrays, mixture, frames, CONFIG)
    whole = np.ones((1, CONFIG.context), np.float32)
    for patch, estimates in zip(mixture, found, strict=True):
        masks = NumpyNetwork(arrays, CONFIG, FIDELITY).joined_masks(patch, whole)
        # sums of up to 800 products in single precision, in another order; estimates are up to 1
        np.testing.assert_allclose(estimates, (masks * patch)[:, frames], atol=2e-4)


def test_every_source_counts_alike(monkeypatch):
    monkeypatch.setattr(train, "estimates_of", lambda *_: np.zeros((2, len(SOURCES), 3, 5)))
    sources = np.random.default_rng(3).random((2, len(SOURCES), 3, 5))
    sources *= np.array([1, 30, 0.1, 5])[:, None, None]
    batch = {"mixture": np.zeros((2, 3, 5)), "sources": sources}
    # the whole energy is error: 1 for each of four sources, times 4
    assert train.loss_of({}, batch, np.arange(3), CONFIG) == pytest.approx(16, rel=1e-3)


def test_a_few_steps_learn(monkeypatch, shelves):
    pytest.importorskip("jax")
    small(monkeypatch)
    monkeypatch.setattr(train, "WARM_UP", 1)
    settings = train.Settings(steps=24, batch=4, every=8, seed=4)
    trained = train.train(glorot(4), shelves, shelves, settings, progress=False)
    assert trained.losses[-1] < 0.9 * trained.losses[0]
    assert trained.step == 8 * (1 + int(np.argmin(trained.losses)))
    assert trained.patches == 24 * 4
    assert all(np.isfinite(array).all() for array in trained.arrays.values())


def test_training_ends_without_progress_and_when_it_diverges(monkeypatch, shelves):
    pytest.importorskip("jax")
    small(monkeypatch)
    monkeypatch.setattr(train, "_step_function", lambda *_: lambda state, *_: state)
    monkeypatch.setattr(train, "errors_of", lambda *_: (np.ones(4), np.ones(4)))
    settings = train.Settings(steps=50, batch=2, every=1, patience=3)
    trained = train.train(glorot(1), shelves, shelves, settings, progress=False)
    assert (trained.losses, trained.step) == ([1.0] * 4, 1)
    monkeypatch.setattr(train, "errors_of", lambda *_: (np.full(4, np.nan), np.ones(4)))
    with pytest.raises(HiphopssError, match="diverged at step 1: take a lower rate"):
        train.train(glorot(1), shelves, shelves, settings, progress=False)


def test_a_mean_of_networks():
    first, *others = ({"bias": np.array(x)} for x in ([1.0, 3.0], [2.0, 1.0], [4.0, 1.0]))
    assert program.blend(first, others, 0.25)["bias"].tolist() == [2.5, 1.5]


def test_an_error_in_the_other_thread_ends_training(monkeypatch, shelves):
    monkeypatch.setattr(Mixer, "mix", lambda self: 1 / 0)
    batches = train.Batches(Mixer(shelves, CONFIG, np.random.default_rng(0)), train.Settings())
    with batches, pytest.raises(ZeroDivisionError):
        next(iter(batches))


def test_a_mix_has_the_levels_of_its_manner(monkeypatch, shelves):
    quiet = {**FACTS["mixing"], "limited": 0.0, "lossy": 0.0, "silent": 0.0}
    monkeypatch.setitem(FACTS, "mixing", quiet)
    monkeypatch.setattr(mixing, "FACTS", {**FACTS, "mixes": [FACTS["mixes"][0] | {"share": 1.0}]})
    mixer = Mixer(shelves, CONFIG, np.random.default_rng(0))
    mixes = np.stack([mixer.mix() for _ in range(12)])
    assert mixes.shape == (12, mixing.N_FRAMES, 5, CONFIG.bins)
    levels = 10 * np.log10((mixes[:, :, 1:] ** 2).sum(axis=-1).mean(axis=1)).mean(axis=0)
    expected = np.array([np.mean(FACTS["mixes"][0]["levels"][stem]) for stem in SOURCES])
    # 12 draws with a spread of 1.75 dB and a range of up to 4: an error of 0.6 dB
    np.testing.assert_allclose(levels - levels[0], expected, atol=2.4)
    loudest = mixes[0, 100].argmax(axis=-1)  # of each stem, the bin of its tone
    expected = np.array([150, 450, 1350, 4050]) * CONFIG.frame / 44100
    np.testing.assert_allclose(loudest[1:], expected, rtol=0.5)


def test_batches_are_the_same_again(shelves, monkeypatch):
    small(monkeypatch)

    def drawn():
        mixer = Mixer(shelves, SMALL, np.random.default_rng(5))
        with train.Batches(mixer, train.Settings(batch=4)) as batches:
            return [batch for batch, _ in zip(iter(batches), range(3), strict=False)]

    for (one, frames), (other, same) in zip(drawn(), drawn(), strict=True):
        np.testing.assert_array_equal(one["mixture"], other["mixture"])
        np.testing.assert_array_equal(one["sources"], other["sources"])
        np.testing.assert_array_equal(frames, same)
        assert one["sources"].shape[2] == len(frames) == CONFIG.context // train.EVERY


def test_held_out_rows_are_not_trained_on(tmp_path, monkeypatch):
    monkeypatch.setitem(FACTS, "kinds", {"drums": ["synth"]})
    rows = np.arange(1, 17, dtype=np.int16)[:, None] * np.ones((1, 9000), np.int16)
    (tmp_path / "drums").mkdir()
    np.save(tmp_path / "drums" / "synth-000.npy", rows)
    parts = [
        {
            int(row[0])
            for row in mixing.read_shelves(tmp_path, held_out=held_out)["drums"]["synth"].rows
        }
        for held_out in (False, True)
    ]
    assert parts[0] | parts[1] == set(range(1, 17))
    assert not parts[0] & parts[1]
    assert len(parts[1]) == 2
    monkeypatch.setitem(FACTS, "kinds", {"drums": ["gm"]})
    with pytest.raises(HiphopssError, match="too few rows of gm"):
        mixing.read_shelves(tmp_path, held_out=False)


@pytest.mark.parametrize("make", [make_bass, make_drums, make_other])
def test_rows_depend_on_their_number_alone(make, monkeypatch):
    monkeypatch.setattr(f"{make.__module__}.SECONDS", 6.0)
    first, again, other = (make(number, "synth", NOWHERE)[: 6 * 44100] for number in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.isfinite(first).all()
    assert np.abs(np.corrcoef(first, other)[0, 1]) < 0.5
    assert effects.rms_of(first) > 0.01


def test_what_lacks_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(HiphopssError, match=r"nowhere: is not there: apt-get .*--soundfont"):
        NOWHERE.require()
    here = Sources(*[tmp_path] * 5)
    with pytest.raises(HiphopssError, match="has no recordings"):
        here.require()
    (tmp_path / "ann-1.ogg").touch()
    (tmp_path / "ann-2.ogg").touch()
    assert {name: len(paths) for name, paths in here.speakers().items()} == {"ann": 2}


def test_shares_are_shares():
    assert sum(manner["share"] for manner in FACTS["mixes"]) == pytest.approx(1)
    for manner in FACTS["mixes"]:
        for stem in SOURCES:
            assert set(manner["kinds"][stem]) <= set(FACTS["kinds"][stem])
    for name in ("families", "seats"):
        assert sum(entry["share"] for entry in FACTS["other"][name]) == pytest.approx(1)
    assert all(len(lines) > 50 for lines in read_lines().values())


def test_a_plan_is_the_same_for_all_stems():
    one, other = Plan(7), Plan(7)
    assert (one.beat, one.root, one.chords) == (other.beat, other.root, other.chords)
    assert one.at(3, 0) == pytest.approx(12 * one.beat)
    assert one.chord(0)[0] == one.root


def test_nothing_else_needs_what_only_training_needs():
    root = Path(__file__).parents[2]
    folders = [root / name for name in ("hiphopss", "datasets", "eval", "weights")]
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        if "default" in path.parts or path.is_symlink():
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("hiphopss.weights.default"), path
                if path.is_relative_to(root / "weights"):
                    assert "hiphopss.datasets" not in (node.module or ""), path
                    assert "hiphopss.signal" not in (node.module or ""), path


def test_what_is_played_does_not_depend_on_what_was_played(monkeypatch):
    pytest.importorskip("fluidsynth")
    monkeypatch.setattr("hiphopss.weights.default.soundfont.SECONDS", 2.0)
    font = program.parser().get_default("soundfont")
    if not font.exists():
        pytest.skip("the soundfont is not installed")
    note = [Played(0.5001, 0.3, 60, 90)]
    first = play(font, note, 0)
    play(font, [Played(1.9, 5.0, 40, 127)], 30)
    np.testing.assert_array_equal(play(font, note, 0), first)
