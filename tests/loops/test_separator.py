"""Whole songs of loops, with a network that is not one."""

import tempfile
from dataclasses import dataclass, replace

import numpy as np
import pytest
from helpers.loop_songs import periodic, sdr

from hiphopss.config import SignalConfig
from hiphopss.loops import separator as room
from hiphopss.loops.beat import Constants
from hiphopss.loops.separator import LoopSeparator
from hiphopss.separation.separator import separate_blocks

RATE = 11025  # a quarter of the usual one, so that songs are as long in frames, and quick
# float32 sums of some numbers of about 1, after a transform and back
ROUNDING = 1e-5


def noise(n_samples, seed, n_channels=1):
    return np.random.default_rng(seed).standard_normal((n_samples, n_channels)).astype(np.float32)


ANY_VOICE = replace(Constants(), voice_apart=2.0, voice_alike=3.0)
"""Constants with which a voice may repeat, as that of these networks does."""


def beat(seconds, step_s=2.0, rate=RATE, n_channels=1, highest=500):
    """A burst of noise that comes back every ``step_s`` `[shape=(n_samples, n_channels)]`."""
    n_samples, period = round(seconds * rate), step_s * rate
    channels = [periodic(period, n_samples, n, band=highest / rate) for n in range(n_channels)]
    swell = 0.3 + np.abs(np.sin(np.pi * np.arange(n_samples) / period))
    return (0.2 * np.stack(channels, axis=1) * swell[:, None]).astype(np.float32)


def voice(n_samples, rate=RATE, n_channels=1):
    """Swelling noise that does not come back."""
    swell = np.abs(np.sin(np.arange(n_samples) / rate * 2.3))[:, None]
    return (0.15 * swell * noise(n_samples, 5) * np.linspace(0.5, 1, n_channels)).astype(np.float32)


QUARTER = SignalConfig(sample_rate=RATE)


@dataclass
class Fractions:
    """In place of a network: each source is a share of the mixture, and no voice is heard."""

    shares: tuple[float, ...] = (0, 0.25, 0.25, 0.5)  # exact in floating point
    config: SignalConfig = QUARTER

    def stems(self, blocks, progress=None):
        for block in blocks:
            if progress:
                progress(len(block))
            yield np.array(self.shares, np.float32)[:, None, None] * block


@dataclass
class Vague:
    """In place of a network: hears much of the beat in the voice, and the other way round."""

    voice: np.ndarray  # of one channel
    config: SignalConfig

    def stems(self, blocks, progress=None):
        at = 0
        for block in blocks:
            true = self.voice[at : at + len(block)]
            at += len(block)
            heard = 0.8 * true + 0.35 * (block - true)
            if progress:
                progress(len(block))
            yield np.stack([heard] + [(block - heard) * share for share in (0.5, 0.3, 0.2)])


def blocks_of(song, size=10_000):
    return [song[first : first + size] for first in range(0, len(song), size)]


def together(stems):
    """All blocks of stems `[shape=(n_sources, n_samples, n_channels)]`."""
    return np.concatenate(list(stems), axis=1)


