"""Room of the web demo: one page that separates songs on this machine and mixes their stems.

The paper's demo was a page with the separations of one song (docs/released-code.md, section 10).
This one separates on request, and is also exported as such a static page. What the page and the
server say to each other:

- ``site.json``: models, bundled songs and limits;
- ``api/jobs``: separations, asked for, watched and cancelled;
- ``results/<id>/result.json``: a song's tracks, with peaks, spectrograms and scores beside them.

- ``server``, ``app``, ``security``, ``uploads``, ``limits``: the web server, and what it accepts.
- ``service``, ``catalogue``, ``jobs``, ``store``: models and songs on offer, and separations.
- ``results``, ``drawing``: the files of a song. ``export``: the static site. ``static/``: the page.

May import :mod:`hiphopss.eval`, :mod:`hiphopss.separation`, :mod:`hiphopss.weights`,
:mod:`hiphopss.datasets`, :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
