"""Training on mixes drawn on the fly, with JAX on a processor or a GPU.

The network is that of :mod:`hiphopss.network.model` in the preset ``corrected``, written for speed:
of each patch only every third frame is decoded, at a random offset, which gives the same gradient
in expectation. The loss is the squared error of each source over its energy in the batch, so that
quiet sources count as much as loud ones.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.network.spec import MASK_EPSILON, N_FILTERS, TIME_FILTER, mask_noise
from hiphopss.util.extras import require
from hiphopss.util.progress import progress_bar
from hiphopss.weights.default.mixing import N_FRAMES, Mixer, Shelf

logger = logging.getLogger(__name__)

EVERY = 3  # of a patch's frames, one is decoded
POOL = 256  # mixes from which patches are drawn
REUSE = 2.0  # how often a mix's material is seen, in patches of hop 5
LOUDNESS = 0.5  # standard deviation of the logarithm of a patch's gain
WARM_UP = 200  # steps
CLIP = 5.0  # largest norm of a gradient
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's
KEEP = 0.999  # of the mean of weights at each step
N_VALIDATION = 48  # mixes of held-out rows

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes
    ----------
    steps, batch : int
        Number of steps, and of patches a step.
    rate : float
        Learning rate after the warm-up; it falls to 0 as a cosine.
    every : int
        Steps between validations.
    patience : int
        Validations without a better one after which training ends.
    seed : int
        Of initial weights and mixes.
    """

    steps: int = 10000
    batch: int = 64
    rate: float = 2e-3
    every: int = 1000
    patience: int = 6
    seed: int = 2


@dataclass(frozen=True)
class Trained:
    """The mean of weights at the best validation, its step and losses, and patches seen."""

    arrays: dict[str, np.ndarray]
    step: int
    losses: list[float]
    patches: int


def estimates_of(arrays: Arrays, mixture: Any, frames: np.ndarray, config: SignalConfig) -> Any:
    """The network's estimates at some frames of patches.

    Parameters
    ----------
    arrays : dict of str to array
        Weights by the names of :func:`hiphopss.network.spec.array_shapes`.
    mixture : array [shape=(n, context, n_bins)]
        Scaled magnitudes.
    frames : np.ndarray of int [shape=(n_frames,)]
        Frames of the patch to decode.
    config : SignalConfig

    Returns
    -------
    array [shape=(n, n_sources, n_frames, n_bins)]
    """
    import jax
    from jax import numpy as jnp

    n, bins, context = len(mixture), config.bins, config.context
    encoded = context - TIME_FILTER + 1
    # The kernels are convolutions', so they are applied in reverse.
    spectral = arrays["conv1/kernel"].reshape(N_FILTERS, bins)[:, ::-1]
    temporal = arrays["conv2/kernel"][..., 0][:, :, ::-1]  # (filters, channels, time)
    hidden = mixture @ spectral.T + arrays["conv1/bias"]
    windows = [hidden[:, time : time + encoded] for time in range(TIME_FILTER)]
    kernel = temporal.transpose(2, 1, 0).reshape(-1, N_FILTERS)
    hidden = jnp.concatenate(windows, axis=-1) @ kernel + arrays["conv2/bias"]
    # Dense layers take channels first.
    code = _as_time_first(arrays["bottleneck/kernel"].T, encoded).T
    code = jax.nn.relu(hidden.reshape(n, -1) @ code + arrays["bottleneck/bias"])
    kernels = [_as_time_first(arrays[f"decoder_{s}/kernel"], encoded) for s in SOURCES]
    biases = [_as_time_first(arrays[f"decoder_{s}/bias"], encoded) for s in SOURCES]
    decoded = jax.nn.relu(code @ jnp.concatenate(kernels, -1) + jnp.concatenate(biases, -1))
    decoded = decoded.reshape(n, len(SOURCES), encoded, N_FILTERS)
    margin = TIME_FILTER - 1
    decoded = jnp.pad(decoded, ((0, 0), (0, 0), (margin, margin), (0, 0)))
    needed = (frames[:, None] + np.arange(TIME_FILTER)).reshape(-1)
    kernel = temporal[:, :, ::-1].transpose(2, 0, 1).reshape(-1, N_FILTERS)
    decoded = jnp.take(decoded, needed, axis=2)
    decoded = decoded.reshape(n, len(SOURCES), len(frames), -1) @ kernel
    bias = arrays["output/bias"][:, None, None]
    noise = (MASK_EPSILON * mask_noise((context, bins))).astype(np.float32)
    outputs = jax.nn.relu(decoded @ spectral + bias) + jnp.take(noise, frames, axis=0)
    masks = outputs / outputs.sum(axis=1, keepdims=True)
    return masks * jnp.take(mixture, frames, axis=1)[:, None]


