"""Names of the files that are written: from a pattern such as ``{track} - {stem}.{ext}``."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from types import MappingProxyType

from hiphopss.config import TRACK_RECORD, TRACK_RECORDS, SeparationRecord
from hiphopss.datasets.layouts import plain_name
from hiphopss.errors import AudioError, HiphopssError
from hiphopss.separation.settings import SeparationSettings
from hiphopss.signal.containers import SUFFIX
from hiphopss.signal.encoding.tags import Tags, read_tags

STEM_NAMES = SeparationRecord.name
MIX_NAMES = "{track}.{ext}"

_TAGS = {"title": "", "artist": "Unknown artist", "album": "Unknown album"}
"""Fields that are tags, and what stands for those that a song lacks; the title is its name then."""

_FIELDS = ("track", "stem", "ext", "folder", *_TAGS)
_LONGEST = 80  # characters of a tag in a name
_NO_NAME = dict.fromkeys([*map(ord, '/\\:*?"<>|'), *range(32)], "_")  # nor on Windows


class FileNames:
    """Paths of the files of each track, in the output folder.

    Parameters
    ----------
    pattern : str
        Pattern with the fields ``{stem}``, ``{ext}``, ``{track}``, ``{folder}`` (the folder of the
        song), and ``{title}``, ``{artist}`` and ``{album}`` (its tags).
    ext : str
        Suffix of the files, without the dot.
    stems : iterable of str
        Names of the stems.
    songs : mapping of str to Path, optional
        The file of each track, for its folder and its tags.

    Attributes
    ----------
    own_folder : bool
        Whether each track has a folder of its own, named after it, with all of its files.
    apart : bool
        Whether all files of a track are in one folder, and others in other ones.
    by_folder : bool
        Whether names have more of a song than its track's name. Tracks are then called
        ``FOLDER/NAME``, so that those of one name in several folders are several.

    Raises
    ------
    HiphopssError
        If the pattern has other fields, leaves the folder, or would give two stems one name.
    """

    def __init__(
        self,
        pattern: str,
        ext: str,
        stems: Iterable[str],
        songs: Mapping[str, Path] = MappingProxyType({}),
    ):
        self.pattern, self._ext, self._stems = pattern, ext, tuple(stems)
        self._songs, self._known = songs, dict[str, dict[str, str]]()
        fields = _fields(pattern)
        self._tagged = not fields.isdisjoint(_TAGS)
        self.by_folder = self._tagged or "folder" in fields
        if not pattern.endswith(".{ext}"):
            raise HiphopssError(f"name {pattern!r}: must end in .{{ext}}")
        if "stem" not in fields and len(self._stems) > 1:
            raise HiphopssError(
                f"name {pattern!r}: all stems of a song would be one file: add {{stem}}"
            )
        if fields.isdisjoint(("track", "title")):
            raise HiphopssError(f"name {pattern!r}: all songs would be one file: add {{track}}")
        place = Path(pattern).parent
        self.own_folder = place == Path("{track}") and not self.by_folder
        self.apart = "{stem}" not in str(place) and any(
            f"{{{field}}}" in str(place) for field in ("track", "title")
        )
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
        if track not in self._known:
            self._known[track] = self._of_song(track)
        path = PurePath(self.pattern.format(**self._known[track], stem=stem, ext=self._ext))
        if path.is_absolute() or path.drive or ".." in path.parts:
            raise HiphopssError(
                f"name {self.pattern!r}: {path} is not in the output folder: give a path in it"
            )
        return Path(path)

    def _of_song(self, track: str) -> dict[str, str]:
        """The fields of a track that don't depend on the stem."""
        if not self.by_folder:
            return {"track": track}
        song = self._songs.get(track, Path())
        folder, _, name = track.rpartition("/")
        known = {"track": name, "folder": folder or song.parent.name or "songs"}
        tags = read_tags(song) if self._tagged and track in self._songs else Tags()
        for field, otherwise in _TAGS.items():
            text = getattr(tags, field).translate(_NO_NAME)[:_LONGEST].strip(" .")
            known[field] = text or otherwise or name
        return known

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
                mend = "rename one of them"
                if not self.by_folder:
                    mend += ", or choose names with {folder} (--name)"
                found[track] = AudioError(
                    f"{song}: {paths[taken[0]]} would be a file of {tracks[known[taken[0]]]}, "
                    f"too: {mend}"
                )
            else:
                known.update(dict.fromkeys(paths, track))
        return found


def names_of(
    settings: SeparationSettings, songs: Mapping[str, Path] = MappingProxyType({})
) -> FileNames:
    """The names of the files that settings ask for, of tracks with these files."""
    output = settings.output
    if settings.stem_file is not None:
        return FileNames(output.name or MIX_NAMES, SUFFIX[1:], ["song"], songs)
    return FileNames(output.name or STEM_NAMES, output.format, settings.written, songs)


def _fields(pattern: str) -> set[str]:
    """The fields of a pattern."""
    mend = f"use {{{'}, {'.join(_FIELDS)}}}"
    try:
        parts = list(string.Formatter().parse(pattern))
    except ValueError as error:
        raise HiphopssError(f"name {pattern!r}: not a pattern ({error}): {mend}") from error
    fields = {name for _, name, _, _ in parts if name is not None}
    strange = sorted(fields - set(_FIELDS))
    if strange:
        raise HiphopssError(f"name {pattern!r}: no field {{{strange[0]}}}: {mend}")
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise HiphopssError(f"name {pattern!r}: its fields can't be formatted: {mend}")
    return fields
