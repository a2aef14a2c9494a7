"""A separator that listens for loops: the network's stems, mended by what the beat repeats."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Protocol, Self

import numpy as np

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.loops.agreement import BINS, Agreement, Features, repeating
from hiphopss.loops.beat import Constants, Copy, Material, chosen, power, split, unleaked
from hiphopss.loops.found import Found, found
from hiphopss.loops.grid import FRAME, N_BINS, Grid
from hiphopss.loops.parts import Part, divided, mono_pieces, pieces
from hiphopss.loops.period import DECIMATION, Likeness, Period, find_period
from hiphopss.loops.spool import Spool
from hiphopss.signal.reading import resample_blocks
from hiphopss.util.threads import ordered_map, processor_count

_BLOCK = 16  # frames that are separated together
_MOST_STEPS = 64  # distances between copies that are compared
_MOST_SECONDS = 600.0  # a longer song is separated in parts
_LEAST_COVERED = 0.05  # of a song that has copies
_FADE_SECONDS = 5.0  # on either side of where parts meet
_MOST_BEGUN = 6  # blocks of the network's stems that wait for the period


Heard = Iterable[np.ndarray]
"""The network's stems of a song in mono, in blocks `[shape=(n_sources, n_block, 1)]`."""


class Network(Protocol):
    """What separates without loops; :class:`hiphopss.separation.separator.Separator` does."""

    config: SignalConfig

    def stems(
        self, blocks: Iterable[np.ndarray], progress: Callable[[int], None] | None = None
    ) -> Iterator[np.ndarray]:
        """As :meth:`hiphopss.separation.separator.Separator.stems`."""
        ...


class LoopSeparator:
    """Separates as a network does, and uses the loops of a song if it has any.

    A song is kept in temporary files while it is separated, since copies of a place are anywhere in
    it. One of more than ten minutes is treated as several songs that fade into each other.

    Parameters
    ----------
    network : Network
        What separates without loops.
    constants : Constants, optional
        By default, those that were fitted.

    Attributes
    ----------
    config : SignalConfig
        The network's settings.
    found : list of Found or None
        What was found in the last song, or in each part of it: None where nothing repeats.
    """

    def __init__(self, network: Network, constants: Constants | None = None):
        self.config = network.config
        self._network = network
        self._constants = constants or Constants()
        self.found: list[Found | None] = []

    def stems(
        self, blocks: Iterable[np.ndarray], progress: Callable[[int], None] | None = None
    ) -> Iterator[np.ndarray]:
        """Separate a mixture, as :meth:`Network.stems` does, to stems that sum to it.

        The first stems come when the whole mixture has been read.
        """
        self.found = []
        with ExitStack() as stack:
            song = None
            for block in blocks:
                if song is None:
                    song = stack.enter_context(Spool((block.shape[1],), np.float32))
                song.append(block)
            if song is None:
                return
            parts = divided(song, self.config.sample_rate, _MOST_SECONDS, _FADE_SECONDS)
            periods, heard = self._periods(parts)
            if not any(periods):
                self.found = [None] * len(parts)
                yield from self._network.stems(pieces(Part(song, 0, song.n_records)), progress)
                return
            told = _Told(progress, song.n_records) if progress else None
            yield from self._faded(parts, periods, heard, told)

    def _periods(self, parts: list[Part]) -> tuple[list[Period | None], Heard | None]:
        """The periods of all parts; the network's stems of the first one in mono, if it has one.

        Finding periods takes one processor. Meanwhile, others begin with those stems.
        """
        stems = self._network.stems(mono_pieces(parts[0]))
        begun: deque[np.ndarray] = deque()
        with ThreadPoolExecutor(1) as pool:
            found = [pool.submit(self.period, part) for part in parts]
            try:
                for block in stems:
                    begun.append(block)
                    if len(begun) == _MOST_BEGUN or all(period.done() for period in found):
                        break
                periods = [period.result() for period in found]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)  # of hours of music
                raise
        return periods, _joined_to(begun, stems) if periods[0] else None

    def _faded(
        self,
        parts: list[Part],
        periods: list[Period | None],
        heard: Heard | None,
        progress: _Told | None,
    ) -> Iterator[np.ndarray]:
        """The stems of all parts; where two overlap, one fades out while the other fades in."""
        end = None  # what fades out
        following = [part.start for part in parts[1:]] + [parts[-1].stop]
        for part, period, stop in zip(parts, periods, following, strict=True):
            at, kept = 0, []
            for block in self._part(part, period, heard if part is parts[0] else None, progress):
                if end is not None and at < end.shape[1]:
                    old = end[:, at : at + block.shape[1]]
                    rise = (np.arange(at, at + old.shape[1], dtype=np.float32) + 0.5) / end.shape[1]
                    new = block[:, : old.shape[1]]
                    block[:, : old.shape[1]] = old + rise[:, None] * (new - old)
                alone = min(max(stop - part.start - at, 0), block.shape[1])
                at += block.shape[1]
                if alone:
                    yield block[:, :alone]
                if alone < block.shape[1]:
                    kept.append(block[:, alone:])
            end = np.concatenate(kept, axis=1) if kept else None

    def period(self, part: Part) -> Period | None:
        """The period of a part of a song, or None if nothing repeats."""
        low = [block[:, 0] for block in resample_blocks(mono_pieces(part), DECIMATION, 1)]
        likeness = Likeness(np.concatenate(low), self.config.sample_rate / DECIMATION)
        return find_period(likeness, least=self._constants.least_likeness)

    def _part(
        self, part: Part, period: Period | None, heard: Heard | None, progress: _Told | None
    ) -> Iterator[np.ndarray]:
        if period is None:
            self.found.append(None)
            yield from self._network.stems(pieces(part), progress)
            return
        with Looped(self._network, part, period, self._constants) as looped:
            looped.listen(progress, heard)
            found = looped.found()
            if found.covered >= _LEAST_COVERED:
                self.found.append(found)
                yield from looped.stems(progress)
                return
        self.found.append(None)
        yield from self._network.stems(pieces(part), _half(progress))


