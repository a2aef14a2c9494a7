"""Songs in files and folders to folders of stems, and the record of what made them."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import numpy as np

from hiphopss import audio, audio_writer
from hiphopss.config import RECORD_NAME, SOURCES, standalone
from hiphopss.errors import HiphopssError
from hiphopss.files import filled_whole, written_whole
from hiphopss.progress import progress_bar
from hiphopss.registry import describe_default, resolve_weights
from hiphopss.separation import Separator, separate_blocks
from hiphopss.weights import read_info

AUDIO_BAR = (
    "{desc} {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} s of audio [{elapsed}<{remaining}]"
)
"""Format of a progress bar that counts seconds of audio."""


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
                and not path.is_dir()
                and not any(part.startswith(".") for part in path.relative_to(root).parts)
                and (skipped == root.resolve() or skipped not in path.resolve().parents)
            )
        if not found:
            raise HiphopssError(f"{given}: no audio files in this folder: name another")
        for path in found:
            folder = Path(os.path.abspath(path)).parent  # the name as given: links aren't followed
            name = folder.name if path.stem == "mixture" else path.stem
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
    weights: str | Path | None = None,
    mono: bool = False,
    subtype: str | None = None,
    standalone_script: bool = False,
    model_name: str | None = None,
    engine: str = "numpy",
    progress: bool = True,
    tell: Callable[[str], None] | None = None,
    leave_out: Callable[[audio.AudioError], None] | None = None,
) -> list[Path]:
    """Separate files into ``<output>/<track>/{vocals,bass,drums,other}.wav``.

    Parameters
    ----------
    inputs : iterable of path-like
        As :func:`find_tracks`.
    output : path-like
        A folder; each new track's folder appears whole or not at all. ``separation.json`` in it
        says which weights and settings made the stems.
    weights : path-like or None
        An own ``.weights.h5`` or a published ``.pkl``, by path or by name in the registry; by
        default the shipped one.
    mono : bool
        Write one channel: the separated average, as the released code does.
    subtype : str, optional
        Sample type of the stems; by default of the input's precision, at most 24 bit or single.
    standalone_script : bool
        Separate as the released stand-alone script does (Q6).
    model_name : str, optional
        What tables of scores will call the model; by default the weight file's name.
    engine : str
        ``"numpy"``, or ``"keras"`` for the network that is trained: the same stems, to rounding.
    progress : bool
        Show a bar a track.
    tell : callable, optional
        Called with a line on the weights where none are named, once nothing is known to be wrong.
    leave_out : callable, optional
        Where there are several tracks, called with the error of each whose file can't be used, and
        the others are separated. By default such a file is an error like others, before any work
        if its header or its end shows it.

    Returns
    -------
    list of Path
        The folders of the tracks that were separated.

    Raises
    ------
    HiphopssError
        As :func:`find_tracks` and :func:`hiphopss.weights.read_arrays`, or if ``output`` has stems
        that were made with other weights or settings.
    AudioError
        If a file can't be used, and ``leave_out`` doesn't take it.

    Warns
    -----
    UserWarning
        For each song that ends before its header says, or libsndfile expects: an MP3 that is cut
        off does.
    """
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise HiphopssError(f"{output}: is a file, not a folder: choose another output")
    tracks = find_tracks(inputs, skip=output)
    if leave_out is None or len(tracks) == 1:
        leave_out = _raise
    named, weights = weights is not None, resolve_weights(weights)
    headers = {}
    for name, path in tracks.items():
        try:  # a bad file is better told now than after an hour
            headers[name] = audio.read_header(path, end=True)
        except audio.AudioError as error:
            leave_out(error)
    record = _record(weights, mono, standalone_script, model_name)
    _require_own(output, record, headers)
    separator = Separator.from_weights(weights, standalone_script=standalone_script, engine=engine)
    if tell and headers and not named:
        tell(describe_default())
    folders = []
    for number, (name, header) in enumerate(headers.items(), 1):
        n_inner = audio.resampled_length(
            header.n_samples, header.sample_rate, separator.config.sample_rate
        )
        kind = subtype or audio_writer.output_subtype(header.subtype)
        try:
            with (
                filled_whole(output / name) as folder,
                progress_bar(
                    total=n_inner,
                    desc=f"{number}/{len(headers)} {name}",
                    unit_scale=1 / separator.config.sample_rate,
                    bar_format=AUDIO_BAR,
                    show=progress,
                ) as bar,
            ):
                blocks = separate_blocks(
                    separator,
                    _mixture(tracks[name], header, mono=mono),
                    header.sample_rate,
                    bar.update,
                )
                n_channels = 1 if mono else header.n_channels
                _write_stems(folder, blocks, header.sample_rate, n_channels, kind, output / name)
                if not folders:  # before the first track appears, so that none is without it
                    with written_whole(output / RECORD_NAME) as temporary:
                        temporary.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        except audio.AudioError as error:
            leave_out(error)
        else:
            folders.append(output / name)
    return folders


def _raise(error: Exception) -> None:
    raise error


def _mixture(path: Path, header: audio.Header, *, mono: bool) -> Iterator[np.ndarray]:
    """A song's blocks; warn if it ends a second before its header, or libsndfile's guess, says."""
    n_samples = 0
    for block in audio.read_blocks(path):
        n_samples += len(block)
        yield audio.to_mono(block)[:, None] if mono else block
    if n_samples < header.n_samples - header.sample_rate:
        found, expected = (n / header.sample_rate for n in (n_samples, header.n_samples))
        warnings.warn(
            f"{path}: ends at {found:.1f} s, where {expected:.1f} s were expected: get it again if "
            "it is cut off",
            stacklevel=2,
        )


def _write_stems(folder: Path, blocks, sample_rate: int, n_channels: int, subtype, label) -> None:
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                audio_writer.Writer(
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
    record = {
        "model": model_name or default_name,
        "weights": Path(weights).name,
        "sha256": info.sha256,
        "preset": info.fidelity.name,
        "config": asdict(config),
        "fidelity": asdict(fidelity),
        "mono": mono,
    }
    if info.provenance.get("released_test_leak"):
        record["released_test_leak"] = True
    return record


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
        if name != "weights" and before.get(name) != value:  # a renamed file is the same one
            raise HiphopssError(
                f"{path}: the stems here were made with another {name}: choose another output"
            )
