"""A song's result: its original and versions of its stems, as files for the page.

A result is a folder of files with simple names. A version of the stems is added completely or not
at all: it is made in a temporary folder, and its files are moved when all are ready.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.demo.catalogue import Model
from hiphopss.demo.drawing import spectrogram, write_peaks, write_spectrogram
from hiphopss.errors import HiphopssError
from hiphopss.separation.listening import NOTHING_REPEATS, SongSeparator, used_loops
from hiphopss.separation.separator import separate_blocks
from hiphopss.signal import reading
from hiphopss.signal.writing import Sink

TRUE = "true"
"""Id and kind of the version with the true stems."""

STAGES = ("reading", "separating", "measuring", "drawing")

_MEASURED_SECONDS = 60.0  # length of the part that is scored; memory and time grow with it
_FINE = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE")  # sample types with more precision than 16 bit

Report = Callable[[str, float], None]
"""Function of the current stage and its completed fraction; it may raise to stop the work."""


@dataclass
class Result:
    """A song that the page can play.

    Attributes
    ----------
    id, title : str
        Id in addresses, and title for people.
    folder : Path
        Folder of its files.
    sample_rate, n_channels, n_samples : int
        Properties of every track.
    subtype : str
        Sample type of every track.
    top : float
        Level of the brightest colour of every spectrogram, in dB.
    note : str
        What people should know of the song: that it is cut off. Usually empty.
    versions : list of dict
        Versions of the stems, in the form that the page reads.
    """

    id: str
    title: str
    folder: Path
    sample_rate: int
    n_channels: int
    n_samples: int
    subtype: str
    top: float
    note: str = ""
    versions: list[dict] = field(default_factory=list)

    def has(self, version: str) -> bool:
        """Whether a version with this id exists."""
        return any(known["id"] == version for known in self.versions)

    def add(self, version: dict) -> None:
        """Add a version; the true stems stay in the last place."""
        self.versions = sorted([*self.versions, version], key=lambda v: v["kind"] == TRUE)

    def path(self, name: str) -> Path | None:
        """Path of one of its files by name; None for any other name."""
        known = set(_track_files("original"))
        for version in self.versions:
            known.add(version["zip"])
            known.update(*(_track_files(f"{version['id']}.{source}") for source in SOURCES))
        return self.folder / name if name in known else None

    def description(self) -> dict:
        """The result in the form that the page reads."""
        return {
            "id": self.id,
            "title": self.title,
            "seconds": round(self.n_samples / self.sample_rate, 3),
            "sample_rate": self.sample_rate,
            "channels": self.n_channels,
            "n_samples": self.n_samples,
            "bits": _bits(self.subtype),
            "note": self.note,
            "original": _track("original"),
            "versions": self.versions,
        }


def _bits(subtype: str) -> int:
    """Bits of a sample of a stored track."""
    return 24 if subtype == "PCM_24" else 16


def _track(name: str, metrics: dict | None = None) -> dict:
    audio_file, peaks, picture = _track_files(name)
    return {"audio": audio_file, "peaks": peaks, "spectrogram": picture, "metrics": metrics}


def _track_files(name: str) -> tuple[str, str, str]:
    return f"{name}.flac", f"{name}.peaks.json", f"{name}.png"


class _Flac:
    """Writes a track block by block; samples are rounded and clipped."""

    def __init__(self, path: Path, sample_rate: int, n_channels: int, subtype: str):
        import soundfile

        self._bits = _bits(subtype)
        try:
            self._sink = Sink(path)
            with self._sink.used():
                self._file = soundfile.SoundFile(
                    self._sink, "w", sample_rate, n_channels, subtype, format="FLAC"
                )
        except soundfile.SoundFileError as error:
            raise HiphopssError(
                f"A sampling rate of {sample_rate} Hz with {n_channels} channels: FLAC can't hold "
                "that: convert the song to 44,100 Hz"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        try:
            with self._sink.used():
                self._file.close()
                self._sink.close()
        except HiphopssError:
            if error is None:  # otherwise that is told
                raise

    def write(self, block: np.ndarray) -> None:
        full_scale = 2 ** (self._bits - 1) - 1  # the factor by which reading divides
        scaled = np.clip(np.rint(block * np.float64(full_scale)), -full_scale - 1, full_scale)
        with self._sink.used():
            self._file.write(scaled.astype(np.int32) << (32 - self._bits))


def read_original(
    source: Path,
    folder: Path,
    *,
    id: str,
    title: str,
    report: Report,
    max_seconds: float | None = None,
) -> Result:
    """Start a result: decode a song and draw it.

    Parameters
    ----------
    source : Path
        Audio file to read.
    folder : Path
        Empty folder for the result.
    id, title : str
        Id and title of the result.
    report : callable
        See :data:`Report`.
    max_seconds : float, optional
        Maximum length, which is enforced whatever the header says.

    Returns
    -------
    Result
        Result without versions.

    Raises
    ------
    HiphopssError
        If the file can't be decoded or is too long.
    """
    header = reading.read_header(source, most_seconds=max_seconds)
    rate, subtype = header.sample_rate, "PCM_24" if header.subtype in _FINE else "PCM_16"
    target = folder / _track_files("original")[0]
    n_samples = 0
    with _Flac(target, rate, header.n_channels, subtype) as flac:
        for block in reading.read_blocks(source, most_seconds=max_seconds):
            n_samples += len(block)
            if max_seconds is not None and n_samples > max_seconds * rate:
                raise HiphopssError(
                    f"{title}: longer than {max_seconds:g} s, whatever its header says: "
                    "choose a part of it"
                )
            flac.write(block)
            report("reading", min(n_samples / header.n_samples, 1))
    if not n_samples:
        raise HiphopssError(f"{title}: has no samples: choose another file")
    levels = spectrogram(reading.read_blocks(target), n_samples, rate)
    result = Result(
        id, title, folder, rate, header.n_channels, n_samples, subtype, float(levels.max())
    )
    result.note = header.cut_off or ""
    _draw(result, folder, "original", levels)
    return result


def _draw(result: Result, folder: Path, name: str, levels: np.ndarray | None = None) -> None:
    """Draw a track whose file is in the folder."""
    track, peaks, picture = (folder / file for file in _track_files(name))
    write_peaks(track, peaks, result.n_samples)
    if levels is None:
        levels = spectrogram(reading.read_blocks(track), result.n_samples, result.sample_rate)
    write_spectrogram(levels, picture, top=result.top)


def add_model(result: Result, model: Model, *, report: Report) -> None:
    """Separate a result's original, and add the stems as a version, which says what repeats.

    Parameters
    ----------
    result : Result
        Result to extend. If it has the true stems, the version gets scores.
    model : Model
        Model that separates.
    report : callable
        See :data:`Report`.
    """
    done = 0

    def counted(n_done: int) -> None:
        nonlocal done
        done += n_done
        report("separating", min(done / n_inner, 1))

    def reported(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same blocks; a song's loops are looked for before and after the network's work."""
        for block in blocks:
            report("separating", min(done / n_inner, 1))
            yield block

    separator = model.separator
    n_inner = reading.resampled_length(
        result.n_samples, result.sample_rate, separator.config.sample_rate
    )
    mixture = reported(reading.read_blocks(result.folder / "original.flac"))
    song = SongSeparator(separator, used_loops("auto", separator.fidelity))
    blocks = reported(separate_blocks(song, mixture, result.sample_rate, counted))
    version = _made_version(result, model.id, model.name, "model", blocks, report)
    note = f"Loops: {song.loop or NOTHING_REPEATS}" if song.listens else ""
    tempo = song.beats_a_minute and round(song.beats_a_minute, 3)
    result.add(version | {"note": note, "beats_per_minute": tempo})


