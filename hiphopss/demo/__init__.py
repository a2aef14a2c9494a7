"""Room of the web demo: one page that separates songs on this machine and mixes their stems.

The paper's demo was a page with the separations of one song (docs/released-code.md, section 10).
This one separates on request. It can also be exported as a static page, which separates visitors'
songs in their browser. The page gets its data from these addresses:

- ``site.json``: models, bundled songs and limits;
- ``api/jobs``: separations, which can be requested, watched and cancelled;
- ``results/<id>/result.json``: a song's tracks, with peaks, spectrograms and scores;
- ``weights/<model>.bin``: weights for the page's own engine.

- ``server``, ``app``, ``security``, ``uploads``, ``limits``: the web server and what it accepts.
- ``connections``, ``pace``: crowds and slow clients.
- ``service``, ``catalogue``, ``jobs``, ``store``: available models and songs, and separations.
- ``results``, ``drawing``: the files of a song. ``export``: the static site. ``static/``: the page.
- ``device``: what the page needs to separate by itself, and to work without a network.

May import :mod:`hiphopss.eval`, :mod:`hiphopss.separation`, :mod:`hiphopss.weights`,
:mod:`hiphopss.datasets`, :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
