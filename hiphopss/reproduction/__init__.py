"""Room of the paper: the eight models of its Table 1 on both test sets, in one run.

- ``experiments``: Table 1, the claims and the profiles, as ``table1.toml`` has them.
- ``songs``: which songs are trained and tested on.
- ``store``: outputs, found again by the content of what they were made from.
- ``stages``: features, weights, estimates, scores.
- ``report``: the table, the claims and the report.
- ``reproduce``: all of it. ``shipped_weights``: how the weights in ``weights/`` were trained.

May import every other room but :mod:`hiphopss.demo` and :mod:`hiphopss.cli`. (It is not called
``reproduce``, because the function of that name is ``hiphopss.reproduce``.)
"""
