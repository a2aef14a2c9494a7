"""A separator that listens for loops: the network's stems, mended by what the beat repeats."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hiphopss.config import SOURCES, SignalConfig
from hiphopss.loops.agreement import BINS, STARTS, Agreement, Coherence, Features
from hiphopss.loops.beat import Constants, Copy, chosen, split
from hiphopss.loops.grid import FRAME, N_BINS, Grid
from hiphopss.loops.period import DECIMATION, Likeness, Period, find_period
from hiphopss.loops.spool import Spool
from hiphopss.signal.reading import resample_blocks, to_mono
from hiphopss.util.threads import ordered_map, processor_count

logger = logging.getLogger(__name__)

_BLOCK = 16  # frames that are separated together
_PIECE = 2**16  # samples that are read together
_MOST_LAGS = 40  # distances between copies that are compared


class Network(Protocol):
    """What separates without loops; :class:`hiphopss.separation.separator.Separator` does."""

    config: SignalConfig

    def stems(
        self, blocks: Iterable[np.ndarray], progress: Callable[[int], None] | None = None
    ) -> Iterator[np.ndarray]: ...


class LoopSeparator:
    """Separates as a network does, and uses the loops of a song if it has any.

    Parameters
    ----------
    network : Network
        What separates without loops.
    constants : Constants, optional
        By default, those that were fitted.
    """

    def __init__(self, network: Network, constants: Constants | None = None):
        self.config = network.config
        self._network = network
        self._constants = constants or Constants()
        self.found: list[Period | None] = []

    def stems(
        self, blocks: Iterable[np.ndarray], progress: Callable[[int], None] | None = None
    ) -> Iterator[np.ndarray]:
        """Separate a mixture, as :meth:`hiphopss.separation.separator.Separator.stems` does."""
        with ExitStack() as stack:
            song, likeness = None, None
            mono: list[np.ndarray] = []

            def averaged() -> Iterator[np.ndarray]:
                nonlocal song
                for block in blocks:
                    if song is None:
                        song = stack.enter_context(Spool((block.shape[1],), np.float32))
                    song.append(block)
                    yield to_mono(block)[:, None]

            rate = self.config.sample_rate
            low = resample_blocks(averaged(), rate, rate // DECIMATION)
            mono = [block[:, 0] for block in low]
            if song is None:
                return
            likeness = Likeness(np.concatenate(mono), rate / DECIMATION)
            period = find_period(likeness, least=self._constants.least_likeness)
            self.found.append(period)
            if period is None:
                yield from self._network.stems(pieces(song), progress)
                return
            yield from Looped(self._network, song, period, likeness, self._constants, stack).stems(
                progress
            )


def pieces(song: Spool) -> Iterator[np.ndarray]:
    """A song's samples in blocks."""
    for start in range(0, song.n_records, _PIECE):
        yield song.read(start, min(start + _PIECE, song.n_records))


