"""Separating a mixture into its four stems.

A song is processed while it is read, in groups of patches called runs, so memory use does not grow
with its length; with the NumPy engine, several runs are processed in parallel. The masks are
computed from the mono down-mix (the network's only input) and applied to the spectrum of each
channel. Masks sum to 1 and the transform inverts exactly, so the stems sum to the mixture: to about
-120 dB in floating point, within two steps of integer types.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiphopss.config import SOURCES, Fidelity, SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.loops.separator import Network
from hiphopss.network.forward import NumpyNetwork
from hiphopss.separation.engines import load_network
from hiphopss.separation.listening import SongSeparator, require_loops, tell_unused, used_loops
from hiphopss.signal import reading
from hiphopss.signal.patches import crossfade_weights, separation_patch_count
from hiphopss.signal.transform import InverseTransform, frame_count, magnitude, stft
from hiphopss.util.arrays import require_upright
from hiphopss.util.threads import ordered_map, processor_count
from hiphopss.weights.registry import describe_default, resolve_weights

if TYPE_CHECKING:
    from hiphopss.network.keras_masks import KerasNetwork

logger = logging.getLogger(__name__)

MAX_CHANNELS = 32  # an array with more channels is most likely transposed
_RUN = 128  # patches that are processed together
_CACHED = 32  # frames that are transformed together
_PIECE = 2**17  # samples of an array that are taken at a time
_MOST_THREADS = 8  # each thread needs memory for a run


@dataclass(frozen=True)
class _Run:
    """Consecutive patches, the samples they need, and the frames that they complete.

    Attributes
    ----------
    samples : np.ndarray [shape=(n_samples, n_channels)]
        Samples from the beginning of the first patch's first frame.
    n_frames : int
        Number of frames of the patches that lie in the signal.
    n_before, n_patches, n_after : int
        Number of patches before the run, in it, and after it (only those that overlap with it).
    start : int
        First frame to be inverted, counted from the first patch's first frame. The run before has
        inverted it too: the first output samples need both this frame and the next.
    n_out : int
        Number of output samples.
    """

    samples: np.ndarray
    n_frames: int
    n_before: int
    n_patches: int
    n_after: int
    start: int
    n_out: int


class Separator:
    """A network ready to separate any number of songs.

    Parameters
    ----------
    network : NumpyNetwork or KerasNetwork
        Network from :func:`hiphopss.separation.engines.load_network`.
    config : SignalConfig
        Settings of the transform.
    fidelity : Fidelity
        Switches of the network, which include whether the tail is dropped (Q6).

    Attributes
    ----------
    config, fidelity
        The same.
    """

    def __init__(
        self, network: NumpyNetwork | KerasNetwork, config: SignalConfig, fidelity: Fidelity
    ):
        self.config = config
        self.fidelity = fidelity
        self._network = network

    @classmethod
    def from_weights(cls, path: str | Path | None = None, *, engine: str = "numpy") -> Separator:
        """Make a separator from a weight file of either kind.

        Parameters
        ----------
        path : path-like or None
            As in :func:`hiphopss.weights.registry.resolve_weights`.
        engine : str
            One of :data:`hiphopss.separation.engines.ENGINES`, which agree up to rounding.
        """
        network, info = load_network(resolve_weights(path), engine=engine)
        return cls(network, info.config, info.fidelity)

    def stems(
        self, blocks: Iterable[np.ndarray], progress: Callable[[int], None] | None = None
    ) -> Iterator[np.ndarray]:
        """Separate a mixture at the network's sampling rate, block by block.

        Parameters
        ----------
        blocks : iterable of np.ndarray [shape=(n_block, n_channels)]
            Consecutive samples of the mixture, in single precision.
        progress : callable, optional
            Called after each block with the number of samples in it.

        Yields
        ------
        np.ndarray [shape=(n_sources, n_block, n_channels)]
            Consecutive blocks of the stems, as long together as the mixture.
        """
        runs = self._runs(blocks)
        separated: Iterator[np.ndarray] = map(self._separate_run, runs)
        if self._network.parallel:
            n_threads = min(processor_count(), _MOST_THREADS)
            separated = ordered_map(self._separate_run, runs, n_threads=n_threads)
        for stems in separated:
            if progress:
                progress(stems.shape[1])
            yield stems

    def _runs(self, blocks: Iterable[np.ndarray]) -> Iterator[_Run]:
        """Collect samples into runs; the last run has all remaining samples."""
        config = self.config
        patch_samples = config.patch_hop * config.hop
        fading = (config.context - 1) // config.patch_hop  # number of patches that fade a patch out
        n_read, first, start, held = 0, 0, 0, None  # held starts at the first patch's first frame
        for block in blocks:
            if held is None:  # start with the transform's zeros before the signal
                held = np.zeros((config.hop, block.shape[1]), np.float32)
            held = np.concatenate([held, block])
            n_read += len(block)
            # A run is complete when all patches that fade out its last patch are certain to exist.
            while n_read > (first + _RUN + fading) * patch_samples + config.context * config.hop:
                stop = (first + _RUN) * config.patch_hop  # later frames need later patches, too
                yield self._run(held, n_read, first, _RUN, fading, start, stop)
                start = stop - 1
                following = -(-(start - config.context + 1) // config.patch_hop)
                held = held[(following - first) * patch_samples :]
                first = following
        if held is not None:
            n_frames = frame_count(n_read, config)
            n_patches = separation_patch_count(
                n_frames, config, drop_tail=self.fidelity.standalone_separation
            )
            yield self._run(held, n_read, first, n_patches - first, 0, start, None)

    def _run(
        self,
        held: np.ndarray,
        n_read: int,
        first: int,
        n_patches: int,
        n_after: int,
        start: int,
        stop: int | None,
    ) -> _Run:
        """Make the run of the patches from ``first`` on; ``stop`` is None for the last run."""
        config = self.config
        before = first * config.patch_hop
        n_frames = (n_patches - 1) * config.patch_hop + config.context
        return _Run(
            samples=held[: (n_frames + 1) * config.hop],
            n_frames=min(n_frames, frame_count(n_read, config) - before),
            n_before=first,
            n_patches=n_patches,
            n_after=n_after,
            start=start - before,
            n_out=n_read - start * config.hop if stop is None else (stop - 1 - start) * config.hop,
        )

    def _separate_run(self, run: _Run) -> np.ndarray:
        """Separate a run into stems, `[shape=(n_sources, n_out, n_channels)]`."""
        config = self.config
        n_channels = run.samples.shape[1]
        spectrum = np.empty((n_channels, run.n_frames, config.bins), np.complex64)
        for frames in _pieces(0, run.n_frames):
            # The samples start with the first frame, not half a frame later as for a whole signal.
            start, stop = frames.start + 1, frames.stop + 1
            spectrum[:, frames] = stft(run.samples.T, config, start=start, stop=stop)
        mono = spectrum[0] if n_channels == 1 else spectrum.mean(axis=0)
        magnitudes = magnitude(mono, config) * np.float32(config.scale)
        weights = crossfade_weights(
            config, n_before=run.n_before, n_patches=run.n_patches, n_after=run.n_after
        )
        masks = self._network.joined_masks(magnitudes, weights)  # (n_sources, n_frames, n_bins)
        inverse = InverseTransform((len(SOURCES), n_channels), np.float32, config)
        stems = np.zeros((len(SOURCES), run.n_out, n_channels), np.float32)
        n_done = -config.hop  # samples that need the frame before are another run's, or silence
        for frames in _pieces(run.start, run.n_frames):
            block = inverse.push(masks[:, None, frames] * spectrum[:, frames])
            n_done = _put(stems, block, n_done)
            if n_done >= run.n_out:
                return stems
        _put(stems, inverse.flush(), n_done)  # needed only if the tail is dropped
        return stems


def _pieces(start: int, stop: int) -> Iterator[slice]:
    """Cut a range of frames into pieces whose spectra stay in the processor's cache."""
    for first in range(start, stop, _CACHED):
        yield slice(first, min(first + _CACHED, stop))


