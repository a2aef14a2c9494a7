"""Live remixing: from an input, through separator and mixer, to an output."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hiphopss import audio, live_ends
from hiphopss.controls import Controls, Quit
from hiphopss.engines import load_network
from hiphopss.errors import HiphopssError
from hiphopss.live import StreamingSeparator, is_usable
from hiphopss.mixing import Mix, Mixer
from hiphopss.registry import describe_default, resolve_weights

MOST_BLOCK = 2**20
"""Samples that are read together at most."""

_TAIL = 512  # samples of the tail that are mixed together
_PREFILL = 2  # blocks that a device has in hand when another device feeds it


@dataclass
class Tally:
    """What happened in a session.

    Attributes
    ----------
    n_in, n_out : int
        Samples that were read, at the input's rate, and written.
    n_late : int
        Blocks that came too late for real time.
    n_left : int
        Commands that came after the end of the audio, or whose time did.
    n_mended : int
        Samples that were not finite (or beyond ``hiphopss.live.LOUDEST``), and were muted.
    slowest : float
        Seconds that the slowest block took to be separated and mixed.
    began : float
        When, on the clock of ``time.perf_counter``.
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
    """What samples in pipes are.

    Attributes
    ----------
    sample_rate : int
        In Hz; of devices, too.
    n_channels : int
        Of the input; of a device, too.
    kind : str
        One of ``live_ends.RAW_FORMATS``.
    """

    sample_rate: int = 44100
    n_channels: int = 2
    kind: str = "f32le"


def run_live(
    source: str,
    output: str,
    settings: Mix,
    *,
    weights: str | Path | None = None,
    lookahead: int = 0,
    block: int = 512,
    pcm: Pcm | None = None,
    realtime: bool = False,
    stereo: bool = False,
    control: str | Path | None = None,
    listen: bool = True,
    tell: Callable[[str], None] = print,
    warn: Callable[[str], None] = print,
) -> Tally:
    """Separate and mix what comes in, while it comes.

    The output is aligned with the input, sample by sample: what the separator's latency puts before
    it is left out. Only the ear hears the latency.

    Parameters
    ----------
    source, output : str
        A file, ``"-"`` for raw PCM through standard input or output, or a device:
        ``"device"``, ``"device:NAME"``, ``"device:NUMBER"``.
    settings : Mix
        To begin with, and what ``reset`` goes back to.
    weights : path-like or None
        As in :func:`hiphopss.separate`.
    lookahead : int
        As in :class:`hiphopss.live.StreamingSeparator`.
    block : int
        Samples that are read together, ``MOST_BLOCK`` at most; commands count between blocks.
    pcm : Pcm, optional
        What the samples in pipes are.
    realtime : bool
        Take as long as the music, also from a file.
    stereo : bool
        Make two channels of a mono input, so that it can be panned later.
    control : path-like, optional
        File or FIFO of commands.
    listen : bool
        Take commands from standard input, unless the audio comes from there.
    tell, warn : callable
        Called with lines for people: what happens, and what is wrong, such as a command.

    Returns
    -------
    Tally
        Counts; they are told at the end, too.

    Raises
    ------
    HiphopssError
        If an end can't be opened, the weights can't be used, or a number is out of range. Also if
        the input device fails, after all that it gave has been written.
    """
    pcm = pcm or Pcm()
    if not 1 <= block <= MOST_BLOCK:
        raise HiphopssError(f"block {block}: give 1 to {MOST_BLOCK} samples")
    if pcm.sample_rate < 1:
        raise HiphopssError(f"rate {pcm.sample_rate}: give a positive number of Hz")
    ends = [end for end in (source, output) if end != "-" and not live_ends.is_device(end)]
    if len(ends) == 2 and Path(source).resolve() == Path(output).resolve():
        raise HiphopssError(f"{output}: is the input: choose another output")
    from threadpoolctl import threadpool_limits

    with (
        threadpool_limits(1, user_api="blas"),
        _opened_input(source, pcm, block) as given,
    ):
        network, info = load_network(resolve_weights(weights))
        # Only a device gives whole blocks all the time, if they aren't resampled.
        whole = given.is_device and given.sample_rate == info.config.sample_rate
        separator = StreamingSeparator(
            network,
            lookahead=lookahead,
            channels=given.n_channels,
            block_multiple=block if whole else 1,
        )
        mixer = Mixer(settings, given.n_channels, n_out=2 if stereo else None)
        with (
            _opened_output(output, given, mixer.n_out, pcm.kind, block) as taken,
            Controls(
                settings, path=control, stdin=listen and source != "-", tell=tell, warn=warn
            ) as controls,
        ):
            if weights is None:
                tell(describe_default())
            if output == "-":
                tell(live_ends.describe_raw(pcm.kind, given.sample_rate, mixer.n_out))
            tell(_latency(separator, given, taken, block))
            tally = Tally()
            session = _Session(separator, mixer, controls, tally, warn)
            with _interrupted(session.stop):
                session.play(given, taken, realtime=realtime)
    tell(_summary(tally, given, taken))
    if given.lost:  # told when the recording is safe
        raise given.lost
    return tally


