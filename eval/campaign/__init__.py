"""The scores of an evaluation campaign as data, and a model's scores beside them, song by song.

- ``tables``: the campaign's scores, from its CSV files.
- ``pairs``: the same songs' scores of a model and of the original network, and what they say.
- ``words``: the comparison as text, as Markdown and as CSV. ``picture``: the same, drawn.
- ``compare``: the function behind ``compare --with``.

SiSEC 2016
----------
The baseline that the paper starts from (Chandna et al. 2017) was submitted to SiSEC 2016 as CHA,
and the campaign's scores of every system and song of DSD100 are public: they are the only figures
of the original network on that data. ``sisec2016-songs.csv`` has those of CHA and of the ideal
binary mask (IBM) for each of the 100 songs; ``sisec2016-systems.csv`` has all systems, over the 50
songs of each subset. They were worked out from the campaign's results repository, whose address is
in ``sisec2016.toml`` with the credit that is due.

Columns: ``system``; ``number`` of the song in DSD100, or ``subset``; ``target``; ``windows`` that
have a score, or ``songs``; and in dB the mean and the median of each metric. Those of a song are
over its windows. In the table of systems, means are over the songs' means, and medians over the
songs' medians.

Evaluated by the campaign's MATLAB code, as the released code evaluates (docs/released-code.md,
section 8): BSS Eval 3.0 images, windows of 30 s every 15 s, vocals, bass, drums and other together,
and accompaniment (all but the vocals) with the vocals as a pair.
"""
