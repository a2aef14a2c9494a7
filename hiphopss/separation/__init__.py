"""Room of separation: from mixtures to stems.

- ``engines``: makes networks ready, in NumPy or in Keras.
- ``separator``: separates arrays, or mixtures that arrive in blocks.
- ``listening``: separates one song with its loops or without, and says what it found.
- ``files``: separates audio files and folders into files of stems, by ``settings``; ``song``: one
  of them, here or in a worker, whose ``worker_lines`` are told here; ``naming``: names of the
  files; ``record``: what made these, and of which songs they are.
- ``mixture``: a song's samples, and once more beside its stems; ``outputs``: receives both block by
  block, and writes files; ``stem_song``: writes one stem file.
- ``watching``: separates the songs that appear in a folder.
- ``loop_fitting``: fits the constants of the loop stage on generated songs.

May import :mod:`hiphopss.loops`, :mod:`hiphopss.weights`, :mod:`hiphopss.network`,
:mod:`hiphopss.datasets`, :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
