"""The network of :mod:`hiphopss.network.forward`, one frame at a time.

For each new frame it sees the patch that ends with it, and what it says of that patch's last
``lookahead + 1`` frames is added to what earlier patches said of them. The frame that is
``lookahead`` frames old has then been seen by as many patches as it will be: its masks are
complete. What patches share is kept: ``conv1`` of the last frames and ``conv2`` of the last
positions, so a step is one row of each, one bottleneck, and the decoders' share of a few frames.
"""

from __future__ import annotations

import numpy as np

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.spec import N_FILTERS, TIME_FILTER


def position_weights(config: SignalConfig, lookahead: int, *, average: bool = True) -> np.ndarray:
    """Weight of each frame of a patch in the masks that come out, `[shape=(context,)]`.

    A frame is at the patch's last position when it is new, and moves towards the first. The network
    is worst at both ends of a patch, because its filters see least there. The weights are therefore
    triangular: the distance to the nearer end, counted from 1. Measured in ``docs/live.md``: better
    than one position alone from a lookahead of 2 on, and than equal ones where latency is low.

    Parameters
    ----------
    config : SignalConfig
        Frames of a patch.
    lookahead : int
        Frames that are heard after a frame before its masks are given, 0..context - 1.
    average : bool
        False takes what the newest patch says, alone.

    Returns
    -------
    np.ndarray [shape=(context,)]
        In double precision, with the sum 1; 0 before the position ``context - 1 - lookahead``.

    Raises
    ------
    HiphopssError
        If the lookahead is longer than the patch allows.
    """
    last = config.context - 1
    if lookahead != int(lookahead) or not 0 <= lookahead <= last:
        raise HiphopssError(f"lookahead {lookahead}: give a whole number of frames, 0 to {last}")
    position = np.arange(config.context)
    weights = np.minimum(position, last - position) + 1.0
    used = position >= last - lookahead if average else position == last - lookahead
    return np.where(used, weights, 0) / weights[used].sum()


class StreamingNetwork:
    """A network that is given a frame at a time; what it keeps does not grow.

    Parameters
    ----------
    network : NumpyNetwork
        With its weights; it is only read, so several streams may share it.
    lookahead : int
        As in :func:`position_weights`.
    average : bool
        As in :func:`position_weights`.

    Attributes
    ----------
    config : SignalConfig
        Of the network.
    lookahead : int
        Frames.
    """

    def __init__(self, network: NumpyNetwork, *, lookahead: int = 0, average: bool = True):
        self.config = network.config
        self.lookahead = lookahead
        weights = position_weights(self.config, lookahead, average=average)
        self._network = network  # its prepared arrays: this class is its other half
        used = np.flatnonzero(weights)
        self._weights = weights[used].astype(np.float32)[:, None]  # (n_used, 1)
        self._prepare_decoders(used)
        # Of the newest patch and, in turn, of the one before.
        self._masks = np.empty((2, len(SOURCES), len(used), network.width), np.float32)
        self.reset()

    def _prepare_decoders(self, used: np.ndarray) -> None:
        """The columns of the decoders, and of ``conv2 inverse``, that used positions need."""
        network, n_encoded = self._network, self._network.n_encoded
        encoded = np.arange(max(0, used[0] - TIME_FILTER + 1), min(n_encoded, used[-1] + 1))
        n_decoders = len(network.sources)
        kernel = network.decoder_kernel.reshape(-1, n_decoders, n_encoded, N_FILTERS)
        bias = network.decoder_bias.reshape(n_decoders, n_encoded, N_FILTERS)
        self._decoder_kernel = np.ascontiguousarray(kernel[:, :, encoded].reshape(len(kernel), -1))
        self._decoder_bias = bias[:, encoded].reshape(-1)
        conv2 = network.conv2_kernel.reshape(TIME_FILTER, N_FILTERS, N_FILTERS)
        inverse = np.zeros((len(encoded), N_FILTERS, len(used), N_FILTERS), np.float32)
        for row, position in enumerate(encoded):
            for column, frame in enumerate(used):
                if 0 <= frame - position < TIME_FILTER:
                    inverse[row, :, column] = conv2[frame - position].T
        self._conv2_inverse = inverse.reshape(len(encoded) * N_FILTERS, -1)
        self._lift = network.lift[:, used]
        self._floor = network.floor[used]

    def reset(self) -> None:
        """Forget what was heard: before the first frame there is silence."""
        network = self._network
        conv1 = network.conv1_bias
        conv2 = np.tile(conv1, TIME_FILTER) @ network.conv2_kernel + network.conv2_bias
        self._conv1 = _LastRows(TIME_FILTER, conv1)
        self._conv2 = _LastRows(network.n_encoded, conv2)
        self._masks[:] = 0

    def step(self, magnitudes: np.ndarray) -> np.ndarray:
        """Take the next frame, and give the masks of the one ``lookahead`` frames before it.

        Parameters
        ----------
        magnitudes : np.ndarray [shape=(n_bins,)]
            Scaled magnitudes of the mixture, in single precision.

        Returns
        -------
        np.ndarray [shape=(n_sources, n_bins)]
            A view that the step after the next overwrites. They sum to 1 (less at the first
            ``lookahead`` steps, which speak of frames before the first).
        """
        network = self._network
        self._conv1.push(magnitudes @ network.conv1_kernel + network.conv1_bias)
        self._conv2.push(self._conv1.flat @ network.conv2_kernel + network.conv2_bias)
        code = self._conv2.flat @ network.bottleneck_kernel + network.bottleneck_bias
        np.maximum(code, 0, out=code)
        hidden = np.maximum(code @ self._decoder_kernel + self._decoder_bias, 0)
        decoded = hidden.reshape(len(network.sources), -1) @ self._conv2_inverse
        masks, before = self._masks
        network.write_outputs(decoded.reshape(-1, N_FILTERS), masks)
        network.weighted_masks(masks, self._weights, self._lift, self._floor)
        # The last step's second frame is this one's first.
        masks[:, :-1] += before[:, 1:]
        self._masks = self._masks[::-1]
        return masks[:, 0, : self.config.bins]


class _LastRows:
    """The last rows of a sequence as one vector, without moving them.

    Each row is written twice, a length apart: wherever the newest is, the rows before it stand
    before it.

    Parameters
    ----------
    length : int
        How many rows.
    row : np.ndarray [shape=(width,)]
        What all of them are at first.
    """

    def __init__(self, length: int, row: np.ndarray):
        self._rows = np.tile(row, (2 * length, 1))
        self._length, self._next = length, 0

    def push(self, row: np.ndarray) -> None:
        """Replace the oldest row."""
        self._rows[self._next] = self._rows[self._next + self._length] = row
        self._next = (self._next + 1) % self._length

    @property
    def flat(self) -> np.ndarray:
        """The rows, oldest first, `[shape=(length * width,)]`."""
        return self._rows[self._next : self._next + self._length].reshape(-1)
