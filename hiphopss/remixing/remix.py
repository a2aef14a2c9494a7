"""Mixing a song, or a folder of stems, into one file."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.datasets.alike import Common, require_alike, require_tolerance
from hiphopss.datasets.layouts import is_stem_file
from hiphopss.datasets.songs import song_at
from hiphopss.datasets.stems import stem_blocks
from hiphopss.errors import HiphopssError
from hiphopss.remixing.mixing import Mix, mix
from hiphopss.separation.mixture import alongside, mixture_blocks
from hiphopss.signal import writing
from hiphopss.signal.encoding.formats import Encoding, encoding_for
from hiphopss.signal.encoding.m4a import require_ffmpeg
from hiphopss.signal.encoding.opening import AudioWriter, open_writer
from hiphopss.signal.encoding.tags import read_tags
from hiphopss.signal.part import Part
from hiphopss.util.files import written_whole
from hiphopss.util.progress import AUDIO_BAR, progress_bar
from hiphopss.weights.registry import describe_default

logger = logging.getLogger(__name__)

_PIECE = 2**16  # samples that are scaled at a time


@dataclass(frozen=True)
class Remixed:
    """Result of :func:`remix`.

    Attributes
    ----------
    path : Path
        File that was written.
    peak : float
        Largest absolute value of the mix, before it was lowered or clipped; full scale is 1.
    n_clipped : int
        Number of samples that were clipped.
    lowered_db : float
        Attenuation of the whole mix in dB.
    """

    path: Path
    peak: float
    n_clipped: int
    lowered_db: float


@dataclass(frozen=True)
class RemixSettings:
    """How a song is separated before it is mixed, and how its mix is written.

    Attributes
    ----------
    weights, engine, subtype, normalize, length_tolerance_s, loops
        As in :func:`remix`.
    bitrate : int, optional
        In kbit/s, for MP3, Ogg and M4A.
    part : Part
        Mix only this part of the song.
    """

    weights: str | Path | None = None
    engine: str = "numpy"
    subtype: str | None = None
    normalize: bool = False
    length_tolerance_s: float | None = None
    loops: str = "auto"
    bitrate: int | None = None
    part: Part = field(default_factory=Part)


def remix(
    source: str | Path,
    output: str | Path,
    settings: Mix,
    *,
    weights: str | Path | None = None,
    engine: str = "numpy",
    subtype: str | None = None,
    normalize: bool = False,
    length_tolerance_s: float | None = None,
    loops: str = "auto",
    progress: bool = True,
) -> Remixed:
    """Mix a song, or a folder of stems, into a file. Memory use does not grow with the length.

    A song is only separated if the settings change anything, and then the changes are applied to it
    (:func:`hiphopss.remixing.mixing.mix`): neutral settings return its samples exactly if the
    output's sample type is not coarser than the input's. Stems are summed.

    Parameters
    ----------
    source : path-like
        Audio file, or a folder with some of ``{vocals,bass,drums,other}.wav`` (or another format)
        of the same rate, length and channels, or a stem file ``<song>.stem.mp4``. Missing stems
        count as silence, with a warning.
    output : path-like
        File to write, completely or not at all, with a suffix of ``writing.OUTPUT_FORMATS``, or
        ``.m4a``, which needs ffmpeg. It has the source's rate and channels, but two channels if a
        mono source is panned.
    settings : Mix
        Gains, pans, mutes and solos.
    weights, engine
        As in :func:`hiphopss.separation.files.separate_files`; not used for stems.
    subtype : str, optional
        Sample type, one of ``writing.OUTPUT_SUBTYPES``; by default the type of the format nearest
        to the source's. OGG, MP3 and M4A have no choice.
    normalize : bool
        Lower the whole mix as far as needed to avoid clipping. This temporarily needs disk space
        for the mix in single precision.
    length_tolerance_s : float, optional
        If the stems differ in length by less than this, in seconds, by default 0.1, the longer ones
        are cut to the shortest, with a warning.
    loops : str
        As in :func:`hiphopss.separation.separator.separate`; not used for stems.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Remixed
        File, peak and clipping. Clipped samples and silent output also cause warnings.

    Raises
    ------
    HiphopssError
        If a file can't be read or written, stems don't match, or ``output`` is one of them.
    """
    how = RemixSettings(weights, engine, subtype, normalize, length_tolerance_s, loops)
    return remix_song(source, output, settings, how, progress=progress)


def remix_song(
    source: str | Path, output: str | Path, settings: Mix, how: RemixSettings, *, progress: bool
) -> Remixed:
    """Mix a song, or a folder of stems, into a file, as :func:`remix` does."""
    source, output = Path(source), Path(output)
    stems = _stem_files(source) if source.is_dir() or is_stem_file(source) else None
    files = list(stems.values()) if stems else [source]
    if how.length_tolerance_s is not None:
        require_tolerance(how.length_tolerance_s)
    common = require_alike(files, tolerance_s=how.length_tolerance_s, whole=stems is not None)
    if any(output.resolve() == file.resolve() for file in files):
        raise HiphopssError(f"{output}: is the input: choose another output")
    n_samples = how.part.count(common.n_samples, common.sample_rate, source)
    n_out = settings.matrices(common.n_channels).shape[1]  # raises now if panning is impossible
    encoding = output_encoding(output, common, n_out, how)
    if not [name for name in settings.audible if stems is None or name in stems]:
        logger.warning(
            "%s: silence: the settings leave nothing of %s to be heard: mute less, or solo another "
            "source",
            *(output, source.name),
        )
    bar = progress_bar(
        total=n_samples,
        desc=source.name,
        unit_scale=1 / common.sample_rate,
        bar_format=AUDIO_BAR,
        show=progress,
    )
    with (
        written_whole(output) as whole,
        open_writer(
            whole,
            common.sample_rate,
            n_out,
            encoding,
            label=output,
            advice="use --normalize to lower the whole instead",
            tags=None if stems else read_tags(source).of("remix"),
        ) as writer,
        bar,
    ):
        if stems:
            blocks = _mixed_stems(stems, common, settings, how.part)
        else:
            if how.weights is None and settings != Mix():
                logger.info(describe_default())
            blocks = _mixed_song(source, common.sample_rate, settings, how)
        peak, gain = _write(blocks, writer, bar.update, output if how.normalize else None)
    return Remixed(output, peak, writer.n_clipped, -20 * float(np.log10(gain)))


def output_encoding(output: Path, common: Common, n_out: int, how: RemixSettings) -> Encoding:
    """How a mix is written, by the suffix of its file.

    Parameters
    ----------
    output : Path
        The file.
    common : Common
        What is known of the source.
    n_out : int
        Number of channels of the mix.
    how : RemixSettings
        Sample type and bitrate, if any.

    Raises
    ------
    HiphopssError
        If the suffix is unknown, or the format can't hold the mix or has no such choice.
    """
    kind = {**writing.OUTPUT_FORMATS, ".m4a": "M4A"}.get(output.suffix.lower())
    if kind == "M4A" and not output.is_dir():
        require_ffmpeg(output)
    if kind != "M4A" or how.subtype:
        kind, _ = output_kind(output, how.subtype, given=common.subtype)
    if how.bitrate is not None and kind not in writing.LOSSY_SUBTYPES:
        raise HiphopssError(
            f"{output}: {kind} is lossless and has no bitrate: leave out {how.bitrate} kbit/s"
        )
    return encoding_for(
        kind,
        common.sample_rate,
        n_out,
        given=common.subtype,
        bitrate=how.bitrate,
        subtype=how.subtype,
        label=output,
        by="suffix",
    )


def output_kind(output: str | Path, subtype: str | None, *, given: str) -> tuple[str, str]:
    """Format and sample type of an output file.

    Parameters
    ----------
    output : path-like
        Path of the file, whose suffix determines the format.
    subtype : str or None
        Requested sample type, if any.
    given : str
        Sample type of the input.

    Returns
    -------
    format, subtype : str
        Arguments for :class:`hiphopss.signal.writing.Writer`.

    Raises
    ------
    HiphopssError
        If the suffix is unknown, or the format has no choice of sample types.
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
    """The stems in a folder or stem file by source; log a warning for missing ones."""
    files = song_at(folder).stems
    if not files:
        raise HiphopssError(
            f"{folder}: has no stems ({', '.join(SOURCES)}): name a song, or a song's folder of "
            "stems; of a folder of songs, -o names a folder"
        )
    missing = [source for source in SOURCES if source not in files]
    rest = next((path.name for s in files for path in folder.glob(f"no_{s}.*")), None)
    if missing and rest:
        raise HiphopssError(
            f"{folder}: was made with --two-stems, so only {rest} and its counterpart are there: "
            "play these, or separate the song without --two-stems"
        )
    if missing:
        logger.warning("%s: no %s: counts as silence", folder, ", ".join(missing))
    return files


