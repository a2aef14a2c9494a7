"""Tiny songs, made on the spot, and what tests of several rooms ask of files and of the log."""

import json
import logging
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

RATE = 44100


def noise(n_samples, seed, level=0.1):
    """Coloured noise that swells, so that patches differ; `[shape=(n_samples,)]`."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal(n_samples + 50)
    colour = np.hanning(3 + seed % 7 * 8)
    coloured = np.convolve(white, colour / np.linalg.norm(colour), "same")[:n_samples]
    return level * coloured * (0.2 + np.abs(np.sin(np.arange(n_samples) / 9000 + seed)))


def looped(n_copies=6, seconds=2, voice=0.16):
    """A loop of noise under noise that does not repeat, as a voice `[shape=(n_samples,)]`."""
    loop = noise(seconds * RATE, 3, 0.2)
    return np.tile(loop, n_copies) + noise(n_copies * len(loop), 4, voice)


def write_song(root, subset, name, stems, *, gain=1.0, rate=RATE):
    """Write a song in the layout of DSD100; ``stems`` maps sources to waveforms."""
    folder = root / "Sources" / subset / name
    folder.mkdir(parents=True)
    for source, stem in stems.items():
        soundfile.write(folder / f"{source}.wav", stem, rate, subtype="FLOAT")
    folder = root / "Mixtures" / subset / name
    folder.mkdir(parents=True)
    mixture = gain * sum(stems.values())
    soundfile.write(folder / "mixture.wav", mixture, rate, subtype="FLOAT")


def read_json(path):
    return json.loads(Path(path).read_text("utf-8"))


@contextmanager
def warned(pattern):
    """The body logs a warning in which this is found; gives the list of all messages."""
    messages = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger("hiphopss")
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
    assert any(re.search(pattern, message) for message in messages), messages


@contextmanager
def told(at_each=lambda: None):
    """Gives the list of all messages that the body logs, from the level INFO."""
    messages = []
    handler = logging.Handler(logging.INFO)

    def emit(record):
        messages.append(record.getMessage())
        at_each()

    handler.emit = emit
    logger = logging.getLogger("hiphopss")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextmanager
def nothing_warned():
    """The body logs no warning."""
    with warned("") as messages:
        yield
        assert not messages
        messages.append("")
