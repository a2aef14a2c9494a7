"""The network: a convolutional auto-encoder from a patch of magnitudes to four soft masks.

From Chandna et al. (2017), as in the released code of Martel & Miron (docs/released-code.md,
section 3)::

    mixture (30, 513)
      conv1       50 filters over all 513 bins        -> (30, 50)
      conv2       50 filters over 15 frames           -> (16, 50)
      bottleneck  dense, ReLU                         -> (128,)
      each source: dense, ReLU                        -> (16, 50)
                  conv2 inverse, conv1 inverse (tied) -> (30, 513)
      output      one bias for each source            -> (4, 30, 513)
      masks       ReLU, soft masks; estimates = masks * mixture
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiphopss.config import SOURCES, Fidelity, SignalConfig, resolve_preset
from hiphopss.network.spec import (
    BOTTLENECK,
    MASK_EPSILON,
    N_FILTERS,
    STANDALONE_MASK_EPSILON,
    TIME_FILTER,
    decoded_sources,
)
from hiphopss.util.keras_backend import import_keras

if TYPE_CHECKING:
    import keras


def build_model(
    preset: str | Fidelity = "released",
    *,
    config: SignalConfig | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Build the network with initial weights (Glorot uniform kernels, zero biases).

    Parameters
    ----------
    preset : str or Fidelity
        ``"released"`` has the wiring of the published weight files, ``"corrected"`` four decoders
        and no redundant biases (quirks Q1 and Q8).
    config : SignalConfig
        Number of frames of a patch and of bins of a frame.
    seed : int, optional
        Seed of the initial weights.

    Returns
    -------
    keras.Model
        Maps scaled magnitudes of the mixture `[shape=(n, 30, 513)]` to the estimates of
        ``SOURCES``, in that order `[shape=(n, 4, 30, 513)]`. The masks are
        ``model.get_layer("masks").output``.

    Raises
    ------
    HiphopssError
        If no preset has this name.
    """
    fidelity = resolve_preset(preset)
    config = config or SignalConfig()
    keras = import_keras()  # only now: it takes seconds, and its backend writes notices
    from keras import layers, ops

    from hiphopss.network.layers import (
        ApplyMasks,
        HorizontalConvolution,
        SoftMasks,
        SourceBias,
        VerticalConvolution,
    )

    seeds = iter(range(seed, seed + 8)) if seed is not None else iter([None] * 8)

    # layers
    biases = {"redundant_bias": fidelity.redundant_biases}
    conv1 = VerticalConvolution(N_FILTERS, config.bins, seed=next(seeds), name="conv1", **biases)
    conv2 = HorizontalConvolution(N_FILTERS, TIME_FILTER, seed=next(seeds), name="conv2", **biases)
    n_frames = config.context - TIME_FILTER + 1  # length of a valid convolution

    def dense(units: int, name: str) -> layers.Dense:
        initializer = keras.initializers.GlorotUniform(next(seeds))
        return layers.Dense(units, "relu", kernel_initializer=initializer, name=name)

    # encoder
    mixture = keras.Input((config.context, config.bins), name="mixture")
    encoded = conv2(conv1(mixture))  # (n, 16, 50)
    encoded = layers.Permute((2, 1), name="channel_major")(encoded)
    encoded = layers.Flatten(name="flatten")(encoded)  # (n, 800)
    code = dense(BOTTLENECK, "bottleneck")(encoded)

    # decoders
    own = decoded_sources(fidelity)
    hidden = [dense(N_FILTERS * n_frames, f"decoder_{source}")(code) for source in own]
    hidden = ops.stack(hidden, axis=1)  # (n, 4, 800)
    hidden = layers.Reshape((len(own), N_FILTERS, n_frames), name="unflatten")(hidden)
    hidden = layers.Permute((1, 3, 2), name="channel_last")(hidden)  # (n, 4, 16, 50)
    decoders = [own.index(source if source in own else "bass") for source in SOURCES]
    biased = SourceBias(decoders, name="output")(conv2(hidden, inverse=True))  # (n, 4, 30, 51)
    outputs = conv1(biased, inverse=True)  # (n, 4, 30, 513)

    # masks
    epsilon = STANDALONE_MASK_EPSILON if fidelity.standalone_separation else MASK_EPSILON
    masks = SoftMasks(epsilon, name="masks")(outputs)
    estimates = ApplyMasks(name="estimates")(masks, mixture)
    return keras.Model(mixture, estimates, name="hiphopss")


def mask_model(model: keras.Model) -> keras.Model:
    """The same network, ending at the masks `[shape=(n, 4, 30, 513)]`."""
    return import_keras().Model(model.input, model.get_layer("masks").output, name="masks")
