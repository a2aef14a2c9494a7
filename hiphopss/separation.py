"""From a mixture to its four stems.

A song is worked through in runs of patches, so apart from the waveforms themselves memory does not
grow with its length. The masks come from the mono down-mix (the network knows nothing else) and are
applied to the spectrum of each channel. Masks sum to 1 and the transform inverts exactly, so the
stems sum to the mixture: to about -120 dB in floating point, within two steps of integer types.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiphopss import audio
from hiphopss.config import RECORD_NAME, SOURCES, Fidelity, SignalConfig, standalone
from hiphopss.errors import HiphopssError
from hiphopss.files import filled_whole, written_whole
from hiphopss.patches import crossfade_weights, cut, overlap_add, separation_patch_count
from hiphopss.progress import progress_bar
from hiphopss.transform import InverseTransform, frame_count, magnitude, stft
from hiphopss.weights import load_model, read_info

if TYPE_CHECKING:
    import keras

MAX_CHANNELS = 32  # of an array; more is most likely a transposed one
_OUTPUT_SUBTYPE = {"PCM_24": "PCM_24", "PCM_32": "PCM_24", "FLOAT": "FLOAT", "DOUBLE": "FLOAT"}
_BATCH = 128  # patches a call of the network
_BAR = "{desc} {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} s of audio [{elapsed}<{remaining}]"


class Separator:
    """A network ready to separate any number of songs.

    Parameters
    ----------
    model : keras.Model
        From :func:`hiphopss.model.build_model`.
    config : SignalConfig
        The transform.
    fidelity : Fidelity
        Of the model; also says whether the tail is dropped (Q6).
    """

    def __init__(self, model: keras.Model, config: SignalConfig, fidelity: Fidelity):
        from hiphopss.model import mask_model

        self.config = config
        self._masks = mask_model(model)
        self._drop_tail = fidelity.standalone_separation

    @classmethod
    def from_weights(cls, path: str | Path, *, standalone_script: bool = False) -> Separator:
        """Read a weight file of either kind.

        Parameters
        ----------
        path : path-like
            An own ``.weights.h5`` or a published ``.pkl``.
        standalone_script : bool
            Separate as the released stand-alone script does (Q6).
        """
        model, info = load_model(path, standalone_script=standalone_script)
        return cls(model, info.config, info.fidelity)

    def stems(
        self, waveform: np.ndarray, progress: Callable[[int], None] | None = None
    ) -> Iterator[np.ndarray]:
        """Separate a waveform at the network's own rate, block by block.

        Parameters
        ----------
        waveform : np.ndarray [shape=(n_samples, n_channels)]
            The mixture, in single precision.
        progress : callable, optional
            Called with the number of samples done after each block.

        Yields
        ------
        np.ndarray [shape=(n_sources, n_block, n_channels)]
            Consecutive blocks of the stems; together as long as the mixture.
        """
        config = self.config
        n_samples, n_channels = waveform.shape
        n_frames = frame_count(n_samples, config)
        n_patches = separation_patch_count(n_frames, config, drop_tail=self._drop_tail)
        shape = (len(SOURCES), n_channels)
        inverse = InverseTransform(shape, np.float32, config)
        tail = np.zeros((len(SOURCES), config.overlap, config.bins), np.float32)
        n_done = -config.hop  # the transform's zeros before the signal
        for first in range(0, n_patches, _BATCH):
            last = min(first + _BATCH, n_patches)
            start = first * config.patch_hop
            stop = min((last - 1) * config.patch_hop + config.context, n_frames)
            spectrum = stft(waveform.T, config, start=start, stop=stop)  # (n_channels, n, n_bins)
            masks = self._patch_masks(spectrum.mean(axis=0), last - first)
            weights = crossfade_weights(
                config, n_before=first, n_patches=last - first, n_after=n_patches - last
            )
            masks *= weights[:, None, :, None].astype(np.float32)
            frames = overlap_add(masks, tail, config)
            complete = (last - first) * config.patch_hop if last < n_patches else stop - start
            tail = frames[:, complete:]
            block = inverse.push(frames[:, None, :complete] * spectrum[:, :complete])
            block = block[..., max(-n_done, 0) : n_samples - n_done]
            n_done = max(n_done, 0) + block.shape[-1]
            if progress:
                progress(block.shape[-1])
            yield block.swapaxes(1, 2)
        if n_done < n_samples:  # only where the tail is dropped
            rest = np.zeros((len(SOURCES), n_samples - n_done, n_channels), np.float32)
            last = inverse.flush().swapaxes(1, 2)[:, : n_samples - n_done]
            rest[:, : last.shape[1]] = last
            yield rest

    def _patch_masks(self, spectrum: np.ndarray, n_patches: int) -> np.ndarray:
        """Masks of patches of the down-mix, `[shape=(n_patches, n_sources, context, n_bins)]`."""
        scaled = magnitude(spectrum, self.config) * np.float32(self.config.scale)
        patches = cut(scaled, n_patches, self.config)
        if n_patches < _BATCH:  # one batch size, so that the network is compiled once
            patches = np.pad(patches, [(0, _BATCH - n_patches), (0, 0), (0, 0)])
        return np.array(self._masks.predict_on_batch(patches)[:n_patches])


def separate(
    waveform: np.ndarray,
    sample_rate: int,
    *,
    weights: str | Path | Separator,
    mono: bool = False,
) -> dict[str, np.ndarray]:
    """Separate a mixture into its stems.

    Parameters
    ----------
    waveform : np.ndarray [shape=(n_samples,)] or [shape=(n_samples, n_channels)]
        The mixture; full scale is 1.
    sample_rate : int
        In Hz. Other rates than the network's are resampled there and back.
    weights : path-like or Separator
        A weight file (own or published); a :class:`Separator` saves reading it again.
    mono : bool
        Separate the average of the channels, as the released code does.

    Returns
    -------
    dict of str to np.ndarray
        For each of ``SOURCES`` an array of the mixture's shape (one channel if ``mono``) in single
        precision.

    Raises
    ------
    HiphopssError
        If the weights can't be used, or the waveform is not one.
    """
    if np.asarray(waveform).dtype.kind in "iu":
        raise HiphopssError("waveform: has integers: divide them by their full scale first")
    if not sample_rate > 0:
        raise HiphopssError(f"sample rate {sample_rate}: give a positive number of Hz")
    given = np.asarray(waveform, np.float32)
    samples = given[:, None] if given.ndim == 1 else given
    if samples.ndim != 2 or not len(samples) or samples.shape[1] > MAX_CHANNELS:
        raise HiphopssError(
            f"waveform of shape {given.shape}: give (n_samples,) or (n_samples, n_channels)"
        )
    if not np.isfinite(samples).all():
        raise HiphopssError("waveform: has samples that are not finite: mend them first")
    samples = audio.to_mono(samples)[:, None] if mono else samples
    separator = weights if isinstance(weights, Separator) else Separator.from_weights(weights)
    blocks = _at_rate(separator, samples, sample_rate)
    joined = np.concatenate(list(blocks), axis=1)  # (n_sources, n_samples, n_channels)
    joined = joined[..., 0] if given.ndim == 1 or mono else joined
    return dict(zip(SOURCES, joined, strict=True))


def _at_rate(
    separator: Separator,
    waveform: np.ndarray,
    sample_rate: int,
    progress: Callable[[int], None] | None = None,
) -> Iterator[np.ndarray]:
    """As :meth:`Separator.stems`, at any rate; exactly as many samples come out as went in."""
    rate = separator.config.sample_rate
    if sample_rate == rate:
        yield from separator.stems(waveform, progress)
        return
    import soxr

    n_samples, n_channels = waveform.shape
    inner = audio.resample(waveform, sample_rate, rate)
    back = [
        soxr.ResampleStream(rate, sample_rate, n_channels, dtype="float32", quality="VHQ")
        for _ in SOURCES
    ]
    n_done = 0
    for block in separator.stems(inner, progress):
        pieces = np.stack(
            [
                stream.resample_chunk(np.ascontiguousarray(stem))
                for stream, stem in zip(back, block, strict=True)
            ]
        )[:, : n_samples - n_done]
        n_done += pieces.shape[1]
        yield pieces
    nothing = np.zeros((0, n_channels), np.float32)
    rest = np.stack([stream.resample_chunk(nothing, last=True) for stream in back])
    missing = max(n_samples - n_done - rest.shape[1], 0)
    yield np.pad(rest[:, : n_samples - n_done], [(0, 0), (0, missing), (0, 0)])


def find_tracks(inputs: Iterable[str | Path], *, skip: str | Path | None = None) -> dict[str, Path]:
    """List the mixtures in files and folders, by track name.

    Parameters
    ----------
    inputs : iterable of path-like
        Audio files, or folders to look through (dot-files skipped). A folder in the DSD100 layout
        gives its mixtures only.
    skip : path-like, optional
        A folder to leave out where it lies inside another: the output.

    Returns
    -------
    dict of str to Path
        A file ``<song>/mixture.wav`` is the track ``<song>``; another is named as the file, less
        its suffix.

    Raises
    ------
    HiphopssError
        If an input does not exist, a folder has no audio, or two tracks would share a name.
    """
    tracks: dict[str, Path] = {}
    skipped = Path(skip).resolve() if skip is not None else None
    for given in map(Path, inputs):
        if not given.exists():
            raise HiphopssError(f"{given}: no such file or folder: check the path")
        root = given / "Mixtures" if (given / "Mixtures").is_dir() else given
        found = [given]
        if given.is_dir():
            found = sorted(
                path
                for path in root.rglob("*")
                if path.suffix.lower() in audio.AUDIO_SUFFIXES
                and not any(part.startswith(".") for part in path.relative_to(root).parts)
                and (skipped == root.resolve() or skipped not in path.resolve().parents)
            )
        if not found:
            raise HiphopssError(f"{given}: no audio files in this folder: name another")
        for path in found:
            name = path.resolve().parent.name if path.stem == "mixture" else path.stem
            if name in ("", ".", ".."):
                raise HiphopssError(f"{path}: no folder can be named after this file: rename it")
            if name in tracks and path.resolve() == tracks[name].resolve():
                continue
            if name in tracks:
                raise HiphopssError(
                    f"{path}: would be written to the same folder as {tracks[name]}: rename one"
                )
            tracks[name] = path
    return tracks


def separate_files(
    inputs: Iterable[str | Path],
    output: str | Path,
    *,
    weights: str | Path,
    mono: bool = False,
    subtype: str | None = None,
    standalone_script: bool = False,
    model_name: str | None = None,
    progress: bool = True,
) -> list[Path]:
    """Separate files into ``<output>/<track>/{vocals,bass,drums,other}.wav``.

    Parameters
    ----------
    inputs : iterable of path-like
        As :func:`find_tracks`.
    output : path-like
        A folder; each new track's folder appears whole or not at all. ``separation.json`` in it
        says which weights and settings made the stems.
    weights : path-like
        An own ``.weights.h5`` or a published ``.pkl``.
    mono : bool
        Write one channel: the separated average, as the released code does.
    subtype : str, optional
        Sample type of the stems; by default of the input's precision, at most 24 bit or single.
    standalone_script : bool
        Separate as the released stand-alone script does (Q6).
    model_name : str, optional
        What tables of scores will call the model; by default the weight file's name.
    progress : bool
        Show a bar a track.

    Returns
    -------
    list of Path
        The tracks' folders.

    Raises
    ------
    HiphopssError
        As :func:`find_tracks` and :func:`hiphopss.weights.read_arrays`, or if ``output`` has stems
        that were made with other weights or settings.
    """
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise HiphopssError(f"{output}: is a file, not a folder: choose another output")
    tracks = find_tracks(inputs, skip=output)
    for path in tracks.values():
        audio.read_shape(path)  # a bad file is better told now than after an hour
    record = _record(weights, mono, standalone_script, model_name)
    _require_own(output, record, tracks)
    separator = Separator.from_weights(weights, standalone_script=standalone_script)
    rate = separator.config.sample_rate
    folders = []
    for number, (name, path) in enumerate(tracks.items(), 1):
        song = audio.read(path)
        waveform = audio.to_mono(song.waveform)[:, None] if mono else song.waveform
        kind = subtype or _OUTPUT_SUBTYPE.get(song.subtype, "PCM_16")
        n_inner = audio.resampled_length(len(waveform), song.sample_rate, rate)
        label = f"{number}/{len(tracks)} {name}"
        with (
            filled_whole(output / name) as folder,
            progress_bar(
                total=n_inner, desc=label, unit_scale=1 / rate, bar_format=_BAR, show=progress
            ) as bar,
        ):
            blocks = _at_rate(separator, waveform, song.sample_rate, bar.update)
            _write_stems(folder, blocks, song.sample_rate, waveform.shape[1], kind, output / name)
            if number == 1:  # before the first track appears, so that none is without it
                with written_whole(output / RECORD_NAME) as temporary:
                    temporary.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        folders.append(output / name)
    return folders


def _write_stems(folder: Path, blocks, sample_rate: int, n_channels: int, subtype, label) -> None:
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                audio.Writer(
                    folder / f"{source}.wav",
                    sample_rate,
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


def _record(weights, mono: bool, standalone_script: bool, model_name: str | None) -> dict:
    """What made the stems of a folder, as ``separation.json`` says it."""
    info = read_info(weights)
    fidelity, config = info.fidelity, info.config
    if standalone_script:
        fidelity, config = standalone(fidelity, config)
    default_name = Path(weights).name.removesuffix(".pkl").removesuffix(".weights.h5")
    return {
        "model": model_name or default_name,
        "weights": Path(weights).name,
        "sha256": info.sha256,
        "preset": info.fidelity.name,
        "config": asdict(config),
        "fidelity": asdict(fidelity),
        "mono": mono,
    }


def _require_own(output: Path, record: dict, tracks: Iterable[str]) -> None:
    """Raise where stems would be replaced, or joined, that other settings or people made."""
    path = output / RECORD_NAME
    if not path.exists():
        for name in tracks:
            found = [s for s in SOURCES if (output / name / f"{s}.wav").exists()]
            if found:
                raise HiphopssError(
                    f"{output / name / found[0]}.wav: is there already, and nothing says that it "
                    "was separated with these weights: choose another output"
                )
        return
    try:
        before = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise HiphopssError(f"{path}: can't read this as JSON: remove it") from error
    for name, value in record.items():
        if before.get(name) != value:
            raise HiphopssError(
                f"{path}: the stems here were made with another {name}: choose another output"
            )
