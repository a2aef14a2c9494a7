"""Patches: the frames that the network sees together, and how its outputs are joined.

docs/released-code.md, section 2. A patch is ``context`` (30) consecutive frames; consecutive
patches start ``context - overlap`` (5) frames apart. A patch is represented by its start index and
is never copied.
"""

from __future__ import annotations

import numpy as np

from hiphopss.config import SignalConfig


def training_patch_count(n_frames: int, config: SignalConfig, *, first_only: bool) -> int:
    """Number of patches of a block of frames that are used for training.

    Parameters
    ----------
    n_frames : int
        Number of frames of the block.
    config : SignalConfig
        Context and overlap.
    first_only : bool
        Use the released code's count (quirk Q2), 157 for a full block of 2,586 frames; otherwise
        all that fit, 512.

    Returns
    -------
    int
        At least 1, because a block that is shorter than a patch is padded with zeros.
    """
    if first_only:
        blocks = n_frames // config.context
        return max(1, (n_frames + blocks * config.overlap) // config.context)
    return max(1, (n_frames - config.context) // config.patch_hop + 1)


def separation_patch_count(n_frames: int, config: SignalConfig, *, drop_tail: bool = False) -> int:
    """Number of patches that cover a signal of ``n_frames`` frames at separation.

    There is a patch at every start with ``start + overlap < n_frames``, so that every frame is
    covered; the stand-alone script (``drop_tail``, part of Q6) requires ``start + context <
    n_frames``. There is always at least one patch.
    """
    beyond = n_frames - (config.context if drop_tail else config.overlap)
    return max(1, -(-beyond // config.patch_hop))


def cut(frames: np.ndarray, n_patches: int, config: SignalConfig) -> np.ndarray:
    """Cut consecutive patches out of frames, which are padded with zeros at the end if needed.

    Parameters
    ----------
    frames : np.ndarray [shape=(n_frames, n_bins)]
        Magnitudes; the first patch starts at the first frame.
    n_patches : int
        Number of patches.
    config : SignalConfig
        Context and overlap.

    Returns
    -------
    np.ndarray [shape=(n_patches, context, n_bins)]
        A read-only view if no padding was needed.
    """
    needed = (n_patches - 1) * config.patch_hop + config.context
    if needed > len(frames):
        frames = np.pad(frames, [(0, needed - len(frames)), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(frames, config.context, axis=0)
    return windows[: needed - config.context + 1 : config.patch_hop].swapaxes(1, 2)


def crossfade_weights(
    config: SignalConfig, *, n_before: int, n_patches: int, n_after: int
) -> np.ndarray:
    """Weight of each patch at each of its frames in the recursive cross-fade.

    The released code joins estimates one by one: the first ``overlap`` frames of a new patch are
    faded in over the result so far, with weights that rise linearly from 0 to 1, and its last
    frames are appended. This is linear, so each patch's share of the final result is the product of
    its own weight and of the weights that later patches leave to it.

    Parameters
    ----------
    config : SignalConfig
        Context and overlap.
    n_before, n_patches, n_after : int
        Number of the signal's patches before those that are asked for, of those, and after them.

    Returns
    -------
    np.ndarray [shape=(n_patches, context)]
        In double precision. The weights of all patches that cover a frame sum to 1.
    """
    hop = config.patch_hop
    fade = np.ones(config.context)
    fade[: config.overlap] = np.linspace(0, 1, config.overlap)
    weights = np.tile(fade, (n_patches, 1))
    if n_before == 0:
        weights[0] = 1  # the first patch has nothing to fade from
    for nth in range(1, (config.context - 1) // hop + 1):
        n_followed = max(min(n_patches + n_after - nth, n_patches), 0)  # by an nth later patch
        weights[:n_followed, nth * hop :] *= 1 - fade[: config.context - nth * hop]
    return weights


def overlap_add(patches: np.ndarray, tail: np.ndarray, config: SignalConfig) -> np.ndarray:
    """Sum weighted patches into frames.

    Parameters
    ----------
    patches : np.ndarray [shape=(n_patches, n_sources, context, n_bins)]
        Consecutive patches, each already multiplied by its :func:`crossfade_weights`.
    tail : np.ndarray [shape=(n_sources, overlap, n_bins)]
        What earlier patches add to the first frames (zeros before the first patch).
    config : SignalConfig
        Context and overlap.

    Returns
    -------
    np.ndarray [shape=(n_sources, n_patches * hop + overlap, n_bins)]
        The first ``n_patches * hop`` frames are complete; the rest is the next ``tail``.
    """
    n_patches, n_sources, context, n_bins = patches.shape
    hop = config.patch_hop
    frames = np.zeros((n_sources, n_patches * hop + config.overlap, n_bins), patches.dtype)
    frames[:, : config.overlap] = tail
    for part in range(0, context, hop):
        width = min(hop, context - part)
        piece = patches[:, :, part : part + width].swapaxes(0, 1)
        target = frames[:, part : part + n_patches * hop].reshape(n_sources, n_patches, hop, n_bins)
        target[:, :, :width] += piece
    return frames
