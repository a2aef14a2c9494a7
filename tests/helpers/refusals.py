"""Files that can't be separated, with the sentence that visitors are told of each.

It is the same wherever that is found out: on the server, or in the browser.
"""

import numpy as np
from helpers.demo_client import encoded

_BROKEN = np.where(np.arange(9000) == 500, np.nan, 0.1)

FILES = {
    "nothing.wav": (b"", "nothing.wav is empty: choose another file."),
    "silent.wav": (
        encoded(np.zeros(0)),
        "silent.wav has no sound in it: choose another file.",
    ),
    "eight.wav": (
        encoded(np.zeros((9, 8))),
        "eight.wav has 8 channels: mix it down to stereo.",
    ),
    "low.wav": (
        encoded(np.zeros(9), 4000),
        "low.wav has a sampling rate of 4000 Hz: convert it to 44,100 Hz.",
    ),
    "broken.wav": (
        encoded(_BROKEN, subtype="FLOAT"),
        "The song has samples that are no numbers: export it again.",
    ),
    "words.mp3": (
        b"no music, only words",
        "words.mp3 is no song that this {reader} can read, or a damaged one: choose a",
    ),
}
"""What a file holds and what is told of it, by its name."""