def _put(stems: np.ndarray, block: np.ndarray, start: int) -> int:
    """Put samples `(n_sources, n_channels, n_block)` at ``start``; return their end."""
    stop = start + block.shape[-1]
    inside = block[..., max(-start, 0) : max(len(stems[0]) - start, 0)]
    stems[:, max(start, 0) : max(stop, 0)] = inside.swapaxes(1, 2)
    return stop


def separate(
    waveform: np.ndarray,
    sample_rate: int,
    *,
    weights: str | Path | Separator | None = None,
    mono: bool = False,
    engine: str = "numpy",
    loops: str = "auto",
) -> dict[str, np.ndarray]:
    """Separate a mixture into its stems.

    Parameters
    ----------
    waveform : np.ndarray [shape=(n_samples,)] or [shape=(n_samples, n_channels)]
        Samples of the mixture, with full scale at 1.
    sample_rate : int
        Sampling rate in Hz. If it is not the network's, audio is resampled before and after.
    weights : path-like, Separator or None
        A weight file (own or published), by path or by name in the registry; by default the shipped
        one, which a log line then names. A :class:`Separator` avoids reading the file again.
    mono : bool
        Separate the average of the channels, as the released code does.
    engine : str
        ``"numpy"``, or ``"keras"`` for the trained network itself: equal stems up to rounding.
        Ignored with a :class:`Separator`.
    loops : str
        ``"auto"`` uses what repeats in the mixture, if anything does, and then needs some disk
        space in the folder for temporary files; a log line says what was found. ``"off"`` gives the
        network's stems, as ``"auto"`` does with weights of the preset ``released``.

    Returns
    -------
    dict of str to np.ndarray
        An array for each of ``SOURCES``, of the mixture's shape (one channel if ``mono``), in
        single precision.

    Raises
    ------
    HiphopssError
        If the weights can't be used, if the waveform is not valid, or if the disk is full.

    Examples
    --------
    >>> import numpy as np
    >>> import hiphopss
    >>> waveform = np.random.default_rng(0).uniform(-0.1, 0.1, (44100, 2))  # a second, stereo
    >>> stems = hiphopss.separate(waveform, 44100)
    >>> list(stems)
    ['vocals', 'bass', 'drums', 'other']
    >>> stems["vocals"].shape
    (44100, 2)
    >>> bool(np.allclose(sum(stems.values()), waveform, atol=1e-5))  # they sum to the song
    True
    """
    require_loops(loops)
    kind = np.asarray(waveform).dtype.kind
    if kind in "iu":
        raise HiphopssError("waveform: has integers: divide them by their full scale first")
    if kind != "f":
        raise HiphopssError(
            "waveform: not an array of samples: read the file first, or use separate_files"
        )
    if not sample_rate > 0:
        raise HiphopssError(f"sample rate {sample_rate}: give a positive number of Hz")
    given = np.asarray(waveform, np.float32)
    samples = given[:, None] if given.ndim == 1 else given
    order = "(n_samples,) or (n_samples, n_channels)"
    if samples.ndim != 2 or not samples.size:
        raise HiphopssError(f"waveform of shape {given.shape}: give {order}")
    n_samples, n_channels = samples.shape
    require_upright(
        "waveform",
        given.shape,
        n_channels,
        "channels",
        n_samples=n_samples,
        order=order,
        most=MAX_CHANNELS,
    )
    if not np.isfinite(samples).all():
        raise HiphopssError("waveform: has samples that are not finite: mend them first")
    samples = reading.to_mono(samples)[:, None] if mono else samples
    if isinstance(weights, Separator):
        separator = weights
    else:
        separator = Separator.from_weights(weights, engine=engine)
    if weights is None:
        logger.info(describe_default())
    used = used_loops(loops, separator.fidelity)
    tell_unused(loops, used, "weights" if isinstance(weights, Separator) else weights)
    song = SongSeparator(separator, used)
    pieces = (samples[start : start + _PIECE] for start in range(0, len(samples), _PIECE))
    blocks = separate_blocks(song, pieces, sample_rate)
    joined = np.concatenate(list(blocks), axis=1)  # (n_sources, n_samples, n_channels)
    song.tell("waveform")
    joined = joined[..., 0] if given.ndim == 1 or mono else joined
    return dict(zip(SOURCES, joined, strict=True))


def separate_blocks(
    separator: Network,
    blocks: Iterable[np.ndarray],
    sample_rate: int,
    progress: Callable[[int], None] | None = None,
) -> Generator[np.ndarray, None, None]:
    """Like :meth:`Separator.stems` at any sampling rate, with as many output as input samples."""
    rate = separator.config.sample_rate
    if sample_rate == rate:
        yield from separator.stems(blocks, progress)
        return
    n_samples = n_channels = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal n_samples, n_channels
        for block in blocks:
            n_samples += len(block)
            n_channels = block.shape[1]
            yield block

    inner = separator.stems(reading.resample_blocks(counted(), sample_rate, rate), progress)
    # Resample the stems side by side, as channels of one stream.
    flat = (stems.swapaxes(0, 1).reshape(stems.shape[1], -1) for stems in inner)
    back = reading.resample_blocks(flat, rate, sample_rate, n_samples=lambda: n_samples)
    for block in back:
        yield block.reshape(len(block), len(SOURCES), n_channels).swapaxes(0, 1)
