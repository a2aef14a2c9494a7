"""Separation of a stream: for every block of samples, as many samples of each stem, delayed.

Only past frames and ``lookahead`` future frames are needed. For each new frame the network sees the
patch that ends with it (:mod:`hiphopss.network.streaming`); everything else is as in
:mod:`hiphopss.separation.separator`: the masks are computed from the mean of the channels and
applied to each channel, and the stems sum to the delayed mixture.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.streaming import StreamingNetwork
from hiphopss.signal.transform import InverseTransform, magnitude, stft

MOST_CHANNELS = 1024
"""Maximum number of channels of a stream, which is that of a file."""

LOUDEST = np.float32(1e30)
"""Larger samples (full scale is 1) would overflow in single precision."""


def is_usable(samples: np.ndarray) -> np.ndarray:
    """Which samples are finite and no larger than ``LOUDEST``, as booleans of the same shape."""
    return np.abs(samples) <= LOUDEST  # False for NaN


class StreamingSeparator:
    """Separates block by block, with a constant delay and constant memory.

    The output does not depend on how the stream is cut into blocks. One hop takes little enough
    time for live use on one processor core. Several threads of the linear algebra would wait for
    each other at these sizes, so limit them to one (``threadpoolctl.threadpool_limits(1)``).

    Parameters
    ----------
    weights : path-like, NumpyNetwork or None
        As in :func:`hiphopss.separate`; a network from
        :func:`hiphopss.separation.engines.load_network` may be shared by several streams.
    lookahead : int
        Number of frames (512 samples, 11.6 ms) received after a frame before it is separated,
        0..29. More frames improve quality and add delay: ``docs/live.md`` has a table.
    channels : int
        Number of channels of the stream, at most ``MOST_CHANNELS``.
    average : bool
        Average the masks of all patches that contain a frame; otherwise use the newest patch's.
    block_multiple : int
        Promise that all blocks are multiples of this number of samples, which saves up to a hop of
        latency; use 512 for blocks of 512.

    Attributes
    ----------
    sample_rate : int
        Sampling rate in Hz, which the stream must have.
    latency : int
        Delay of the stems in samples:
        ``(lookahead + 2) * 512 - gcd(block_multiple, 512)``.

    Raises
    ------
    HiphopssError
        If the weights can't be used, or a number is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import hiphopss
    >>> separator = hiphopss.StreamingSeparator(lookahead=4, channels=2)
    >>> separator.latency / separator.sample_rate  # seconds
    0.0696...
    >>> stems = separator.process(np.zeros((2, 512)))  # a block: channels, samples
    >>> stems.shape  # sources, channels, samples
    (4, 2, 512)
    >>> rest = separator.flush()  # at the end
    >>> rest.shape[-1] == separator.latency
    True
    """

    def __init__(
        self,
        weights: str | Path | NumpyNetwork | None = None,
        *,
        lookahead: int = 0,
        channels: int = 2,
        average: bool = True,
        block_multiple: int = 1,
    ):
        if not 1 <= channels <= MOST_CHANNELS:
            raise HiphopssError(f"channels {channels}: give 1 to {MOST_CHANNELS}")
        if block_multiple < 1:
            raise HiphopssError(f"block_multiple {block_multiple}: give a positive number")
        if isinstance(weights, NumpyNetwork):
            network = weights
        else:
            from hiphopss.separation.engines import load_network
            from hiphopss.weights.registry import resolve_weights

            network, _ = load_network(resolve_weights(weights))
        self._network = StreamingNetwork(network, lookahead=lookahead, average=average)
        self._config = self._network.config
        hop = self._config.hop
        self.sample_rate = self._config.sample_rate
        self._multiple = block_multiple
        # Samples are completed a hop at a time; this many are held back so that enough are ready.
        self._margin = hop - math.gcd(block_multiple, hop)
        self.latency = (lookahead + 1) * hop + self._margin
        self._samples = np.empty((channels, self._config.frame), np.float32)
        self._spectra = np.empty((lookahead + 1, channels, self._config.bins), np.complex64)
        self._ready = np.empty((len(SOURCES), channels, 2 * hop), np.float32)
        self.reset()
        # The first transforms load and plan what they need, which must not happen during the music.
        self.flush()

    @property
    def latency_seconds(self) -> float:
        """The latency in seconds."""
        return self.latency / self.sample_rate

    def reset(self) -> None:
        """Start a new stream."""
        self._network.reset()
        self._samples[:] = 0  # the transform's zeros before the signal
        self._filled = 0  # samples in the newest hop
        self._n_frames = 0
        self._inverse = InverseTransform(self._ready.shape[:2], np.float32, self._config)
        self._ready[:] = 0
        self._n_ready = self._margin

    def process(self, block: np.ndarray) -> np.ndarray:
        """Process samples of the mixture; return as many of each stem, from ``latency`` earlier.

        Parameters
        ----------
        block : np.ndarray [shape=(n_channels, n_block)]
            Any number of consecutive samples.

        Returns
        -------
        np.ndarray [shape=(n_sources, n_channels, n_block)]
            Stems in single precision; the first ``latency`` samples of a stream are 0.

        Raises
        ------
        HiphopssError
            If the block has another shape, or has samples that are not finite or exceed
            ``LOUDEST``, which would affect the output for the length of a patch. The whole block
            is then ignored, and the stream can continue.
        """
        block = np.asarray(block)
        n_channels, hop = len(self._samples), self._config.hop
        if block.ndim != 2 or len(block) != n_channels or block.dtype.kind != "f":
            raise HiphopssError(
                f"block of {block.dtype} and shape {block.shape}: give floating-point samples "
                f"of shape ({n_channels}, n)"
            )
        if block.shape[1] % self._multiple:
            raise HiphopssError(
                f"block of {block.shape[1]} samples: give multiples of {self._multiple}, "
                "as promised"
            )
        if not is_usable(block).all():
            raise HiphopssError(
                f"block: has samples that are not finite, or beyond {LOUDEST:g}: mute them first"
            )
        stems = np.empty((len(SOURCES), *block.shape), np.float32)
        n_in = n_out = 0
        while n_in < block.shape[1]:
            n_taken = min(hop - self._filled, block.shape[1] - n_in)
            start = hop + self._filled
            self._samples[:, start : start + n_taken] = block[:, n_in : n_in + n_taken]
            self._filled += n_taken
            n_in += n_taken
            if self._filled == hop:
                self._separate_frame()
            n_out = self._give(stems, n_out)
        return stems

    def _give(self, stems: np.ndarray, start: int) -> int:
        """Move samples that are ready and needed to ``stems``; return the new end."""
        n = min(self._n_ready, stems.shape[-1] - start)
        stems[..., start : start + n] = self._ready[..., :n]
        self._n_ready -= n
        self._ready[..., : self._n_ready] = self._ready[..., n : n + self._n_ready]
        return start + n

    def _separate_frame(self) -> None:
        """Separate the frame ``lookahead`` before the one that the newest hop completes."""
        config, hop = self._config, self._config.hop
        # The samples start with the frame, not half a frame later as for a whole signal.
        spectrum = stft(self._samples, config, start=1, stop=2)[:, 0]
        magnitudes = magnitude(spectrum.mean(axis=0), config) * np.float32(config.scale)
        masks = self._network.step(magnitudes)  # (n_sources, n_bins)
        n_spectra = len(self._spectra)
        self._spectra[self._n_frames % n_spectra] = spectrum
        self._n_frames += 1
        ready = self._ready[..., self._n_ready : self._n_ready + hop]
        if self._n_frames < n_spectra:  # this frame would precede the stream
            ready[:] = 0
        else:
            oldest = self._spectra[self._n_frames % n_spectra]
            ready[:] = self._inverse.push((masks[:, None] * oldest)[:, :, None])
        if self._n_frames == n_spectra:  # the first half of this frame precedes the stream
            ready[:] = 0
        self._n_ready += hop
        self._samples[:, :hop] = self._samples[:, hop:]
        self._filled = 0

    def flush(self) -> np.ndarray:
        """End the stream: return the last ``latency`` samples of the stems, and start a new stream.

        Returns
        -------
        np.ndarray [shape=(n_sources, n_channels, latency)]
            The rest of the stems. Without their first ``latency`` samples they are then complete.
        """
        n_channels, multiple = len(self._samples), self._multiple
        n_zeros = -(-self.latency // multiple) * multiple
        tail = self.process(np.zeros((n_channels, n_zeros), np.float32))
        self.reset()
        return tail[..., : self.latency]
