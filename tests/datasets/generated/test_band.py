"""Voices that sing, and drums that are played."""

import numpy as np
import pytest

from hiphopss.datasets.generated import style
from hiphopss.datasets.generated.effects import RATE
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.instruments import drummer
from hiphopss.datasets.generated.vocals import melody, singing, vocoder

MAJOR = [0, 2, 4, 5, 7, 9, 11]
MANNER = {
    "vibrato_hz": 5.5,
    "vibrato_depth": 0.3,
    "drift": 0.1,
    "offset": 0,
    "rest": 5,
    "verse_height": 0.4,
    "hook_height": 0.65,
    "double": 0.0,
    "harmony": 0.0,
}


def midi_track(x, midi, n=2048):
    """Pitch every 10 ms, by autocorrelation within a whole tone of what is expected."""
    expected = RATE / (440 * 2 ** ((midi - 69) / 12))
    low, high = int(expected / 1.12), int(expected * 1.12) + 1
    pitches = []
    for start in range(0, len(x) - n, RATE // 100):
        spectrum = np.fft.rfft(x[start : start + n] * np.hanning(n), 2 * n)
        lags = np.fft.irfft(np.abs(spectrum) ** 2)
        best = low + int(np.argmax(lags[low:high]))
        before, peak, after = lags[best - 1 : best + 2]
        best += (before - after) / (2 * (before - 2 * peak + after))
        pitches.append(69 + 12 * np.log2(RATE / best / 440))
    return np.array(pitches)


@pytest.mark.parametrize("voice", style.load("english")["voices"][:3], ids=lambda v: v["name"])
def test_singing_is_in_tune_and_has_vibrato(voice):
    grid = Grid(RATE, 60, 0.5, 8 * RATE)
    x, score = singing.perform(
        grid,
        ["verse", "verse"],
        [True, True],
        voice=voice,
        lyrics=style.load("english")["sung"],
        manner=MANNER,
        tonic=0,
        scale=MAJOR,
        chord_at=lambda bar: {0, 4, 7},
        rng=np.random.default_rng(1),
    )
    assert all(note.midi % 12 in MAJOR for note in score)
    assert all(0 <= note.midi - voice["register"] <= voice["compass"] for note in score)
    swings = []
    for note in score:
        start, end = grid.at(note.start), grid.at(note.start + note.length)
        sung = x[start + int(0.10 * RATE) : end - int(0.10 * RATE)]
        track = midi_track(sung, note.midi)
        # a quarter of a semitone: drift and the slides into and out of the note
        assert abs(np.median(track) - note.midi) < 0.25, note
        if end - start >= RATE:  # the vibrato begins late
            steady = track[len(track) // 2 :]
            swings.append(np.quantile(steady, 0.95) - np.quantile(steady, 0.05))
    # 0.6 semitones from crest to trough, less what the 46 ms of a frame and the rise smooth away
    assert 0.2 < np.median(swings) < 0.7


def test_vowels_start_with_the_notes():
    words = singing.Words(
        envelope=None,
        vowels=np.array([[0.10, 0.20], [0.30, 0.38]]),
        end=0.50,
        edges=np.array([0.02, 0.10, 0.20, 0.30, 0.38]),
        voicing=np.ones(5),
    )
    sung, spoken = singing.align(words, np.array([1.0, 2.0]), 3.0)
    assert (np.diff(sung) >= 0).all()
    assert (np.diff(spoken) >= 0).all()
    heard = np.interp([0.92, 1.0, 1.5, 1.9, 2.0, 3.0, 3.12], sung, spoken)
    # the consonants keep their speed: 0.08 s before, 0.10 s between and 0.12 s after the vowels
    np.testing.assert_allclose(heard[[0, 1, 3, 4, 5, 6]], [0.02, 0.10, 0.20, 0.30, 0.38, 0.50])
    assert 0.10 < heard[2] < 0.20


def test_the_vocoder_changes_the_pitch_and_keeps_the_formant():
    rate, rng = vocoder.SPEECH_RATE, np.random.default_rng(0)
    pulses = np.zeros(rate)
    pulses[:: rate // 110] = 1.0
    pole = 0.97 * np.exp(2j * np.pi * 1200 / rate)  # one formant at 1200 Hz
    impulse = (pole ** np.arange(400)).imag
    speech = np.convolve(pulses, impulse)[:rate] + 1e-4 * rng.standard_normal(rate)
    assert vocoder.pitch_of(speech, rate) == pytest.approx(110, rel=0.01)
    envelope = vocoder.analyse(speech, rate)
    f0, ones = np.full(RATE, 163.3), np.ones(RATE)
    x = vocoder.voiced(envelope, np.full(RATE, 0.5), f0, ones)
    spectrum = np.abs(np.fft.rfft(x[:RATE] * np.hanning(RATE)))  # a bin is 1 Hz
    partials = [int(spectrum[: 163 * 12][k - 40 : k + 40].argmax()) + k - 40 for k in (163, 327)]
    np.testing.assert_allclose(partials, [163.3, 326.6], atol=1.0)
    # the strongest partial is one of the two on either side of the formant
    assert abs(int(spectrum.argmax()) - 1200) < 163
    assert 163.3 * np.array([7, 8]) == pytest.approx(int(spectrum.argmax()), abs=165)
    larger = vocoder.analyse(speech, rate, size=1.25).log_magnitude[100]
    hz = np.arange(len(larger)) * RATE / vocoder.N_OUT
    assert hz[larger.argmax()] == pytest.approx(1500, abs=120)


def test_pulses_fall_between_samples():
    times = vocoder.pulses(np.full(RATE, 441.3))
    np.testing.assert_allclose(np.diff(times), RATE / 441.3, rtol=1e-9)


def test_rhythm_fills_the_room_and_holds_the_last():
    rng = np.random.default_rng(0)
    for n in (3, 8, 13):
        lengths = melody.rhythm(n, 28, np.ones(n), rng)
        assert len(lengths) == n
        assert sum(lengths) == 28
    assert sum(melody.rhythm(20, 24, np.ones(20), rng)) == 24
    last = [melody.rhythm(8, 28, np.ones(8), rng) for _ in range(50)]
    means = np.mean(last, axis=0)
    assert means[-1] > means[:-1].max()


def test_lines_can_be_sung():
    voice = style.load("english")["voices"][0]
    sung = style.load("english")["sung"]
    lines = sung["lines"] + [line for hook in sung["hooks"] for line in hook]
    assert len(set(lines)) == len(lines)
    for text in lines[::5]:
        assert 5 <= len(singing.pronounce(text, voice).vowels) <= 10, text


@pytest.fixture(scope="module")
def kit():
    return drummer.Kit(style.load("band")["kits"]["studio"], np.random.default_rng(0))


@pytest.mark.parametrize("part", ["kick", "snare", "ride", "crash"])
def test_harder_strokes_are_louder_and_brighter(kit, part):
    def power_and_centre(force):
        x = kit.stroke(part, force, 0)
        power = np.abs(np.fft.rfft(x)) ** 2
        hz = np.fft.rfftfreq(len(x), 1 / RATE)
        return power.sum() / len(x), (power * hz).sum() / power.sum()

    soft, hard = power_and_centre(0.25), power_and_centre(1.0)
    # 10 dB and more between a ghost note and an accent
    assert hard[0] > 10 * soft[0]
    assert hard[1] > 1.05 * soft[1]


def test_no_two_strokes_are_the_same(kit):
    first, second, again = (kit.stroke("snare", 0.9, take) for take in (0, 1, 0))
    n = min(len(first), len(second))
    assert not np.allclose(first[:n], second[:n], atol=0.01)
    np.testing.assert_array_equal(first, again)


def played(seed=0, **hands):
    """Eight bars of an even beat: seconds late and force of each stroke."""
    steady = {"jitter": 0.006, "late": {"snare": 0.01}, "dynamics": 0.1, "weak": 0.7}
    player = drummer._Hands(steady | hands, np.random.default_rng(seed))
    parts = {"snare": 4, "hat": 2}
    return {
        part: np.array([player.play(part, at, 0.8) for at in range(0, 8 * STEPS, every)])
        for part, every in parts.items()
    }


def test_a_drummer_is_no_machine():
    strokes = played()
    late, force = strokes["snare"].T
    assert len(np.unique(force)) == 32
    assert 0.05 < force.std() / 0.8 < 0.2  # asked for: 0.1
    assert 0.003 < late.std() < 0.01  # asked for: 0.006
    assert 0.004 < late.mean() < 0.016  # asked for: 0.010
    force = strokes["hat"][:, 1]
    assert force[1::2].mean() < 0.85 * force[::2].mean()  # asked for: 0.7
    assert np.ptp(played(jitter=0.0, late={})["snare"][:, 0]) == 0.0


def test_sections_end_in_a_fill_and_begin_with_a_crash():
    groove = {key: {"kick": "9...............", "hat": "5" * STEPS} for key in ("verse", "hook")}
    fills = [{"tom1": "8.8.8.8."}]
    sections = ["verse"] * 2 + ["hook"] * 2
    score = drummer.score(sections, [True] * 4, groove, fills, np.random.default_rng(0))
    assert [at for at, part, _ in score if part == "crash"] == [2 * STEPS]
    toms = [at for at, part, _ in score if part == "tom1" and at < 2 * STEPS]
    assert toms == [24.0, 26.0, 28.0, 30.0]
    assert not [at for at, part, _ in score if part == "hat" and 24 <= at < 32]


def test_drums_ring_only_where_they_play():
    facts = style.load("band")
    grid = Grid(RATE, 120, 0.5, 8 * RATE)
    hands = style.draw(np.random.default_rng(0), facts["hands"])
    x, kicks = drummer.perform(
        grid,
        ["verse"] * 4,
        [False, True, False, False],
        kit=facts["kits"]["tight"],
        groove={"verse": {"kick": "9...............", "open": "..9............."}},
        fills=[{"snare": "........"}],
        hands=hands,
        rng=np.random.default_rng(0),
    )
    bar = grid.at(STEPS)
    assert len(kicks) == 1
    # as late or early as a hand is
    assert abs(kicks[0] - bar) < 0.03 * RATE
    # what is left is the rounding of the reverberation's transform
    assert np.abs(x[: bar - int(0.03 * RATE)]).max() < 1e-12
    assert np.abs(x[bar : 2 * bar]).max() > 0.5
    # the room's 0.25 s and the crash's 1.8 s are over
    assert np.abs(x[int(3.2 * bar) :]).max() < 0.005
