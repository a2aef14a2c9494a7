"""Live remixing from an input to an output, through separator and mixer."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hiphopss.errors import HiphopssError
from hiphopss.live import ends
from hiphopss.live.controls import Controls, Quit
from hiphopss.live.stream import StreamingSeparator, is_usable
from hiphopss.remixing.mixing import Mix, Mixer
from hiphopss.separation.engines import load_network
from hiphopss.signal import reading
from hiphopss.weights.registry import describe_default, resolve_weights

logger = logging.getLogger(__name__)

MOST_BLOCK = 2**20
"""Maximum number of samples that are read together."""

_TAIL = 512  # samples of the tail that are mixed together
_PREFILL = 2  # blocks that an output device gets in advance if a device is the input


@dataclass
class Tally:
    """Counts and times of a session.

    Attributes
    ----------
    n_in, n_out : int
        Numbers of samples that were read (at the input's rate) and written.
    n_late : int
        Number of blocks that were too late for real time.
    n_left : int
        Number of commands that arrived, or were due, after the end of the audio.
    n_mended : int
        Number of samples not finite (or beyond ``hiphopss.live.stream.LOUDEST``) that were muted.
    slowest : float
        Longest time of separating and mixing a block, in seconds.
    began : float
        Start time, on the clock of ``time.perf_counter``.
    """

    n_in: int = 0
    n_out: int = 0
    n_late: int = 0
    n_left: int = 0
    n_mended: int = 0
    slowest: float = 0.0
    began: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True)
class Pcm:
    """Format of raw samples in pipes.

    Attributes
    ----------
    sample_rate : int
        Sampling rate in Hz, also of devices.
    n_channels : int
        Number of channels of the input, also of a device.
    kind : str
        One of ``ends.RAW_FORMATS``.
    """

    sample_rate: int = 44100
    n_channels: int = 2
    kind: str = "f32le"


@dataclass(frozen=True)
class LiveSettings:
    """Settings for separating a stream.

    Attributes
    ----------
    weights : path-like or None
        As in :func:`hiphopss.separate`.
    lookahead : int
        As in :class:`hiphopss.StreamingSeparator`.
    block : int
        Number of samples read together, at most ``MOST_BLOCK``; commands apply between blocks.
    pcm : Pcm
        Format of the samples in pipes.
    realtime : bool
        Play at the speed of the music, also from a file.
    stereo : bool
        Turn a mono input into two channels, so that it can be panned later.
    """

    weights: str | Path | None = None
    lookahead: int = 0
    block: int = 512
    pcm: Pcm = field(default_factory=Pcm)
    realtime: bool = False
    stereo: bool = False

    def check(self) -> None:
        """Raise :class:`HiphopssError` if a number is out of range."""
        if not 1 <= self.block <= MOST_BLOCK:
            raise HiphopssError(f"block {self.block}: give 1 to {MOST_BLOCK} samples")
        if self.pcm.sample_rate < 1:
            raise HiphopssError(f"rate {self.pcm.sample_rate}: give a positive number of Hz")


def run_live(
    source: str,
    output: str,
    mix: Mix,
    settings: LiveSettings | None = None,
    *,
    control: str | Path | None = None,
    listen: bool = True,
) -> Tally:
    """Separate and mix audio while it arrives.

    The output is aligned with the input, sample by sample: the samples that the separator's latency
    puts before it are left out. The latency only matters when listening. Lines for people are
    logged: events, and problems such as an invalid command.

    Parameters
    ----------
    source, output : str
        A file, ``"-"`` for raw PCM through standard input or output, or a device:
        ``"device"``, ``"device:NAME"``, ``"device:NUMBER"``.
    mix : Mix
        Initial mix, which ``reset`` restores.
    settings : LiveSettings, optional
        Weights, latency, blocks and channels.
    control : path-like, optional
        File or FIFO with commands.
    listen : bool
        Read commands from standard input, unless the audio comes from there.

    Returns
    -------
    Tally
        Counts and times, which are also logged at the end.

    Raises
    ------
    HiphopssError
        If an input or output can't be opened, the weights can't be used, or a number is out of
        range. Also if the input device fails, after all of its audio has been written.
    """
    settings = settings or LiveSettings()
    settings.check()
    pcm, block = settings.pcm, settings.block
    files = [end for end in (source, output) if end != "-" and not ends.is_device(end)]
    if len(files) == 2 and Path(source).resolve() == Path(output).resolve():
        raise HiphopssError(f"{output}: is the input: choose another output")
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"), _opened_input(source, pcm, block) as given:
        network, info = load_network(resolve_weights(settings.weights))
        # Only a device always gives whole blocks, provided that they aren't resampled.
        whole = given.is_device and given.sample_rate == info.config.sample_rate
        separator = StreamingSeparator(
            network,
            lookahead=settings.lookahead,
            channels=given.n_channels,
            block_multiple=block if whole else 1,
        )
        mixer = Mixer(mix, given.n_channels, n_out=2 if settings.stereo else None)
        with (
            _opened_output(output, given, mixer.n_out, pcm.kind, block) as taken,
            Controls(mix, path=control, stdin=listen and source != "-") as controls,
        ):
            if settings.weights is None:
                logger.info(describe_default())
            if output == "-":
                logger.info(ends.describe_raw(pcm.kind, given.sample_rate, mixer.n_out))
            logger.info(_latency(separator, given, taken, block))
            tally = Tally()
            session = _Session(separator, mixer, controls, tally)
            with _interrupted(session.stop):
                session.play(given, taken, realtime=settings.realtime)
    logger.info(_summary(tally, given, taken))
    if given.lost:  # raised only after the recording is saved
        raise given.lost
    return tally


class _Session:
    """Processes one stream with a separator and a mixer."""

    def __init__(
        self, separator: StreamingSeparator, mixer: Mixer, controls: Controls, tally: Tally
    ):
        self._separator, self._mixer, self._controls = separator, mixer, controls
        self._tally = tally
        self._stopped = False
        self._n_mixed = 0  # samples at the separator's rate, without those before the stream

    def stop(self) -> None:
        """Stop with the next block."""
        self._stopped = True

    def play(self, given: ends.Input, taken: ends.Output, *, realtime: bool) -> None:
        """Process the whole stream."""
        rate, own = given.sample_rate, self._separator.sample_rate
        blocks = reading.resample_blocks(self._read(given, realtime=realtime), rate, own)
        for block in reading.resample_blocks(self._mix(blocks), own, rate, n_samples=self._wanted):
            if len(block):
                taken.write(block)
                self._tally.n_out += len(block)
        if not self._stopped:
            self._tell_left()

    def _tell_left(self) -> None:
        """Log how many commands were due after the end."""
        n_left = self._tally.n_left = self._controls.count_left()
        if n_left:
            logger.warning(
                "%d %s not carried out: the audio ended before, at %.1f s",
                *(n_left, "command" if n_left == 1 else "commands"),
                self._tally.n_out / self._rate,
            )

    def _wanted(self) -> int:
        """Number of output samples: as many as were read, or as were mixed until the stop."""
        if self._stopped:
            return max(self._tally.n_out, self._in_given_rate(self._n_mixed))
        return self._tally.n_in

    def _in_given_rate(self, n_samples: int) -> int:
        return round(n_samples * self._rate / self._separator.sample_rate)

    def _read(self, given: ends.Input, *, realtime: bool) -> Iterator[np.ndarray]:
        """Yield the input's blocks with unusable samples muted, and in real time if wanted."""
        tally = self._tally
        self._rate = given.sample_rate
        for block in given:
            usable = is_usable(block)
            if not usable.all():
                tally.n_mended += int(np.count_nonzero(~usable))
                block = np.where(usable, block, np.float32(0))
            tally.n_in += len(block)
            if realtime and not given.is_device:
                due = tally.began + tally.n_in / given.sample_rate  # time of its last sample
                early = due - time.perf_counter()
                tally.n_late += early < -len(block) / given.sample_rate
                time.sleep(max(early, 0))
            yield block
            if self._stopped:
                return

    def _mix(self, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield mixed blocks, without the latency at the start and with the tail at the end."""
        to_drop = self._separator.latency
        for block in blocks:
            mixed = self._one(block.T, self._separator.process)
            if mixed is None:
                return
            n_dropped = min(to_drop, len(mixed))
            to_drop -= n_dropped
            self._n_mixed += len(mixed) - n_dropped
            yield mixed[n_dropped:]
        if not self._stopped:
            tail = self._separator.flush()[..., to_drop:]
            for start in range(0, tail.shape[-1], _TAIL):
                mixed = self._one(tail[..., start : start + _TAIL])
                if mixed is None:
                    return
                self._n_mixed += len(mixed)
                yield mixed

    def _one(
        self, block: np.ndarray, separate: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> np.ndarray | None:
        """Mix a block, after separating it if needed, with the commands so far.

        Return None if the commands or the user end the session.
        """
        begin = time.perf_counter()
        seconds = self._n_mixed / self._separator.sample_rate
        try:
            settings = self._controls.update(self._mixer.settings, seconds)
        except Quit:
            self._stopped = True
        if self._stopped:
            return None
        if settings != self._mixer.settings:
            try:
                self._mixer.settings = settings
            except HiphopssError as error:  # the music goes on
                logger.warning(str(error))
        stems = separate(block) if separate else block
        mixed = self._mixer.process(stems).T
        self._tally.slowest = max(self._tally.slowest, time.perf_counter() - begin)
        return mixed


def _opened_input(name: str, pcm: Pcm, block: int) -> ends.Input:
    if name == "-":
        stream = ends.standard("stdin")
        return ends.RawInput(stream, pcm.sample_rate, pcm.n_channels, pcm.kind, block)
    if ends.is_device(name):
        return ends.DeviceInput(name, pcm.sample_rate, pcm.n_channels, block)
    return ends.FileInput(name, block)


def _opened_output(
    name: str, given: ends.Input, n_channels: int, kind: str, block: int
) -> ends.Output:
    if name == "-":
        return ends.RawOutput(ends.standard("stdout"), kind)
    if not ends.is_device(name):
        return ends.FileOutput(name, given.sample_rate, n_channels, given=given.subtype)
    device = ends.DeviceOutput(name, given.sample_rate, n_channels, block)
    if given.is_device:
        device.write(np.zeros((_PREFILL * block, n_channels), np.float32))
    return device


def _latency(
    separator: StreamingSeparator, given: ends.Input, taken: ends.Output, block: int
) -> str:
    """The line that is logged at the start."""
    rate = given.sample_rate
    parts = [
        f"separation {1000 * separator.latency_seconds:.1f} ms",
        f"block {1000 * block / rate:.1f} ms",
    ]
    devices = [end.latency for end in (given, taken) if end.is_device]
    if devices:
        parts.append(f"devices {1000 * sum(devices):.1f} ms")
    if len(devices) == 2:
        parts.append(f"buffer {1000 * _PREFILL * block / rate:.1f} ms")
    if rate != separator.sample_rate:
        parts.append(f"and resampling from {rate} Hz and back")
    return f"latency: {', '.join(parts)}"


def _summary(tally: Tally, given: ends.Input, taken: ends.Output) -> str:
    """The line that is logged at the end."""
    seconds = time.perf_counter() - tally.began
    told = [
        f"{tally.n_in / given.sample_rate:.1f} s of audio in {seconds:.1f} s",
        f"slowest block {1000 * tally.slowest:.1f} ms",
        f"{given.n_troubles} overruns, {taken.n_troubles} underruns, {tally.n_late} late blocks",
    ]
    if tally.n_mended:
        told.append(f"{tally.n_mended} samples not finite: muted")
    if taken.n_clipped:
        told.append(f"{taken.n_clipped} samples clipped")
    return "; ".join(told)


@contextmanager
def _interrupted(stop: Callable[[], None]) -> Iterator[None]:
    """Let an interrupt end the session in order, so that a recording is kept; a second aborts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(*_: object) -> None:
        stop()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