@pytest.fixture
def files(monkeypatch):
    """All temporary files that are opened."""
    made, opened = tempfile.TemporaryFile, []

    def opening(*arguments, **more):
        opened.append(made(*arguments, **more))
        return opened[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", opening)
    return opened


def test_the_voice_over_a_loop_in_stereo():
    rate = 44100
    loop = beat(12, rate=rate, n_channels=2, highest=15_000)
    sung = voice(len(loop), rate, 2)
    song = loop + sung
    network = Vague(sung.mean(axis=1, keepdims=True), SignalConfig())
    separator = LoopSeparator(network)
    told = []
    stems = together(separator.stems(blocks_of(song), told.append))
    assert stems.shape == (4, *song.shape)
    np.testing.assert_allclose(stems.sum(axis=0), song, atol=ROUNDING)
    assert sum(told) == len(song)
    assert min(told) >= 0
    mono = song.mean(axis=1, keepdims=True)
    alone = together(network.stems([mono]))
    before = sdr(network.voice, alone[0])
    after = sdr(network.voice, stems[0].mean(axis=1, keepdims=True))
    assert after > before + 3
    assert sdr(loop, stems[1:].sum(axis=0)) > sdr(loop, song) + 4  # in both channels
    (loops,) = separator.found
    assert loops.loop_s == pytest.approx(2, abs=1e-5)
    assert loops.covered > 0.95
    assert loops.copies > 4


@pytest.mark.parametrize("rate", [11025, 11027])
def test_a_period_is_right_at_any_rate(rate):
    separator = LoopSeparator(Fractions(config=SignalConfig(sample_rate=rate)))
    together(separator.stems([beat(20, 2.1, rate)]))
    assert separator.found[0].loop_s * rate == pytest.approx(2.1 * rate, abs=0.1)


def test_blocks_of_any_size_give_the_same():
    song = beat(9)[:-123]
    song += voice(len(song))
    network = Vague(voice(len(song)), QUARTER)
    whole = together(LoopSeparator(network).stems([song]))
    assert whole.shape == (4, *song.shape)
    sizes = np.random.default_rng(0).integers(0, 20_000, 30)
    pieces = np.split(song, np.cumsum(sizes)[np.cumsum(sizes) < len(song)])
    np.testing.assert_array_equal(together(LoopSeparator(network).stems(pieces)), whole)


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("n_samples", [1, 2, 3000, 5 * RATE])
def test_a_song_without_loops_has_the_stems_of_the_network(n_samples, n_channels, files):
    song = noise(n_samples, 1, n_channels)
    network, told = Fractions(), []
    separator = LoopSeparator(network)
    stems = together(separator.stems([song], told.append))
    assert sum(told) == n_samples
    assert separator.found == [None]
    np.testing.assert_array_equal(stems, together(network.stems([song])))
    assert all(file.closed for file in files)


def test_no_samples_have_empty_stems():
    separator = LoopSeparator(Fractions())
    stems = together(separator.stems([np.zeros((0, 2), np.float32)]))
    assert stems.shape == (4, 0, 2)  # as the network gives them
    assert separator.found == [None]
    assert list(separator.stems([])) == []
    assert separator.found == []


def test_a_long_song_in_parts(monkeypatch):
    monkeypatch.setattr(room, "_MOST_SECONDS", 8.0)
    monkeypatch.setattr(room, "_FADE_SECONDS", 1.0)
    # loops, and a part in which nothing repeats
    loops, other = beat(16), 0.2 * noise(8 * RATE, 7)
    song = np.concatenate([loops, other])
    song += voice(len(song))
    separator, told = LoopSeparator(Fractions()), []
    stems = together(separator.stems(blocks_of(song), told.append))
    assert stems.shape == (4, *song.shape)
    np.testing.assert_allclose(stems.sum(axis=0), song, atol=ROUNDING)
    assert sum(told) == len(song)
    assert [part is not None for part in separator.found] == [True, True, False]
    assert separator.found[1].spans[0][0] >= 7  # counted from the beginning of the song
    # what no other part is faded with is as the network gives it
    last = together(Fractions().stems([song[17 * RATE :]]))
    np.testing.assert_array_equal(stems[:, 17 * RATE :], last)


def test_parts_fade_into_each_other(monkeypatch):
    """A slow wave in place of the stems shows where they meet."""
    monkeypatch.setattr(room, "_MOST_SECONDS", 8.0)
    monkeypatch.setattr(room, "_FADE_SECONDS", 1.0)
    levels = iter([0.0, 1.0, 0.25])

    def constant(self, part, *others):
        level = next(levels)
        for piece in room.pieces(part):
            yield np.full((4, *piece.shape), level, np.float32)

    monkeypatch.setattr(LoopSeparator, "_part", constant)
    stems = together(LoopSeparator(Fractions()).stems([beat(24)]))
    found = stems[0, :, 0]
    fade = np.interp(np.arange(24 * RATE) + 0.5, np.array([7, 9, 15, 17]) * RATE, [0, 1, 1, 0.25])
    np.testing.assert_allclose(found, fade, atol=1e-4)


def test_whoever_stops_listening_leaves_no_files(files):
    stems = LoopSeparator(Fractions()).stems([beat(9)])
    next(stems)
    assert len(files) == 3
    stems.close()
    assert all(file.closed for file in files)


@pytest.mark.parametrize("share", [0.1, 0.8])
def test_an_error_while_progress_is_told_leaves_no_files(share, files):
    song, done = beat(9), 0

    def tell(n_samples):
        nonlocal done
        done += n_samples
        if done > share * len(song):
            raise KeyError("stopped")

    with pytest.raises(KeyError, match="stopped"):
        together(LoopSeparator(Fractions()).stems([song], tell))
    assert files
    assert all(file.closed for file in files)


@pytest.mark.parametrize("n_channels", [1, 2])
def test_silence_at_both_ends(n_channels):
    quiet = np.zeros((2 * RATE, n_channels), np.float32)
    loop = beat(10, n_channels=n_channels)
    song = np.concatenate([quiet, loop + voice(len(loop), n_channels=n_channels), quiet])
    sung = np.concatenate([quiet, voice(len(loop), n_channels=n_channels), quiet])
    network = Vague(sung.mean(axis=1, keepdims=True), QUARTER)
    separator = LoopSeparator(network, ANY_VOICE)
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        stems = together(separator.stems(blocks_of(song)))
    assert separator.found[0]
    np.testing.assert_allclose(stems.sum(axis=0), song, atol=ROUNDING)  # nor is there a NaN
    assert np.abs(stems[:, : RATE // 2]).max() < 1e-10
    assert np.abs(stems[:, -RATE // 2 :]).max() < 1e-10


@pytest.mark.parametrize("rate", [8000, 16_000])
def test_songs_at_other_rates(rate):
    song = beat(10, rate=rate, n_channels=2)
    separator = LoopSeparator(Fractions(), ANY_VOICE)
    stems = together(separate_blocks(separator, blocks_of(song), rate))
    assert stems.shape == (4, *song.shape)
    assert separator.found[0].loop_s == pytest.approx(2, abs=1e-4)
    if rate < RATE:  # else what is above half of the network's rate is lost
        assert sdr(song, stems.sum(axis=0)) > 40
