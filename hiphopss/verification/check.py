"""Collecting findings, and comparing files with the hashes that records have of them."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hiphopss.signal.containers import container_of
from hiphopss.util.files import sha256_of
from hiphopss.verification.findings import DIFFERS, MISSING, OK, UNREADABLE, Finding, worst
from hiphopss.verification.places import Places

if TYPE_CHECKING:
    from tqdm import tqdm


class Check:
    """A verification in progress.

    Parameters
    ----------
    places : Places
        Where to look for what an artefact was made from.
    bar : tqdm
        Is told of the bytes that were read.

    Attributes
    ----------
    findings : list of Finding
        Findings so far.
    """

    def __init__(self, places: Places, bar: tqdm):
        self.places, self._bar = places, bar
        self.findings: list[Finding] = []
        self._hashes: dict[Path, str] = {}
        self._checked: set[tuple[str, Path]] = set()

    def found(self, depth: int, kind: str, name: str | Path, state: str, told: str = "") -> None:
        """Add a finding."""
        self.findings.append(Finding(depth, kind, str(name), state, told))

    def unreadable(self, depth: int, kind: str, path: Path, error: Exception) -> None:
        """Add the finding that something can't be read, from the error that says so."""
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self.found(depth, kind, path, UNREADABLE, told.removeprefix(f"{path}: "))

    def again(self, depth: int, kind: str, path: Path) -> bool:
        """Whether something was checked before; this adds a finding that says so."""
        key = kind, path.absolute()
        if key in self._checked:
            self.found(depth, kind, path, OK, "see above")
            return True
        self._checked.add(key)
        return False

    def advance(self, n_bytes: int) -> None:
        """Tell the progress bar how much was read."""
        self._bar.update(n_bytes)

    def problem(self, path: Path, digest: str, made: str = "read") -> tuple[str, str]:
        """Compare a file with its hash.

        Parameters
        ----------
        path : Path
            File, or a stream of a stem file, whose hash is that of the file.
        digest : str
            Its SHA-256.
        made : str
            What was done with it when the record was made.

        Returns
        -------
        state, told : str
            ``OK`` with an empty text, or what is wrong with the file.
        """
        file = container_of(path)
        try:
            status = file.stat()
            if not stat.S_ISREG(status.st_mode):  # reading a pipe may never end
                return DIFFERS, f"{path.name} is no plain file"
            key = file.absolute()
            if key not in self._hashes:
                self._hashes[key] = sha256_of(file)
                self.advance(status.st_size)
        except FileNotFoundError:
            return MISSING, f"{path.name} is not there"
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            return UNREADABLE, f"{path.name}: {getattr(error, 'strerror', None) or error}"
        if self._hashes[key] != digest:
            return DIFFERS, f"{path.name} is not the file that was {made}"
        return OK, ""

    def problems(
        self, files: Mapping[str, Path | None], digests: Mapping[str, str], made: str = "read"
    ) -> tuple[str, str]:
        """Compare several files with their hashes, as :meth:`problem`.

        Parameters
        ----------
        files : mapping of str to Path or None
            Files by name; others of ``digests`` are missing.
        digests : mapping of str to str
            SHA-256 by name.
        made : str
            As in :meth:`problem`.

        Returns
        -------
        state, told : str
            The worst state, and what is wrong with each.
        """
        found = []
        for name, digest in sorted(digests.items()):
            path = files.get(name)
            found.append(
                (MISSING, f"{name} is not there")
                if path is None
                else self.problem(path, digest, made)
            )
        return worst(found)
