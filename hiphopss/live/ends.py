"""Inputs and outputs of live audio: files, raw PCM through pipes, and devices.

:class:`Input` and :class:`Output` are their common interfaces.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Self

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.remixing.remix import output_kind
from hiphopss.signal import reading, writing
from hiphopss.util.extras import require
from hiphopss.util.files import written_whole

RAW_FORMATS = {"f32le": "<f4", "s16le": "<i2"}
"""Sample types of pipes, by ffmpeg's names, and NumPy's types for them."""

DEVICE = "device"
"""Name of the default device; ``device:NAME`` and ``device:3`` are others."""


_TERMINAL = {
    "stdin": "standard input is a terminal: pipe raw audio into it, or give --input a file",
    "stdout": "standard output is a terminal: pipe the raw audio on, or give --output a file",
}


class _End:
    """An input or output, which may hold open resources: use it as a context manager.

    Attributes
    ----------
    is_device : bool
        Whether it determines the timing.
    n_troubles : int
        Number of times that a device lost samples or had none to play.
    """

    is_device = False
    n_troubles = 0

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._stack.__exit__(*error)

    @property
    def latency(self) -> float:
        """Delay that a device adds, in seconds."""
        return 0.0


class Input(_End, ABC):
    """An audio source that yields blocks `[shape=(n_block, n_channels)]` in single precision.

    Attributes
    ----------
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Number of channels.
    subtype : str
        Sample type, by libsndfile's name.
    lost : HiphopssError or None
        Error that ended an input which should not end.
    """

    sample_rate: int
    n_channels: int
    subtype = "FLOAT"
    lost: HiphopssError | None = None

    @abstractmethod
    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield blocks as they arrive."""


class Output(_End, ABC):
    """A destination of audio.

    Attributes
    ----------
    n_clipped : int
        Number of samples beyond full scale that were clipped.
    """

    n_clipped = 0

    @abstractmethod
    def write(self, samples: np.ndarray) -> None:
        """Write samples `[shape=(n_block, n_channels)]`."""

    def _clipped(self, samples: np.ndarray, least: float, most: float) -> np.ndarray:
        clipped = np.clip(samples, least, most)
        self.n_clipped += int(np.count_nonzero(clipped != samples))
        return clipped


class FileInput(Input):
    """An audio file as input; samples that are not finite raise an error.

    Parameters
    ----------
    path : path-like
        File to read.
    block : int
        Number of samples of a block; the last one may be shorter.
    """

    def __init__(self, path: str | Path, block: int):
        super().__init__()
        self._path, self._block = path, block
        header = reading.read_header(path)
        self.sample_rate, self.n_channels = header.sample_rate, header.n_channels
        self.subtype = header.subtype

    def __iter__(self) -> Iterator[np.ndarray]:
        for read in reading.read_blocks(self._path):
            for start in range(0, len(read), self._block):
                yield read[start : start + self._block]


