"""The layers of the released network that Keras does not have.

Weight shapes are those of the published files (reference page, sections 3 and 5), flips included,
so that a released weight file is this network's weights. The computation is the same mathematics as
matrix products and a one-dimensional convolution: a filter that spans all 513 bins is a dense layer
over frequency, and a literal two-dimensional convolution would be many times slower.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from hiphopss.forward import mask_noise


@keras.saving.register_keras_serializable(package="hiphopss")
class LasagneGlorotUniform(keras.initializers.Initializer):
    """Glorot uniform for kernels with axes ``(out, in, *receptive field)``.

    Keras reads the fans off the last two axes, which here would be the receptive field.
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

    Parameters
    ----------
    filters, size : int
        Number of filters and their length along the convolved axis.
    redundant_bias : bool
        Quirk Q8: a second bias that is added to the first.
    seed : int, optional
        Of the initial kernel.
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
    """``conv1``: filters over frequency, here as wide as the spectrum.

    Forward ``(n, n_frames, n_bins) -> (n, n_frames, filters)``, inverse the other way round. Kernel
    ``(filters, 1, 1, n_bins)``.
    """

    def _kernel_shape(self, n_features):
        return (self.filters, 1, 1, self.size)

    def call(self, x, inverse=False):
        kernel = ops.flip(ops.reshape(self.kernel, (self.filters, self.size)), axis=1)
        if inverse:
            return ops.matmul(x, kernel)  # (n, n_frames, n_bins)
        return self._add_biases(ops.matmul(x, ops.transpose(kernel)))  # (n, n_frames, filters)


@keras.saving.register_keras_serializable(package="hiphopss")
class HorizontalConvolution(_TrueConvolution):
    """``conv2``: filters over time, valid.

    Forward ``(n, n_frames, channels) -> (n, n_frames - size + 1, filters)``, inverse the other way
    round. Kernel ``(filters, channels, size, 1)``.
    """

    def _kernel_shape(self, n_features):
        return (self.filters, n_features, self.size, 1)

    def call(self, x, inverse=False):
        kernel = ops.flip(ops.squeeze(self.kernel, axis=3), axis=2)
        kernel = ops.transpose(kernel, (2, 1, 0))  # (size, channels, filters)
        if inverse:
            return ops.conv_transpose(x, kernel, 1, "valid", data_format="channels_last")
        return self._add_biases(ops.conv(x, kernel, 1, "valid", data_format="channels_last"))


@keras.saving.register_keras_serializable(package="hiphopss")
class SourceOutput(keras.layers.Layer):
    """Stack the sources, add one bias a source, rectify.

    From a list of ``n_sources`` tensors ``(n, n_frames, n_bins)`` to ``(n, n_sources, n_frames,
    n_bins)``.
    """

    def build(self, input_shape):
        self.bias = self.add_weight(name="bias", shape=(len(input_shape),), initializer="zeros")
        self.built = True

    def call(self, sources):
        return ops.relu(ops.stack(sources, axis=1) + ops.reshape(self.bias, (1, -1, 1, 1)))


@keras.saving.register_keras_serializable(package="hiphopss")
class SoftMasks(keras.layers.Layer):
    """Soft masks of the sources: ``m_i = (y_i + e u) / sum_j (y_j + e u)``.

    ``u`` is one fixed array of uniform random numbers that the sources share, so where every
    ``y`` is 0 the masks are equal. Input and output ``(n, n_sources, n_frames, n_bins)``.

    Parameters
    ----------
    epsilon : float
        ``e``.
    noise_seed : int
        Seed of ``u``. The released code draws it anew at every run.
    """

    def __init__(self, epsilon: float, noise_seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.noise_seed = noise_seed

    def build(self, input_shape):
        self.noise = mask_noise(input_shape[2:], self.noise_seed)
        self.built = True

    def call(self, rectified):
        raised = rectified + ops.cast(self.epsilon * self.noise, rectified.dtype)
        return raised / ops.sum(raised, axis=1, keepdims=True)

    def get_config(self):
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "noise_seed": self.noise_seed,
        }


@keras.saving.register_keras_serializable(package="hiphopss")
class ApplyMasks(keras.layers.Layer):
    """Estimates: ``(masks (n, n_sources, n_frames, n_bins), mixture (n, n_frames, n_bins))``."""

    def call(self, masks, mixture):
        return masks * ops.expand_dims(mixture, axis=1)
