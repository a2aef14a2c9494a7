"""Room of the paper: the eight models of its Table 1 on both test sets, in one run.

- ``experiments``: Table 1, the paper's claims and the run profiles, from ``table1.toml``.
- ``songs``: the choice of training and test songs.
- ``store``: outputs of stages, named after a hash of their inputs; the hashes of what a run made.
- ``stages``: features, weights, estimates, scores.
- ``plan``: what a run takes, from ``planner`` (each output) and ``calibration`` (this machine).
- ``results``: the files of a finished run. ``report``: its table, the claims and the report.
- ``quirks``: what turns each quirk, from ``quirks.toml``, and what it does to scores.
- ``ablation``: trainings with and without each quirk; ``ablation_report``: their report.
- ``reproduce``: the whole run. ``shipped_weights``: the first training of those in ``weights/``.

May import every other room but :mod:`hiphopss.demo`, :mod:`hiphopss.verification` and
:mod:`hiphopss.cli`. (It is not called ``reproduce``, because the function of that name is
``hiphopss.reproduce``.)
"""
