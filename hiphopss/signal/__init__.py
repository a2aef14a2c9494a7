"""Room of signals: audio files in and out, and how a waveform becomes patches of magnitudes.

- ``reading``, ``writing``: files and their formats; a new format goes there.
- ``resampling``: channels and sampling rates.
- ``transform``: the short-time Fourier transform; ``patches``: what the network sees together.

May import :mod:`hiphopss.config` and :mod:`hiphopss.errors`.
"""