def _as_time_first(array: Any, encoded: int) -> Any:
    """Reorder the last axis from (filters, time) to (time, filters)."""
    shape = array.shape[:-1]
    split = array.reshape(*shape, N_FILTERS, encoded)
    return split.swapaxes(-1, -2).reshape(*shape, -1)


def errors_of(arrays: Arrays, batch: Arrays, frames: Any, config: SignalConfig) -> tuple[Any, Any]:
    """Squared errors and energies of the sources in a batch, `[shape=(n_sources,)]` each."""
    estimates = estimates_of(arrays, batch["mixture"], frames, config)
    errors = ((estimates - batch["sources"]) ** 2).sum(axis=(0, 2, 3))
    return errors, (batch["sources"] ** 2).sum(axis=(0, 2, 3))


def loss_of(arrays: Arrays, batch: Arrays, frames: Any, config: SignalConfig) -> Any:
    """Squared error of each source over its energy in the batch, summed over sources."""
    errors, energies = errors_of(arrays, batch, frames, config)
    return 4 * (errors / (energies + 1e-6)).sum()


class Batches:
    """Patches of mixes, drawn in a thread of its own; the same seed gives the same batches.

    Parameters
    ----------
    mixer : Mixer
    settings : Settings
    """

    def __init__(self, mixer: Mixer, settings: Settings):
        self.mixer, self.settings = mixer, settings
        self._made: queue.Queue[Any] = queue.Queue(4)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Batches:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def __iter__(self) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        while True:
            made = self._made.get()
            if isinstance(made, BaseException):
                raise made
            yield made

    def _run(self) -> None:
        try:
            for batch in self._drawn():
                while not self._stopped.is_set():
                    try:
                        self._made.put(batch, timeout=0.2)
                        break
                    except queue.Full:
                        continue
                if self._stopped.is_set():
                    return
        except Exception as error:  # the main thread raises it
            self._made.put(error)

    def _drawn(self) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        rng = np.random.default_rng([self.settings.seed, 2])
        config, n = self.mixer.config, self.settings.batch
        fresh = n / (REUSE * (N_FRAMES - config.context) / config.patch_hop)  # mixes a batch
        pool: list[np.ndarray] = []
        due, place = float(min(POOL, 32)), 0
        while True:
            while due >= 1:
                mix = self.mixer.mix()
                if len(pool) < POOL:
                    pool.append(mix)
                else:
                    pool[place % POOL] = mix
                place, due = place + 1, due - 1
            due += fresh if len(pool) == POOL else max(fresh, 1.0)
            yield _batch(pool, rng, n, config)


