"""How the default weights were trained: ``python -m hiphopss.weights.default WORK``.

- ``facts`` and ``default.toml``: names and numbers, and where the raw material is.
- ``plan``: what the stems of a song agree on. ``effects``: from an instrument to a record.
- ``kokoro``, ``singing``, ``vocals``: synthesised and recorded speech, as rap and as singing.
- ``soundfont``, ``bass``, ``drums``, ``other``: instruments.
- ``library``: rows of 30 s of every kind of every stem. ``mixing``: mixes of them.
- ``train``: the training.

Only people who train the default weights again need this, with what the extra ``train-default``
installs. May import :mod:`hiphopss.datasets`, :mod:`hiphopss.signal`, :mod:`hiphopss.weights`,
:mod:`hiphopss.network` and :mod:`hiphopss.util`.
"""
