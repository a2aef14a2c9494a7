"""Keras callbacks in the loop over epochs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hiphopss.errors import HiphopssError

if TYPE_CHECKING:
    import keras


def callback_list(
    callbacks: Sequence[keras.callbacks.Callback], model: keras.Model, *, epochs: int, steps: int
) -> keras.callbacks.CallbackList:
    """Give callbacks their model and parameters, as ``keras.Model.fit`` does.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
        Callbacks, perhaps none.
    model : keras.Model
        The model, whose ``stop_training`` is reset.
    epochs, steps : int
        Total number of epochs, and number of batches in each.

    Raises
    ------
    HiphopssError
        If one is not a callback.
    """
    import keras

    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise HiphopssError(
                f"callbacks: {type(callback).__name__} is not a keras.callbacks.Callback: give "
                "objects of such classes"
            )
    model.stop_training = False
    return keras.callbacks.CallbackList(
        list(callbacks), model=model, epochs=epochs, steps=steps, verbose=0
    )


def told_batches(
    hooks: keras.callbacks.CallbackList,
    calls: Iterator[tuple[int, dict[str, float]]],
    n_total: int,
) -> Iterator[tuple[int, dict[str, float]]]:
    """Tell callbacks of batches, and pass on what the steps yield.

    As with the ``steps_per_execution`` of Keras, callbacks hear of the first batch of each call of
    the backend before it, and of the last one after it.

    Parameters
    ----------
    hooks : keras.callbacks.CallbackList
        Callbacks from :func:`callback_list`.
    calls : iterator of (int, dict)
        Steps from :func:`hiphopss.training.steps.training_steps`.
    n_total : int
        Number of batches of the epoch.
    """
    n_done = 0
    hooks.on_train_batch_begin(0)
    for n_batches, means in calls:
        n_done += n_batches
        hooks.on_train_batch_end(n_done - 1, means)
        if n_done < n_total:
            hooks.on_train_batch_begin(n_done)
        yield n_batches, means
