"""Separating audio files into folders of stems, with a record of the weights and settings used."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.mixtures import find_mixtures
from hiphopss.errors import HiphopssError
from hiphopss.separation.engines import build_network
from hiphopss.separation.listening import SongSeparator, require_loops, tell_unused, used_loops
from hiphopss.separation.record import (
    claim,
    require_own,
    require_same_song,
    song_record,
    write_track,
)
from hiphopss.separation.separator import Separator, separate_blocks
from hiphopss.signal import reading, writing
from hiphopss.signal.containers import container_of, is_inside
from hiphopss.signal.decoded import measure
from hiphopss.util.files import filled_whole
from hiphopss.util.locks import locked
from hiphopss.util.progress import AUDIO_BAR, progress_bar
from hiphopss.weights.files import WeightsInfo, read_weights
from hiphopss.weights.registry import describe_default, resolve_weights

logger = logging.getLogger(__name__)

_EVERY_SONG = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""What the system says that is no fault of one song: the next one would fail as well."""


@dataclass(frozen=True)
class SeparationSettings:
    """Settings for separating files.

    Attributes
    ----------
    weights : path-like or None
        The project's own ``.weights.h5`` or a published ``.pkl``, by path or by name in the
        registry; by default the shipped weights, which a log line then names.
    mono : bool
        Separate the average of the channels and write one channel, as the released code does.
    subtype : str, optional
        Sample type of the stems; by default it has the input's precision, up to 24 bit or single.
    standalone_script : bool
        Separate as the released stand-alone script does (Q6).
    engine : str
        ``"numpy"``, or ``"keras"`` for the trained network itself: equal stems up to rounding.
    model_name : str, optional
        Name of the model in tables of scores; by default the weight file's name.
    loops : str, optional
        ``"auto"`` uses what repeats in a song, if anything does, except with weights of the preset
        ``released``; ``"off"`` gives the network's stems. By default ``"auto"``, and ``"off"`` with
        ``standalone_script``, which ``"auto"`` contradicts.
    """

    weights: str | Path | None = None
    mono: bool = False
    subtype: str | None = None
    standalone_script: bool = False
    engine: str = "numpy"
    model_name: str | None = None
    loops: str | None = None

    def __post_init__(self) -> None:
        require_loops(self.loops, standalone_script=self.standalone_script)


class Separated(NamedTuple):
    """Result of :func:`separate_files`.

    Attributes
    ----------
    folders : list of Path
        Folders of the tracks that were separated.
    left_out : list of AudioError
        The errors of the other tracks.
    """

    folders: list[Path]
    left_out: list[reading.AudioError]


def separate_files(
    inputs: str | Path | Iterable[str | Path] | Mapping[str, str | Path],
    output: str | Path,
    settings: SeparationSettings | None = None,
    *,
    leave_out: bool = False,
    progress: bool = True,
) -> Separated:
    """Separate files into ``<output>/<track>/{vocals,bass,drums,other}.wav``.

    If a song is cut off, a warning is logged, and what is there of it is separated. A track's
    folder that is there already is filled again if its stems are those of the same file. Several
    runs may write to one output at once: tracks of the same name wait for each other.

    Parameters
    ----------
    inputs : path-like, iterable of path-like, or mapping of str to path-like
        As in :func:`hiphopss.datasets.mixtures.find_mixtures`.
    output : path-like
        Folder in which each new track's folder appears completely or not at all. Its
        ``separation.json`` records the weights and settings that made the stems, and ``track.json``
        in a track's folder the name and SHA-256 of its file, and what of the song repeats.
    settings : SeparationSettings, optional
        Weights, engine and sample type.
    leave_out : bool
        With several tracks, log a warning if a track's file can't be used or its folder can't be
        written, and separate the others. By default that is an error, which is raised before any
        work if the file's name, header or end shows it.
    progress : bool
        Show a progress bar for each track.

    Returns
    -------
    Separated
        The folders of the tracks, and the errors of those that were left out.

    Raises
    ------
    HiphopssError
        As in :func:`hiphopss.weights.files.read_weights`, if ``output`` has stems that were made
        with other weights or settings, or if it, or the folder for temporary files, can't be
        written to.
    AudioError
        If a file can't be used (as in :func:`hiphopss.datasets.mixtures.find_mixtures` and
        :func:`hiphopss.signal.reading.read`), or if stems of another file are in its track's
        folder, and the track is not left out.
    """
    settings, output = settings or SeparationSettings(), Path(output)
    if output.exists() and not output.is_dir():
        raise HiphopssError(f"{output}: is a file, not a folder: choose another output")
    unusable: list[reading.AudioError] = []
    tracks = find_mixtures(inputs, skip=output, left_out=unusable.append)
    done = Separated([], [])
    alone = len(tracks) + len(unusable) == 1

    def bad(error: reading.AudioError) -> None:
        if not leave_out or alone:
            raise error
        done.left_out.append(error)
        logger.warning("%s (the song is left out)", error)

    for problem in unusable:
        bad(problem)
    weights = resolve_weights(settings.weights)
    headers = _headers(tracks, bad, progress=progress)
    info, arrays = read_weights(weights)
    record = _record(weights, info, settings)
    require_own(output, record, headers)
    separator = _separator(info, arrays, settings, origin=str(weights))
    if headers and settings.weights is None:
        logger.info(describe_default())
    if headers:
        tell_unused(settings.loops, record["loops"], weights.name)
    logger.debug("engine %s, loops %s", settings.engine, record["loops"])
    for number, (name, header) in enumerate(headers.items(), 1):
        bar = progress_bar(
            total=round(header.seconds * info.config.sample_rate),
            desc=f"{number}/{len(headers)} {name}",
            unit_scale=1 / info.config.sample_rate,
            bar_format=AUDIO_BAR,
            show=progress,
        )
        try:
            with bar, locked(output / name):
                song = song_record(tracks[name])
                require_same_song(output, name, tracks[name], song)
                mixture = _mixture(tracks[name], mono=settings.mono)
                listening = SongSeparator(separator, record["loops"])
                blocks = separate_blocks(listening, mixture, header.sample_rate, bar.update)
                with closing(blocks), filled_whole(output / name) as folder:
                    _write_stems(folder, blocks, header, settings, output / name)
                    write_track(folder, song, listening.loop)
                    claim(output, record)  # before the track appears, so that none lacks it
                listening.tell(name)
        except reading.AudioError as error:
            bad(error)
        except OSError as error:
            if error.errno in _EVERY_SONG:
                raise
            bad(_unwritable(output / name, tracks[name], error))
        else:
            done.folders.append(output / name)
    return done


