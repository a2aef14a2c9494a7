"""Mixes of many songs: one file each, in one folder."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from hiphopss.datasets.layouts import is_stem_file
from hiphopss.datasets.mixtures import find_mixtures
from hiphopss.datasets.songs import song_at
from hiphopss.errors import AudioError, HiphopssError
from hiphopss.remixing.mixing import Mix
from hiphopss.remixing.remix import Remixed, remix
from hiphopss.separation.files import require_no_inputs
from hiphopss.separation.naming import MIX_NAMES, FileNames
from hiphopss.signal.containers import container_of
from hiphopss.signal.writing import OUTPUT_FORMATS

logger = logging.getLogger(__name__)


class RemixedFiles(NamedTuple):
    """What :func:`remix_files` gives.

    Attributes
    ----------
    files : list of Remixed
        The mixes.
    left_out : list of AudioError
        Why songs were left out; ``path`` of each is the song's.
    """

    files: list[Remixed]
    left_out: list[AudioError]


def is_one_song(source: str | Path) -> bool:
    """Whether a path is a song, or a folder of one song's stems, rather than a folder of songs."""
    source = Path(source)
    return not source.is_dir() or is_stem_file(source) or bool(song_at(source).stems)


def is_file_name(output: str | Path) -> bool:
    """Whether a name is that of one mix, rather than that of a folder."""
    return Path(output).suffix.lower() in OUTPUT_FORMATS


def remix_files(
    inputs: str | Path | Iterable[str | Path],
    output: str | Path,
    settings: Mix,
    *,
    format: str = "wav",
    name: str = MIX_NAMES,
    leave_out: bool = False,
    **options: Any,
) -> RemixedFiles:
    """Mix many songs in one way, each into a file of its own.

    Parameters
    ----------
    inputs : path-like, or iterable of path-like
        Songs, or folders of them, as :func:`hiphopss.datasets.mixtures.find_mixtures` finds them.
    output : path-like
        Folder for the files.
    settings : Mix
        Gains, pans, mutes and solos of every song.
    format : str
        Ending of the files, without the dot, as :func:`hiphopss.remix` knows them.
    name : str
        Pattern of their names, with the fields ``{track}`` and ``{ext}``.
    leave_out : bool
        Leave songs out that can't be used, with a warning. By default that is an error.
    **options
        Passed on to :func:`hiphopss.remix`.

    Returns
    -------
    RemixedFiles
        The mixes, and why songs were left out.

    Raises
    ------
    HiphopssError
        If the pattern can't be used, or as in :func:`hiphopss.remix`.
    AudioError
        If a song can't be used and isn't left out.
    """
    output = Path(output)
    if is_file_name(output) or (output.exists() and not output.is_dir()):
        raise HiphopssError(f"{output}: is a file's name: name a folder for many mixes")
    inputs = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    by_folder = FileNames(name, format, ["mix"]).by_folder
    left_out: list[AudioError] = []

    def bad(error: AudioError, path: Path | None = None) -> None:
        error.path = error.path or (path and container_of(path))
        if not leave_out:
            raise error
        left_out.append(error)
        logger.warning("%s (the song is left out)", error)

    songs = find_mixtures(inputs, skip=output, left_out=bad, by_folder=by_folder)
    names = FileNames(name, format, ["mix"], songs)
    for track, clash in names.clashes(songs).items():
        bad(clash, songs.pop(track))
    require_no_inputs(output, names, songs, *inputs)
    files = []
    for track, song in songs.items():
        path = output / names.of(track)["mix"]
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            files.append(remix(song, path, settings, **options))
        except AudioError as error:
            bad(error, song)
    return RemixedFiles(files, left_out)
