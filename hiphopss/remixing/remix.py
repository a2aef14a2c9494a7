"""A song, or a folder of stems, mixed anew into one file."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.songs import song_at
from hiphopss.datasets.stems import require_alike, stem_blocks
from hiphopss.errors import HiphopssError
from hiphopss.remixing.mixing import Mix, mix
from hiphopss.signal import reading, writing
from hiphopss.util.files import written_whole
from hiphopss.util.progress import AUDIO_BAR, progress_bar
from hiphopss.weights.registry import describe_default

logger = logging.getLogger(__name__)

_PIECE = 2**16  # samples scaled at a time


@dataclass(frozen=True)
class Remixed:
    """What became of it.

    Attributes
    ----------
    path : Path
        The file.
    peak : float
        Largest absolute value of the mix, before it was lowered or clipped; full scale is 1.
    n_clipped : int
        Samples that were clipped.
    lowered_db : float
        By how much the whole was lowered.
    """

    path: Path
    peak: float
    n_clipped: int
    lowered_db: float


def remix(
    source: str | Path,
    output: str | Path,
    settings: Mix,
    *,
    weights: str | Path | None = None,
    engine: str = "numpy",
    subtype: str | None = None,
    normalize: bool = False,
    progress: bool = True,
) -> Remixed:
    """Mix a song anew, or a folder of stems. Memory does not grow with the length.

    A song is separated as far as anything is changed, and changed by that
    (:func:`hiphopss.remixing.mixing.mix`): settings that do nothing give its samples back bit for
    bit where the output has at least the input's sample type. Stems are summed.

    Parameters
    ----------
    source : path-like
        An audio file, or a folder with some of ``{vocals,bass,drums,other}.wav`` (or another
        format) of the same rate, length and channels. Missing stems count as silence.
    output : path-like
        The file to write, whole or not at all: an ending of ``writing.OUTPUT_FORMATS``. It has
        the source's rate, and its channels unless a mono source is panned.
    settings : Mix
        Gains, pans, mutes and solos.
    weights, engine
        As in :func:`hiphopss.separation.files.separate_files`; not used for stems.
    subtype : str, optional
        Sample type, one of ``writing.OUTPUT_SUBTYPES``; by default the nearest to the source's
        that the format has. Not for OGG and MP3.
    normalize : bool
        Lower the whole as far as needed rather than clip; takes disk space for the mix in single
        precision meanwhile.
    progress : bool
        Show a bar.

    Returns
    -------
    Remixed
        Clipped samples, for one. A warning counts them, too; another one tells of silence.

    Raises
    ------
    HiphopssError
        If a file can't be read or written, stems don't fit together, or ``output`` is one of them.
    """
    source, output = Path(source), Path(output)
    stems = _stem_files(source) if source.is_dir() else None
    files = list(stems.values()) if stems else [source]
    common = require_alike(files)
    if any(output.resolve() == file.resolve() for file in files):
        raise HiphopssError(f"{output}: is the input: choose another output")
    kind, subtype = output_kind(output, subtype, given=common.subtype)
    n_out = settings.matrices(common.n_channels).shape[1]  # what can't be panned is told now
    if not [name for name in settings.audible if stems is None or name in stems]:
        logger.warning(
            "%s: silence: the settings leave nothing of %s to be heard: mute less, or solo another "
            "source",
            *(output, source.name),
        )
    bar = progress_bar(
        total=common.n_samples,
        desc=source.name,
        unit_scale=1 / common.sample_rate,
        bar_format=AUDIO_BAR,
        show=progress,
    )
    with (
        written_whole(output) as whole,
        writing.Writer(
            whole,
            common.sample_rate,
            n_out,
            subtype,
            label=output,
            format=kind,
            advice="use --normalize to lower the whole instead",
        ) as writer,
        bar,
    ):
        if stems:
            blocks = _mixed_stems(stems, common.n_channels, settings)
        else:
            if weights is None and settings != Mix():
                logger.info(describe_default())
            blocks = _mixed_song(source, common.sample_rate, settings, weights, engine)
        peak, gain = _write(blocks, writer, bar.update, output if normalize else None)
    return Remixed(output, peak, writer.n_clipped, -20 * float(np.log10(gain)))


def output_kind(output: str | Path, subtype: str | None, *, given: str) -> tuple[str, str]:
    """Format and sample type of an output file.

    Parameters
    ----------
    output : path-like
        Its ending says the format.
    subtype : str or None
        What was asked for, if anything.
    given : str
        Sample type of the input.

    Returns
    -------
    format, subtype : str
        As :class:`hiphopss.signal.writing.Writer` takes them.

    Raises
    ------
    HiphopssError
        If the ending is unknown, or the format has no choice of sample types.
    """
    output = Path(output)
    kind = writing.OUTPUT_FORMATS.get(output.suffix.lower())
    if output.is_dir() or kind is None:
        raise HiphopssError(
            f"{output}: name a file that ends in {', '.join(writing.OUTPUT_FORMATS)} as the output"
        )
    if kind in writing.LOSSY_SUBTYPES:
        if subtype:
            raise HiphopssError(f"{output}: {kind} has no sample types: leave {subtype} out")
        return kind, writing.LOSSY_SUBTYPES[kind]
    nearest = writing.output_subtype(given)
    if kind == "FLAC" and nearest == "FLOAT":
        nearest = "PCM_24"
    return kind, subtype or nearest


def _stem_files(folder: Path) -> dict[str, Path]:
    """The stems of a folder by source; missing ones are told."""
    files = song_at(folder).stems
    if not files:
        raise HiphopssError(
            f"{folder}: has no stems ({', '.join(SOURCES)}): name a song, or a song's folder of "
            "stems"
        )
    missing = [source for source in SOURCES if source not in files]
    if missing:
        logger.warning("%s: no %s: counts as silence", folder, ", ".join(missing))
    return files


def _mixed_stems(stems: dict[str, Path], n_channels: int, settings: Mix) -> Iterator[np.ndarray]:
    """The mix of stem files, block by block `[shape=(n_block, n_out)]`."""
    for block in stem_blocks(stems, n_channels):
        yield mix(np.ascontiguousarray(block.swapaxes(1, 2)), settings).T


def _mixed_song(
    path: Path, sample_rate: int, settings: Mix, weights: str | Path | None, engine: str
) -> Iterator[np.ndarray]:
    """The mix of a song, block by block `[shape=(n_block, n_out)]`."""
    if settings == Mix():  # nothing to separate for
        yield from reading.read_blocks(path)
        return
    from hiphopss.separation.separator import Separator, separate_blocks

    separator = Separator.from_weights(weights, engine=engine)
    blocks = separate_blocks(separator, reading.read_blocks(path), sample_rate)
    stems = (block.swapaxes(1, 2) for block in blocks)
    for stem_block, mixture in _alongside(stems, reading.read_blocks(path)):
        yield mix(stem_block, settings, mixture=mixture.T).T


def _alongside(
    stems: Iterable[np.ndarray], mixture: Iterator[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of stems `(n_sources, n_channels, n_block)`, each with as many of the mixture."""
    held = np.zeros((0, 1), np.float32)
    for block in stems:
        pieces, n_held = [held] if len(held) else [], len(held)
        while n_held < block.shape[-1]:
            pieces.append(next(mixture))
            n_held += len(pieces[-1])
        if pieces:
            held = np.concatenate(pieces)
            yield block, held[: block.shape[-1]]
            held = held[block.shape[-1] :]


def _write(
    blocks: Iterable[np.ndarray],
    writer: writing.Writer,
    told: Callable[[int], None],
    lowered: Path | None,
) -> tuple[float, float]:
    """Write a mix; where ``lowered`` names it, only when its peak is known. Peak and gain."""
    peak, gain = 0.0, 1.0
    with ExitStack() as stack:
        waiting = None
        if lowered is not None:
            waiting = stack.enter_context(tempfile.TemporaryFile(dir=lowered.parent))
        for block in blocks:
            peak = max(peak, float(np.abs(block).max(initial=0)))
            if waiting is None:
                writer.write(block)
            else:
                waiting.write(np.ascontiguousarray(block, np.float32).data)
            n_channels = block.shape[1]
            told(len(block))
        if waiting is not None:
            gain = 1 / max(peak, 1.0)
            waiting.seek(0)
            while data := waiting.read(_PIECE * n_channels * 4):
                writer.write(np.frombuffer(data, np.float32).reshape(-1, n_channels) * gain)
    return peak, gain
