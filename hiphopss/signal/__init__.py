"""Room of signals: audio files in and out, and how a waveform becomes patches of magnitudes.

- ``reading``, ``writing``: files, their formats, channels and rates; a new format goes there.
- ``transform``: the short-time Fourier transform; ``patches``: what the network sees together.

May import :mod:`hiphopss.config` and :mod:`hiphopss.errors`.
"""
