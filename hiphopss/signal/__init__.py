"""Room of signals: reading and writing audio, and turning waveforms into patches of magnitudes.

- ``reading``, ``writing``: files, formats, channels and rates. Add a new format here.
- ``containers``, ``decoded``, ``ffmpeg``: streams of stem files (MP4), read as if they were files.
- ``transform``: the short-time Fourier transform; ``patches``: the network's units of input.

May import :mod:`hiphopss.config`, :mod:`hiphopss.errors` and :mod:`hiphopss.util`.
"""
