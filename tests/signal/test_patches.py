"""Patch counts, cutting and the cross-fade against the recursion of docs/released-code.md."""

import numpy as np
import pytest

from hiphopss import HiphopssError, SignalConfig
from hiphopss.signal.patches import (
    crossfade_weights,
    cut,
    overlap_add,
    separation_patch_count,
    training_patch_count,
)

CONFIG = SignalConfig()


@pytest.mark.parametrize(
    ("n_frames", "released", "corrected"),
    [(2586, 157, 512), (29, 1, 1), (30, 1, 1), (34, 1, 1), (35, 2, 2), (60, 3, 7), (525, 31, 100)],
)
def test_training_patches_of_a_block(n_frames, released, corrected):
    assert training_patch_count(n_frames, CONFIG, first_only=True) == released
    assert training_patch_count(n_frames, CONFIG, first_only=False) == corrected


def test_released_patches_always_fit():
    for n_frames in range(30, 3000):
        count = training_patch_count(n_frames, CONFIG, first_only=True)
        assert 5 * (count - 1) + 30 <= n_frames


@pytest.mark.parametrize("n_frames", [3, 25, 26, 30, 31, 35, 36, 200])
def test_separation_patches_as_the_loops_of_the_released_code(n_frames):
    def count(reach):
        start = 0
        while start + reach < n_frames:
            start += 5
        return max(1, start // 5)

    assert separation_patch_count(n_frames, CONFIG) == count(25)
    assert separation_patch_count(n_frames, CONFIG, drop_tail=True) == count(30)
    assert 5 * (separation_patch_count(n_frames, CONFIG) - 1) + 30 >= n_frames


def test_cut_pads_the_last_patches():
    frames = np.random.default_rng(0).random((41, 513))
    patches = cut(frames, 4, CONFIG)
    assert patches.shape == (4, 30, 513)
    for number, patch in enumerate(patches):
        piece = frames[5 * number : 5 * number + 30]
        np.testing.assert_array_equal(patch[: len(piece)], piece)
        assert not patch[len(piece) :].any()


def test_cut_makes_no_copy_of_frames_that_are_enough():
    frames = np.random.default_rng(0).random((45, 513))
    for n_frames, n_patches in ((45, 4), (45, 2), (30, 1)):
        patches = cut(frames[:n_frames], n_patches, CONFIG)
        assert patches.shape == (n_patches, 30, 513)
        assert np.shares_memory(patches, frames)
    close = SignalConfig(overlap=29)  # a patch at every frame
    np.testing.assert_array_equal(cut(frames, 3, close), [frames[k : k + 30] for k in range(3)])


def recursive_crossfade(patches):
    """Patches (n_patches, n_sources, 30, n_bins) joined one by one."""
    joined = patches[0]
    fade = np.linspace(0, 1, 25)[:, None]
    for number, patch in enumerate(patches[1:], 1):
        start = 5 * number
        crossed = joined[:, start : start + 25] * (1 - fade) + patch[:, :25] * fade
        joined = np.concatenate([joined[:, :start], crossed, patch[:, 25:]], axis=1)
    return joined


@pytest.mark.parametrize(("n_patches", "run"), [(1, 1), (2, 1), (7, 7), (23, 4), (23, 23)])
def test_crossfade_against_the_recursion(n_patches, run):
    patches = np.random.default_rng(1).random((n_patches, 2, 30, 9)).astype(np.float32)
    config = SignalConfig(frame=16, hop=8)  # 9 bins
    expected = recursive_crossfade(patches.astype(np.float64))
    joined, tail = [], np.zeros((2, 25, 9), np.float32)
    for first in range(0, n_patches, run):
        part = patches[first : first + run]
        weights = crossfade_weights(
            config,
            n_before=first,
            n_patches=len(part),
            n_after=n_patches - first - len(part),
        )
        weighted = part * weights[:, None, :, None].astype(np.float32)
        frames = overlap_add(weighted, tail, config)
        assert frames.dtype == np.float32
        joined.append(frames[:, : 5 * len(part)])
        tail = frames[:, 5 * len(part) :]
    joined = np.concatenate([*joined, tail], axis=1)
    # float32 rounding of six terms below 1
    np.testing.assert_allclose(joined, expected, atol=1e-6)


def test_settings_that_do_not_fit_together_are_refused():
    with pytest.raises(HiphopssError, match="two hops"):
        SignalConfig(hop=256)
    with pytest.raises(HiphopssError, match="multiple"):
        SignalConfig(overlap=23)
