"""Encoding of audio files: formats and bitrates, tags, and writers.

- ``formats``: which formats there are, and what each can hold.
- ``tags``: title, artist and so on, from a song to what is made of it.
- ``by_ffmpeg``: ffmpeg as an encoder; ``m4a``: writes AAC with it.
- ``opening``: opens the writer of a format.
"""
