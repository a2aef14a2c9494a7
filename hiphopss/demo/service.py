"""The demo without its web server: models, songs, jobs and results."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Self

from hiphopss.config import SOURCES
from hiphopss.datasets.songs import require_mixture
from hiphopss.demo.catalogue import (
    GeneratedSongs,
    Model,
    OfferedSong,
    load_models,
    own_songs,
    true_stems,
)
from hiphopss.demo.device.models import DeviceWeights, described
from hiphopss.demo.jobs import Job, JobQueue
from hiphopss.demo.limits import Limits, accepted_formats
from hiphopss.demo.results import Report, Result, add_model, add_true_stems, read_original
from hiphopss.demo.store import ResultStore
from hiphopss.demo.uploads import clean_name, clean_title, told
from hiphopss.errors import HiphopssError
from hiphopss.util.scratch import Scratch, remove_left_behind

_SWEEP_SECONDS = 600.0


class Catalogue:
    """The available models and songs.

    Parameters
    ----------
    folder : Path
        Folder for the generated songs.
    weights : iterable of path-like, optional
        As in :func:`hiphopss.demo.catalogue.load_models`.
    songs : path-like, optional
        As in :func:`hiphopss.demo.catalogue.own_songs`; offered before the generated songs.
    seconds : float
        Length of the generated songs.

    Raises
    ------
    HiphopssError
        If weights or songs can't be used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        weights: Iterable[str | Path] | None = None,
        songs: str | Path | None = None,
        seconds: float = 16.0,
    ):
        offered = GeneratedSongs(folder, seconds=seconds).songs()
        if songs is not None:  # the page opens the first one
            offered = [*own_songs(songs, [song.id for song in offered]), *offered]
        self.models: dict[str, Model] = load_models(weights)
        self.songs: dict[str, OfferedSong] = {song.id: song for song in offered}


SHIFTER = "vendor/signalsmith-stretch.js"
"""Library of the page that shifts pitch, if it was fetched when hiphopss was packaged."""

MP3 = ("vendor/wasm-media-encoders.js", "vendor/lame.wasm")
"""Library of the page that encodes MP3 files, if it was fetched, too."""


def static_files() -> dict[str, Path]:
    """The page's files by their addresses relative to the page."""
    root = Path(str(files("hiphopss.demo"))) / "static"
    return {
        path.relative_to(root).as_posix(): path
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.suffix not in (".c", ".h")
    }


def begin_result(song: OfferedSong, folder: Path, *, id: str, report: Report) -> Result:
    """Make the result of a song on offer, with the true stems if they are known."""
    found = song.files()
    result = read_original(require_mixture(found), folder, id=id, title=song.title, report=report)
    if song.true_stems:
        stems = true_stems(found, result.n_channels)
        add_true_stems(result, stems, report=report)
    return result


def site_description(
    catalogue: Catalogue,
    limits: Limits,
    results: dict[str, str] | None = None,
    *,
    folder: Path | None = None,
) -> dict:
    """Describe the demo for the page.

    Parameters
    ----------
    catalogue : Catalogue
        Models and songs on offer.
    limits : Limits
        Limits on uploads.
    results : dict of str to str, optional
        For a static site, the address of each song's result; songs without one are left out.
    folder : Path, optional
        Folder of the static site, which has the weights for the page.

    Returns
    -------
    dict
        Description for JSON.
    """
    pages = static_files()
    return {
        "static": results is not None,
        "models": [
            {"id": model.id, "name": model.name, "description": model.description}
            for model in catalogue.models.values()
        ],
        "songs": [
            {
                "id": song.id,
                "title": song.title,
                "seconds": round(song.seconds, 3),
                "true_stems": song.true_stems,
                "style": song.style,
                "result": (results or {}).get(song.id),
            }
            for song in catalogue.songs.values()
            if results is None or song.id in results
        ],
        "limits": {
            "max_bytes": limits.max_bytes,
            "max_seconds": limits.max_seconds,
            "formats": accepted_formats(),
        },
        "sources": list(SOURCES),
        "bends": SHIFTER in pages,
        "mp3": all(name in pages for name in MP3),
        "device": {"models": described(catalogue.models.values(), folder)},
    }