def add_true_stems(result: Result, stems: Iterable[np.ndarray], *, report: Report) -> None:
    """Add the true stems as a version.

    Parameters
    ----------
    result : Result
        Result of the song.
    stems : iterable of np.ndarray [shape=(n_sources, n_block, n_channels)]
        Stems, which are as long as the song and sum to it.
    report : callable
        See :data:`Report`.
    """
    result.add(_made_version(result, TRUE, "True stems", TRUE, stems, report))


def _made_version(
    result: Result, id: str, name: str, kind: str, blocks: Iterable[np.ndarray], report: Report
) -> dict:
    """Make the files of a version, and describe it."""
    with tempfile.TemporaryDirectory(dir=result.folder, ignore_cleanup_errors=True) as made_in:
        folder = Path(made_in)
        tracks = [folder / f"{id}.{source}.flac" for source in SOURCES]
        settings = result.sample_rate, result.n_channels, result.subtype
        with ExitStack() as stack:
            flacs = [stack.enter_context(_Flac(track, *settings)) for track in tracks]
            for block in blocks:
                for flac, stem in zip(flacs, block, strict=True):
                    flac.write(stem)
        metrics: list[dict | None] = [None] * len(SOURCES)
        if result.has(TRUE):
            report("measuring", 0)
            metrics = _measure(result, tracks)
        for number, source in enumerate(SOURCES):
            report("drawing", number / len(SOURCES))
            _draw(result, folder, f"{id}.{source}")
        with zipfile.ZipFile(folder / f"{id}.zip", "w") as archive:  # FLAC needs no compression
            for track, source in zip(tracks, SOURCES, strict=True):
                _pack(archive, track, f"{_file_name(result.title)} - {source}.flac")
        report("drawing", 1)
        for file in folder.iterdir():
            os.replace(file, result.folder / file.name)
    stems = {
        source: _track(f"{id}.{source}", scores)
        for source, scores in zip(SOURCES, metrics, strict=True)
    }
    return {"id": id, "name": name, "kind": kind, "zip": f"{id}.zip", "stems": stems}


