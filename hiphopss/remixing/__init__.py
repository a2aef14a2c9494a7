"""Room of remixing: stems to a mix.

- ``mixing``: gain, pan, mute and solo, of whole songs and block by block.
- ``remix``: a song, or a folder of stems, to one file.

May import :mod:`hiphopss.separation`, :mod:`hiphopss.weights`, :mod:`hiphopss.datasets`,
:mod:`hiphopss.signal` and :mod:`hiphopss.util`. (It is not called ``remix``, because the function
of that name is ``hiphopss.remix``.)
"""
