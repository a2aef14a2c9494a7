"""Room of loops: what a beat repeats to the sample tells what its voice is.

- ``separator``: a separator that uses the loops of a song, if it has any. ``found``: what it found.
- ``period``: the length of a loop. ``grid``: frames on which copies lie under each other.
- ``agreement``: where copies agree, and which sources repeat. ``beat``: the beat under a voice.
- ``spool``: arrays on disk, for songs that are too long for memory. ``parts``: parts of one.

May import :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
