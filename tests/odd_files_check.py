"""Check, by hand, that odd audio files are read as an independent decoder reads them.

    python tests/odd_files_check.py FOLDER

reads every audio file below a folder, such as the unpacked source packages of mutagen, tinytag,
audioread, soundfile and pytaglib, whose tests hold files of many programs. It needs PyAV, which
brings FFmpeg's libraries (``pip install av``). For each file it prints what was found:

- ``same``: as many samples, and the same up to rounding
- ``ends``: the same samples, but one of the two keeps silence at an end that encoders or decoders
  add (how many samples at the beginning and at the end is told; negative where ours are fewer)
- ``refused``: one line that says why
- ``DIFFERS``: anything else, with status 1
"""

import logging
import sys
import warnings
from pathlib import Path

import numpy as np

from hiphopss import HiphopssError
from hiphopss.signal import reading

SUFFIXES = (
    *reading.AUDIO_SUFFIXES,
    *reading.FFMPEG_SUFFIXES,
    *(".mp1", ".mp2", ".3g2", ".spx", ".ofr", ".ofs", ".ogv", ".aax", ".sph", ".xm", ".mid"),
)
_MOST_PADDING = 5000  # samples that codecs add at an end: AAC has frames of 1024 or 2048
_LEAST_LIKENESS = 0.99  # correlation; FFmpeg's decoder of Opus resamples speech in its own way
_FRAME = 1152  # samples; of the first and last frames of what was cut, decoders make what they like


def by_pyav(path):
    """Samples `[shape=(n_samples, n_channels)]` and rate of the first audio stream."""
    import av

    blocks = []
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        try:
            for frame in container.decode(stream):
                block = frame.to_ndarray()
                if not frame.format.is_planar:
                    block = block.reshape(-1, frame.layout.nb_channels).T
                scale = {"u1": 128, "i2": 2**15, "i4": 2**31}.get(block.dtype.str[1:], 1)
                middle = 128 if scale == 128 else 0
                blocks.append((block.astype(np.float64) - middle) / scale)
        except av.error.FFmpegError:
            if not blocks:
                raise
        rate = stream.rate
    n_channels = min(len(block) for block in blocks)
    return np.concatenate([block[:n_channels] for block in blocks], axis=1).T, rate


def compared(ours, theirs):
    """Say how two arrays of samples differ."""
    if ours.shape[1] != theirs.shape[1]:
        return "DIFFERS", f"{ours.shape[1]} channels, not {theirs.shape[1]}"
    facts = f"{len(ours)} samples, PyAV {len(theirs)}"
    a, b = ours.mean(axis=1), theirs.mean(axis=1)
    if not a.any() or not b.any():
        silent = not a.any() and not b.any() and abs(len(a) - len(b)) <= _MOST_PADDING
        return ("same" if silent else "DIFFERS"), f"{facts}, silent"
    lag = best_lag(a, b)
    n = min(len(a) - max(lag, 0), len(b) - max(-lag, 0))
    a, b = a[max(lag, 0) :][:n], b[max(-lag, 0) :][:n]
    if n > 4 * _FRAME:
        a, b = a[_FRAME:-_FRAME], b[_FRAME:-_FRAME]
    likeness = a @ b / np.sqrt((a @ a) * (b @ b) or 1)
    facts += f", likeness {likeness:.5f}"
    tail = len(ours) - len(theirs) - lag
    if likeness < _LEAST_LIKENESS:
        return "DIFFERS", facts
    if lag == tail == 0:
        return "same", facts
    kind = "ends" if max(abs(lag), abs(tail)) <= _MOST_PADDING else "DIFFERS"
    return kind, f"{facts}, {lag:+d} at the beginning, {tail:+d} at the end"


def best_lag(a, b):
    """By how many samples ``a`` is later than ``b``, of at most the largest padding."""
    size = 1 << (2 * max(len(a), len(b)) - 1).bit_length()
    spectrum = np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size))
    likeness = np.fft.irfft(spectrum, size)
    lags = np.r_[0 : _MOST_PADDING + 1, -_MOST_PADDING:0]
    found = likeness[lags % size]
    # Of equal ones, as with tones, none is best.
    return 0 if found[0] > _LEAST_LIKENESS * found.max() else int(lags[np.argmax(found)])


def outcome(path):
    """What happens to a file, and facts."""
    try:
        audio = reading.read(path)
    except HiphopssError as error:
        line = str(error).replace(str(path), path.name)
        try:
            theirs, rate = by_pyav(path)
            line += f" [PyAV: {len(theirs)} samples of {rate} Hz]"
        except Exception as other:
            line += f" [PyAV: {type(other).__name__}]"
        return ("refused" if "\n" not in line else "DIFFERS"), line
    try:
        theirs, rate = by_pyav(path)
    except Exception as error:  # PyAV raises many kinds
        return "alone", f"{len(audio.waveform)} samples, PyAV: {type(error).__name__}"
    if rate != audio.sample_rate:
        return "DIFFERS", f"{audio.sample_rate} Hz, not {rate}"
    return compared(audio.waveform.astype(np.float64), theirs)


def main(folder):
    """Print a line for each file, and the number of each outcome."""
    logging.basicConfig(level=logging.WARNING, format="    %(message)s", stream=sys.stdout)
    logging.getLogger("libav").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    counts = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            kind, facts = outcome(path)
            counts[kind] = counts.get(kind, 0) + 1
            print(f"{kind:8} {path.relative_to(folder)}: {facts}", flush=True)
    print(", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())))
    return 1 if counts.get("DIFFERS") or not counts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
