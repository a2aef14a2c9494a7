"""DSD100 and the styles of its songs (docs/released-code.md, section 7).

100 songs, stereo, 44.1 kHz: 001-050 are Test, 051-100 Dev. This module does not download the data
set; it reads a local copy.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hiphopss.datasets.names import match_name
from hiphopss.datasets.roots import (
    all_songs,
    facts,
    find_root,
    generated_songs,
    warn_unless_complete,
)
from hiphopss.datasets.songs import Song
from hiphopss.errors import HiphopssError

SHEET = "dsd100.xlsx"
"""DSD100's own list of its songs, with the columns Name, Style and Duration."""


def dsd100_songs(root: str | Path) -> list[Song]:
    """List the songs of DSD100.

    Parameters
    ----------
    root : path-like
        Folder of the unpacked archive, or of a generated set that replaces it.

    Returns
    -------
    list of Song
        Songs by subset, then name: 50 Dev and 50 Test.

    Raises
    ------
    HiphopssError
        As in :func:`hiphopss.datasets.roots.all_songs`.

    Logs
    ----
    WARNING
        If there are not 50 of each; a generated set may have any number.
    """
    root = find_root(root)
    songs = all_songs(root)
    warn_unless_complete("dsd100", songs, root)
    return songs


def styles(root: str | Path) -> dict[str, str]:
    """Find the styles of the songs, if they are known.

    They come from ``dsd100.xlsx`` in the root; otherwise from ``generated.json``, if the set is
    generated; otherwise six songs have one, from the paper or docs/released-code.md (section 7).

    Parameters
    ----------
    root : path-like
        As in :func:`hiphopss.datasets.roots.find_root`.

    Returns
    -------
    dict of str to str
        Style of each song, spelled as in the source, by the name of the song's folder. Songs
        without a known style are left out.

    Raises
    ------
    HiphopssError
        If the list can't be read, or as in :func:`hiphopss.datasets.roots.all_songs`.
    """
    root = find_root(root)
    sheets = [path for path in root.iterdir() if path.name.lower() == SHEET]
    generated = generated_songs(root)
    if sheets:
        listed = _read_sheet(sheets[0])
    elif generated is not None:
        listed = [(song["name"], song["style"]) for song in generated if song.get("style")]
    else:
        listed = [(name, style) for style, names in facts()["styles"].items() for name in names]
    by_name = dict(listed)
    found = {song.name: match_name(song.name, by_name) for song in all_songs(root)}
    return {name: by_name[matches[0]] for name, matches in found.items() if len(matches) == 1}


def is_hip_hop(style: str) -> bool:
    """Whether a style is hip-hop in any spelling: ``HipHop``, ``Hip-Hop/Rap``, ..."""
    return "hiphop" in "".join(char for char in style.lower() if char.isalpha())


def _read_sheet(path: Path) -> list[tuple[str, str]]:
    """Names and styles in a spreadsheet, from the first sheet with columns of these titles."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # some programs store wrong dimensions
                listed = _read_rows(sheet.iter_rows(values_only=True))
                if listed:
                    return listed
        finally:
            book.close()
    except Exception as error:  # openpyxl raises many kinds of errors on damaged files
        raise HiphopssError(
            f"{path}: can't read this as a spreadsheet: take {SHEET} from DSD100 again, "
            "or remove it"
        ) from error
    raise HiphopssError(
        f"{path}: no songs under columns 'Name' and 'Style': take {SHEET} from DSD100 again, "
        "or remove it"
    )


def _read_rows(rows: Iterable[tuple]) -> list[tuple[str, str]]:
    columns, listed = None, []
    for row in rows:
        cells = [str(cell).strip() if cell is not None else "" for cell in row]
        if columns is None:
            titles = [cell.lower() for cell in cells]
            if "name" in titles and "style" in titles:
                columns = titles.index("name"), titles.index("style")
        elif len(cells) > max(columns) and all(cells[column] for column in columns):
            listed.append((cells[columns[0]], cells[columns[1]]))
    return listed
