"""The order of patches: which of them make the batches of an epoch."""

from __future__ import annotations

import numpy as np

_SHUFFLED_BATCHES = 200  # number of batches that the released code loads and shuffles together


def epoch_size(
    n_patches: int, batch_size: int, patches_per_epoch: int | None = None
) -> tuple[int, int]:
    """Number of batches of an epoch, and of patches in each; parameters as in `epoch_batches`."""
    size = min(batch_size, n_patches)
    n_batches = n_patches // size
    if patches_per_epoch is None or patches_per_epoch >= n_batches * size:
        return n_batches, size
    return max(1, patches_per_epoch // size), size


def epoch_batches(
    n_patches: int,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    local_shuffle: bool,
    patches_per_epoch: int | None = None,
) -> np.ndarray:
    """Choose the patches of each batch of an epoch.

    Parameters
    ----------
    n_patches : int
        Number of patches of the feature file.
    batch_size : int
        Patches in a batch; an incomplete last batch is left out. A smaller file makes one batch.
    seed, epoch : int
        Together they determine the order.
    local_shuffle : bool
        Shuffle only within groups of 200 consecutive batches (Q11).
    patches_per_epoch : int, optional
        Keep a random choice of batches with this many patches (at least one batch).

    Returns
    -------
    np.ndarray [shape=(n_batches, batch_size)]
        Patch indices.
    """
    rng = np.random.default_rng([seed, epoch])
    n_kept, batch_size = epoch_size(n_patches, batch_size, patches_per_epoch)
    run = _SHUFFLED_BATCHES * batch_size if local_shuffle else n_patches
    order = np.concatenate(
        [start + rng.permutation(min(run, n_patches - start)) for start in range(0, n_patches, run)]
    )
    n_batches = n_patches // batch_size
    batches = order[: n_batches * batch_size].reshape(n_batches, batch_size)
    if n_kept == n_batches:
        return batches
    return batches[np.sort(rng.choice(n_batches, n_kept, replace=False))]
