"""Room of scores: BSS Eval, tables of it song by song, summaries, comparisons and Fig. 1.

- ``bss/``: BSS Eval itself, on arrays.
- ``baselines/``: models that are computed from a song's own files, to compare others with.
- ``matching``: which estimates belong to which references.
- ``scoring``: many models on many songs; gives results and writes nothing.
- ``table``, ``aggregate``, ``paired``: rows, means over songs, and differences song by song.
- ``evaluation``, ``comparison``: what the verbs ``evaluate`` and ``compare`` do.
- ``museval``, ``figure``: the same scores as museval's JSON, and as the paper's Fig. 1.

May import :mod:`hiphopss.datasets`, :mod:`hiphopss.signal` and :mod:`hiphopss.util`. Its names are
loaded when they are first used, because mir_eval alone takes seconds to import.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
