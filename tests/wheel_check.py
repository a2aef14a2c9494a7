"""A tiny separation with an installed package: make its input or, given its output, check that."""

import sys
from pathlib import Path

import numpy as np
import released
import soundfile

if len(sys.argv) == 1:
    song = 0.1 * np.random.default_rng(0).standard_normal((20000, 2))
    soundfile.write("song.wav", song, 44100, subtype="PCM_16")
    released.write_python2_pickle(Path("model.pkl"), released.random_arrays(0))
else:
    import hiphopss
    import hiphopss.datasets
    import hiphopss.eval
    import hiphopss.weights

    folder, name = sys.argv[1:]
    assert Path.cwd().parent in Path(hiphopss.__file__).parents, hiphopss.__file__
    assert (Path(hiphopss.__file__).parent / "py.typed").exists()
    assert hiphopss.eval.bss_eval is hiphopss.bss_eval
    stems = [soundfile.read(f"{folder}/{s}.wav", dtype="int16")[0] for s in hiphopss.SOURCES]
    song, _ = soundfile.read("song.wav", dtype="int16")
    assert np.abs(np.sum(stems, axis=0, dtype=int) - song).max() <= 2
    print(f"{name}: ok")