def _separator(
    info: WeightsInfo, arrays: dict[str, np.ndarray], settings: SeparationSettings, *, origin: str
) -> Separator:
    if settings.standalone_script:
        info = info.in_standalone_script()
    network = build_network(info, arrays, engine=settings.engine, origin=origin)
    return Separator(network, info.config, info.fidelity)


def _unwritable(folder: Path, path: Path, error: OSError) -> reading.AudioError:
    return reading.AudioError(
        f"{folder}: can't hold the stems of {path} ({error.strerror or error}): rename the song, "
        "or choose another output"
    )


def _headers(
    tracks: dict[str, Path], bad: Callable[[reading.AudioError], None], *, progress: bool
) -> dict[str, reading.Header]:
    """The headers of those tracks that can be read; a bad file is better told now than later."""
    stem_files = {container_of(path) for path in tracks.values() if is_inside(path)}
    with suppress(HiphopssError):  # said of each of them below
        measure(sorted(stem_files), progress=progress)
    headers = {}
    for name, path in tracks.items():
        try:
            headers[name] = reading.read_header(path, end=True)
        except reading.AudioError as error:
            bad(error)
        except HiphopssError as error:  # ffmpeg is missing
            bad(reading.AudioError(str(error)))
        except OSError as error:
            reason = error.strerror or error
            bad(reading.AudioError(f"{path}: can't be opened ({reason}): check its permissions"))
    return headers


def _mixture(path: Path, *, mono: bool) -> Iterator[np.ndarray]:
    """Read a song's blocks, with all channels or their average."""
    for block in reading.read_blocks(path):
        yield reading.to_mono(block)[:, None] if mono else block


def _write_stems(
    folder: Path,
    blocks: Iterable[np.ndarray],
    header: reading.Header,
    settings: SeparationSettings,
    label: Path,
) -> None:
    """Write blocks `[shape=(n_sources, n_block, n_channels)]` to the stem files of a track."""
    n_channels = 1 if settings.mono else header.n_channels
    subtype = settings.subtype or writing.output_subtype(header.subtype)
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                writing.Writer(
                    folder / f"{source}.wav",
                    header.sample_rate,
                    n_channels,
                    subtype,
                    label=label / f"{source}.wav",
                )
            )
            for source in SOURCES
        ]
        for block in blocks:
            for writer, stem in zip(writers, block, strict=True):
                writer.write(stem)


def _record(weights: Path, info: WeightsInfo, settings: SeparationSettings) -> dict:
    """The content of ``separation.json``: weights and settings that make the stems."""
    used = info.in_standalone_script() if settings.standalone_script else info
    default_name = weights.name.removesuffix(".pkl").removesuffix(".weights.h5")
    record = {
        "model": settings.model_name or default_name,
        "weights": weights.name,
        "sha256": info.sha256,
        "preset": info.fidelity.name,
        "config": asdict(used.config),
        "fidelity": asdict(used.fidelity),
        "mono": settings.mono,
        "loops": used_loops(settings.loops, used.fidelity),
    }
    if info.provenance.get("released_test_leak"):
        record["released_test_leak"] = True
    if info.provenance.get("songs"):
        record["trained_on"] = info.provenance["songs"]
    return record
