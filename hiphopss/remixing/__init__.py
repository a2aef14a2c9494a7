"""Room of remixing: mixing stems.

- ``mixing``: gain, pan, mute and solo, for whole songs and block by block.
- ``remix``: mixes a song, or a folder of stems, into one file; ``many``: many songs, into one each.

May import :mod:`hiphopss.separation`, :mod:`hiphopss.weights`, :mod:`hiphopss.datasets`,
:mod:`hiphopss.signal` and :mod:`hiphopss.util`. (It is not called ``remix``, because the function
of that name is ``hiphopss.remix``.)
"""