class Demo:
    """The state of a running demo; leaving the context deletes all uploads and results.

    Parameters
    ----------
    weights, songs, seconds
        As in :class:`Catalogue`.
    limits : Limits
        Limits on uploads and jobs.
    """

    def __init__(
        self,
        *,
        weights: Iterable[str | Path] | None = None,
        songs: str | Path | None = None,
        seconds: float = 16.0,
        limits: Limits | None = None,
    ):
        self.limits = limits or Limits()
        self._scratch = Scratch()  # which also removes what killed servers left
        self._folder = self._scratch.folder
        try:
            self.uploads = self._folder / "uploads"
            self.uploads.mkdir()
            self.catalogue = Catalogue(
                self._folder / "songs", weights=weights, songs=songs, seconds=seconds
            )
        except BaseException:
            self._scratch.remove()
            raise
        self._swept = time.monotonic()
        self.store = ResultStore(self._folder / "results")
        self.device_weights = DeviceWeights(self.catalogue.models, self._folder / "weights")
        self.queue = JobQueue(limit=self.limits.queue, tidy=self._tidy)
        self._of_song: dict[str, str] = {}  # ids of the results of the songs on offer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.queue.close()
        self._scratch.remove()

    def _tidy(self) -> None:
        self.store.tidy()
        if time.monotonic() - self._swept > _SWEEP_SECONDS:
            remove_left_behind()
            self._swept = time.monotonic()

    def separate_upload(self, upload: Path, name: str | None, model: Model) -> Job:
        """Make a job for an uploaded file, which is deleted as soon as it is decoded."""
        title, called = clean_title(name), clean_name(name)

        def work(job: Job) -> str:
            with self.store.new() as (id, folder):
                with _told(upload, called, self.limits):
                    result = read_original(
                        upload,
                        folder,
                        id=id,
                        title=title,
                        report=job.report,
                        max_seconds=self.limits.max_seconds,
                    )
                upload.unlink()
                add_model(result, model, report=job.report)
                self.store.put(result)
            return id

        return Job(work, clear=partial(upload.unlink, missing_ok=True))

    def separate_song(self, song: OfferedSong, model: Model) -> Job:
        """Make a job for a song on offer, whose result is shared by all requests."""

        def work(job: Job) -> str:
            result = self.store.get(self._of_song.get(song.id, ""))
            if result is None:
                with self.store.new() as (id, folder):
                    result = begin_result(song, folder, id=id, report=job.report)
                    self.store.put(result)
                self._of_song[song.id] = result.id
            _add_missing(result, model, job)
            return result.id

        return Job(work)

    def prepare(self) -> None:
        """Begin to separate the first song on offer, which the page opens for each new visitor."""
        song = next(iter(self.catalogue.songs.values()), None)
        if song is not None:
            self.queue.reserve()
            self.queue.submit(self.separate_song(song, next(iter(self.catalogue.models.values()))))

    def separate_result(self, id: str, model: Model) -> Job:
        """Make a job that adds a version of the stems to an existing result."""

        def work(job: Job) -> str:
            result = self.store.get(id)
            if result is None:
                raise HiphopssError("The song is not on the server any more: upload it again.")
            _add_missing(result, model, job)
            return id

        return Job(work, uses=id)

    def is_shared(self, id: str) -> bool:
        """Whether a result belongs to a song on offer, so that all visitors share it."""
        return id in self._of_song.values()

    def remove_result(self, id: str) -> bool:
        """Delete a visitor's own song and cancel its jobs; return False if it does not exist."""
        if self.is_shared(id):
            return False
        self.queue.cancel_using(id)
        return self.store.remove(id)


@contextmanager
def _told(upload: Path, name: str, limits: Limits) -> Iterator[None]:
    """Tell errors of an upload in the page's words, and call it by its name."""
    from soundfile import SoundFileError

    try:
        yield
    except HiphopssError as error:
        if isinstance(error.__cause__, SoundFileError):  # its header could be read
            message = f"{name} is damaged or cut off: export it again, then choose it again."
        else:
            message = told(error, upload, name=name, limits=limits)
        raise HiphopssError(message) from error


def _add_missing(result: Result, model: Model, job: Job) -> None:
    if not result.has(model.id):
        job.uses = result.id
        add_model(result, model, report=job.report)