def _file_name(title: str) -> str:
    """A title as the beginning of a file's name, which every system can unpack.

    The page makes names by the same rule (``static/downloads/formats.js``).
    """
    return re.sub(r'[\x00-\x1f\x7f-\x9f"*/:<>?\\|]|^\.', "_", title)


def _pack(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    """Put a file into an archive without its time, so that equal stems are equal archives."""
    entry = zipfile.ZipInfo(name)  # dated 1980, which is as early as zip can say
    entry.file_size, entry.external_attr = path.stat().st_size, 0o644 << 16
    with open(path, "rb") as file, archive.open(entry, "w") as packed:
        shutil.copyfileobj(file, packed)


def _measure(result: Result, tracks: list[Path]) -> list[dict | None]:
    """SDR, SIR and SAR of each track in the first minute; None if any of them is undefined."""
    from hiphopss.eval.bss.scores import PAPER_METRICS, bss_eval

    most = round(_MEASURED_SECONDS * result.sample_rate)
    truth = [result.folder / f"{TRUE}.{source}.flac" for source in SOURCES]
    references, estimates = (
        np.stack([_beginning(path, most) for path in paths]) for paths in (truth, tracks)
    )
    scores = bss_eval(references, estimates)
    table = np.stack([scores.sdr, scores.sir, scores.sar])[..., 0].T  # (n_sources, n_metrics)
    return [
        {name: round(float(x), 2) for name, x in zip(PAPER_METRICS, row, strict=True)}
        if np.isfinite(row).all()
        else None
        for row in table
    ]


def _beginning(path: Path, n_samples: int) -> np.ndarray:
    """Read the first samples of a track, averaged over its channels."""
    with reading.opened(path) as reader:
        return reading.to_mono(reader.read(n_samples))
