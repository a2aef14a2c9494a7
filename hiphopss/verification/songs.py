"""Checking that songs are those that were read, by the hashes of their files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hiphopss.verification.check import Check
from hiphopss.verification.findings import DIFFERS, MISSING, NOT_RECORDED, OK, STATES, counted

MOVED = "name where it is with --look-in"


def check_songs(
    check: Check,
    depth: int,
    songs: Mapping[str, Mapping[str, str]],
    paths: Mapping[str, Mapping[str, Path]] | None = None,
    *,
    made: str = "read",
) -> None:
    """Check each song.

    Parameters
    ----------
    check : Check
        Gets the findings.
    depth : int
        Depth of the findings.
    songs : mapping of str to mapping of str to str
        SHA-256 of the files of each song, by source; songs are called ``SUBSET/NAME`` or ``NAME``.
    paths : mapping of str to mapping of str to Path, optional
        Where the files were, in the same form.
    made : str
        What was done with the files.
    """
    if not songs:
        check.found(depth, "songs", "", NOT_RECORDED, "the record has no hashes of their files")
        return
    found = {label: _check(check, label, songs[label], paths or {}, made) for label in songs}
    if all(state == MISSING for state, _ in found.values()) and len(found) > 1:
        told = f"none of {len(found)} is found: {MOVED.replace('it is', 'they are')}"
        check.found(depth, "songs", ", ".join(sorted(found)[:3]) + ", ...", MISSING, told)
        return
    for label, (state, told) in sorted(found.items()):
        check.found(depth, "song", label, state, told)


def _check(
    check: Check,
    label: str,
    digests: Mapping[str, str],
    paths: Mapping[str, Mapping[str, Path]],
    made: str,
) -> tuple[str, str]:
    """The best state of the files that may be a song's."""
    best: tuple[str, str] | None = None
    for files in (*([paths[label]] if label in paths else []), *check.places.songs(label)):
        found = check.problems(files, digests, made)
        if found[0] == OK:
            return OK, counted(len(digests), "file")
        # Of several songs of this name, the one that has something in common is meant.
        if best is None or STATES.index(best[0]) > STATES.index(found[0]) or best[0] == MISSING:
            best = found
    if best is None or (best[1].count(";") + 1 == len(digests) and best[0] == MISSING):
        return MISSING, f"not found: {MOVED}"
    return best


def check_song_file(check: Check, depth: int, track: str, file: str, digest: str) -> None:
    """Check the file of which a track was separated.

    Parameters
    ----------
    check, depth
        As in :func:`check_songs`.
    track : str
        Name of the track.
    file : str
        Name of the file.
    digest : str
        Its SHA-256; empty if it is not known.
    """
    name = f"{track} ({file})" if file else track
    if not digest:
        check.found(depth, "song", name, NOT_RECORDED, "of which file the stems are")
        return
    others = []
    for path in check.places.mixtures(track, file):
        state, _ = check.problem(path, digest)
        if state == OK:
            check.found(depth, "song", path, OK)
            return
        others.append(path)
    if others:
        told = f"{file} is not the file that was separated"
        check.found(depth, "song", others[0], DIFFERS, told)
    else:
        check.found(depth, "song", name, MISSING, f"not found: {MOVED}")
