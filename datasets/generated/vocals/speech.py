"""Speech from espeak-ng, driven through its C interface."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.util.extras import require

AUDIO_OUTPUT_SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT
DONT_EXIT = 0x8000  # espeak_Initialize returns an error instead of ending the process
PHONEME_EVENTS = 0x0001  # espeak_Initialize: tell when each phoneme starts
RATE, PITCH, RANGE = 1, 3, 4  # espeak_PARAMETER
POSITION_CHARACTER = 1  # espeak_POSITION_TYPE
CHARS_UTF8 = 1
RANDOM_SEED = 1
EVENT_LIST_TERMINATED, EVENT_WORD, EVENT_PHONEME = 0, 1, 7  # espeak_EVENT_TYPE
STRESS = "',%=\""  # marks before a phoneme's name


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h; its last field is a union of 8 bytes."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)
_lock = threading.Lock()


@dataclass(frozen=True)
class Utterance:
    """What the library spoke.

    Attributes
    ----------
    samples : np.ndarray [shape=(n_samples,)]
        The waveform, in -1..1.
    sample_rate : int
        Its sampling rate in Hz.
    words : tuple of (int, int)
        For each word, the sample at which it starts and the index of its first character.
    phonemes : tuple of (int, str)
        For each phoneme, the sample at which it starts and its name in espeak-ng, without stress;
        empty if they weren't asked for.
    """

    samples: np.ndarray
    sample_rate: int
    words: tuple[tuple[int, int], ...]
    phonemes: tuple[tuple[int, str], ...] = ()


@contextmanager
def _fresh_library(options: int) -> Iterator[tuple[ctypes.CDLL, int]]:
    """Load and initialise the library, yield it and its sampling rate, and unload it.

    Two things would make an utterance depend on more than its arguments. The phase of the
    flutter survives ``espeak_Terminate``, hence the unloading (loading takes less than a
    millisecond). The noise of breathy voices is seeded with the time of day, hence our seed.
    """
    import _ctypes  # the only place where ctypes offers to unload

    require("speech", "espeakng_loader")
    import espeakng_loader

    try:
        data = os.fsencode(espeakng_loader.get_data_path())
        library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
    except OSError as error:
        raise HiphopssError(
            f"espeak-ng can't be loaded ({error}): pip install --force-reinstall espeakng-loader"
        ) from error
    try:
        sample_rate = library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, data, options)
        if sample_rate <= 0:
            raise HiphopssError(
                "espeak-ng can't read its voices: pip install --force-reinstall espeakng-loader"
            )
        try:
            library.espeak_ng_SetRandSeed(ctypes.c_long(RANDOM_SEED))
            yield library, sample_rate
        finally:
            library.espeak_Terminate()
    finally:
        if sys.platform == "win32":
            _ctypes.FreeLibrary(library._handle)
        else:
            _ctypes.dlclose(library._handle)


def speak(
    text: str, *, voice: str, rate: int, pitch: int, pitch_range: int, phonemes: bool = False
) -> Utterance:
    """Speak a text; the same arguments give the same samples, whatever was spoken before.

    Parameters
    ----------
    text : str
        What to say.
    voice : str
        Name of an espeak-ng voice, such as ``"es-419+m3"`` (language and variant).
    rate : int
        Speed in words a minute, 80..450.
    pitch, pitch_range : int
        Base pitch and liveliness of the intonation, 0..100; 50 is as the voice file has it.
    phonemes : bool
        Tell where each phoneme starts, too.

    Returns
    -------
    utterance : Utterance

    Raises
    ------
    HiphopssError
        If the library, its data or the language is missing.
    """
    chunks: list[np.ndarray] = []
    words: list[tuple[int, int]] = []
    sounds: list[tuple[int, str]] = []

    @_CALLBACK
    def collect(samples: Any, count: int, events: Any) -> int:
        if count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != EVENT_LIST_TERMINATED:
            if events[index].type == EVENT_WORD:
                words.append((events[index].sample, events[index].text_position - 1))
            elif events[index].type == EVENT_PHONEME:
                name = events[index].id.decode("utf-8", "replace").lstrip(STRESS)
                sounds.append((events[index].sample, name))
            index += 1
        return 0

    encoded = text.encode() + b"\0"
    options = DONT_EXIT | PHONEME_EVENTS if phonemes else DONT_EXIT
    with _lock, _fresh_library(options) as (library, sample_rate):
        library.espeak_SetSynthCallback(collect)
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise HiphopssError(f"espeak-ng has no voice {voice!r}: name one that it has")
        for parameter, value in ((RATE, rate), (PITCH, pitch), (RANGE, pitch_range)):
            library.espeak_SetParameter(parameter, value, 0)
        library.espeak_Synth(
            encoded, len(encoded), 0, POSITION_CHARACTER, 0, CHARS_UTF8, None, None
        )
    samples = np.concatenate(chunks) / 32768.0
    return Utterance(samples, sample_rate, tuple(words), tuple(sounds))
