"""Where the stems of a song go: an object that receives them block by block and writes files."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.signal.encoding.formats import Encoding
from hiphopss.signal.encoding.opening import AudioWriter, open_writer
from hiphopss.signal.encoding.tags import Tags
from hiphopss.signal.reading import BITS


@dataclass(frozen=True)
class StemPlan:
    """What is written of a song.

    Attributes
    ----------
    files : dict of str to Path
        A file for each stem; ``no_<stem>`` is the mixture without that stem.
    labels : dict of str to Path
        What messages call them.
    sample_rate : int
        Sampling rate in Hz.
    n_channels : int
        Number of channels.
    encoding : Encoding
        Format, sample type and bitrate.
    tags : Tags
        Those of the song.
    """

    files: dict[str, Path]
    labels: dict[str, Path]
    sample_rate: int
    n_channels: int
    encoding: Encoding
    tags: Tags


class StemFiles:
    """Writes the stems of one song to files. It is a context, at whose end they are complete.

    Parameters
    ----------
    plan : StemPlan
        The files, and how they are written.

    Attributes
    ----------
    needs_mixture : bool
        Whether :meth:`write` needs the mixture, for which the song is read once more.
    """

    def __init__(self, plan: StemPlan):
        self._plan = plan
        self.needs_mixture = not plan.files.keys() <= set(SOURCES)

    def __enter__(self) -> Self:
        plan = self._plan
        with ExitStack() as stack:  # if one can't be made, the others are closed
            self._writers: dict[str, AudioWriter] = {
                stem: stack.enter_context(
                    open_writer(
                        path,
                        plan.sample_rate,
                        plan.n_channels,
                        plan.encoding,
                        label=plan.labels[stem],
                        tags=plan.tags.of(stem),
                    )
                )
                for stem, path in plan.files.items()
            }
            self._stack = stack.pop_all()
        return self

    def write(self, stems: np.ndarray, mixture: np.ndarray | None = None) -> None:
        """Write the next samples.

        Parameters
        ----------
        stems : np.ndarray [shape=(n_sources, n_block, n_channels)]
            The stems.
        mixture : np.ndarray [shape=(n_block, n_channels)], optional
            The same samples of the song.
        """
        if mixture is None:
            for stem, writer in self._writers.items():
                writer.write(stems[SOURCES.index(stem)])
            return
        (stem, writer), (_, rest) = self._writers.items()
        bits = BITS.get(self._plan.encoding.subtype)
        parted = part_exactly(stems[SOURCES.index(stem)], mixture, bits)
        writer.write(parted[0])
        rest.write(parted[1])
        rest.n_clipped += parted[2]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def part_exactly(
    stem: np.ndarray, mixture: np.ndarray, bits: int | None
) -> tuple[np.ndarray, np.ndarray, int]:
    """A stem, and what is left of the mixture without it, which add up to the mixture as written.

    Integers add up exactly. Where what is left would be beyond full scale, the stem gets the
    excess, so that nothing is clipped. Single precision adds up to within its rounding.

    Parameters
    ----------
    stem, mixture : np.ndarray [shape=(n_samples, n_channels)]
        The same samples of both.
    bits : int or None
        Number of bits of the sample type if it is integer.

    Returns
    -------
    stem, rest : np.ndarray [shape=(n_samples, n_channels)]
        In double precision for integers, which they are once they are written.
    n_clipped : int
        Number of samples of the mixture that are beyond full scale.
    """
    if bits is None:
        return stem, mixture - stem, 0
    full_scale = 2 ** (bits - 1) - 1
    least, most = -full_scale - 1, full_scale
    whole = np.rint(np.multiply(mixture, full_scale, dtype=np.float64))
    kept = np.clip(whole, least, most)
    part = np.clip(np.rint(np.multiply(stem, full_scale, dtype=np.float64)), least, most)
    rest = np.clip(kept - part, least, most)
    n_clipped = int(np.count_nonzero(kept != whole))
    return (kept - rest) / full_scale, rest / full_scale, n_clipped
