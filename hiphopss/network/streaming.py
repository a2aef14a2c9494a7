"""The network of :mod:`hiphopss.network.forward`, one frame at a time.

For each new frame, the network processes the patch that ends with it, and its output for that
patch's last ``lookahead + 1`` frames is added to the outputs of earlier patches. The masks of the
frame that came ``lookahead`` frames earlier are then complete. Intermediate results that patches
share are kept (``conv1`` of the last frames and ``conv2`` of the last positions), so a step needs
one row of each, one bottleneck, and the decoders' output for a few frames.
"""

from __future__ import annotations

import numpy as np

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.spec import N_FILTERS, TIME_FILTER


def position_weights(config: SignalConfig, lookahead: int, *, average: bool = True) -> np.ndarray:
    """Weight of each position of a patch in the resulting masks, `[shape=(context,)]`.

    A new frame is at the patch's last position, and moves towards the first one. The network is
    worst at both ends of a patch, because its filters see the least there. The weights are
    therefore triangular: the distance to the nearer end, counted from 1. ``docs/live.md`` reports
    that this beats one position alone from a lookahead of 2 on, and equal weights at low latencies.

    Parameters
    ----------
    config : SignalConfig
        Number of frames of a patch.
    lookahead : int
        Number of frames received after a frame before its masks are returned, 0..context - 1.
    average : bool
        False uses only the newest patch's output for each frame.

    Returns
    -------
    np.ndarray [shape=(context,)]
        In double precision, with sum 1; zeros before position ``context - 1 - lookahead``.

    Raises
    ------
    HiphopssError
        If the lookahead does not fit in a patch.
    """
    last = config.context - 1
    if lookahead != int(lookahead) or not 0 <= lookahead <= last:
        raise HiphopssError(f"lookahead {lookahead}: give a whole number of frames, 0 to {last}")
    position = np.arange(config.context)
    weights = np.minimum(position, last - position) + 1.0
    used = position >= last - lookahead if average else position == last - lookahead
    return np.where(used, weights, 0) / weights[used].sum()


class StreamingNetwork:
    """A network that receives one frame at a time and uses constant memory.

    Parameters
    ----------
    network : NumpyNetwork
        The network. It is only read, so several streams may share it.
    lookahead, average
        As in :func:`position_weights`.

    Attributes
    ----------
    config : SignalConfig
        Settings of the network.
    lookahead : int
        Number of frames.
    """

    def __init__(self, network: NumpyNetwork, *, lookahead: int = 0, average: bool = True):
        self.config = network.config
        self.lookahead = lookahead
        weights = position_weights(self.config, lookahead, average=average)
        self._network = network  # this class also uses the arrays that it prepared
        used = np.flatnonzero(weights)
        self._weights = weights[used].astype(np.float32)[:, None]  # (n_used, 1)
        self._prepare_decoders(used)
        # Masks of the newest patch and of the one before, which take turns.
        self._masks = np.empty((2, len(SOURCES), len(used), network.width), np.float32)
        self.reset()

    def _prepare_decoders(self, used: np.ndarray) -> None:
        """Select the columns of decoders and ``conv2 inverse`` that the used positions need."""
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
        """Forget all frames: the stream starts with silence."""
        network = self._network
        conv1 = network.conv1_bias
        conv2 = np.tile(conv1, TIME_FILTER) @ network.conv2_kernel + network.conv2_bias
        self._conv1 = _LastRows(TIME_FILTER, conv1)
        self._conv2 = _LastRows(network.n_encoded, conv2)
        self._masks[:] = 0

    def step(self, magnitudes: np.ndarray) -> np.ndarray:
        """Process the next frame, and return the masks of the one ``lookahead`` frames before it.

        Parameters
        ----------
        magnitudes : np.ndarray [shape=(n_bins,)]
            Scaled magnitudes of the mixture, in single precision.

        Returns
        -------
        np.ndarray [shape=(n_sources, n_bins)]
            A view that the step after the next overwrites. The masks sum to 1 (less in the first
            ``lookahead`` steps, whose masks are for frames before the first).
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
        # The second frame of the last step's patch is the first frame of this one's.
        masks[:, :-1] += before[:, 1:]
        self._masks = self._masks[::-1]
        return masks[:, 0, : self.config.bins]


class _LastRows:
    """The last ``length`` rows of a sequence as one vector, without moving them.

    Each row is written twice, ``length`` rows apart, so that the rows before the newest one always
    precede it in memory. Every row is ``row`` `[shape=(width,)]` at first.
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
