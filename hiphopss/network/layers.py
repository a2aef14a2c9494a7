"""The layers of the released network that Keras does not have.

Weight shapes are those of the published files (docs/released-code.md, sections 3 and 5), including
the flipped filters, so that a released weight file can be loaded unchanged. The computation is
equivalent but uses matrix products: a filter that spans all 513 bins is a dense layer over
frequency, and filters over time multiply spectra. Literal two-dimensional convolutions would be
many times slower.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from hiphopss.network.spec import mask_noise


def _multiply_rows(x, matrix):
    """Multiply ``x`` by a matrix, ``(n, ..., a) @ (a, b)``, as one product of all rows."""
    product = ops.matmul(ops.reshape(x, (-1, x.shape[-1])), matrix)
    return ops.reshape(product, (-1, *x.shape[1:-1], matrix.shape[-1]))


def _fourier(n_frames: int, n_given: int) -> np.ndarray:
    """Matrix of the Fourier transform of ``n_given`` frames, padded to ``n_frames`` with zeros.

    `[shape=(2, n_freqs, n_given)]`, for the real and the imaginary parts.
    """
    spectra = np.fft.rfft(np.eye(n_given), n_frames).T
    return np.stack([spectra.real, spectra.imag]).astype(np.float32)


def _to_frequencies(x, n_frames: int):
    """``(n, length, channels) -> (n_freqs, n, 2 channels)``, real parts before imaginary parts."""
    length, channels = x.shape[1:]
    spectra = ops.einsum("pft,ntc->fnpc", _fourier(n_frames, length), x)
    return ops.reshape(spectra, (spectra.shape[0], -1, 2 * channels))


def _to_frames(spectra, n_frames: int, n_wanted: int):
    """Invert :func:`_to_frequencies`; return the first ``n_wanted`` of ``n_frames`` frames."""
    n_freqs, _, channels = spectra.shape
    # The real signal of each single part (real or imaginary) of each frequency.
    parts = np.fft.irfft(np.concatenate([np.eye(n_freqs), 1j * np.eye(n_freqs)]), n_frames)
    inverse = parts[:, :n_wanted].reshape(2, n_freqs, n_wanted).astype(np.float32)
    spectra = ops.reshape(spectra, (n_freqs, -1, 2, channels // 2))
    return ops.einsum("pft,fnpc->ntc", inverse, spectra)


@keras.saving.register_keras_serializable(package="hiphopss")
class LasagneGlorotUniform(keras.initializers.Initializer):
    """Glorot uniform for kernels with axes ``(out, in, *receptive field)``.

    Keras computes the fans from the last two axes, which here are the receptive field.
    """

    def __init__(self, seed: int | None = None):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        n_out, n_in, *field = shape
        limit = float(np.sqrt(6 / ((n_out + n_in) * np.prod(field))))
        return keras.random.uniform(shape, -limit, limit, dtype=dtype, seed=self.seed)

    def get_config(self):
        return {"seed": self.seed}


class _TrueConvolution(keras.layers.Layer):
    """A linear bank of filters along one axis, flipped as a true convolution flips them.

    Called with ``inverse=True`` it is Lasagne's inverse layer: the gradient of the convolution with
    respect to its input, that is, the transposed convolution with the same kernel and no bias.

    ``size`` is the filters' length along the convolved axis; ``redundant_bias`` adds a second bias
    to the first (quirk Q8); ``seed`` is that of the initial kernel.
    """

    def __init__(self, filters: int, size: int, *, redundant_bias: bool, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.size = size
        self.redundant_bias = redundant_bias
        self.seed = seed

    def _kernel_shape(self, n_features: int) -> tuple[int, int, int, int]:
        raise NotImplementedError

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=self._kernel_shape(input_shape[-1]),
            initializer=LasagneGlorotUniform(self.seed),
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        if self.redundant_bias:
            self.extra_bias = self.add_weight(
                name="extra_bias", shape=(self.filters,), initializer="zeros"
            )
        self.built = True

    def _add_biases(self, x):
        x = x + self.bias
        return x + self.extra_bias if self.redundant_bias else x

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "size": self.size,
            "redundant_bias": self.redundant_bias,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="hiphopss")
class VerticalConvolution(_TrueConvolution):
    """``conv1``: filters over frequency, as wide as the spectrum.

    Forward ``(n, n_frames, n_bins) -> (n, n_frames, filters)``; the inverse is the reverse. Kernel
    ``(filters, 1, 1, n_bins)``. The inverse accepts one more channel, with a filter of ones.
    """

    def _kernel_shape(self, n_features):
        return (self.filters, 1, 1, self.size)

    def call(self, x, inverse=False):
        kernel = ops.flip(ops.reshape(self.kernel, (self.filters, self.size)), axis=1)
        if not inverse:
            return self._add_biases(_multiply_rows(x, ops.transpose(kernel)))
        if x.shape[-1] > self.filters:
            kernel = ops.concatenate([kernel, ops.ones((1, self.size), kernel.dtype)])
        return _multiply_rows(x, kernel)


@keras.saving.register_keras_serializable(package="hiphopss")
class HorizontalConvolution(_TrueConvolution):
    """``conv2``: filters over time, without padding ("valid").

    Forward ``(n, n_frames, channels) -> (n, n_frames - size + 1, filters)``; the inverse is the
    reverse. Kernel ``(filters, channels, size, 1)``.

    It is computed on the Fourier transform over a patch's frames, where a convolution is a product:
    this takes two fifths of the multiplications, including the transforms. There is no wrap-round,
    because no result reaches beyond the patch.
    """

    def _kernel_shape(self, n_features):
        return (self.filters, n_features, self.size, 1)

    def call(self, x, inverse=False):
        *leading, length, _ = x.shape
        reach = self.size - 1
        n_frames = length + reach if inverse else length
        spectra = _to_frequencies(ops.reshape(x, (-1, *x.shape[-2:])), n_frames)
        products = self._products(n_frames)
        if inverse:
            products = ops.transpose(products, (0, 2, 1))
        n_wanted = n_frames if inverse else n_frames - reach
        y = _to_frames(ops.matmul(spectra, products), n_frames, n_wanted)
        y = ops.reshape(y, (-1, *leading[1:], *y.shape[-2:]))
        return y if inverse else self._add_biases(y)

    def _products(self, n_frames: int):
        """Matrices by which spectra are multiplied, ``(n_freqs, 2 channels, 2 filters)``.

        They are the conjugate of the kernel's spectrum, because filters are applied to the frames
        without being reversed, written as matrices of real and imaginary parts.
        """
        taps = ops.flip(ops.squeeze(self.kernel, axis=3), axis=2)  # (filters, channels, size)
        spectra = ops.einsum("pft,dct->pfcd", _fourier(n_frames, self.size), taps)
        real, imaginary = ops.unstack(spectra)
        return ops.concatenate(
            [
                ops.concatenate([real, -imaginary], axis=2),
                ops.concatenate([imaginary, real], axis=2),
            ],
            axis=1,
        )


@keras.saving.register_keras_serializable(package="hiphopss")
class SourceBias(keras.layers.Layer):
    """Gives each source its decoder, and its bias as an extra channel.

    From ``(n, n_decoders, n_frames, filters)`` to ``(n, n_sources, n_frames, filters + 1)``. In the
    inverse of ``conv1``, the filter of the extra channel is 1 in all bins. So the bias and its
    gradient are part of matrix products that are computed anyway; adding it to the outputs would
    take two more passes over the largest tensors of the network.

    Parameters
    ----------
    decoders : sequence of int
        Decoder of each source (with Q1, two sources have the same one).
    """

    def __init__(self, decoders, **kwargs):
        super().__init__(**kwargs)
        self.decoders = list(decoders)

    def build(self, input_shape):
        self.bias = self.add_weight(name="bias", shape=(len(self.decoders),), initializer="zeros")
        self.built = True

    def call(self, decoded):
        if self.decoders != list(range(decoded.shape[1])):
            decoded = ops.stack([decoded[:, decoder] for decoder in self.decoders], axis=1)
        bias = ops.zeros_like(decoded[..., :1]) + ops.reshape(self.bias, (1, -1, 1, 1))
        return ops.concatenate([decoded, bias], axis=-1)

    def get_config(self):
        return {**super().get_config(), "decoders": self.decoders}


@keras.saving.register_keras_serializable(package="hiphopss")
class SoftMasks(keras.layers.Layer):
    """Soft masks of the sources: ``m_i = (y_i + e u) / sum_j (y_j + e u)``, ``y = max(x, 0)``.

    ``u`` is one fixed array of uniform random numbers for all sources, so that the masks are equal
    where every ``y`` is 0. Input and output are ``(n, n_sources, n_frames, n_bins)``.

    Parameters
    ----------
    epsilon : float
        The factor ``e``.
    noise_seed : int
        Seed of ``u``. The released code draws new numbers in every run.
    """

    def __init__(self, epsilon: float, noise_seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.noise_seed = noise_seed

    def build(self, input_shape):
        self.noise = mask_noise(input_shape[2:], self.noise_seed)
        self.built = True

    def call(self, outputs):
        noise = ops.cast(self.epsilon * self.noise, outputs.dtype)
        raised = [ops.relu(output) + noise for output in ops.unstack(outputs, axis=1)]
        scale = 1 / sum(raised)
        return ops.stack([source * scale for source in raised], axis=1)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon, "noise_seed": self.noise_seed}


@keras.saving.register_keras_serializable(package="hiphopss")
class ApplyMasks(keras.layers.Layer):
    """Multiplies masks ``(n, n_sources, n_frames, n_bins)`` by the mixture: the estimates."""

    def call(self, masks, mixture):
        return ops.stack([mask * mixture for mask in ops.unstack(masks, axis=1)], axis=1)
