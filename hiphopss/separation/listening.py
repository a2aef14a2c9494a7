"""Separating one song with its loops or without, and saying what was found.

What the released code separates is a baseline for comparisons. So weights of the preset
``released``, the published ones among them, separate without loops, and so does the stand-alone
script.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from hiphopss.config import LOOPS, Fidelity, SignalConfig
from hiphopss.errors import HiphopssError
from hiphopss.loops.separator import LoopSeparator, Network
from hiphopss.util.disk import cannot_write, is_about_writing

logger = logging.getLogger(__name__)

NOTHING_REPEATS = "nothing repeats, so the stems are those of the network alone"
"""What is said of a song without loops."""


def require_loops(loops: str | None, *, standalone_script: bool = False) -> None:
    """Raise if there is no such choice of loops, or none with the stand-alone script.

    Parameters
    ----------
    loops : str or None
        One of :data:`hiphopss.config.LOOPS`, or None for what is usual.
    standalone_script : bool
        Whether songs are separated as the released stand-alone script does (Q6).

    Raises
    ------
    HiphopssError
        If it is anything else, or ``"auto"`` with the stand-alone script.
    """
    if loops is not None and loops not in LOOPS:
        raise HiphopssError(f"loops {loops!r}: no such choice: choose {' or '.join(LOOPS)}")
    if standalone_script and loops == "auto":
        raise HiphopssError(
            "loops 'auto': the stand-alone script separates without loops: leave out one of the two"
        )


def used_loops(loops: str | None, fidelity: Fidelity) -> str:
    """Whether some weights separate with loops, one of :data:`hiphopss.config.LOOPS`.

    Parameters
    ----------
    loops : str or None
        What was asked for; None is ``"auto"``.
    fidelity : Fidelity
        Switches of the weights. Those of the preset ``released`` and of the stand-alone script
        (Q6) separate without loops.
    """
    return "auto" if fidelity.listens and loops != "off" else "off"


def tell_unused(loops: str | None, used: str, weights: object) -> None:
    """Log that weights separate without loops, if that was not asked for."""
    if loops != "off" and used == "off":
        logger.info("%s: separates without loops, as the released code does", weights)


class SongSeparator:
    """Separates one song, with its loops or without.

    Parameters
    ----------
    network : Network
        What separates without loops.
    loops : str
        As :func:`used_loops` gives it.

    Attributes
    ----------
    config : SignalConfig
        Settings of the transform.
    """

    def __init__(self, network: Network, loops: str):
        self.config: SignalConfig = network.config
        self._network = network
        self._loops = LoopSeparator(network) if loops == "auto" else None

    @property
    def listens(self) -> bool:
        """Whether loops are looked for."""
        return self._loops is not None

    @property
    def loop(self) -> str | None:
        """What was found, in words, once all stems were taken; None if nothing repeats.

        Of a song that was worked on in several parts, it names the loop of each.
        """
        found = self._loops.found if self._loops is not None else []
        if not any(found):
            return None
        told = [part.describe() if part is not None else "nothing repeats" for part in found]
        return "; then ".join(told)

    @property
    def beats_a_minute(self) -> float | None:
        """Tempo of the song's loop, once all stems were taken; None if not one loop was found."""
        tempos = {
            part.beats_a_minute if part is not None else None
            for part in (self._loops.found if self._loops is not None else [])
        }
        return tempos.pop() if len(tempos) == 1 else None

    def tell(self, name: object) -> None:
        """Log what was found in the song of this name, if loops were looked for."""
        if self.listens:
            logger.info("%s: %s", name, self.loop or NOTHING_REPEATS)

    def stems(
        self, blocks: Iterable[np.ndarray], progress: Callable[[int], None] | None = None
    ) -> Iterator[np.ndarray]:
        """Separate a mixture, as :meth:`hiphopss.separation.separator.Separator.stems` does.

        Raises
        ------
        HiphopssError
            If the folder for temporary files can't hold the song.
        """
        if self._loops is None:
            yield from self._network.stems(blocks, progress)
            return
        folder = _temporary_folder()
        try:
            yield from self._loops.stems(blocks, progress)
        except OSError as error:
            if not is_about_writing(error):  # of the song, which is read meanwhile
                raise
            advice = "by the variable TMPDIR, or leave loops out (--loops off)"
            raise HiphopssError(f"{folder}: {cannot_write(error)} {advice}") from error


def _temporary_folder() -> str:
    """Folder of temporary files; raise if there is none that can be written to."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError as error:
        raise HiphopssError(
            "no folder for temporary files can be written to: name one by the variable TMPDIR, or "
            "leave loops out (--loops off)"
        ) from error
