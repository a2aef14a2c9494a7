"""Layouts of data sets: in which folders the songs of each subset are. No audio file is opened.

Two layouts are recognised by themselves:

- that of DSD100, HHDS and the generated sets (docs/released-code.md, section 6):
  ``Mixtures/{Dev,Test}/<song>/mixture.wav`` and ``Sources/{Dev,Test}/<song>/vocals.wav`` and so on;
- that of MUSDB18-HQ, ``{train,test}/<song>/`` with ``mixture.wav`` and the stems in one folder, and
  of MUSDB18, ``{train,test}/<song>.stem.mp4``, one file with the mixture and the stems. Its subsets
  are called Dev and Test here, like DSD100's.

Any audio format may replace WAV. Names that begin with a dot are skipped. Names of files match
whatever their case and Unicode form: ``Vocals.WAV`` is the stem of the vocals. Where a stem is
missing, but a file like ``vocal.wav`` or ``vox.wav`` lies beside the others, that file is refused
by name, because the stem would otherwise count as silence.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.signal import containers
from hiphopss.signal.reading import AUDIO_SUFFIXES, FFMPEG_SUFFIXES

SUBSETS = ("Dev", "Test")

MIXTURE = "mixture"

OTHER_SUFFIXES = (
    *FFMPEG_SUFFIXES,
    *(".alac", ".eac3", ".spx", ".mp1", ".mp2", ".mpga", ".snd", ".voc"),
    *(".aup3", ".m4p", ".mogg"),
)
"""Suffixes of other files that hold audio, in lower case: what opens them says whether it can."""

_MUSDB_FOLDERS = {"Dev": "train", "Test": "test"}

_WORDS = {
    "vocals": ("voc", "vox", "voice", "acapel", "acappel", "a cappel"),
    "bass": ("bass",),
    "drums": ("drum",),
    "other": ("other",),
}
"""What names of files that were meant as the stem of a source have in them."""

_ALIKE = 0.8  # difflib's measure of names: "vocls" and "durms" have 0.9 and 0.8


@dataclass(frozen=True)
class Layout:
    """Where the songs of a data set are.

    Attributes
    ----------
    name : str
        ``"DSD100"`` or ``"MUSDB18"``.
    stems, mixtures : dict of str to Path
        Folders of the songs' stems and mixtures, by subset. They may be missing.
    """

    name: str
    stems: dict[str, Path]
    mixtures: dict[str, Path]

    @property
    def subsets(self) -> list[str]:
        """The subsets that exist."""
        return [subset for subset, folder in self.stems.items() if folder.is_dir()]


def layout_of(root: str | Path) -> Layout | None:
    """Recognise the layout of a folder.

    Parameters
    ----------
    root : path-like
        Folder that may be the root of a data set.

    Returns
    -------
    Layout or None
        None if it is no root of a data set.
    """
    root = Path(root)
    if (root / "Sources").is_dir():
        return _dsd100_layout(root / "Sources", root / "Mixtures")
    folders = {subset: root / name for subset, name in _MUSDB_FOLDERS.items()}
    if any(any(map(is_song, song_entries(folder))) for folder in folders.values()):
        return Layout("MUSDB18", folders, folders)
    return None


def layout_of_sources(sources: Path) -> Layout | None:
    """The layout of a data set, if its folder ``Sources`` is known, whatever it is called.

    Parameters
    ----------
    sources : Path
        Folder with the folders ``Dev`` and ``Test``; ``Mixtures`` is beside it.

    Returns
    -------
    Layout or None
        None if neither subset exists.
    """
    layout = _dsd100_layout(sources, sources.absolute().parent / "Mixtures")
    return layout if layout.subsets else None


def _dsd100_layout(sources: Path, mixtures: Path) -> Layout:
    return Layout("DSD100", *({s: top / s for s in SUBSETS} for top in (sources, mixtures)))


def song_entries(folder: Path) -> list[Path]:
    """The folders and stem files in a folder, by name, without those that begin with a dot."""
    if not folder.is_dir():
        return []
    entries = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in entries if is_stem_file(path) or path.is_dir())


def song_name(entry: Path) -> str:
    """Name of the song in a folder or stem file."""
    return containers.song_name(entry) if is_stem_file(entry) else entry.name


def is_song(entry: Path) -> bool:
    """Whether a folder holds a mixture or a stem, or a file is a stem file."""
    if not entry.is_dir():
        return is_stem_file(entry)
    named = {plain_stem(path) for path in entry.iterdir() if is_audio(path)}
    return not named.isdisjoint((MIXTURE, *SOURCES))


def is_stem_file(path: Path) -> bool:
    """Whether a path is a file that is named like a stem file."""
    return containers.is_container(path) and not path.is_dir()


def is_audio(path: Path) -> bool:
    """Whether a path is a file that is named like audio, whether it can be read here or not."""
    return path.suffix.lower() in (*AUDIO_SUFFIXES, *OTHER_SUFFIXES) and not path.is_dir()


def plain_name(name: str) -> str:
    """A name in one Unicode form and in lower case."""
    return unicodedata.normalize("NFC", name).casefold()


def plain_stem(path: Path) -> str:
    """A file's name without its suffix, in one Unicode form and in lower case."""
    return plain_name(path.stem)


def entry_named(folder: Path, name: str) -> Path:
    """The entry of a folder with this name, or else one whose name differs only in its spelling.

    Parameters
    ----------
    folder : Path
        Folder, which may be missing.
    name : str
        Name of a song's folder or stem file.

    Returns
    -------
    Path
        The entry; ``folder / name`` if there is none.
    """
    exact = folder / name
    if exact.exists():
        return exact
    alike = (path for path in song_entries(folder) if plain_name(path.name) == plain_name(name))
    return next(alike, exact)


def require_no_misspelt(entry: Path, sources: Iterable[str]) -> None:
    """Raise if a file in a song's folder looks like one of the stems that the song lacks.

    Parameters
    ----------
    entry : Path
        The song's folder, or its stem file.
    sources : iterable of str
        Sources without a file.

    Raises
    ------
    HiphopssError
        If there is such a file; the message names it.
    """
    wanted = list(sources)
    if not wanted or not entry.is_dir():
        return
    known = (MIXTURE, *SOURCES)
    for path in sorted(filter(is_audio, entry.iterdir())):
        name = plain_stem(path)
        if name in known or name.startswith("."):
            continue
        for source in wanted:
            like = difflib.SequenceMatcher(None, name, source).ratio() >= _ALIKE
            if like or any(word in name for word in _WORDS[source]):
                raise HiphopssError(
                    f"{path}: looks like the {source} of {entry.name!r}, which has none: rename "
                    f"it to {source}{path.suffix}, or take it out"
                )


def find_audio(entry: Path, name: str) -> Path | None:
    """Find the mixture or a stem of a song.

    Parameters
    ----------
    entry : Path
        The song's folder, or its stem file.
    name : str
        Name of the source, or ``"mixture"``.

    Returns
    -------
    Path or None
        The file, or None if it does not exist. In a stem file, the path of a stream:
        ``<song>.stem.mp4/<name>`` (:mod:`hiphopss.signal.containers`).

    Raises
    ------
    HiphopssError
        If there are two such files, for example ``vocals.wav`` and ``vocals.flac``.
    """
    if is_stem_file(entry):
        return containers.stream_paths(entry)[name]
    if not entry.is_dir():
        return None
    found = sorted(path for path in entry.iterdir() if plain_stem(path) == name and is_audio(path))
    if len(found) > 1:
        raise HiphopssError(f"{found[0]}: there is also {found[1].name}: keep one of them")
    return found[0] if found else None
