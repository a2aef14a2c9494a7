"""Loops to the sample: how they are laid, arranged, automated and compressed."""

from itertools import pairwise

import numpy as np
import pytest

from hiphopss.config import SOURCES
from hiphopss.datasets.generated import style, unlooped
from hiphopss.datasets.generated.balance import gated_rms
from hiphopss.datasets.generated.effects import RATE
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.studio import automation, choosing, loops, mixing, rapping
from hiphopss.datasets.generated.studio.arranging import Bar, arrange
from hiphopss.datasets.generated.studio.session import Session
from hiphopss.datasets.generated.vocals.rap import Rapper

TEMPO = 100.6  # two bars of it are half a sample longer than a whole number of them


def session(timing, form, *, seconds=16.0, seed=0, **has):
    """A song's session with everything off that isn't asked for."""
    facts = style.load("studio_dev")
    rng = np.random.default_rng(seed)
    voice = style.load("spanish")["voices"][0]
    chosen = choosing.choose(facts, style.Dealer(seed, 0), voice=voice, rng=rng)
    chosen |= {"timing": timing, "form": {"sections": form}, "tempo": TEMPO}
    chosen["has"] = dict.fromkeys(chosen["has"], False) | has
    chosen["loop_bars"] = {"drums": 2, "bass": 2, "chords": 2, "lead": 2, "extra": 1, "chop": 1}
    rngs = dict(zip(SOURCES, rng.spawn(len(SOURCES)), strict=True))
    return Session(chosen, Grid(RATE, TEMPO, 0.55, round(seconds * RATE)), rngs)


def moved(x, samples):
    """A signal moved earlier by a number of samples that need not be whole."""
    spectrum = np.fft.rfft(x)
    hz = np.fft.rfftfreq(len(x))
    return np.fft.irfft(spectrum * np.exp(2j * np.pi * hz * samples), len(x))


def difference(a, b):
    """Power of the difference, in dB of the power of ``a``; at least -300."""
    return 10 * np.log10(np.sum((a - b) ** 2) / np.sum(a**2) + 1e-30)


def copies(x, grid, *, rounded):
    """The second bar of a loop of two bars, and of its next copy.

    What still rings of the copies before, at most 1.8 s, is over by then.
    """
    begin, later = grid.at(2 * STEPS), grid.at(4 * STEPS)
    inside = slice(begin + grid.at(STEPS), begin + grid.at(2 * STEPS) - 2000)
    assert later + inside.stop - begin < len(x)
    assert inside.start - begin > 1.8 * RATE
    return x[inside], moved(x, later - begin if rounded else grid.time(2 * STEPS))[inside]


@pytest.mark.parametrize("part", ["drums", "bass"])
def test_loops_come_back_to_the_sample(part):
    made = session("loops", [["verse", 6]])
    made.bars = [Bar("verse", 0, {part: 0}) for _ in range(6)]
    first, second = copies(getattr(made, part)(), made.grid, rounded=True)
    assert np.abs(first).max() > 0.1
    # equal but for rounding errors of the transform that moves them
    assert difference(first, second) < -200


@pytest.mark.parametrize("part", ["drums", "bass"])
def test_loops_at_fractions_of_a_sample_have_that_period(part):
    made = session("fractions", [["verse", 6]])
    made.bars = [Bar("verse", 0, {part: 0}) for _ in range(6)]
    x = getattr(made, part)()
    # the filter that moves them has 64 taps, and a hat has much above 20 kHz
    assert difference(*copies(x, made.grid, rounded=False)) < -25
    assert difference(*copies(x, made.grid, rounded=True)) > -60


def test_hits_lie_at_the_nearest_sample():
    made = session("hits", [["verse", 6]])
    made.bars = [Bar("verse", 0, {"drums": 0}) for _ in range(6)]
    x, grid = made.drums(), made.grid
    assert made.kicks == sorted(made.kicks)
    for kick in made.kicks:
        assert min(abs(grid.time(step) - kick) for step in range(6 * STEPS)) <= 0.5
    # copies differ by a sample here and there
    assert -60 < difference(*copies(x, grid, rounded=True)) < -10


