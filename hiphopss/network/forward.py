"""The network once more, in NumPy: the forward pass that separates without Keras.

The layers and their names are those of :mod:`hiphopss.network.model` (docs/released-code.md,
section 3), and so are the masks, to rounding. Three things make it fast. Patches overlap, so
``conv1`` is worked out once for each frame and ``conv2`` once for each of its positions, and
patches share them. All layers are large matrix products. And a patch goes all the way from ``conv1
inverse`` to its share of the joined masks while it is in the processor's cache.
"""

from __future__ import annotations

import math

import numpy as np

from hiphopss.config import SOURCES, Fidelity, SignalConfig
from hiphopss.network.spec import (
    BOTTLENECK,
    MASK_EPSILON,
    N_FILTERS,
    STANDALONE_MASK_EPSILON,
    TIME_FILTER,
    decoded_sources,
    mask_noise,
)

_CODES = 32  # patches that are decoded together
_LINE = 16  # numbers that a cache line holds


class NumpyNetwork:
    """The network with its weights, from magnitudes of consecutive frames to joined masks.

    Parameters
    ----------
    arrays : dict of str to np.ndarray
        By name, of the shapes that :func:`array_shapes` gives.
    config : SignalConfig
        Context, overlap and bins.
    fidelity : Fidelity
        Wiring (Q1 and Q8) and epsilon of the masks (Q6).

    Attributes
    ----------
    config : SignalConfig
        As given.
    sources : tuple of str
        Those that have a decoder of their own.
    n_encoded : int
        Positions of a patch's ``conv2``.
    width : int
        ``n_bins``, filled up to whole cache lines; what is in the bins beyond the last is not used.
    conv1_kernel, conv1_bias : np.ndarray [shape=(n_bins, n_filters)] and [shape=(n_filters,)]
        Laid out for products with rows that are frames, as the next ones are.
    conv2_kernel : np.ndarray [shape=(time_filter * n_filters, n_filters)]
        The earliest frame of the filter first.
    conv2_bias : np.ndarray [shape=(n_filters,)]
        Both biases, where the wiring has two.
    bottleneck_kernel : np.ndarray [shape=(n_encoded * n_filters, bottleneck)]
        Of the flattened ``conv2``, time first.
    bottleneck_bias : np.ndarray [shape=(bottleneck,)]
        Of the bottleneck.
    decoder_kernel : np.ndarray [shape=(bottleneck, n_decoders * n_encoded * n_filters)]
        The decoders of ``sources`` side by side.
    decoder_bias : np.ndarray [shape=(n_decoders * n_encoded * n_filters,)]
        In the same way.
    lift, floor : np.ndarray [shape=(n_sources, context, width)] and [shape=(context, width)]
        As :meth:`weighted_masks` takes them.
    """

    parallel = True
    """Whether several threads may use it at once, each with a processor of its own."""

    def __init__(self, arrays: dict[str, np.ndarray], config: SignalConfig, fidelity: Fidelity):
        self.config = config
        self._shared_other = fidelity.shared_other_decoder
        self.sources = decoded_sources(fidelity)
        self.n_encoded = config.context - TIME_FILTER + 1  # that a valid convolution leaves
        self._prepare_encoder(arrays)
        self._prepare_decoders(arrays)
        self._prepare_masks(arrays["output/bias"], fidelity)

    def _prepare_encoder(self, arrays: dict[str, np.ndarray]) -> None:
        """Flip the kernels, as a true convolution does, and lay them out for products."""
        conv1 = arrays["conv1/kernel"].reshape(N_FILTERS, -1)[:, ::-1]  # (filters, n_bins)
        conv2 = arrays["conv2/kernel"][..., 0][:, :, ::-1]  # (filters, channels, size)
        self.conv1_kernel = np.ascontiguousarray(conv1.T)
        self.conv2_kernel = conv2.transpose(2, 1, 0).reshape(-1, N_FILTERS)
        self.conv1_bias = arrays["conv1/bias"] + arrays.get("conv1/extra_bias", np.float32(0))
        self.conv2_bias = arrays["conv2/bias"] + arrays.get("conv2/extra_bias", np.float32(0))
        # The released layer is channel-major; here time goes first.
        kernel = arrays["bottleneck/kernel"].reshape(N_FILTERS, self.n_encoded, -1)
        self.bottleneck_kernel = kernel.swapaxes(0, 1).reshape(-1, BOTTLENECK)
        self.bottleneck_bias = arrays["bottleneck/bias"]

    def _prepare_decoders(self, arrays: dict[str, np.ndarray]) -> None:
        """Put the decoders side by side, and write both inverse convolutions as matrices."""
        kernels, biases = [], []
        for source in self.sources:  # channel-major, too
            kernel = arrays[f"decoder_{source}/kernel"].reshape(-1, N_FILTERS, self.n_encoded)
            bias = arrays[f"decoder_{source}/bias"].reshape(N_FILTERS, self.n_encoded)
            kernels.append(kernel.swapaxes(1, 2).reshape(BOTTLENECK, -1))
            biases.append(bias.T.reshape(-1))
        self.decoder_kernel = np.concatenate(kernels, axis=1)
        self.decoder_bias = np.concatenate(biases)
        # conv2 inverse, of a few positions at a time: nearly as few products as one by one,
        # in matrices large enough to be fast.
        self._group = math.gcd(self.n_encoded, 4)
        conv2 = self.conv2_kernel.reshape(TIME_FILTER, N_FILTERS, N_FILTERS)
        spread = np.zeros(
            (self._group, N_FILTERS, self._group + TIME_FILTER - 1, N_FILTERS), np.float32
        )
        for position in range(self._group):
            frames = slice(position, position + TIME_FILTER)
            spread[position, :, frames] = conv2.transpose(2, 0, 1)
        self._conv2_inverse = spread.reshape(self._group * N_FILTERS, -1)
        # Rows of whole cache lines; what is in the bins beyond the last is never used.
        self.width = -(-self.config.bins // _LINE) * _LINE
        self._conv1_inverse = np.zeros((N_FILTERS, self.width), np.float32)
        self._conv1_inverse[:, : self.config.bins] = self.conv1_kernel.T

    def _prepare_masks(self, bias: np.ndarray, fidelity: Fidelity) -> None:
        """``e u``, and ``e u`` plus the bias of each source."""
        config = self.config
        epsilon = STANDALONE_MASK_EPSILON if fidelity.standalone_separation else MASK_EPSILON
        noise = np.ones((config.context, self.width))
        noise[:, : config.bins] = mask_noise((config.context, config.bins))
        self.floor = (epsilon * noise).astype(np.float32)
        self.lift = (bias.astype(np.float64)[:, None, None] + epsilon * noise).astype(np.float32)

    def joined_masks(self, magnitudes: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Masks of consecutive patches, joined by the cross-fade.

        Parameters
        ----------
        magnitudes : np.ndarray [shape=(n_frames, n_bins)]
            Scaled magnitudes of the mixture from the first patch's first frame to the last
            patch's last one; what is missing at the end counts as zeros.
        weights : np.ndarray [shape=(n_patches, context)]
            From :func:`hiphopss.signal.patches.crossfade_weights`.

        Returns
        -------
        np.ndarray [shape=(n_sources, (n_patches - 1) * hop + context, n_bins)]
            What these patches add to each frame's masks.
        """
        config, n_patches = self.config, len(weights)
        n_frames = (n_patches - 1) * config.patch_hop + config.context
        joined = np.zeros((len(SOURCES), n_frames, self.width), np.float32)
        outputs = np.empty((len(SOURCES), config.context, self.width), np.float32)
        codes = self._encode(magnitudes, n_patches, n_frames)
        weights = weights.astype(np.float32)[..., None]  # (n_patches, context, 1)
        for first in range(0, n_patches, _CODES):
            for patch, decoded in enumerate(self._decode(codes[first : first + _CODES]), first):
                self.write_outputs(decoded, outputs)
                self.weighted_masks(outputs, weights[patch], self.lift, self.floor)
                start = patch * config.patch_hop
                joined[:, start : start + config.context] += outputs
        return joined[..., : config.bins]

    def _encode(self, magnitudes: np.ndarray, n_patches: int, n_frames: int) -> np.ndarray:
        """From frames to the bottleneck of each patch, `[shape=(n_patches, bottleneck)]`."""
        conv1 = np.zeros((n_frames, N_FILTERS), np.float32)  # of silence
        np.matmul(magnitudes, self.conv1_kernel, out=conv1[: len(magnitudes)])
        conv1 += self.conv1_bias
        conv2 = _windows(conv1, TIME_FILTER) @ self.conv2_kernel  # (n_positions, filters)
        conv2 += self.conv2_bias
        flat = _windows(conv2, self.n_encoded)[:: self.config.patch_hop]  # (n_patches, 800)
        return np.maximum(flat @ self.bottleneck_kernel + self.bottleneck_bias, 0)

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        """From bottlenecks to ``conv2 inverse``, `[shape=(n, n_decoders * context, filters)]`."""
        n, context, group = len(codes), self.config.context, self._group
        hidden = np.maximum(codes @ self.decoder_kernel + self.decoder_bias, 0)
        hidden = hidden.reshape(-1, group * N_FILTERS)
        parts = (hidden @ self._conv2_inverse).reshape(
            n * len(self.sources), -1, group + TIME_FILTER - 1, N_FILTERS
        )
        decoded = np.zeros((n * len(self.sources), context, N_FILTERS), np.float32)
        for number in range(parts.shape[1]):
            start = number * group
            decoded[:, start : start + parts.shape[2]] += parts[:, number]
        return decoded.reshape(n, -1, N_FILTERS)

    def write_outputs(self, decoded: np.ndarray, outputs: np.ndarray) -> None:
        """``conv1 inverse`` of one patch for all sources, without biases.

        Parameters
        ----------
        decoded : np.ndarray [shape=(n_decoders * n_used, n_filters)]
            What the decoders say of the frames that are used, of ``sources``.
        outputs : np.ndarray [shape=(n_sources, n_used, width)]
            Filled with the result.
        """
        n_own = len(self.sources)
        np.matmul(decoded, self._conv1_inverse, out=outputs[:n_own].reshape(-1, self.width))
        if self._shared_other:
            outputs[SOURCES.index("other")] = outputs[SOURCES.index("bass")]

    @staticmethod
    def weighted_masks(
        outputs: np.ndarray, weights: np.ndarray, lift: np.ndarray, floor: np.ndarray
    ) -> None:
        """Biases, rectifiers and soft masks of one patch in place, times cross-fade weights.

        ``max(x, 0) + e u`` is ``max(x + e u, e u)``, which needs one pass less.

        Parameters
        ----------
        outputs : np.ndarray [shape=(n_sources, n_used, width)]
            From :meth:`write_outputs`; the masks afterwards.
        weights : np.ndarray [shape=(n_used, 1)]
            Of the frames.
        lift, floor : np.ndarray [shape=(n_sources, n_used, width)] and [shape=(n_used, width)]
            Bias plus ``e u``, and ``e u``.
        """
        outputs += lift
        np.maximum(outputs, floor, out=outputs)
        total = outputs.sum(axis=0)
        outputs *= np.divide(weights, total, out=total)


def _windows(rows: np.ndarray, length: int) -> np.ndarray:
    """All runs of consecutive rows, each run as one row: `(n - length + 1, length * width)`."""
    width = rows.shape[1]
    return np.lib.stride_tricks.sliding_window_view(rows.reshape(-1), length * width)[::width]