class _Session:
    """One stream through separator and mixer."""

    def __init__(self, separator, mixer: Mixer, controls: Controls, tally: Tally, warn):
        self._separator, self._mixer, self._controls = separator, mixer, controls
        self._tally, self._warn = tally, warn
        self._stopped = False
        self._n_mixed = 0  # samples at the separator's rate, less those before the stream

    def stop(self) -> None:
        """End with the next block."""
        self._stopped = True

    def play(self, given, taken, *, realtime: bool) -> None:
        """All of it."""
        rate, own = given.sample_rate, self._separator.sample_rate
        blocks = audio.resample_blocks(self._read(given, realtime=realtime), rate, own)
        for block in audio.resample_blocks(self._mix(blocks), own, rate, n_samples=self._wanted):
            if len(block):
                taken.write(block)
                self._tally.n_out += len(block)
        if not self._stopped:
            self._tell_left()

    def _tell_left(self) -> None:
        """Say how many commands would have counted later."""
        n_left = self._tally.n_left = self._controls.count_left()
        if n_left:
            self._warn(
                f"{n_left} {'command' if n_left == 1 else 'commands'} not carried out: the audio "
                f"ended before, at {self._tally.n_out / self._rate:.1f} s"
            )

    def _wanted(self) -> int:
        """Samples that are to come out: as many as went in, or as were mixed till the end."""
        if self._stopped:
            return max(self._tally.n_out, self._in_given_rate(self._n_mixed))
        return self._tally.n_in

    def _in_given_rate(self, n_samples: int) -> int:
        return round(n_samples * self._rate / self._separator.sample_rate)

    def _read(self, given, *, realtime: bool) -> Iterator[np.ndarray]:
        """The input's blocks, made usable, and not before their time if it is to be real."""
        tally = self._tally
        self._rate = given.sample_rate
        for block in given:
            usable = is_usable(block)
            if not usable.all():
                tally.n_mended += int(np.count_nonzero(~usable))
                block = np.where(usable, block, np.float32(0))
            tally.n_in += len(block)
            if realtime and not given.is_device:
                due = tally.began + tally.n_in / given.sample_rate  # when its last sample sounds
                early = due - time.perf_counter()
                tally.n_late += early < -len(block) / given.sample_rate
                time.sleep(max(early, 0))
            yield block
            if self._stopped:
                return

    def _mix(self, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Mixed blocks, less the latency before the first sample, plus the tail at the end."""
        to_drop = self._separator.latency
        for block in blocks:
            mixed = self._one(lambda block=block: self._separator.process(block.T))
            if mixed is None:
                return
            n_dropped = min(to_drop, len(mixed))
            to_drop -= n_dropped
            self._n_mixed += len(mixed) - n_dropped
            yield mixed[n_dropped:]
        if not self._stopped:
            tail = self._separator.flush()[..., to_drop:]
            for start in range(0, tail.shape[-1], _TAIL):
                piece = tail[..., start : start + _TAIL]
                mixed = self._one(lambda piece=piece: piece)
                if mixed is None:
                    return
                self._n_mixed += len(mixed)
                yield mixed

    def _one(self, separated: Callable[[], np.ndarray]) -> np.ndarray | None:
        """Mix a block as commands have it by now; None if they say that it is the end."""
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
                self._warn(str(error))
        mixed = self._mixer.process(separated()).T
        self._tally.slowest = max(self._tally.slowest, time.perf_counter() - begin)
        return mixed


def _opened_input(name: str, pcm: Pcm, block: int):
    if name == "-":
        stream = live_ends.standard("stdin")
        return live_ends.RawInput(stream, pcm.sample_rate, pcm.n_channels, pcm.kind, block)
    if live_ends.is_device(name):
        return live_ends.DeviceInput(name, pcm.sample_rate, pcm.n_channels, block)
    return live_ends.FileInput(name, block)


def _opened_output(name: str, given, n_channels: int, kind: str, block: int):
    if name == "-":
        return live_ends.RawOutput(live_ends.standard("stdout"), kind)
    if not live_ends.is_device(name):
        return live_ends.FileOutput(name, given.sample_rate, n_channels, given=given.subtype)
    device = live_ends.DeviceOutput(name, given.sample_rate, n_channels, block)
    if given.is_device:
        device.write(np.zeros((_PREFILL * block, n_channels), np.float32))
    return device


def _latency(separator, given, taken, block: int) -> str:
    """The line at the start."""
    rate = given.sample_rate
    parts = [
        f"separation {1000 * separator.latency_seconds:.1f} ms",
        f"block {1000 * block / rate:.1f} ms",
    ]
    devices = [end for end in (given, taken) if end.is_device]
    if devices:
        parts.append(f"devices {1000 * sum(end.latency for end in devices):.1f} ms")
    if len(devices) == 2:
        parts.append(f"buffer {1000 * _PREFILL * block / rate:.1f} ms")
    if rate != separator.sample_rate:
        parts.append(f"and resampling from {rate} Hz and back")
    return f"latency: {', '.join(parts)}"


def _summary(tally: Tally, given, taken) -> str:
    """The line at the end."""
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
    """An interrupt ends the session in order, so that a recording is kept; a second one at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(*_):
        stop()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
