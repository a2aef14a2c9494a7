"""What was found, in numbers and in words."""

from types import SimpleNamespace

import numpy as np
import pytest

from hiphopss.loops.agreement import BINS, Agreement, Features
from hiphopss.loops.found import Found, found
from hiphopss.loops.period import Period

RATE, PER_STEP = 44100, 40
HOP_S = 2.0 / PER_STEP  # a step of two seconds: a bar at 120 beats a minute


def spectra(n_frames, seed):
    rng = np.random.default_rng(seed)
    parts = rng.standard_normal((2, n_frames, len(BINS)))
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


def sum_up(values, n_steps=2, seconds=2.0, start_s=0.0):
    masks = np.zeros((4, *values.shape), np.uint8)
    masks[1] = 255
    n = (len(values) - 2) // PER_STEP
    steps = range(1, n + 1)
    agreement = Agreement(
        Features(values, masks, PER_STEP), steps, voice_apart=0.6, voice_alike=0.85
    )
    period = Period(RATE * seconds, n_steps, 0.9)
    return found(period, agreement, sample_rate=RATE, hop_s=HOP_S, start_s=start_s)


LOOP = spectra(PER_STEP, 0)


def test_a_song_of_copies():
    told = sum_up(np.tile(LOOP, (5, 1)))
    assert told.loop_s == 4.0
    assert told.beats_a_minute == pytest.approx(120)
    assert told.likeness == 0.9
    assert told.copies == pytest.approx(5, abs=0.05)
    assert told.covered == 1
    assert told.spans == ((0.0, 10.0),)
    line = "120.0 beats a minute, loop of 2 bars, 5.0 copies, 100 % of the song"
    assert told.describe() == line


def test_a_break_is_between_spans():
    loops = np.tile(LOOP, (3, 1))
    pause = spectra(2 * PER_STEP, 1)  # 4 seconds
    told = sum_up(np.concatenate([loops, pause, loops]), start_s=100.0)
    first, second = told.spans
    # smoothing blurs the ends by less than a second
    assert first == (100.0, pytest.approx(106, abs=0.8))
    assert second == (pytest.approx(110, abs=0.8), 116.0)
    assert told.copies == pytest.approx(6, abs=0.4)
    assert told.covered == pytest.approx(12 / 16, abs=0.1)


@pytest.mark.parametrize(("gap", "n_spans"), [(10, 1), (30, 2)])
def test_a_short_gap_is_not_told(gap, n_spans):
    values = np.ones((200, 20), np.float32)
    values[100 : 100 + gap] = 0
    agreement = SimpleNamespace(
        n_frames=200, signed_steps=lambda: [1], of=lambda step, first, last: values[first:last]
    )
    period = Period(RATE * 2.0, 1, 0.9)
    told = found(period, agreement, sample_rate=RATE, hop_s=HOP_S, start_s=0.0)
    assert told.covered == pytest.approx(1 - gap / 200)
    begins = (0.0, 5 + gap * HOP_S) if n_spans == 2 else (0.0,)
    assert told.spans == tuple(zip(begins, (5.0, 10.0)[-n_spans:], strict=True))


def test_a_song_without_copies():
    told = sum_up(spectra(3 * PER_STEP, 2))
    assert (told.copies, told.covered, told.spans) == (1, 0, ())


@pytest.mark.parametrize(
    ("seconds", "tempo", "bars"),
    [(2.0, 120, 1), (1.0, 120, 0.5), (4.0, 120, 2), (3.2, 75, 1), (240 / 139, 139, 1)],
)
def test_tempo_is_between_70_and_140(seconds, tempo, bars):
    told = sum_up(np.tile(LOOP, (3, 1)), n_steps=1, seconds=seconds)
    assert told.beats_a_minute == pytest.approx(tempo)
    assert told.n_bars == pytest.approx(bars)


def test_one_bar_in_words():
    one = Found(2.0, 120.0, 0.5, 3.25, 0.456, ())
    assert one.describe() == "120.0 beats a minute, loop of 1 bar, 3.2 copies, 46 % of the song"
