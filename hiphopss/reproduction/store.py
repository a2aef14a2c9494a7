"""Outputs of stages, named after a hash of their inputs so that later runs find them.

The inputs are settings, and the hashes of files and of other outputs. So an output that exists
under a name is valid, whichever run made it, and an output of other inputs has another name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from hiphopss import __version__
from hiphopss.datasets.songs import Song
from hiphopss.errors import HiphopssError
from hiphopss.signal.containers import container_of, is_inside
from hiphopss.signal.ffmpeg import ffmpeg_version, find_ffmpeg
from hiphopss.util.files import sha256_of, write_text
from hiphopss.util.locks import locked
from hiphopss.util.records import Sha256, read_record
from hiphopss.weights.files import read_info

_LENGTH = 12  # hexadecimal digits of the hash in a name
RECORD_ENDING = ".inputs.json"
"""Ending of the file beside an output that has its inputs."""
OUTCOME_RECORD = "outcome.json"
"""File in a run's folder with the hashes of what the run has made."""
ABLATION_OUTCOME_RECORD = "ablation_outcome.json"
"""The same for an ablation."""


class _Known(NamedTuple):
    """A file whose hash is known while its size, times and inode don't change."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    sha256: Sha256


class Store:
    """A folder of outputs.

    Parameters
    ----------
    root : path-like
        Folder of the outputs, which runs may share, one after another or at once.
    writes : bool
        Whether to record inputs and hashes; without, nothing in the folder is changed.
    """

    def __init__(self, root: str | Path, *, writes: bool = True):
        self.root, self._writes = Path(root), writes
        self._known_path = self.root / "hashes.json"
        self._known = self._remembered()
        self._new: dict[str, _Known] = {}  # what this run has found out

    def _remembered(self) -> dict[str, _Known]:
        """Hashes of files from earlier runs; they only save reading the files again."""
        with suppress(HiphopssError):  # a file that can't be read is as good as none
            return read_record(self._known_path, dict[str, _Known], mend="remove it")
        return {}

    def path(self, stage: str, name: str, inputs: dict, suffix: str = "") -> Path:
        """Path of a stage's output, whether it exists or not.

        Parameters
        ----------
        stage : str
            Name of the stage, such as ``"features"``, which is also the folder.
        name : str
            Description for people.
        inputs : dict
            Everything that the output depends on, in a form that JSON can hold. It is written
            beside the output, as ``NAME-HASH.inputs.json``.
        suffix : str
            Suffix of the file.

        Returns
        -------
        Path
            ``<root>/<stage>/<name>-<hash of the inputs><suffix>``.
        """
        inputs = {"hiphopss": __version__, **inputs}
        digest = digest_of_inputs(inputs)
        record = self.root / stage / f"{name}-{digest}{RECORD_ENDING}"
        if self._writes and not record.exists():
            write_text(record, json.dumps(inputs, indent=1, sort_keys=True) + "\n")
        return self.root / stage / f"{name}-{digest}{suffix}"

    def siblings(
        self, stage: str, name: str, inputs: dict, suffix: str = "", *, free: str
    ) -> list[Path]:
        """Paths of outputs, whether they exist or not, that differ in one input at most.

        Parameters
        ----------
        stage, name, inputs, suffix
            As in :meth:`path`.
        free : str
            Name of the input that may differ.

        Returns
        -------
        list of Path
            Paths of all outputs of such inputs that any run has asked for.
        """
        wanted = json.loads(json.dumps({"hiphopss": __version__, **inputs, free: None}))
        found = []
        for record in sorted((self.root / stage).glob(f"{name}-*{RECORD_ENDING}")):
            with suppress(HiphopssError):  # a record that can't be read is no help
                inputs_of = read_record(record, dict[str, Any], mend="remove it")
                if {**inputs_of, free: None} == wanted:
                    found.append(record.with_name(record.name.removesuffix(RECORD_ENDING) + suffix))
        return found

    def sha256(self, path: Path) -> str:
        """SHA-256 of a file, which is only read again if its size, times or inode have changed.

        That of a stream is that of its stem file, with the version of ffmpeg, because versions
        decode differently; keys also have the stream's name.
        """
        decoder = f" by ffmpeg {ffmpeg_version(find_ffmpeg(path))}" if is_inside(path) else ""
        path = container_of(path).absolute()
        state = path.stat()
        stamp = (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
        known = self._known.get(str(path))
        if known is None or known[:-1] != stamp:
            known = self._known[str(path)] = self._new[str(path)] = _Known(*stamp, sha256_of(path))
        return f"{known.sha256}{decoder}"

    def songs_hash(self, songs: Iterable[Song]) -> str:
        """Hash of songs: their names, subsets, and the content of all their files."""
        told = {}
        for song in songs:
            paths = dict(song.stems) | ({"mixture": song.mixture} if song.mixture else {})
            told[f"{song.subset}/{song.name}"] = {
                name: self.sha256(path) for name, path in paths.items()
            }
        self._remember()
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def files_hash(self, folder: Path) -> str:
        """Hash of the names and contents of all files in a folder."""
        told = {
            path.relative_to(folder).as_posix(): self.sha256(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }
        self._remember()
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def _remember(self) -> None:
        """Add what is new to what other runs have written meanwhile."""
        if not self._new or not self._writes:
            return
        with locked(self._known_path):
            self._known = self._remembered() | self._new
            write_text(self._known_path, json.dumps(self._known))
        self._new = {}


def digest_of_inputs(inputs: dict) -> str:
    """The hash in the name of an output that has these inputs."""
    told = json.dumps(inputs, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:_LENGTH]


def record_outcome(
    output: Path,
    store: Store,
    files: Iterable[Path],
    kept: Iterable[Path] = (),
    *,
    record: str = OUTCOME_RECORD,
) -> None:
    """Record the hashes of what a run has made, for :func:`hiphopss.verify`.

    Parameters
    ----------
    output : Path
        Folder of the run.
    store : Store
        Store of the run.
    files : iterable of Path
        Files in the folder.
    kept : iterable of Path
        Weight files and folders of estimates from which they were made. Those outside of the
        store, which stand in for models, are left out.
    record : str
        Name of the record in the folder.
    """
    made = {
        path.relative_to(output).as_posix(): sha256_of(path)
        for file in files
        for path in {file, file.with_suffix(".svg")}  # figures are written as both
        if path.exists()
    }
    inside = {
        path.relative_to(store.root).as_posix(): store.files_hash(path)
        if path.is_dir()
        else read_info(path).sha256
        for path in kept
        if path.is_relative_to(store.root)
    }
    text = json.dumps({"files": made, "store": inside}, indent=1, sort_keys=True)
    write_text(output / record, text + "\n")
