"""From a mixture to its four stems.

A song is worked through in runs of patches, so apart from the waveforms themselves memory does not
grow with its length. The masks come from the mono down-mix (the network knows nothing else) and are
applied to the spectrum of each channel. Masks sum to 1 and the transform inverts exactly, so the
stems sum to the mixture: to about -120 dB in floating point, within two steps of integer types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiphopss import audio
from hiphopss.config import SOURCES, Fidelity, SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.patches import crossfade_weights, cut, overlap_add, separation_patch_count
from hiphopss.registry import resolve_weights
from hiphopss.transform import InverseTransform, frame_count, magnitude, stft
from hiphopss.weights import load_model

if TYPE_CHECKING:
    import keras

MAX_CHANNELS = 32  # of an array; more is most likely a transposed one
_BATCH = 128  # patches a call of the network


class Separator:
    """A network ready to separate any number of songs.

    Parameters
    ----------
    model : keras.Model
        From :func:`hiphopss.model.build_model`.
    config : SignalConfig
        The transform.
    fidelity : Fidelity
        Of the model; also says whether the tail is dropped (Q6).
    """

    def __init__(self, model: keras.Model, config: SignalConfig, fidelity: Fidelity):
        from hiphopss.model import mask_model

        self.config = config
        self._masks = mask_model(model)
        self._drop_tail = fidelity.standalone_separation

    @classmethod
    def from_weights(
        cls, path: str | Path | None = None, *, standalone_script: bool = False
    ) -> Separator:
        """Read a weight file of either kind.

        Parameters
        ----------
        path : path-like or None
            As :func:`hiphopss.registry.resolve_weights`.
        standalone_script : bool
            Separate as the released stand-alone script does (Q6).
        """
        model, info = load_model(resolve_weights(path), standalone_script=standalone_script)
        return cls(model, info.config, info.fidelity)

    def stems(
        self, waveform: np.ndarray, progress: Callable[[int], None] | None = None
    ) -> Iterator[np.ndarray]:
        """Separate a waveform at the network's own rate, block by block.

        Parameters
        ----------
        waveform : np.ndarray [shape=(n_samples, n_channels)]
            The mixture, in single precision.
        progress : callable, optional
            Called with the number of samples done after each block.

        Yields
        ------
        np.ndarray [shape=(n_sources, n_block, n_channels)]
            Consecutive blocks of the stems; together as long as the mixture.
        """
        config = self.config
        n_samples, n_channels = waveform.shape
        n_frames = frame_count(n_samples, config)
        n_patches = separation_patch_count(n_frames, config, drop_tail=self._drop_tail)
        shape = (len(SOURCES), n_channels)
        inverse = InverseTransform(shape, np.float32, config)
        tail = np.zeros((len(SOURCES), config.overlap, config.bins), np.float32)
        n_done = -config.hop  # the transform's zeros before the signal
        for first in range(0, n_patches, _BATCH):
            last = min(first + _BATCH, n_patches)
            start = first * config.patch_hop
            stop = min((last - 1) * config.patch_hop + config.context, n_frames)
            spectrum = stft(waveform.T, config, start=start, stop=stop)  # (n_channels, n, n_bins)
            masks = self._patch_masks(spectrum.mean(axis=0), last - first)
            weights = crossfade_weights(
                config, n_before=first, n_patches=last - first, n_after=n_patches - last
            )
            masks *= weights[:, None, :, None].astype(np.float32)
            frames = overlap_add(masks, tail, config)
            complete = (last - first) * config.patch_hop if last < n_patches else stop - start
            tail = frames[:, complete:]
            block = inverse.push(frames[:, None, :complete] * spectrum[:, :complete])
            block = block[..., max(-n_done, 0) : n_samples - n_done]
            n_done = max(n_done, 0) + block.shape[-1]
            if progress:
                progress(block.shape[-1])
            yield block.swapaxes(1, 2)
        if n_done < n_samples:  # only where the tail is dropped
            rest = np.zeros((len(SOURCES), n_samples - n_done, n_channels), np.float32)
            last = inverse.flush().swapaxes(1, 2)[:, : n_samples - n_done]
            rest[:, : last.shape[1]] = last
            yield rest

    def _patch_masks(self, spectrum: np.ndarray, n_patches: int) -> np.ndarray:
        """Masks of patches of the down-mix, `[shape=(n_patches, n_sources, context, n_bins)]`."""
        scaled = magnitude(spectrum, self.config) * np.float32(self.config.scale)
        patches = cut(scaled, n_patches, self.config)
        if n_patches < _BATCH:  # one batch size, so that the network is compiled once
            patches = np.pad(patches, [(0, _BATCH - n_patches), (0, 0), (0, 0)])
        return np.array(self._masks.predict_on_batch(patches)[:n_patches])


def separate(
    waveform: np.ndarray,
    sample_rate: int,
    *,
    weights: str | Path | Separator | None = None,
    mono: bool = False,
) -> dict[str, np.ndarray]:
    """Separate a mixture into its stems.

    Parameters
    ----------
    waveform : np.ndarray [shape=(n_samples,)] or [shape=(n_samples, n_channels)]
        The mixture; full scale is 1.
    sample_rate : int
        In Hz. Other rates than the network's are resampled there and back.
    weights : path-like, Separator or None
        A weight file (own or published), by path or by name in the registry; a :class:`Separator`
        saves reading it again. By default the shipped one.
    mono : bool
        Separate the average of the channels, as the released code does.

    Returns
    -------
    dict of str to np.ndarray
        For each of ``SOURCES`` an array of the mixture's shape (one channel if ``mono``) in single
        precision.

    Raises
    ------
    HiphopssError
        If the weights can't be used, or the waveform is not one.
    """
    if np.asarray(waveform).dtype.kind in "iu":
        raise HiphopssError("waveform: has integers: divide them by their full scale first")
    if not sample_rate > 0:
        raise HiphopssError(f"sample rate {sample_rate}: give a positive number of Hz")
    given = np.asarray(waveform, np.float32)
    samples = given[:, None] if given.ndim == 1 else given
    if samples.ndim != 2 or not len(samples) or samples.shape[1] > MAX_CHANNELS:
        raise HiphopssError(
            f"waveform of shape {given.shape}: give (n_samples,) or (n_samples, n_channels)"
        )
    if not np.isfinite(samples).all():
        raise HiphopssError("waveform: has samples that are not finite: mend them first")
    samples = audio.to_mono(samples)[:, None] if mono else samples
    separator = weights if isinstance(weights, Separator) else Separator.from_weights(weights)
    blocks = separate_blocks(separator, samples, sample_rate)
    joined = np.concatenate(list(blocks), axis=1)  # (n_sources, n_samples, n_channels)
    joined = joined[..., 0] if given.ndim == 1 or mono else joined
    return dict(zip(SOURCES, joined, strict=True))


def separate_blocks(
    separator: Separator,
    waveform: np.ndarray,
    sample_rate: int,
    progress: Callable[[int], None] | None = None,
) -> Iterator[np.ndarray]:
    """As :meth:`Separator.stems`, at any rate; exactly as many samples come out as went in."""
    rate = separator.config.sample_rate
    if sample_rate == rate:
        yield from separator.stems(waveform, progress)
        return
    import soxr

    n_samples, n_channels = waveform.shape
    inner = audio.resample(waveform, sample_rate, rate)
    back = [
        soxr.ResampleStream(rate, sample_rate, n_channels, dtype="float32", quality="VHQ")
        for _ in SOURCES
    ]
    n_done = 0
    for block in separator.stems(inner, progress):
        pieces = np.stack(
            [
                stream.resample_chunk(np.ascontiguousarray(stem))
                for stream, stem in zip(back, block, strict=True)
            ]
        )[:, : n_samples - n_done]
        n_done += pieces.shape[1]
        yield pieces
    nothing = np.zeros((0, n_channels), np.float32)
    rest = np.stack([stream.resample_chunk(nothing, last=True) for stream in back])
    missing = max(n_samples - n_done - rest.shape[1], 0)
    yield np.pad(rest[:, : n_samples - n_done], [(0, 0), (0, missing), (0, 0)])
