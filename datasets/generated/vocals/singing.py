"""Sung verses and hooks: speech put to a melody by the vocoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hiphopss.datasets.generated.effects import RATE, normalise
from hiphopss.datasets.generated.grid import STEPS, Grid
from hiphopss.datasets.generated.tones import add, hertz
from hiphopss.datasets.generated.vocals.melody import Note, Singable, compose, rhythm
from hiphopss.datasets.generated.vocals.speech import speak
from hiphopss.datasets.generated.vocals.vocoder import Envelope, analyse, unvoiced, voiced

# espeak-ng's names of English phonemes, by their first letter
VOWELS = frozenset("aAeEiIoO0uUV@3")
BREATHED = frozenset("ptkfTsSh_?")  # no voice in them
BUZZED = frozenset("vzDZ")  # voice and noise
BUZZ = 0.5

RATE_OF_SPEECH = 150  # words a minute: slow enough for clear consonants
INTONATION = 15  # of espeak-ng's 0..100; the envelope is cleaner of an even voice
LINE_BARS = 2
CONTROL = 441  # samples between values of what moves slowly
CONSONANTS = 0.6  # largest share of a note that the next note's consonants take
EDGE = 0.03  # seconds at both ends of a vowel that aren't stretched
RELEASE = 0.09  # seconds that a line's last note fades
GLIDE = 0.018  # seconds, standard deviation of the slide between notes
LATE_DOUBLE, LATE_HARMONY = 0.016, 0.009  # seconds
DETUNE = 0.07  # semitones between takes
VIBRATO_DELAY, VIBRATO_RISE = 0.22, 0.25  # seconds


@dataclass(frozen=True)
class Words:
    """A line of a song, spoken.

    Attributes
    ----------
    envelope : Envelope
    vowels : np.ndarray [shape=(n_syllables, 2)]
        Where in the speech each syllable's vowel starts and ends, in seconds.
    end : float
        Where the speech ends.
    edges, voicing : np.ndarray [shape=(n_phonemes,)]
        Where each phoneme starts, and how much of it is voice, 0..1.
    """

    envelope: Envelope
    vowels: np.ndarray
    end: float
    edges: np.ndarray
    voicing: np.ndarray


def _voicing(phoneme: str) -> float:
    if phoneme[:1] in BREATHED:
        return 0.0
    return BUZZ if phoneme[:1] in BUZZED else 1.0


def pronounce(text: str, voice: dict[str, Any]) -> Words:
    """Let a voice speak a line, and find its vowels.

    Parameters
    ----------
    text : str
    voice : dict
        One of the language's ``voices``.
    """
    spoken = speak(
        text,
        voice=voice["espeak"],
        rate=RATE_OF_SPEECH,
        pitch=voice["pitch"],
        pitch_range=INTONATION,
        phonemes=True,
    )
    envelope = analyse(spoken.samples, spoken.sample_rate, size=voice["size"])
    heard = [(at / spoken.sample_rate, name) for at, name in spoken.phonemes]
    ends = [at for at, _ in heard[1:]] + [len(spoken.samples) / spoken.sample_rate]
    vowels = [
        (at, end)
        for (at, name), end in zip(heard, ends, strict=True)
        if name[:1] in VOWELS and end > at
    ]
    pauses = [at for at, name in heard if name.startswith("_") and at > vowels[-1][0]]
    return Words(
        envelope,
        np.array(vowels),
        min([ends[-1], *pauses]),
        np.array([at for at, _ in heard]),
        np.array([_voicing(name) for _, name in heard]),
    )


def align(words: Words, onsets: np.ndarray, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Which moment of the speech is sung when: vowels start with the notes and are stretched.

    Parameters
    ----------
    words : Words
    onsets : np.ndarray [shape=(n_syllables,)]
        Seconds at which the notes start.
    end : float
        Where the last one ends.

    Returns
    -------
    sung, spoken : np.ndarray [shape=(n_anchors,)]
        Seconds; between anchors both run evenly.
    """
    starts, ends = words.vowels.T
    lead = starts[0] - words.edges[0]
    sung, spoken = [onsets[0] - lead], [words.edges[0]]
    for turn, (start, stop) in enumerate(words.vowels):
        last = turn == len(starts) - 1
        limit = end if last else onsets[turn + 1]
        consonants = 0.0 if last else starts[turn + 1] - stop
        consonants = min(consonants, CONSONANTS * (limit - onsets[turn]))
        stop_sung = limit - consonants
        edge = min(EDGE, (stop - start) / 3, (stop_sung - onsets[turn]) / 3)
        sung += [onsets[turn], onsets[turn] + edge, stop_sung - edge, stop_sung]
        spoken += [start, start + edge, stop - edge, stop]
    if words.end > ends[-1]:
        sung.append(end + words.end - ends[-1])
        spoken.append(words.end)
    return np.array(sung), np.array(spoken)