def test_fills_mutes_stops_and_second_loops():
    grid = Grid(RATE, TEMPO, 0.5, 20 * RATE)
    click = np.ones(1)
    pair = [
        loops.Loop(2, tuple(loops.Hit(step, click, 1.0 + step / 100) for step in range(0, 32, 4))),
        loops.Loop(1, (loops.Hit(2.0, click, 2.0),)),
    ]
    bars = [
        Bar("verse", 0, {"drums": 0}),
        Bar("verse", 0, {"drums": 0}, fill=1),
        Bar("verse", 0, {}),
        Bar("verse", 0, {"drums": 0}, stop=4),
        Bar("hook", 4, {"drums": 1}),
    ]
    wanted = [(0, 1.0), (4, 1.04), (8, 1.08), (12, 1.12), (16, 1.16), (20, 1.2)]
    wanted += [(48, 1.16), (66, 2.0)]
    played = [(position, hit.force) for position, hit in loops.hits_of("drums", pair, bars)]
    assert played == wanted
    for timing in ("hits", "loops"):
        out = np.zeros(grid.n_samples)
        loops.lay(out, "drums", pair, bars, grid, timing)
        heard = np.flatnonzero(np.abs(out) > 0.5)
        if timing == "hits":
            assert heard.tolist() == [grid.at(position) for position, _ in wanted]
        # a slope is on the loop's first 4 ms where it doesn't begin with the bar's copy
        assert set(heard) <= {grid.at(position) + late for position, _ in wanted for late in (0, 1)}


def test_arrangement_fills_the_song_and_follows_the_form():
    facts = style.load("studio")
    for seed, form in enumerate(facts["forms"]):
        rng = np.random.default_rng(seed)
        bars = arrange(
            form,
            60,
            sections=facts["sections"],
            chances=facts["chances"],
            n_fills=4,
            chop=bool(seed % 2),
            busy=seed / 4,
            rng=rng,
        )
        assert len(bars) == 60
        order = [bar.section for bar, later in pairwise(bars) if bar.start != later.start]
        names = [name for name, _ in form["sections"]]
        assert order[: len(names) - 1] == names[: len(order)][: len(names) - 1]
        for index, bar in enumerate(bars):
            assert bars[bar.start].section == bar.section
            assert bar.start <= index
            assert seed % 2 or "chop" not in bar.loops
    short = arrange(
        facts["forms"][0],
        2,
        sections=facts["sections"],
        chances=facts["chances"],
        n_fills=4,
        chop=False,
        busy=1.0,
        rng=np.random.default_rng(0),
    )
    assert [bar.section for bar in short] == ["verse", "verse"]


@pytest.mark.parametrize("copied", [True, False])
def test_a_copied_hook_is_the_same_each_time(copied):
    made = session("loops", [["hook", 6]], copied_hook=copied)
    made.bars = [Bar("hook", 0, {}) for _ in range(6)]
    made.chosen["delivery"] |= {"offset": 0, "fill": 12.0}
    x = made.vocals(style.load("spanish"))
    first, second = copies(x, made.grid, rounded=True)
    if copied:
        assert difference(first, second) < -200
    else:
        assert difference(first, second) > 0


def test_takes_of_a_line_differ_and_pauses_are_silent():
    made = session("loops", [["verse", 6]])
    rng = np.random.default_rng(0)
    booth = rapping._Booth(
        Rapper(made.chosen["voice"], made.grid),
        made.chosen["delivery"],
        made.chosen["takes"] | {"pace": 0.0},
        rng,
    )
    takes = []
    for _ in range(2):
        out = np.zeros(made.grid.at(2 * STEPS))
        end = booth.line(out, "Salgo de casa con el cuaderno", 0, doubled=False, free=0)
        assert RATE < end < len(out)
        takes.append(out)
    assert difference(*takes) > 0


def test_stems_are_silent_where_the_beat_stops():
    made = session("loops", [["verse", 6]], stereo=True)
    made.bars = [Bar("verse", 0, {"drums": 0, "bass": 0, "chords": 0}) for _ in range(5)]
    made.bars.insert(3, Bar("verse", 0, {"drums": 0, "bass": 0, "chords": 0}, stop=0))
    language = style.load("spanish")
    stems = mixing.mix(made, made.tracks(language, language["voices"]))
    begin, end = made.grid.at(3 * STEPS) + 400, made.grid.at(4 * STEPS) - 400
    for source in SOURCES:
        assert stems[source].shape == (2, made.grid.n_samples)
        silent = np.abs(stems[source][:, begin:end]).max() == 0
        assert silent == (source != "vocals")
    sides = stems["other"][:, : made.grid.at(3 * STEPS)]
    assert np.corrcoef(sides)[0, 1] < 0.99
    assert np.array_equal(*stems["bass"])


