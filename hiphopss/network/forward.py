"""The network in NumPy: a forward pass that separates without Keras.

The layers and their names are those of :mod:`hiphopss.network.model` (docs/released-code.md,
section 3), and so are the masks, up to rounding. Three things make it fast. Patches overlap, so
``conv1`` is computed once for each frame and ``conv2`` once for each of its positions, and patches
share the results. All layers are large matrix products. And each patch stays in the processor's
cache from ``conv1 inverse`` until its share has been added to the joined masks.
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

_CODES = 32  # number of patches that are decoded together
_LINE = 16  # numbers of single precision in a cache line


class NumpyNetwork:
    """The network with its weights: computes joined masks from magnitudes of consecutive frames.

    Parameters
    ----------
    arrays : dict of str to np.ndarray
        Weights by name, of the shapes that :func:`array_shapes` returns.
    config : SignalConfig
        Context, overlap and bins.
    fidelity : Fidelity
        Wiring (Q1 and Q8) and epsilon of the masks (Q6).

    Attributes
    ----------
    config, fidelity
        The given settings and switches.
    sources : tuple of str
        Sources that have a decoder of their own.
    n_encoded : int
        Number of positions of ``conv2`` in a patch.
    width : int
        ``n_bins``, rounded up to whole cache lines; the values in the extra bins are not used.
    conv1_kernel, conv1_bias : np.ndarray [shape=(n_bins, n_filters)] and [shape=(n_filters,)]
        Transposed for products with frames as rows, like the following kernels.
    conv2_kernel : np.ndarray [shape=(time_filter * n_filters, n_filters)]
        The filter's earliest frame comes first.
    conv2_bias : np.ndarray [shape=(n_filters,)]
        The sum of both biases, if the wiring has two.
    bottleneck_kernel : np.ndarray [shape=(n_encoded * n_filters, bottleneck)]
        Kernel for the flattened output of ``conv2``, time first.
    bottleneck_bias : np.ndarray [shape=(bottleneck,)]
        Bias of the bottleneck.
    decoder_kernel : np.ndarray [shape=(bottleneck, n_decoders * n_encoded * n_filters)]
        The decoders of ``sources`` side by side.
    decoder_bias : np.ndarray [shape=(n_decoders * n_encoded * n_filters,)]
        Their biases in the same order.
    lift, floor : np.ndarray [shape=(n_sources, context, width)] and [shape=(context, width)]
        Arguments of :meth:`weighted_masks`.
    """

    parallel = True
    """Whether several threads may use the network at once, each on its own processor."""

    def __init__(self, arrays: dict[str, np.ndarray], config: SignalConfig, fidelity: Fidelity):
        self.config = config
        self.fidelity = fidelity
        self.sources = decoded_sources(fidelity)
        self.n_encoded = config.context - TIME_FILTER + 1  # length of a valid convolution
        self._prepare_encoder(arrays)
        self._prepare_decoders(arrays)
        self._prepare_masks(arrays["output/bias"], fidelity)

    def _prepare_encoder(self, arrays: dict[str, np.ndarray]) -> None:
        """Flip the kernels, as a true convolution does, and transpose them for products."""
        conv1 = arrays["conv1/kernel"].reshape(N_FILTERS, -1)[:, ::-1]  # (filters, n_bins)
        conv2 = arrays["conv2/kernel"][..., 0][:, :, ::-1]  # (filters, channels, size)
        self.conv1_kernel = np.ascontiguousarray(conv1.T)
        self.conv2_kernel = conv2.transpose(2, 1, 0).reshape(-1, N_FILTERS)
        self.conv1_bias = arrays["conv1/bias"] + arrays.get("conv1/extra_bias", np.float32(0))
        self.conv2_bias = arrays["conv2/bias"] + arrays.get("conv2/extra_bias", np.float32(0))
        # The released layer is channel-major; here time comes first.
        kernel = arrays["bottleneck/kernel"].reshape(N_FILTERS, self.n_encoded, -1)
        self.bottleneck_kernel = kernel.swapaxes(0, 1).reshape(-1, BOTTLENECK)
        self.bottleneck_bias = arrays["bottleneck/bias"]

    def _prepare_decoders(self, arrays: dict[str, np.ndarray]) -> None:
        """Put the decoders side by side, and turn both inverse convolutions into matrices."""
        kernels, biases = [], []
        for source in self.sources:  # also channel-major
            kernel = arrays[f"decoder_{source}/kernel"].reshape(-1, N_FILTERS, self.n_encoded)
            bias = arrays[f"decoder_{source}/bias"].reshape(N_FILTERS, self.n_encoded)
            kernels.append(kernel.swapaxes(1, 2).reshape(BOTTLENECK, -1))
            biases.append(bias.T.reshape(-1))
        self.decoder_kernel = np.concatenate(kernels, axis=1)
        self.decoder_bias = np.concatenate(biases)
        # conv2 inverse of a few positions at a time needs nearly as few multiplications as one by
        # one, in matrices large enough to be fast.
        self._group = math.gcd(self.n_encoded, 4)
        conv2 = self.conv2_kernel.reshape(TIME_FILTER, N_FILTERS, N_FILTERS)
        spread = np.zeros(
            (self._group, N_FILTERS, self._group + TIME_FILTER - 1, N_FILTERS), np.float32
        )
        for position in range(self._group):
            frames = slice(position, position + TIME_FILTER)
            spread[position, :, frames] = conv2.transpose(2, 0, 1)
        self._conv2_inverse = spread.reshape(self._group * N_FILTERS, -1)
        # Rows fill whole cache lines; the values in the extra bins are never used.
        self.width = -(-self.config.bins // _LINE) * _LINE
        self._conv1_inverse = np.zeros((N_FILTERS, self.width), np.float32)
        self._conv1_inverse[:, : self.config.bins] = self.conv1_kernel.T

    def _prepare_masks(self, bias: np.ndarray, fidelity: Fidelity) -> None:
        """Compute ``e u``, and ``e u`` plus the bias of each source."""
        config = self.config
        epsilon = STANDALONE_MASK_EPSILON if fidelity.standalone_separation else MASK_EPSILON
        noise = np.ones((config.context, self.width))
        noise[:, : config.bins] = mask_noise((config.context, config.bins))
        self.floor = (epsilon * noise).astype(np.float32)
        self.lift = (bias.astype(np.float64)[:, None, None] + epsilon * noise).astype(np.float32)

    def joined_masks(self, magnitudes: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Compute the masks of consecutive patches, joined by the cross-fade.

        Parameters
        ----------
        magnitudes : np.ndarray [shape=(n_frames, n_bins)]
            Scaled magnitudes of the mixture from the first patch's first frame to the last
            patch's last frame; frames missing at the end count as zeros.
        weights : np.ndarray [shape=(n_patches, context)]
            From :func:`hiphopss.signal.patches.crossfade_weights`.

        Returns
        -------
        np.ndarray [shape=(n_sources, (n_patches - 1) * hop + context, n_bins)]
            Contribution of these patches to each frame's masks.
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
        """Compute the bottleneck of each patch from frames, `[shape=(n_patches, bottleneck)]`."""
        conv1 = np.zeros((n_frames, N_FILTERS), np.float32)  # 0 for missing frames
        np.matmul(magnitudes, self.conv1_kernel, out=conv1[: len(magnitudes)])
        conv1 += self.conv1_bias
        conv2 = _windows(conv1, TIME_FILTER) @ self.conv2_kernel  # (n_positions, filters)
        conv2 += self.conv2_bias
        flat = _windows(conv2, self.n_encoded)[:: self.config.patch_hop]  # (n_patches, 800)
        return np.maximum(flat @ self.bottleneck_kernel + self.bottleneck_bias, 0)

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        """From bottlenecks to ``conv2 inverse``, `[shape=(n, n_decoders * context, filters)]`."""
        n, context, group = len(codes), self.config.context, self._group
        hidden = codes @ self.decoder_kernel
        hidden += self.decoder_bias
        hidden = np.maximum(hidden, 0, out=hidden).reshape(-1, group * N_FILTERS)
        parts = (hidden @ self._conv2_inverse).reshape(
            n * len(self.sources), -1, group + TIME_FILTER - 1, N_FILTERS
        )
        decoded = np.zeros((n * len(self.sources), context, N_FILTERS), np.float32)
        for number in range(parts.shape[1]):
            start = number * group
            decoded[:, start : start + parts.shape[2]] += parts[:, number]
        return decoded.reshape(n, -1, N_FILTERS)

    def write_outputs(self, decoded: np.ndarray, outputs: np.ndarray) -> None:
        """Compute ``conv1 inverse`` of one patch for all sources, without biases.

        Parameters
        ----------
        decoded : np.ndarray [shape=(n_decoders * n_used, n_filters)]
            Output of the decoders of ``sources`` for the frames that are used.
        outputs : np.ndarray [shape=(n_sources, n_used, width)]
            Array that is filled with the result.
        """
        n_own = len(self.sources)
        np.matmul(decoded, self._conv1_inverse, out=outputs[:n_own].reshape(-1, self.width))
        if self.fidelity.shared_other_decoder:
            outputs[SOURCES.index("other")] = outputs[SOURCES.index("bass")]

    @staticmethod
    def weighted_masks(
        outputs: np.ndarray, weights: np.ndarray, lift: np.ndarray, floor: np.ndarray
    ) -> None:
        """Apply biases, rectifiers and soft masks to one patch in place, and weight the masks.

        ``max(x, 0) + e u`` is computed as ``max(x + e u, e u)``, which needs one pass less.

        Parameters
        ----------
        outputs : np.ndarray [shape=(n_sources, n_used, width)]
            Result of :meth:`write_outputs`; afterwards the weighted masks.
        weights : np.ndarray [shape=(n_used, 1)]
            Cross-fade weights of the frames.
        lift, floor : np.ndarray [shape=(n_sources, n_used, width)] and [shape=(n_used, width)]
            Bias plus ``e u``, and ``e u``.
        """
        outputs += lift
        np.maximum(outputs, floor, out=outputs)
        total = outputs.sum(axis=0)
        outputs *= np.divide(weights, total, out=total)


def _windows(rows: np.ndarray, length: int) -> np.ndarray:
    """Every range of consecutive rows as one row: `(n - length + 1, length * width)`."""
    width = rows.shape[1]
    return np.lib.stride_tricks.sliding_window_view(rows.reshape(-1), length * width)[::width]