def _mixed_stems(
    stems: dict[str, Path], common: Common, settings: Mix, part: Part
) -> Iterator[np.ndarray]:
    """Mix stem files, block by block `[shape=(n_block, n_out)]`."""
    first, stop = part.samples(common.sample_rate)
    n_read, n_samples = 0, min(common.n_samples, stop or common.n_samples)
    for block in stem_blocks(stems, common.n_channels, n_samples):
        kept = block[:, max(0, first - n_read) :]
        n_read += block.shape[1]
        if kept.shape[1]:
            yield mix(np.ascontiguousarray(kept.swapaxes(1, 2)), settings).T


def _mixed_song(
    path: Path, sample_rate: int, settings: Mix, how: RemixSettings
) -> Iterator[np.ndarray]:
    """Mix a song, block by block `[shape=(n_block, n_out)]`."""
    mixture = partial(mixture_blocks, path, sample_rate, how.part)
    if settings == Mix():  # no stem is needed
        yield from mixture()
        return
    from hiphopss.separation.listening import (
        SongSeparator,
        require_loops,
        tell_unused,
        used_loops,
    )
    from hiphopss.separation.separator import Separator, separate_blocks

    require_loops(how.loops)
    separator = Separator.from_weights(how.weights, engine=how.engine)
    used = used_loops(how.loops, separator.fidelity)
    tell_unused(how.loops, used, how.weights)
    song = SongSeparator(separator, used)
    blocks = separate_blocks(song, mixture(), sample_rate)
    for stems, samples in alongside(blocks, mixture(tell=False)):
        assert samples is not None
        yield mix(stems.swapaxes(1, 2), settings, mixture=samples.T).T
    song.tell(path.name)


def _write(
    blocks: Iterable[np.ndarray],
    writer: AudioWriter,
    told: Callable[[int], None],
    lowered: Path | None,
) -> tuple[float, float]:
    """Write a mix, lowered if ``lowered`` (the output's path) is given; return peak and gain."""
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