def _pitch(
    times: np.ndarray,
    onsets: np.ndarray,
    midi: np.ndarray,
    manner: dict[str, Any],
    rng: np.random.Generator,
) -> np.ndarray:
    """MIDI pitch at each time: slides between notes, vibrato on long ones, a slow drift."""
    turn = np.clip(np.searchsorted(onsets, times, "right") - 1, 0, len(midi) - 1)
    step = times[1] - times[0]
    reach = int(4 * GLIDE / step) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / GLIDE) ** 2)
    level = np.convolve(np.pad(midi[turn], reach, mode="edge"), kernel / kernel.sum(), "valid")
    held = times - onsets[turn] - VIBRATO_DELAY
    depth = manner["vibrato_depth"] * np.clip(held / VIBRATO_RISE, 0, 1)
    phase = 2 * np.pi * manner["vibrato_hz"] * times + rng.uniform(0, 2 * np.pi)
    drift = np.convolve(rng.standard_normal(len(times) + 40), np.ones(41) / 41, "valid")
    return level + depth * np.sin(phase) + manner["drift"] * drift


def sing(
    words: Words,
    onsets: np.ndarray,
    end: float,
    midi: np.ndarray,
    *,
    manner: dict[str, float],
    breath: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, float]:
    """Sing one line.

    Parameters
    ----------
    words, onsets, end
        As of :func:`align`.
    midi : np.ndarray [shape=(n_syllables,)]
        The notes' pitches.
    manner : dict
        ``vibrato_hz``, ``vibrato_depth`` and ``drift`` (in semitones).
    breath : float
        Noise in the voice, relative to its tone.
    rng : np.random.Generator

    Returns
    -------
    x : np.ndarray [shape=(n_samples,)]
    begin : float
        Second at which ``x`` starts.
    """
    sung, spoken = align(words, onsets, end)
    begin = sung[0]
    n = int((sung[-1] - begin + RELEASE) * RATE)
    times = begin + np.arange(0, n + CONTROL, CONTROL) / RATE
    samples = np.arange(n) / CONTROL
    source = np.interp(begin + np.arange(n) / RATE, sung, spoken)
    control = np.interp(times, sung, spoken)
    turn = np.clip(np.searchsorted(words.edges, control, "right") - 1, 0, len(words.edges) - 1)
    voicing = np.convolve(np.pad(words.voicing[turn], 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    voicing = np.interp(samples, np.arange(len(times)), voicing)
    pitch = _pitch(times, onsets, np.asarray(midi, float), manner, rng)
    f0 = hertz(np.interp(samples, np.arange(len(times)), pitch))
    fade = np.clip((sung[-1] + RELEASE - begin - np.arange(n) / RATE) / RELEASE, 0, 1)
    tone = voiced(words.envelope, source, f0, voicing * fade)
    hiss = unvoiced(words.envelope, source, (1 - voicing) * fade, breath * voicing * fade, rng)
    return tone + hiss, begin


@dataclass(frozen=True)
class Phrase:
    """A line of a song.

    Attributes
    ----------
    bar, bars : int
        In which bar it starts, and how many it has.
    text : str
    hook : bool
        Whether it belongs to a hook.
    """

    bar: int
    bars: int
    text: str
    hook: bool


class Singer:
    """A voice with a song's key, chords and beat.

    Parameters
    ----------
    voice : dict
        One of the language's ``voices``; ``register`` is its lowest note.
    manner : dict
        Drawn from the style: how it sings.
    grid : Grid
    tonic, scale
        As of :class:`~hiphopss.datasets.generated.vocals.melody.Singable`.
    rng : np.random.Generator
    """

    def __init__(
        self,
        voice: dict[str, Any],
        manner: dict[str, Any],
        grid: Grid,
        tonic: int,
        scale: list[int],
        rng: np.random.Generator,
    ):
        self.voice, self.manner, self.grid, self.rng = voice, manner, grid, rng
        self.singable = Singable(tonic, scale, voice["register"], voice["compass"])
        self._words: dict[str, Words] = {}

    def words(self, text: str) -> Words:
        """The line, spoken once."""
        if text not in self._words:
            self._words[text] = pronounce(text, self.voice)
        return self._words[text]

    def line(self, phrase: Phrase, chord_at: Callable[[int], set[int]], tune: int) -> list[Note]:
        """Compose a line.

        Parameters
        ----------
        phrase : Phrase
        chord_at : callable
            Gives the pitch classes of a bar's chord.
        tune : int
            The song's; lines of a verse share two tunes, and those of a hook two others.
        """
        manner, words = self.manner, self.words(phrase.text)
        rng = np.random.default_rng([tune, phrase.hook, phrase.bar // LINE_BARS % 2])
        vowels = words.vowels[:, 1] - words.vowels[:, 0]
        room = phrase.bars * STEPS - manner["offset"] - manner["rest"]
        lengths = rhythm(len(vowels), max(room, len(vowels)), vowels, rng)
        centre = manner["hook_height"] if phrase.hook else manner["verse_height"]
        start = phrase.bar * STEPS + manner["offset"]
        return compose(lengths, start, self.singable, chord_at, centre=centre, rng=rng)

    def take(self, text: str, notes: list[Note], *, detune: float = 0.0) -> tuple[np.ndarray, int]:
        """Sing a line.

        Parameters
        ----------
        text : str
        notes : list of Note
            One for each syllable.
        detune : float
            Semitones that this take is sharp.

        Returns
        -------
        x : np.ndarray [shape=(n_samples,)]
        start : int
            Sample of the song at which ``x`` starts.
        """
        onsets = np.array([self.grid.at(note.start) / RATE for note in notes])
        end = self.grid.at(notes[-1].start + notes[-1].length) / RATE
        midi = np.array([note.midi for note in notes]) + detune
        x, begin = sing(
            self.words(text),
            onsets,
            end,
            midi,
            manner=self.manner,
            breath=self.voice["breath"],
            rng=self.rng,
        )
        return x, round(begin * RATE)

    def above(self, notes: list[Note]) -> list[Note]:
        """The same line a third higher."""
        return [replace(note, midi=self.singable.third_above(note.midi)) for note in notes]


def _script(
    sections: list[str], bars: list[bool], lyrics: dict[str, Any], rng: np.random.Generator
) -> list[Phrase]:
    """The lines of a song: the hook's in hooks, new ones elsewhere."""
    hook = lyrics["hooks"][rng.integers(len(lyrics["hooks"]))]
    lines = [lyrics["lines"][turn] for turn in rng.permutation(len(lyrics["lines"]))]
    script: list[Phrase] = []
    bar = said = 0
    while bar < len(bars):
        together = zip(sections[bar : bar + LINE_BARS], bars[bar : bar + LINE_BARS], strict=True)
        span = LINE_BARS if [*together] == [(sections[bar], True)] * LINE_BARS else 1
        if bars[bar] and sections[bar] == "hook":
            script.append(Phrase(bar, span, hook[bar // LINE_BARS % len(hook)], hook=True))
        elif bars[bar]:
            script.append(Phrase(bar, span, lines[said % len(lines)], hook=False))
            said += 1
        bar += span
    return script


def perform(
    grid: Grid,
    sections: list[str],
    bars: list[bool],
    *,
    voice: dict[str, Any],
    lyrics: dict[str, Any],
    manner: dict[str, float],
    tonic: int,
    scale: list[int],
    chord_at: Callable[[int], set[int]],
    rng: np.random.Generator,
) -> tuple[np.ndarray, list[Note]]:
    """Sing a song: a line every two bars, in hooks with a second take and a third above.

    Parameters
    ----------
    grid : Grid
    sections, bars
        As of :func:`hiphopss.datasets.generated.vocals.rap.perform`.
    voice, tonic, scale, rng
        As of :class:`Singer`.
    lyrics : dict
        Gives the ``lines`` and ``hooks``.
    manner : dict
        Drawn from the style: vibrato, drift, where lines lie, levels of the other takes.
    chord_at : callable
        As of :meth:`Singer.line`.

    Returns
    -------
    x : np.ndarray [shape=(n_samples,)]
    score : list of Note
        What the lead sings.
    """
    singer = Singer(voice, manner, grid, tonic, scale, rng)
    tune = int(rng.integers(2**31))
    out = np.zeros(grid.n_samples)
    score: list[Note] = []
    for phrase in _script(sections, bars, lyrics, rng):
        notes = singer.line(phrase, chord_at, tune)
        score += notes
        add(out, *singer.take(phrase.text, notes))
        if phrase.hook:
            for gain, late, line in (
                (manner["double"], LATE_DOUBLE, notes),
                (manner["harmony"], LATE_HARMONY, singer.above(notes)),
            ):
                x, start = singer.take(phrase.text, line, detune=DETUNE)
                add(out, gain * x, start + int(late * RATE))
    return normalise(out), score
