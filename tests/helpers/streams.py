"""What tests of live separation have in common: a stereo signal, and a stream from end to end."""

import numpy as np
from helpers.songs import noise

STEREO = np.stack([noise(40000, 1), noise(40000, 2)]).astype(np.float32)


def stream(separator, waveform, sizes=(512,)):
    """All of a signal, block by block, and the tail; less the latency."""
    parts, start, turn = [], 0, 0
    while start < waveform.shape[-1]:
        size = sizes[turn % len(sizes)]
        block = waveform[:, start : start + size]
        parts.append(separator.process(block))
        assert parts[-1].shape == (4, *block.shape)
        start, turn = start + size, turn + 1
    return np.concatenate([*parts, separator.flush()], axis=-1)[..., separator.latency :]
