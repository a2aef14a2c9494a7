"""A tiny separation with the installed wheel: make its input or, given its output, check that."""

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

    assert Path.cwd() in Path(hiphopss.__file__).parents, hiphopss.__file__
    stems = [soundfile.read(f"{sys.argv[1]}/{s}.wav", dtype="int16")[0] for s in hiphopss.SOURCES]
    song, _ = soundfile.read("song.wav", dtype="int16")
    assert np.abs(np.sum(stems, axis=0, dtype=int) - song).max() <= 2
    print("wheel: ok")