class RawInput(Input):
    """Raw interleaved PCM from standard input.

    Parameters
    ----------
    stream : file
        Binary stream.
    sample_rate, n_channels : int
        Properties of the samples, which raw data don't contain.
    kind : str
        One of ``RAW_FORMATS``.
    block : int
        Number of samples of a block; the last one may be shorter.
    """

    def __init__(self, stream: BinaryIO, sample_rate: int, n_channels: int, kind: str, block: int):
        super().__init__()
        self.sample_rate, self.n_channels = sample_rate, n_channels
        self._stream, self._kind = stream, np.dtype(RAW_FORMATS[kind])
        self._size = self._kind.itemsize * n_channels  # bytes of one sample of all channels
        self._block = block

    def __iter__(self) -> Iterator[np.ndarray]:
        while data := self._stream.read(self._block * self._size):
            whole = data[: len(data) // self._size * self._size]  # a pipe may end anywhere
            samples = np.frombuffer(whole, self._kind).reshape(-1, self.n_channels)
            if self._kind.kind == "i":
                samples = samples / np.float32(32767)
            yield samples.astype(np.float32)


class DeviceInput(Input):
    """A sound card's input."""

    is_device = True

    def __init__(self, name: str, sample_rate: int, n_channels: int, block: int):
        super().__init__()
        self.sample_rate, self.n_channels, self._block = sample_rate, n_channels, block
        self._name = name
        self._device = _open_device("InputStream", name, sample_rate, n_channels, block)
        self._stack.enter_context(self._device)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield blocks until the card is lost: :attr:`lost` is then the error."""
        failures = import_sounddevice().PortAudioError
        while True:
            try:
                samples, overflowed = self._device.read(self._block)
            except failures as error:
                self.lost = _lost(self._name, error)
                return
            self.n_troubles += bool(overflowed)
            yield samples

    @property
    def latency(self) -> float:
        """Delay that the device adds, in seconds."""
        return self._device.latency


class FileOutput(Output):
    """An audio file as output, written completely or not at all.

    Parameters
    ----------
    path : path-like
        File to write; its suffix determines the format.
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Number of channels.
    given : str
        Sample type of the input; the output's is the nearest that the format supports.
    """

    def __init__(self, path: str | Path, sample_rate: int, n_channels: int, *, given: str):
        super().__init__()
        kind, subtype = output_kind(path, None, given=given)
        whole = self._stack.enter_context(written_whole(path))
        self._writer = self._stack.enter_context(
            writing.Writer(
                whole,
                sample_rate,
                n_channels,
                subtype,
                label=path,
                format=kind,
                advice="lower the gains",
            )
        )

    def write(self, samples: np.ndarray) -> None:
        """Append samples `[shape=(n_block, n_channels)]`."""
        self._writer.write(samples)


class RawOutput(Output):
    """Raw interleaved PCM to standard output, without delay; too large values are clipped.

    Parameters
    ----------
    stream : file
        Binary stream.
    kind : str
        One of ``RAW_FORMATS``.
    """

    def __init__(self, stream: BinaryIO, kind: str):
        super().__init__()
        self._stream, self._kind = stream, np.dtype(RAW_FORMATS[kind])

    def write(self, samples: np.ndarray) -> None:
        """Write samples `[shape=(n_block, n_channels)]` to the pipe."""
        if self._kind.kind == "i":
            samples = self._clipped(np.rint(samples * np.float32(32767)), -32768, 32767)
        self._stream.write(samples.astype(self._kind).tobytes())
        self._stream.flush()


class DeviceOutput(Output):
    """A sound card's output."""

    is_device = True

    def __init__(self, name: str, sample_rate: int, n_channels: int, block: int):
        super().__init__()
        self._name = name
        self._device = _open_device("OutputStream", name, sample_rate, n_channels, block)
        self._stack.enter_context(self._device)

    def write(self, samples: np.ndarray) -> None:
        """Play samples `[shape=(n_block, n_channels)]`; wait until there is space for them."""
        loud = np.ascontiguousarray(self._clipped(samples, -1, 1), np.float32)
        try:
            underflowed = self._device.write(loud)
        except import_sounddevice().PortAudioError as error:
            raise _lost(self._name, error) from error
        self.n_troubles += bool(underflowed)

    @property
    def latency(self) -> float:
        """Delay that the device adds, in seconds."""
        return self._device.latency


def describe_raw(kind: str, sample_rate: int, n_channels: int) -> str:
    """Describe raw samples, and how two programs can read them.

    Parameters
    ----------
    kind : str
        One of ``RAW_FORMATS``.
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Number of channels.

    Returns
    -------
    str
        One line for people.
    """
    # Not ffplay, because the name of its option for channels depends on its version.
    return (
        f"raw audio: {kind}, {sample_rate} Hz, {n_channels} channel{'s' * (n_channels > 1)}: pipe "
        f"it into `ffmpeg -f {kind} -ar {sample_rate} -ac {n_channels} -i - FILE` or SoX's "
        f"`play -t {kind.removesuffix('le')} -r {sample_rate} -c {n_channels} -`"
    )


def is_device(name: str) -> bool:
    """Whether this is the name of a device."""
    return name.partition(":")[0] == DEVICE


def _open_device(kind: str, name: str, sample_rate: int, n_channels: int, block: int) -> Any:
    """Open a stream of sounddevice, an ``InputStream`` or ``OutputStream``."""
    sounddevice = import_sounddevice()
    _, _, which = name.partition(":")
    try:
        return getattr(sounddevice, kind)(
            device=int(which) if which.isdecimal() else which or None,
            samplerate=sample_rate,
            channels=n_channels,
            blocksize=block,
            dtype="float32",
            latency="low",
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise HiphopssError(
            f"{name}: can't be opened at {sample_rate} Hz with {n_channels} channels "
            f"({_one_line(error)}): see `hiphopss live --list-devices`"
        ) from error


def _lost(name: str, error: Exception) -> HiphopssError:
    """The error for a device that fails while it is in use."""
    return HiphopssError(
        f"{name}: the device stopped ({_one_line(error)}): check that it is plugged in, and start "
        "again"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def import_sounddevice() -> ModuleType:
    """Import the optional module for sound cards.

    Raises
    ------
    HiphopssError
        If the module is not installed, or PortAudio, which it needs.
    """
    require("devices", "sounddevice", otherwise=", or use files and pipes")
    try:
        import sounddevice
    except OSError as error:  # the module is installed, but PortAudio is not
        raise HiphopssError(
            "devices need the PortAudio library: install it (libportaudio2 on Debian), or use "
            "files and pipes"
        ) from error
    return sounddevice


def list_devices() -> str:
    """List the devices and their numbers, for people."""
    return str(import_sounddevice().query_devices())


def read_devices() -> list[dict[str, Any]]:
    """The same as data: number, name, most channels in and out, and usual rate in Hz."""
    return [
        {
            "number": number,
            "name": device["name"],
            "n_inputs": device["max_input_channels"],
            "n_outputs": device["max_output_channels"],
            "sample_rate": device["default_samplerate"],
        }
        for number, device in enumerate(import_sounddevice().query_devices())
    ]


def standard(name: str) -> BinaryIO:
    """Standard input or output as a binary stream, by its name in ``sys``.

    Raises
    ------
    HiphopssError
        If it is a terminal, because people can't type or read raw audio, or if it is closed.
    """
    stream = getattr(sys, name)
    if stream is None:
        raise HiphopssError(f"{name}: is closed: pipe raw audio, or name a file")
    if stream.isatty():
        raise HiphopssError(_TERMINAL[name])
    return stream.buffer
