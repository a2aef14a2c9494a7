"""A song, or a folder of stems, mixed anew into one file."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiphopss import audio, audio_writer
from hiphopss.config import SOURCES
from hiphopss.errors import HiphopssError
from hiphopss.files import written_whole
from hiphopss.mixing import Mix, mix
from hiphopss.progress import progress_bar
from hiphopss.registry import describe_default
from hiphopss.tracks import AUDIO_BAR

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
    tell: Callable[[str], None] | None = None,
) -> Remixed:
    """Mix a song anew, or a folder of stems. Memory does not grow with the length.

    A song is separated as far as anything is changed, and changed by that
    (:func:`hiphopss.mixing.mix`): settings that do nothing give its samples back bit for bit where
    the output has at least the input's sample type. Stems are summed.

    Parameters
    ----------
    source : path-like
        An audio file, or a folder with some of ``{vocals,bass,drums,other}.wav`` (or another
        format) of the same rate, length and channels. Missing stems count as silence.
    output : path-like
        The file to write, whole or not at all: an ending of ``audio_writer.OUTPUT_FORMATS``. It has
        the source's rate, and its channels unless a mono source is panned.
    settings : Mix
        Gains, pans, mutes and solos.
    weights, engine
        As in :func:`hiphopss.tracks.separate_files`; not used for stems.
    subtype : str, optional
        Sample type, one of ``audio_writer.OUTPUT_SUBTYPES``; by default the nearest to the source's
        that the format has. Not for OGG and MP3.
    normalize : bool
        Lower the whole as far as needed rather than clip; takes disk space for the mix in single
        precision meanwhile.
    progress : bool
        Show a bar.
    tell : callable, optional
        As in :func:`hiphopss.tracks.separate_files`, where there is anything to separate for.

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
    files = _stem_files(source) if source.is_dir() else {"mixture": source}
    header = _common_header(files)
    if any(output.resolve() == file.resolve() for file in files.values()):
        raise HiphopssError(f"{output}: is the input: choose another output")
    kind, subtype = output_kind(output, subtype, given=header.subtype)
    n_out = settings.matrices(header.n_channels).shape[1]  # what can't be panned is told now
    audible = settings.audible
    if source.is_dir():
        audible = [name for name in audible if name in files]
    if not audible:
        warnings.warn(
            f"{output}: silence: the settings leave nothing of {source.name} to be heard: "
            "mute less, or solo another source",
            stacklevel=2,
        )
    with (
        written_whole(output) as whole,
        audio_writer.Writer(
            whole,
            header.sample_rate,
            n_out,
            subtype,
            label=output,
            format=kind,
            advice="use --normalize to lower the whole instead",
        ) as writer,
        progress_bar(
            total=header.n_samples,
            desc=source.name,
            unit_scale=1 / header.sample_rate,
            bar_format=AUDIO_BAR,
            show=progress,
        ) as bar,
    ):
        if source.is_dir():
            blocks = _mixed_stems(files, settings)
        else:
            if tell and weights is None and settings != Mix():
                tell(describe_default())
            blocks = _mixed_song(source, header.sample_rate, settings, weights, engine)
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
        As :class:`hiphopss.audio_writer.Writer` takes them.

    Raises
    ------
    HiphopssError
        If the ending is unknown, or the format has no choice of sample types.
    """
    output = Path(output)
    kind = audio_writer.OUTPUT_FORMATS.get(output.suffix.lower())
    if output.is_dir() or kind is None:
        raise HiphopssError(
            f"{output}: name a file that ends in {', '.join(audio_writer.OUTPUT_FORMATS)} as the "
            "output"
        )
    if kind in audio_writer.LOSSY_SUBTYPES:
        if subtype:
            raise HiphopssError(f"{output}: {kind} has no sample types: leave {subtype} out")
        return kind, audio_writer.LOSSY_SUBTYPES[kind]
    nearest = audio_writer.output_subtype(given)
    if kind == "FLAC" and nearest == "FLOAT":
        nearest = "PCM_24"
    return kind, subtype or nearest


def _stem_files(folder: Path) -> dict[str, Path]:
    """The stems of a folder by source; missing ones are told."""
    found = {source: audio.find(folder, source) for source in SOURCES}
    files = {source: path for source, path in found.items() if path}
    if not files:
        raise HiphopssError(
            f"{folder}: has no stems ({', '.join(SOURCES)}): name a song, or a song's folder of "
            "stems"
        )
    missing = [source for source in SOURCES if source not in files]
    if missing:
        warnings.warn(f"{folder}: no {', '.join(missing)}: counts as silence", stacklevel=3)
    return files


def _common_header(files: dict[str, Path]) -> audio.Header:
    """What all headers say; the sample type is the first file's."""
    headers = {path: audio.read_header(path) for path in files.values()}
    (first, common), *others = headers.items()
    for path, header in others:
        for attribute in ("sample_rate", "n_channels", "n_samples"):
            found, wanted = getattr(header, attribute), getattr(common, attribute)
            if found != wanted:
                raise HiphopssError(
                    f"{path}: {attribute.replace('n_', '')} {found}, but {wanted} in "
                    f"{first.name}: export the stems alike"
                )
    return common


def _mixed_stems(files: dict[str, Path], settings: Mix) -> Iterator[np.ndarray]:
    """The mix of stem files, block by block `[shape=(n_block, n_out)]`."""
    readers = {source: audio.read_blocks(path) for source, path in files.items()}
    for blocks in zip(*readers.values(), strict=True):
        stems = np.zeros((len(SOURCES), *blocks[0].shape[::-1]), np.float32)
        for source, block in zip(readers, blocks, strict=True):
            stems[SOURCES.index(source)] = block.T
        yield mix(stems, settings).T


def _mixed_song(
    path: Path, sample_rate: int, settings: Mix, weights, engine: str
) -> Iterator[np.ndarray]:
    """The mix of a song, block by block `[shape=(n_block, n_out)]`."""
    if settings == Mix():  # nothing to separate for
        yield from audio.read_blocks(path)
        return
    from hiphopss.separation import Separator, separate_blocks

    separator = Separator.from_weights(weights, engine=engine)
    blocks = separate_blocks(separator, audio.read_blocks(path), sample_rate)
    stems = (block.swapaxes(1, 2) for block in blocks)
    for stem_block, mixture in _alongside(stems, audio.read_blocks(path)):
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
    writer: audio_writer.Writer,
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
