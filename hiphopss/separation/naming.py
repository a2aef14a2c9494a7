"""Names of the files that are written: from a pattern such as ``{track} - {stem}.{ext}``."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from hiphopss.config import TRACK_RECORD, TRACK_RECORDS, SeparationRecord
from hiphopss.datasets.layouts import plain_name
from hiphopss.errors import AudioError, HiphopssError

STEM_NAMES = SeparationRecord.name
MIX_NAMES = "{track}.{ext}"


class FileNames:
    """Paths of the files of each track, in the output folder.

    Parameters
    ----------
    pattern : str
        Pattern with the fields ``{track}``, ``{stem}`` and ``{ext}``.
    ext : str
        Suffix of the files, without the dot.
    stems : iterable of str
        Names of the stems.

    Attributes
    ----------
    own_folder : bool
        Whether each track has a folder of its own, named after it, with all of its files.

    Raises
    ------
    HiphopssError
        If the pattern has other fields, leaves the folder, or would give two stems one name.
    """

    def __init__(self, pattern: str, ext: str, stems: Iterable[str]):
        self.pattern, self._ext, self._stems = pattern, ext, tuple(stems)
        fields = _fields(pattern)
        if not pattern.endswith(".{ext}"):
            raise HiphopssError(f"name {pattern!r}: must end in .{{ext}}")
        if "stem" not in fields and len(self._stems) > 1:
            raise HiphopssError(
                f"name {pattern!r}: all stems of a song would be one file: add {{stem}}"
            )
        if "track" not in fields:
            raise HiphopssError(f"name {pattern!r}: all songs would be one file: add {{track}}")
        self.own_folder = Path(pattern).parent == Path("{track}")
        self.of("track")

    def of(self, track: str) -> dict[str, Path]:
        """The files of a track, by stem, as paths in the output folder.

        Raises
        ------
        HiphopssError
            If one is outside of it.
        """
        return {stem: self._path(track, stem) for stem in self._stems}

    def _path(self, track: str, stem: str) -> Path:
        path = PurePath(self.pattern.format(track=track, stem=stem, ext=self._ext))
        if path.is_absolute() or path.drive or ".." in path.parts:
            raise HiphopssError(
                f"name {self.pattern!r}: {path} is not in the output folder: give a path in it"
            )
        return Path(path)

    def record(self, track: str) -> Path:
        """The record of a track, as a path in the output folder."""
        if self.own_folder:
            return Path(track, TRACK_RECORD)
        return Path(TRACK_RECORDS, f"{track}.json")

    def clashes(self, tracks: Mapping[str, Path]) -> dict[str, AudioError]:
        """The tracks of which a file would have the name of an earlier track's, with an error each.

        Names that differ only in capitals and the like are one name: on many systems their files
        are one file.
        """
        known: dict[str, str] = {}
        found: dict[str, AudioError] = {}
        for track, song in tracks.items():
            paths = {plain_name(str(path)): path for path in self.of(track).values()}
            taken = [name for name in paths if name in known]
            if taken:
                found[track] = AudioError(
                    f"{song}: {paths[taken[0]]} would be a file of {tracks[known[taken[0]]]}, "
                    "too: rename one of them"
                )
            else:
                known.update(dict.fromkeys(paths, track))
        return found


def _fields(pattern: str) -> set[str]:
    """The fields of a pattern."""
    mend = "use {track}, {stem} and {ext}"
    try:
        parts = list(string.Formatter().parse(pattern))
    except ValueError as error:
        raise HiphopssError(f"name {pattern!r}: not a pattern ({error}): {mend}") from error
    fields = {name for _, name, _, _ in parts if name is not None}
    strange = sorted(fields - {"track", "stem", "ext"})
    if strange:
        raise HiphopssError(f"name {pattern!r}: no field {{{strange[0]}}}: {mend}")
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise HiphopssError(f"name {pattern!r}: its fields can't be formatted: {mend}")
    return fields
