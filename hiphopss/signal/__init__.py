"""Room of signals: reading and writing audio, and turning waveforms into patches of magnitudes.

- ``reading``, ``writing``: files, formats, channels and rates. Add a new format here.
- ``transform``: the short-time Fourier transform; ``patches``: the network's units of input.

May import :mod:`hiphopss.config` and :mod:`hiphopss.errors`.
"""