def _batch(
    pool: list[np.ndarray], rng: np.random.Generator, n: int, config: SignalConfig
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draw patches, each with a gain, and the frames to decode."""
    frames = np.arange(rng.integers(EVERY), config.context, EVERY)
    mixture = np.empty((n, config.context, config.bins), np.float32)
    sources = np.empty((n, len(SOURCES), len(frames), config.bins), np.float32)
    for i in range(n):
        start = int(rng.integers(N_FRAMES - config.context))
        patch = pool[int(rng.integers(len(pool)))][start : start + config.context]
        gain = np.float32(np.exp(rng.normal(0, LOUDNESS)))
        np.multiply(patch[:, 0], gain, out=mixture[i])
        np.multiply(patch[frames, 1:].swapaxes(0, 1), gain, out=sources[i])
    return {"mixture": mixture, "sources": sources}, frames


def _validation(shelves: dict[str, dict[str, Shelf]], config: SignalConfig) -> list[Arrays]:
    """Patches without overlap of mixes of held-out rows: one batch a mix."""
    mixer = Mixer(shelves, config, np.random.default_rng(3))
    batches = []
    for _ in range(N_VALIDATION):
        mix = mixer.mix()
        n = N_FRAMES // config.context
        patches = mix[: n * config.context].reshape(n, config.context, *mix.shape[1:])
        patches = patches.swapaxes(1, 2)
        batches.append({"mixture": patches[:, 0], "sources": patches[:, 1:]})
    return batches


def _validated(measured: list[tuple[Any, Any]]) -> float:
    """Mean over sources of squared errors over energies, of all mixes; 1 is as bad as silence."""
    errors, energies = np.sum(np.asarray(measured, float), axis=0)
    return float(np.mean(errors / energies))


def train(
    arrays: dict[str, np.ndarray],
    shelves: dict[str, dict[str, Shelf]],
    held_out: dict[str, dict[str, Shelf]],
    settings: Settings,
    *,
    progress: bool,
    after: Callable[[int, dict[str, np.ndarray]], None] | None = None,
) -> Trained:
    """Train from some weights.

    Parameters
    ----------
    arrays : dict of str to np.ndarray
        Initial weights.
    shelves, held_out : dict of str to dict of str to Shelf
        From :func:`hiphopss.weights.default.mixing.read_shelves`.
    settings : Settings
    progress : bool
    after : callable, optional
        Called with the step and the mean of weights after each validation.

    Raises
    ------
    HiphopssError
        If JAX is not installed, or training diverges.
    """
    require("training the default weights", "jax")
    import jax

    config = SignalConfig()
    mixer = Mixer(shelves, config, np.random.default_rng([settings.seed, 1]))
    checks = _validation(held_out, config)
    everything = np.arange(config.context)
    step = jax.jit(_step_function(settings, config))
    measure = jax.jit(lambda now, batch: errors_of(now, batch, everything, config))
    now = {name: jax.numpy.asarray(array) for name, array in arrays.items()}
    zeros = {name: jax.numpy.zeros_like(array) for name, array in now.items()}
    state = (now, zeros, zeros, now)
    best: tuple[int, dict[str, np.ndarray]] = (0, arrays)
    losses: list[float] = []
    done = 0
    with (
        Batches(mixer, settings) as batches,
        progress_bar(total=settings.steps, desc="train", unit="step", show=progress) as bar,
    ):
        for done, (batch, frames) in zip(range(1, settings.steps + 1), batches, strict=False):
            state = step(state, np.float32(done), batch, frames)
            bar.update()
            if done % settings.every and done != settings.steps:
                continue
            mean = {name: np.asarray(array) for name, array in state[3].items()}
            losses.append(_validated([measure(mean, check) for check in checks]))
            if not np.isfinite(losses[-1]):
                raise HiphopssError(f"training diverged at step {done}: take a lower rate")
            logger.info("step %d: loss on held-out songs %.4f", done, losses[-1])
            if losses.index(min(losses)) == len(losses) - 1:
                best = done, mean
            if after is not None:
                after(done, mean)
            if len(losses) - 1 - int(np.argmin(losses)) >= settings.patience:
                break
    return Trained(best[1], best[0], losses, done * settings.batch)


def _step_function(settings: Settings, config: SignalConfig) -> Callable:
    """One step of Adam, and of the mean of weights."""
    import jax
    from jax import numpy as jnp

    def step(state: tuple, number: Any, batch: Arrays, frames: Any) -> tuple:
        weights, first, second, mean = state
        slopes = jax.grad(loss_of)(weights, batch, frames, config)
        norm = jnp.sqrt(sum((slope**2).sum() for slope in slopes.values()))
        slopes = jax.tree.map(lambda slope: slope * jnp.minimum(1, CLIP / (norm + 1e-9)), slopes)
        first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, slopes)
        second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, slopes)
        cosine = 0.5 * (1 + jnp.cos(jnp.pi * (number - 1) / settings.steps))
        rate = settings.rate * jnp.minimum(1, number / WARM_UP) * cosine

        def moved(weight: Any, m: Any, v: Any) -> Any:
            m, v = m / (1 - BETA1**number), v / (1 - BETA2**number)
            return weight - rate * m / (jnp.sqrt(v) + EPSILON)

        weights = jax.tree.map(moved, weights, first, second)
        keep = jnp.minimum(KEEP, number / (9 + number))
        mean = jax.tree.map(lambda e, w: keep * e + (1 - keep) * w, mean, weights)
        return weights, first, second, mean

    return step