class Looped:
    """A song with loops, on its way to stems."""

    def __init__(
        self,
        network: Network,
        song: Spool,
        period: Period,
        likeness: Likeness,
        constants: Constants,
        stack: ExitStack,
    ):
        self._network, self._song, self._constants = network, song, constants
        self.n_channels = song.shape[0]
        self.grid = Grid(period.samples, song.n_records)
        self._spectra = stack.enter_context(Spool((self.n_channels, N_BINS), np.complex64))
        self._masks = stack.enter_context(Spool((len(SOURCES), N_BINS), np.uint8))
        self._steps = self._tried(likeness, period)

    def _tried(self, likeness: Likeness, period: Period) -> list[int]:
        """Distances between copies that are compared: the most alike ones."""
        grid = self.grid
        steps = np.arange(1, (grid.n_frames - 2) // grid.frames_per_step)
        lags = np.round(steps * period.samples / DECIMATION).astype(int)
        steps, lags = steps[lags < likeness.n_samples], lags[lags < likeness.n_samples]
        values = likeness.at(lags)
        best = steps[np.argsort(-values, kind="stable")][:_MOST_LAGS]
        return sorted(int(step) for step in best)

    def stems(self, progress: Callable[[int], None] | None) -> Iterator[np.ndarray]:
        """Separate the song block by block."""
        compared = self._network_pass(progress)
        agreement = Agreement(compared, self._steps)
        plan = [
            (first, min(first + _BLOCK, self.grid.n_frames))
            for first in range(0, self.grid.n_frames, _BLOCK)
        ]
        choices = [self._choose(agreement, first, last) for first, last in plan]
        shares = self._repeating(compared, agreement, plan, choices)
        work = partial(self._separate, agreement, shares)
        tasks = [(*frames, steps) for frames, steps in zip(plan, choices, strict=True)]
        done = ordered_map(lambda task: work(*task), tasks, n_threads=processor_count())
        yield from self._joined(done, plan)

    def _network_pass(self, progress: Callable[[int], None] | None) -> Features:
        """Run the network, and keep spectra and masks of all frames."""
        spectra, masks = [], []
        mono = (to_mono(block)[:, None] for block in pieces(self._song))
        held = np.zeros((len(SOURCES), FRAME // 2), np.float32)
        offset, frame = -(FRAME // 2), 0  # position of the first held sample, next frame
        for block in self._flowing(self._network.stems(mono, progress)):
            held = np.concatenate([held, block], axis=1)
            end = offset + held.shape[1]
            last = frame
            while last < self.grid.n_frames and self.grid.starts(last, last + 1)[0] + FRAME <= end:
                last += 1
            if last == frame:
                continue
            for first in range(frame, last, _BLOCK):
                until = min(first + _BLOCK, last)
                x, m = self._frames(held, offset, first, until)
                spectra.append(x.mean(axis=0)[:, BINS])
                masks.append(m[:, :, BINS])
            frame = last
            if frame < self.grid.n_frames:
                start = int(self.grid.starts(frame, frame + 1)[0])
                held, offset = held[:, start - offset :], start
        return Features(
            np.concatenate(spectra), np.concatenate(masks, axis=1), self.grid.frames_per_step
        )

    def _flowing(self, stems: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Samples of the stems, and the zeros after them that the last frames need."""
        for block in stems:
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
        own = grid.analyse(stems, offset, first, last)
        power = own.real**2 + own.imag**2 + np.float32(1e-12)
        masks = np.round(power * (255 / power.sum(axis=0))).astype(np.uint8)
        self._spectra.append(spectra.swapaxes(0, 1))
        self._masks.append(masks.swapaxes(0, 1))
        return spectra, masks

    def _choose(self, agreement: Agreement, first: int, last: int) -> list[int]:
        qualities = {step: agreement.of(step, first, last) for step in agreement.signed_steps()}
        return list(chosen(qualities, self._constants.most_copies, self._constants.gate))

    def _repeating(
        self,
        compared: Features,
        agreement: Agreement,
        plan: list[tuple[int, int]],
        choices: list[list[int]],
    ) -> NDArray[np.float32]:
        """How much of each source repeats `[shape=(n_sources, n_frames, n_bands)]`."""
        widths = np.diff([*STARTS, len(BINS)])
        found = ordered_map(
            lambda source: self._repeats(compared.source(source), agreement, plan, choices, widths),
            range(len(SOURCES)),
            n_threads=processor_count(),
        )
        shares = np.stack(list(found))
        constants = self._constants
        most = shares[1:].max(axis=0)
        leaked = constants.leakage * most
        shares[0] = (shares[0] - leaked) / (1 - np.minimum(leaked, 0.9))
        return np.clip(shares, 0.02, 0.98)

    def _repeats(
        self,
        signal: NDArray[np.complex64],
        agreement: Agreement,
        plan: list[tuple[int, int]],
        choices: list[list[int]],
        widths: np.ndarray,
    ) -> NDArray[np.float32]:
        """Regression of a source on the mean of its copies, in bands."""
        mean = np.zeros_like(signal)
        per_step = self.grid.frames_per_step
        for (first, last), steps in zip(plan, choices, strict=True):
            total = np.full((last - first, len(widths)), 1e-6, np.float32)
            for step in steps:
                quality = np.maximum(agreement.of(step, first, last), 0) ** 2
                total += quality
                start, stop = first + step * per_step, last + step * per_step
                low, high = max(start, 0), min(stop, len(signal))
                inside = slice(low - start, high - start)
                mean[first:last][inside] += (
                    np.repeat(quality[inside], widths, axis=1) * signal[low:high]
                )
            mean[first:last] /= np.repeat(total, widths, axis=1)
        return Coherence(signal).regression(mean)

    def _copy(self, first: int, last: int) -> Copy:
        spectra = self._spectra.read(first, last).swapaxes(0, 1)
        masks = self._masks.read(first, last).swapaxes(0, 1)
        power = (spectra.real**2 + spectra.imag**2).mean(axis=0) * np.float32(1 / 255)
        return Copy(spectra, masks * power)

    def _separate(
        self,
        agreement: Agreement,
        shares: NDArray[np.float32],
        first: int,
        last: int,
        steps: list[int],
    ) -> tuple[np.ndarray, int]:
        """Separate some frames into samples that still have to be added to their neighbours'."""
        here = self._copy(first, last)
        shifts = [step * self.grid.frames_per_step for step in steps]
        copies = [self._copy(first + shift, last + shift) for shift in shifts]
        agreements = [agreement.of(step, first, last) for step in steps]
        stems = split(here, copies, agreements, shares[:, first:last], self._constants)
        return self.grid.synthesise(stems.reshape(-1, *stems.shape[2:]), first)

    def _joined(
        self, parts: Iterable[tuple[np.ndarray, int]], plan: list[tuple[int, int]]
    ) -> Iterator[np.ndarray]:
        """Add overlapping parts, and yield what is complete."""
        n = self._song.n_records
        held: np.ndarray | None = None
        weight = np.zeros(0, np.float32)
        at = 0
        for (first, last), (samples, offset) in zip(plan, parts, strict=True):
            weights = self.grid.weights(first, last)
            if held is None:
                held, weight, at = samples, weights, offset
            else:
                grown = offset + samples.shape[1] - at
                held = np.pad(held, [(0, 0), (0, grown - held.shape[1])])
                weight = np.pad(weight, (0, grown - len(weight)))
                held[:, offset - at :] += samples
                weight[offset - at :] += weights
            done = n if last == self.grid.n_frames else int(self.grid.starts(last, last + 1)[0])
            start, stop = max(at, 0), min(done, n)
            if stop > start:
                inside = slice(start - at, stop - at)
                block = held[:, inside] / weight[inside]
                yield block.reshape(len(SOURCES), self.n_channels, -1).swapaxes(1, 2)
            held, weight, at = held[:, done - at :], weight[done - at :], done
