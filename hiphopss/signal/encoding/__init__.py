"""Encoding of audio files: formats and bitrates, tags, and writers.

- ``formats``: which formats there are, and what each can hold.
- ``tags``: title, artist and so on, from a song to what is made of it.
- ``m4a``: writes AAC through ffmpeg.
- ``opening``: opens the writer of a format.
"""
