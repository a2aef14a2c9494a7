"""Room of scores: BSS Eval, tables of scores, summaries, comparisons and Fig. 1.

- ``bss/``: BSS Eval itself, on arrays.
- ``baselines/``: models that are computed from a song's own files, for comparison.
- ``matching``: assigning estimates to references.
- ``protocols``: what is evaluated, in which windows, and how it is summarised.
- ``song``: scores the models on one song, in one process.
- ``scoring``: scores many models on many songs; returns results and writes nothing.
- ``table``, ``aggregate``, ``paired``: rows, means over songs, and differences song by song.
- ``evaluation``, ``comparison``: the functions behind the verbs ``evaluate`` and ``compare``.
- ``artefacts``: clicks, musical noise and jumps of level, which those scores don't show.
- ``campaign/``: the scores of SiSEC 2016, the original network's among them, and ours beside them.
- ``museval``, ``figure``: writing the scores as museval's JSON, and as the paper's Fig. 1.

May import :mod:`hiphopss.datasets`, :mod:`hiphopss.signal` and :mod:`hiphopss.util`. The public
names stand in ``hiphopss``; ``hiphopss.eval.bss_eval`` is a name that was promised.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
