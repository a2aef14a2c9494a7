"""Room of signals: reading and writing audio, and turning waveforms into patches of magnitudes.

- ``reading``, ``writing``: files, formats, channels and rates.
- ``decoding``: a file from its beginning to its real end. ``formats`` finds out what a file holds;
  add a new format there. ``quiet`` keeps libmpg123 from talking.
- ``containers``, ``decoded``, ``ffmpeg``, ``lengths``: what only ffmpeg decodes, and the streams of
  stem files (MP4), read as if they were files.
- ``encoding``: formats, bitrates and tags of files that are written; ``part``: a part of a song.
- ``stem_files``: stem files that are written.
- ``ogg_serial``: the number of an Ogg stream that is written.
- ``transform``: the short-time Fourier transform; ``patches``: the network's units of input.

May import :mod:`hiphopss.config`, :mod:`hiphopss.errors` and :mod:`hiphopss.util`.
"""