def _joined_to(begun: deque[np.ndarray], rest: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """What is begun, of which nothing is kept, and the rest."""
    while begun:
        yield begun.popleft()
    yield from rest


class _Told:
    """Counts completed samples, and never tells more than there are."""

    def __init__(self, progress: Callable[[int], None], total: int):
        self._progress, self._left = progress, float(total)

    def __call__(self, n_samples: float) -> None:
        before = math.ceil(self._left)
        self._left = max(self._left - n_samples, 0)
        self._progress(before - math.ceil(self._left))


def _half(progress: Callable[[float], None] | None) -> Callable[[int], None] | None:
    return (lambda n_samples: progress(n_samples / 2)) if progress else None


class Looped:
    """A song with loops, on its way to stems.

    Attributes
    ----------
    grid : Grid
        Where its frames are.
    plan : list of tuple of int
        First and last frames of what is separated together, once it was listened to.
    """

    def __init__(self, network: Network, song: Part, period: Period, constants: Constants):
        self._network, self._song, self._constants = network, song, constants
        self._period = period
        self.n_channels = song.song.shape[0]
        self.grid = Grid(period.samples, len(song))
        self._files = ExitStack()
        # real and imaginary parts of all channels, and the channels' mean power
        self._parts = self._files.enter_context(
            Spool((2 * self.n_channels + 1, N_BINS), np.float32)
        )
        self._masks = self._files.enter_context(Spool((len(SOURCES), N_BINS), np.uint8))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._files.close()

    def listen(self, progress: Callable[[float], None] | None, heard: Heard | None = None) -> None:
        """Run the network on the song in mono, unless it was heard already; compare the copies."""
        heard = self._network.stems(mono_pieces(self._song)) if heard is None else heard
        compared = self._network_pass(heard, _half(progress))
        n_frames = self.grid.n_frames
        n_steps = (n_frames - 2) // self.grid.frames_per_step
        self._agreement = Agreement(
            compared,
            range(1, min(n_steps, _MOST_STEPS) + 1),
            voice_apart=self._constants.voice_apart,
            voice_alike=self._constants.voice_alike,
        )
        self.plan = [(first, min(first + _BLOCK, n_frames)) for first in range(0, n_frames, _BLOCK)]
        self._choices = self._choose()
        self._shares = repeating(compared, self._agreement, self.plan, self._choices)

    def found(self) -> Found:
        """What was found."""
        rate = self._network.config.sample_rate
        return found(
            self._period,
            self._agreement,
            sample_rate=rate,
            hop_s=self.grid.hop / rate,
            start_s=self._song.start / rate,
        )

    def stems(self, progress: Callable[[float], None] | None) -> Iterator[np.ndarray]:
        """Separate the song block by block."""
        numbers = range(len(self.plan))
        done = ordered_map(self._separate, numbers, n_threads=processor_count())
        half = _half(progress)
        for stems in self._joined(done):
            if half:
                half(stems.shape[1])
            yield stems

    def _network_pass(self, stems: Heard, progress: Callable[[int], None] | None) -> Features:
        """Keep spectra of all frames, and the masks that the network's stems make."""
        spectra, masks = [], []
        held = np.zeros((len(SOURCES), FRAME // 2), np.float32)
        starts = self.grid.starts(0, self.grid.n_frames)
        offset, frame = int(starts[0]), 0  # position of the first held sample, next frame
        for block in self._flowing(stems, progress):
            held = np.concatenate([held, block], axis=1)
            end = offset + held.shape[1]
            last = int(np.searchsorted(starts, end - FRAME, side="right"))  # frames that are whole
            if last == frame:
                continue
            for first in range(frame, last, _BLOCK):
                until = min(first + _BLOCK, last)
                x, m = self._frames(held, offset, first, until)
                spectra.append(np.take(x, BINS, axis=-1).mean(axis=0))
                masks.append(np.take(m, BINS, axis=-1))
            frame = last
            if frame < self.grid.n_frames:
                held, offset = held[:, starts[frame] - offset :], int(starts[frame])
        return Features(
            np.concatenate(spectra), np.concatenate(masks, axis=1), self.grid.frames_per_step
        )

    def _flowing(
        self, stems: Heard, progress: Callable[[int], None] | None
    ) -> Iterator[np.ndarray]:
        """Samples of the stems, and the zeros after them that the last frames need."""
        for block in stems:
            if progress:
                progress(block.shape[1])
            yield block[:, :, 0]
        yield np.zeros((len(SOURCES), 2 * FRAME), np.float32)

    def _frames(
        self, stems: np.ndarray, offset: int, first: int, last: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Analyse and keep frames of the mixture and of the network's stems."""
        grid = self.grid
        begin = int(grid.starts(first, first + 1)[0])
        end = int(grid.starts(last - 1, last)[0]) + FRAME
        samples = self._song.read(begin, end).T
        spectra = grid.analyse(samples, begin, first, last)
        own = grid.analyse(stems, offset, first, last, turned=False)
        powers = np.abs(own)
        np.square(powers, out=powers)
        powers += np.float32(1e-12)
        powers *= 255 / powers.sum(axis=0)
        masks = np.round(powers, out=powers).astype(np.uint8)
        records = np.empty((last - first, *self._parts.shape), np.float32)
        parts = records.swapaxes(0, 1)
        parts[: self.n_channels], parts[self.n_channels : -1] = spectra.real, spectra.imag
        parts[-1] = power(parts[:-1])
        self._parts.append(records)
        self._masks.append(masks.swapaxes(0, 1))
        return spectra, masks

    def _choose(self) -> list[list[int]]:
        """Steps to the copies that are used in each entry of the plan."""
        constants = self._constants
        scores = self._agreement.scores(self.plan, constants.gate)
        return [
            chosen({step: found[n] for step, found in scores.items()}, constants.most_copies)
            for n in range(len(self.plan))
        ]

    def material(self, number: int) -> Material:
        """What is known of the frames of ``plan[number]``, after :meth:`listen`."""
        first, last = self.plan[number]
        steps = self._choices[number]
        starts = [first + step * self.grid.frames_per_step for step in (0, *steps)]
        parts = self._parts.read_all(starts, last - first).swapaxes(1, 2)
        masks = self._masks.read_all(starts, last - first).swapaxes(1, 2)
        places = Copy(parts[:, :-1], masks.astype(np.float32), parts[:, -1] * np.float32(1 / 255))
        shares = self._shares[:, first:last]
        agreements = [self._agreement.of(step, first, last) for step in steps]
        return Material(
            places[0],
            places[1:],
            np.array(agreements, np.float32).reshape(-1, *shares[0].shape),
            shares,
        )

    def _separate(self, number: int) -> tuple[np.ndarray, int]:
        """Samples of all stems but the last that still have to be added to their neighbours'."""
        here, copies, agreements, shares = self.material(number)
        shares = unleaked(shares, self._constants)
        spectra = split(here, copies, agreements, shares, self._constants).stems(len(SOURCES) - 1)
        return self.grid.synthesise(spectra.reshape(-1, *spectra.shape[2:]), self.plan[number][0])

    def _joined(self, parts: Iterable[tuple[np.ndarray, int]]) -> Iterator[np.ndarray]:
        """Add overlapping parts, and yield what is complete, with the stem that is left."""
        n = len(self._song)
        # what of the entry before lies under this one
        end = np.zeros((1, 0), np.float32)
        end_weights = end[0]
        for (first, last), (samples, at) in zip(self.plan, parts, strict=True):
            weights = self.grid.weights(first, last)
            samples[:, : len(end_weights)] += end
            weights[: len(end_weights)] += end_weights
            done = n if last == self.grid.n_frames else int(self.grid.starts(last, last + 1)[0])
            start, stop = max(at, 0), min(done, n)
            if stop > start:
                inside = slice(start - at, stop - at)
                stems = np.empty((len(SOURCES), stop - start, self.n_channels), np.float32)
                block = samples[:, inside]
                block /= weights[inside]
                stems[:-1] = block.reshape(-1, self.n_channels, stop - start).swapaxes(1, 2)
                np.subtract(self._song.read(start, stop), stems[:-1].sum(axis=0), out=stems[-1])
                yield stems
            end, end_weights = samples[:, done - at :], weights[done - at :]
