"""The network and its loss as docs/released-code.md draws them: what one would write at first.

Two-dimensional convolutions, one per drawn layer; the inverse layers are transposed convolutions on
the kernels of the convolutions (the weights are tied); one sum of squares for each S(a, b) of the
loss. Nothing of the package's own layers and losses, which may change.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from hiphopss import PRESETS, SOURCES, SignalConfig
from hiphopss.config import Fidelity, LossWeights
from hiphopss.network.spec import mask_noise

CONFIG = SignalConfig()
N_FILTERS, TIME_FILTER, BOTTLENECK, EPSILON = 50, 15, 128, 1e-8
N_ENCODED = CONFIG.context - TIME_FILTER + 1


class Inverse(layers.Layer):
    """A convolution's transpose, with its kernel; with a bias of its own if ``bias``."""

    def __init__(self, convolution, *, bias=False):
        super().__init__()
        self.convolution = convolution
        self.with_bias = bias

    def build(self, _):
        if self.with_bias:
            self.bias = self.add_weight(shape=(1,), initializer="zeros")

    def call(self, x):
        x = ops.conv_transpose(x, self.convolution.kernel, 1, "valid")
        return x + self.bias if self.with_bias else x


class Literal:
    """The network with an array of weights that the package's own model has.

    Parameters
    ----------
    preset : str
        Decides on the number of decoders.
    arrays : dict
        From ``hiphopss.weights.files.network_arrays``. The two biases of a convolution (Q8) become
        one.

    Attributes
    ----------
    masks, estimates : keras.Model
        From the mixture `[shape=(n, n_frames, n_bins, 1)]` to the masks, and to the estimates, of
        ``SOURCES`` `[shape=(n, n_sources, n_frames, n_bins)]`.
    outputs : keras.Model
        To the rectified outputs, of the same shape.
    """

    def __init__(self, preset: str, arrays: dict[str, np.ndarray]):
        conv1 = layers.Conv2D(N_FILTERS, (1, CONFIG.bins))
        conv2 = layers.Conv2D(N_FILTERS, (TIME_FILTER, 1))
        bottleneck = layers.Dense(BOTTLENECK, "relu")
        decoders = {}
        for source in SOURCES:
            if source == "other" and PRESETS[preset].shared_other_decoder:
                decoders[source] = decoders["bass"]
            else:
                decoders[source] = layers.Dense(N_FILTERS * N_ENCODED, "relu")
        inverse2 = Inverse(conv2)
        inverses1 = {source: Inverse(conv1, bias=True) for source in SOURCES}

        mixture = keras.Input((CONFIG.context, CONFIG.bins, 1))
        encoded = layers.Permute((3, 1, 2))(conv2(conv1(mixture)))  # channel-major
        code = bottleneck(layers.Flatten()(encoded))
        rectified = []
        for source in SOURCES:
            hidden = layers.Reshape((N_FILTERS, N_ENCODED, 1))(decoders[source](code))
            hidden = layers.Permute((2, 3, 1))(hidden)  # (n, n_encoded, 1, n_filters)
            decoded = inverses1[source](inverse2(hidden))  # (n, n_frames, n_bins, 1)
            rectified.append(layers.Reshape((CONFIG.context, CONFIG.bins))(ops.relu(decoded)))
        outputs = ops.stack(rectified, axis=1)
        noise = mask_noise((CONFIG.context, CONFIG.bins)).astype(np.float32)
        raised = outputs + np.float32(EPSILON) * noise
        masks = raised / ops.sum(raised, axis=1, keepdims=True)
        estimates = masks * ops.transpose(mixture, (0, 3, 1, 2))
        self.masks, self.outputs, self.estimates = (
            keras.Model(mixture, tensor) for tensor in (masks, outputs, estimates)
        )
        for name, layer in (("conv1", conv1), ("conv2", conv2)):
            kernel = arrays[f"{name}/kernel"][:, :, ::-1, ::-1].transpose(2, 3, 1, 0)
            layer.set_weights(
                [kernel, arrays[f"{name}/bias"] + arrays.get(f"{name}/extra_bias", 0)]
            )
        dense = {"bottleneck": bottleneck} | {f"decoder_{s}": d for s, d in decoders.items()}
        for name, layer in dense.items():
            if f"{name}/kernel" in arrays:  # not of a decoder that is another's
                layer.set_weights([arrays[f"{name}/kernel"], arrays[f"{name}/bias"]])
        for inverse, bias in zip(inverses1.values(), arrays["output/bias"], strict=True):
            inverse.bias.assign(bias[None])


def compile_literal(model: keras.Model, fidelity: Fidelity, weights: LossWeights) -> keras.Model:
    """With the released loss, term by term, and the released optimiser."""

    def loss(targets, estimates):
        v, b, d, o = (estimates[:, i] for i in range(4))
        V, B, D, O = (targets[:, i] for i in range(4))  # noqa: E741
        reconstruction = S(v, V) + S(b, B) + S(d, D)
        if fidelity.reconstruct_other:
            reconstruction += S(o, O)
        alpha = S(v, B) + S(v, D) + S(b, V) + S(b, D) + S(d, V) + S(d, B)
        beta = S(b, O) + S(d, O)
        total = reconstruction - weights.alpha * alpha - weights.beta * beta
        total -= weights.beta_voc * S(v, O)
        return ops.abs(total) if fidelity.absolute_loss else total

    # XLA would make these convolutions some thirty times slower on a processor.
    optimizer = keras.optimizers.Adadelta(1.0, rho=0.95, epsilon=1e-6)
    model.compile(optimizer, loss, jit_compile=False)
    return model


def S(a, b):
    """The sum of squared differences over the batch."""
    return ops.sum(ops.square(a - b))
