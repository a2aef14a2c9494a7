"""Where the stems of a song go: an object that receives them block by block and writes files."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.separation.settings import SeparationSettings
from hiphopss.signal import reading, writing


class StemFiles:
    """Writes the stems of one song to files. It is a context, at whose end they are complete.

    Parameters
    ----------
    folder : Path
        Folder for the files.
    header : Header
        That of the song; its length is that of the stems.
    settings : SeparationSettings
        Channels and sample type.
    label : Path
        What messages call the folder.

    Attributes
    ----------
    needs_mixture : bool
        Whether :meth:`write` needs the mixture, for which the song is read once more.
    """

    needs_mixture = False

    def __init__(
        self, folder: Path, header: reading.Header, settings: SeparationSettings, *, label: Path
    ):
        self._folder, self._label = folder, label
        self._rate = header.sample_rate
        self._n_channels = 1 if settings.mono else header.n_channels
        self._subtype = settings.subtype or writing.output_subtype(header.subtype)

    def __enter__(self) -> Self:
        with ExitStack() as stack:  # if one can't be made, the others are closed
            self._writers = [
                stack.enter_context(
                    writing.Writer(
                        self._folder / f"{source}.wav",
                        self._rate,
                        self._n_channels,
                        self._subtype,
                        label=self._label / f"{source}.wav",
                    )
                )
                for source in SOURCES
            ]
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
        for writer, stem in zip(self._writers, stems, strict=True):
            writer.write(stem)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)
