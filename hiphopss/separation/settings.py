"""The settings with which files are separated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hiphopss.separation.listening import require_loops


@dataclass(frozen=True)
class SeparationSettings:
    """Settings for separating files.

    Attributes
    ----------
    weights : path-like or None
        The project's own ``.weights.h5`` or a published ``.pkl``, by path or by name in the
        registry; by default the shipped weights, which a log line then names.
    mono : bool
        Separate the average of the channels and write one channel, as the released code does.
    subtype : str, optional
        Sample type of the stems; by default it has the input's precision, up to 24 bit or single.
    standalone_script : bool
        Separate as the released stand-alone script does (Q6).
    engine : str
        ``"numpy"``, or ``"keras"`` for the trained network itself: equal stems up to rounding.
    model_name : str, optional
        Name of the model in tables of scores; by default the weight file's name.
    loops : str, optional
        ``"auto"`` uses what repeats in a song, if anything does, except with weights of the preset
        ``released``; ``"off"`` gives the network's stems. By default ``"auto"``, and ``"off"`` with
        ``standalone_script``, which ``"auto"`` contradicts.
    """

    weights: str | Path | None = None
    mono: bool = False
    subtype: str | None = None
    standalone_script: bool = False
    engine: str = "numpy"
    model_name: str | None = None
    loops: str | None = None

    def __post_init__(self) -> None:
        require_loops(self.loops, standalone_script=self.standalone_script)
