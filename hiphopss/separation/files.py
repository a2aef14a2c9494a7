"""Separating audio files into folders of stems, with a record of the weights and settings used."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hiphopss.config import SEPARATION_RECORD, SOURCES
from hiphopss.datasets.mixtures import find_mixtures
from hiphopss.errors import HiphopssError
from hiphopss.separation.hashes import SONGS, STEMS, song_record, stem_hashes
from hiphopss.separation.separator import Separator, build_network, separate_blocks
from hiphopss.signal import reading, writing
from hiphopss.signal.containers import container_of, is_inside
from hiphopss.signal.decoded import measure
from hiphopss.util.files import filled_whole, write_text
from hiphopss.util.progress import AUDIO_BAR, progress_bar
from hiphopss.weights.files import WeightsInfo, read_weights
from hiphopss.weights.registry import describe_default, resolve_weights

logger = logging.getLogger(__name__)


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
    """

    weights: str | Path | None = None
    mono: bool = False
    subtype: str | None = None
    standalone_script: bool = False
    engine: str = "numpy"
    model_name: str | None = None


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

    If a song is shorter than its header or libsndfile indicates, a warning is logged: this happens
    with truncated MP3 files.

    Parameters
    ----------
    inputs : path-like, iterable of path-like, or mapping of str to path-like
        As in :func:`hiphopss.datasets.mixtures.find_mixtures`.
    output : path-like
        Folder in which each new track's folder appears completely or not at all. Its
        ``separation.json`` records the weights and settings that made the stems.
    settings : SeparationSettings, optional
        Weights, engine and sample type.
    leave_out : bool
        With several tracks, log a warning if a track's file can't be used, and separate the others.
        By default such a file is an error, which is raised before any work if the file's header or
        end shows it.
    progress : bool
        Show a progress bar for each track.

    Returns
    -------
    Separated
        The folders of the tracks, and the errors of those that were left out.

    Raises
    ------
    HiphopssError
        As in :func:`hiphopss.datasets.mixtures.find_mixtures` and
        :func:`hiphopss.weights.files.read_weights`, or if ``output`` has stems that were made with
        other weights or settings.
    AudioError
        If a file can't be used and is not left out.
    """
    settings, output = settings or SeparationSettings(), Path(output)
    if output.exists() and not output.is_dir():
        raise HiphopssError(f"{output}: is a file, not a folder: choose another output")
    tracks = find_mixtures(inputs, skip=output)
    done = Separated([], [])

    def bad(error: reading.AudioError) -> None:
        if not leave_out or len(tracks) == 1:
            raise error
        done.left_out.append(error)
        logger.warning("%s (the song is left out)", error)

    weights = resolve_weights(settings.weights)
    headers = _headers(tracks, bad, progress=progress)
    info, arrays = read_weights(weights)
    record = _record(weights, info, settings)
    songs = _require_own(output, record, headers)
    if settings.standalone_script:
        info = info.in_standalone_script()
    network = build_network(info, arrays, engine=settings.engine, origin=str(weights))
    separator = Separator(network, info.config, info.fidelity)
    if headers and settings.weights is None:
        logger.info(describe_default())
    for number, (name, header) in enumerate(headers.items(), 1):
        bar = progress_bar(
            total=round(header.seconds * info.config.sample_rate),
            desc=f"{number}/{len(headers)} {name}",
            unit_scale=1 / info.config.sample_rate,
            bar_format=AUDIO_BAR,
            show=progress,
        )
        try:
            with filled_whole(output / name) as folder, bar:
                blocks = separate_blocks(
                    separator,
                    _mixture(tracks[name], header, mono=settings.mono),
                    header.sample_rate,
                    bar.update,
                )
                _write_stems(folder, blocks, header, settings, output / name)
                songs[name] = {**song_record(tracks[name]), STEMS: stem_hashes(folder)}
                # Written before the track appears, so that none lacks it.
                told = {**record, SONGS: dict(sorted(songs.items()))}
                write_text(output / SEPARATION_RECORD, json.dumps(told, indent=2) + "\n")
        except reading.AudioError as error:
            bad(error)
        else:
            done.folders.append(output / name)
    return done


def _headers(
    tracks: dict[str, Path], bad: Callable[[reading.AudioError], None], *, progress: bool
) -> dict[str, reading.Header]:
    """The headers of those tracks that can be read; a bad file is better told now than later."""
    stem_files = {container_of(path) for path in tracks.values() if is_inside(path)}
    measure(sorted(stem_files), progress=progress)
    headers = {}
    for name, path in tracks.items():
        try:
            headers[name] = reading.read_header(path, end=True)
        except reading.AudioError as error:
            bad(error)
    return headers


def _mixture(path: Path, header: reading.Header, *, mono: bool) -> Iterator[np.ndarray]:
    """Read a song's blocks; warn if it is a second shorter than its header (or estimate) says."""
    n_samples = 0
    for block in reading.read_blocks(path):
        n_samples += len(block)
        yield reading.to_mono(block)[:, None] if mono else block
    if n_samples < header.n_samples - header.sample_rate:
        logger.warning(
            "%s: ends at %.1f s, where %.1f s were expected: get it again if it is cut off",
            *(path, n_samples / header.sample_rate, header.seconds),
        )


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
    """The content of ``separation.json``: weights and settings that made a folder's stems."""
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
    }
    if info.provenance.get("released_test_leak"):
        record["released_test_leak"] = True
    if info.provenance.get("songs"):
        record["trained_on"] = info.provenance["songs"]
    return record


def _require_own(output: Path, record: dict, tracks: Iterable[str]) -> dict:
    """Raise if new stems would replace or join stems that were made in another way.

    Returns
    -------
    dict
        What the record there says of the tracks there.
    """
    path = output / SEPARATION_RECORD
    if not path.exists():
        for name in tracks:
            found = [s for s in SOURCES if (output / name / f"{s}.wav").exists()]
            if found:
                raise HiphopssError(
                    f"{output / name / found[0]}.wav: is there already, and nothing says that it "
                    "was separated with these weights: choose another output"
                )
        return {}
    try:
        before = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise HiphopssError(f"{path}: can't read this as JSON: remove it") from error
    for name, value in record.items():
        if name != "weights" and before.get(name) != value:  # a file may have been renamed
            raise HiphopssError(
                f"{path}: the stems here were made with another {name}: choose another output"
            )
    return dict(before.get(SONGS) or {})
