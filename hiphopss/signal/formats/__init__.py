"""What audio files hold, found out from their bytes: formats, real lengths, songs joined to one.

- ``kinds``: what a file is, whatever its name; ``pieces``: what libsndfile gets to read of it.
- ``chunks`` (WAV, AIFF, W64, CAF, AU), ``flac``, ``mpeg`` and ``mpeg_frames`` (MP3), ``ogg``: one
  function ``layout`` for each format. Nothing is decoded here.
- ``boxes``: the boxes of an MP4.
"""