def test_a_gate_closes_within_its_spans():
    gate = automation.gate(1000, [(100, 300), (900, 1100)], 50)
    assert np.all(gate[:100] == 1)
    assert np.all(gate[150:250] == 0)
    assert np.all(gate[300:900] == 1)
    assert gate[299] == 1


def test_a_sweep_takes_the_treble_only_where_it_is_closed():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(2 * RATE)
    corner = np.full(len(x), automation.OPEN)
    corner[:RATE] = 400.0
    y = automation.swept(x, corner)
    np.testing.assert_allclose(y[RATE:], x[RATE:], atol=1e-12)
    spectrum = np.abs(np.fft.rfft(y[:RATE])) ** 2
    assert spectrum[2000:].sum() < 0.02 * spectrum.sum()
    assert automation.swept(x, np.full(len(x), 20000.0)) is x


def test_a_compressor_holds_the_beat_down_while_the_voice_is_loud():
    rng = np.random.default_rng(0)
    beat = 0.1 * rng.standard_normal((2, 3 * RATE))
    voice = np.zeros_like(beat)
    voice[:, RATE : 2 * RATE] = rng.standard_normal(RATE)
    gain = automation.bus_gain(beat + voice, threshold=-12.0, ratio=4.0, attack=0.005, release=0.1)
    assert gain.shape == (3 * RATE,)
    quiet, loud, after = (gain[int(at * RATE)] for at in (0.9, 1.9, 2.9))
    # 12 dB over the threshold, of which a ratio of 4 takes 9; noise's level sways by 1 to 2 dB
    assert -11 < 20 * np.log10(loud) < -6
    assert quiet > 0.99
    assert after > 0.99


def test_a_wandering_grid_is_ahead_as_it_says():
    plain = Grid(RATE, 90.0, 0.5, 60 * RATE)
    grid = unlooped.WanderingGrid(RATE, 90.0, 0.5, 60 * RATE, (0.0, 1.0, 0.5))
    assert grid.at(0) == 0
    assert grid.time(STEPS) == plain.time(STEPS - 1)
    assert grid.time(1.5 * STEPS) == pytest.approx(plain.time(1.5 * STEPS) - 0.75 * plain.step)
    assert grid.time(5 * STEPS) == plain.time(5 * STEPS) - 0.5 * plain.step


def test_stretching_changes_phases_and_not_levels():
    rng = np.random.default_rng(0)
    loop = rng.standard_normal(RATE)
    x = np.tile(loop, 4)
    y = unlooped.stretched(x, RATE, np.random.default_rng(1))
    assert gated_rms(y) == pytest.approx(gated_rms(x), rel=0.05)
    pieces = y.reshape(4, RATE)[:, 4000:-4000]
    alike = np.corrcoef(pieces) - np.eye(4)
    assert np.abs(alike).max() < 0.2
    bands = np.abs(np.fft.rfft(pieces)) ** 2
    octaves = np.stack([bands[:, 2**k : 2 ** (k + 1)].sum(axis=1) for k in range(8, 14)])
    np.testing.assert_allclose(octaves / octaves.mean(axis=1, keepdims=True), 1, atol=0.3)


def test_tape_moves_all_stems_together():
    rng = np.random.default_rng(0)
    time = np.arange(4 * RATE) / RATE
    x = np.sin(2 * np.pi * 1000 * time)
    taped = unlooped.taped({"drums": x, "bass": np.stack([x, -x])}, 0.002, rng)
    np.testing.assert_array_equal(taped["drums"], taped["bass"][0])
    np.testing.assert_array_equal(taped["drums"], -taped["bass"][1])
    halves = taped["drums"][RATE : 2 * RATE], taped["drums"][2 * RATE : 3 * RATE]
    assert difference(*halves) > -10
    assert gated_rms(taped["drums"]) == pytest.approx(gated_rms(x), rel=0.05)
