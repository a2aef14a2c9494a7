"""Trains twice on the same batches: in place, many steps a call, and batch by batch.

As a program (`python tests/helpers/both_ways.py FEATURES`) it prints what :func:`both_ways` gives,
as JSON, with the backend of KERAS_BACKEND.
"""

import json
import sys
from unittest import mock

import numpy as np

from hiphopss.datasets.features.file import FeatureFile
from hiphopss.network.model import build_model
from hiphopss.training import steps
from hiphopss.training.processes import Share
from hiphopss.util import keras_backend as backend


def both_ways(path, *, jit_compile=True, few=False):
    """What each way tells in two epochs of 7 batches, and how far apart their weights are then.

    As a part of what was learned, of the variable where that is most. And whether frames are used
    where they are. With ``few``, also what it tells in an epoch of fewer batches than a call has,
    for which another graph is compiled.
    """
    told, weights, shared = {}, [], []
    with FeatureFile(path) as file, mock.patch.object(steps, "_AT_ONCE", 3 * 4):
        batches = np.random.default_rng(0).permutation(file.n_patches)[:28].reshape(7, 4)
        for way in ("in place", "read"):
            model = build_model("corrected", seed=0)
            start = model.get_weights()
            steps.compile_model(model, "corrected", jit_compile=jit_compile)
            if way == "in place":
                train = steps.training_steps(model, file, Share())
            else:
                with mock.patch.object(steps, "frames_in_place", return_value=None):
                    train = steps.training_steps(model, file, Share())
            told[way] = [
                [(n, {k: float(v) for k, v in means.items()}) for n, means in train(batches)]
                for _epoch in range(2)
            ]
            if few:
                told[way].append([(n, None) for n, _ in train(batches[:2])])
            weights.append(model.get_weights())
        for frames in (file.mixture, file.sources):
            (tensor,) = backend.frames_in_place(frames)
            shared.append(np.asarray(tensor).ctypes.data == frames.ctypes.data)
    apart = [
        float(np.linalg.norm(a - b) / np.linalg.norm(a - before))
        for a, b, before in zip(*weights, start, strict=True)
    ]
    return {**told, "apart": max(apart), "shared": shared}


if __name__ == "__main__":
    print(json.dumps(both_ways(sys.argv[1])))
