"""Room of verification: whether artefacts are what their records say, back to the songs.

- ``verify``: the function behind the verb ``verify``, which tells the kinds of artefacts apart.
- ``findings``: what is found. ``check``: collects it, and hashes files, each once. ``values``:
  reads records.
- ``places``: where what an artefact was made from may be now; records have no paths.
- ``songs``, ``features``, ``weights``, ``stems``, ``scores``, ``runs``, ``sets``: the kinds, each
  of which goes on to what it was made from.

May import :mod:`hiphopss.reproduction`, :mod:`hiphopss.eval`, :mod:`hiphopss.separation`,
:mod:`hiphopss.training`, :mod:`hiphopss.weights`, :mod:`hiphopss.datasets`,
:mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
