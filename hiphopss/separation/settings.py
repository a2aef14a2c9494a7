"""The settings with which files are separated, and with which their stems are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.separation.listening import require_loops
from hiphopss.signal.encoding.formats import require_choice
from hiphopss.signal.part import Part
from hiphopss.signal.stem_files import CODECS


@dataclass(frozen=True)
class OutputSettings:
    """How files are written, and what they are called.

    Attributes
    ----------
    format : str
        ``"wav"``, ``"flac"``, ``"mp3"``, ``"ogg"`` (Vorbis), ``"aiff"`` or ``"m4a"`` (AAC, which
        needs ffmpeg).
    bitrate : int, optional
        In kbit/s, for MP3, Ogg and M4A.
    name : str, optional
        Pattern of the files' names in the output folder, such as ``"{track} - {stem}.{ext}"``; by
        default ``"{track}/{stem}.{ext}"`` for stems, and ``"{track}.{ext}"`` for mixes and stem
        files. Other fields are ``{folder}``, ``{title}``, ``{artist}`` and ``{album}``.
    """

    format: str = "wav"
    bitrate: int | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        require_choice(self.format, self.bitrate, None)


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
        Lossy formats have none.
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
    stems : tuple of str, optional
        The stems to write, by default all.
    two_stems : str, optional
        Write this stem, and what is left of the mixture without it, as ``no_vocals`` and so on.
    part : Part
        Separate only this part of each song.
    output : OutputSettings
        Format and names of the files.
    stem_file : str, optional
        Write one stem file a song instead of four files, for DJ software: ``"aac"`` or ``"alac"``
        (:func:`hiphopss.write_stem_file`). It contradicts what else says how files are written.

    Raises
    ------
    HiphopssError
        If settings contradict each other, or if there is no such stem or sample type.
    """

    weights: str | Path | None = None
    mono: bool = False
    subtype: str | None = None
    standalone_script: bool = False
    engine: str = "numpy"
    model_name: str | None = None
    loops: str | None = None
    stems: tuple[str, ...] | None = None
    two_stems: str | None = None
    part: Part = field(default_factory=Part)
    output: OutputSettings = field(default_factory=OutputSettings)
    stem_file: str | None = None

    def __post_init__(self) -> None:
        require_loops(self.loops, standalone_script=self.standalone_script)
        require_choice(self.output.format, self.output.bitrate, self.subtype)
        if self.stems is not None and self.two_stems is not None:
            raise HiphopssError(
                f"stems {', '.join(self.stems)}: two_stems {self.two_stems} says which ones are "
                "written: leave out one of the two"
            )
        for name in (*(self.stems or ()), *filter(None, [self.two_stems])):
            if name not in SOURCES:
                raise HiphopssError(f"no stem named {name!r}: choose from {', '.join(SOURCES)}")
        if self.stems is not None and not self.stems:
            raise HiphopssError(f"stems: none: choose from {', '.join(SOURCES)}")

        if self.stem_file is not None:
            self._require_stem_file()

    def _require_stem_file(self) -> None:
        if self.stem_file not in CODECS:
            raise HiphopssError(
                f"stem file {self.stem_file!r}: no such codec: choose {' or '.join(CODECS)}"
            )
        usual = OutputSettings()
        given: dict[str, object] = {"subtype": self.subtype, "two_stems": self.two_stems}
        given["stems"] = ", ".join(self.stems or ())
        for name in ("format", "bitrate"):
            if (value := getattr(self.output, name)) != getattr(usual, name):
                given[name] = value
        for name, value in given.items():
            if value:
                raise HiphopssError(
                    f"{name} {value}: a stem file has its own codec and stems: leave out one "
                    "of the two"
                )

    @property
    def written(self) -> tuple[str, ...]:
        """Names of the stems that are written."""
        if self.two_stems is not None:
            return self.two_stems, f"no_{self.two_stems}"
        return tuple(name for name in SOURCES if self.stems is None or name in self.stems)
