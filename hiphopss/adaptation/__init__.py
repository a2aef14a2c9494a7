"""Room of adaptation: weights that have learnt the style of a few songs.

- ``adapting``: the function behind the verb ``adapt``. ``settings``: its settings.
- ``material``: the songs' samples, and what is held out. ``mixing``: new mixtures of their stems.
- ``network``: the network as it is trained here. ``measuring``: its error, and its SDR.

May import :mod:`hiphopss.separation`, :mod:`hiphopss.eval`, :mod:`hiphopss.datasets`,
:mod:`hiphopss.weights`, :mod:`hiphopss.network`, :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
