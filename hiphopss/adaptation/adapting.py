"""Adapting weights to a few songs: measured on songs held out, and written only if better."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiphopss import __version__
from hiphopss.adaptation.material import Fold, Piece, choose_songs, divide, load_pieces
from hiphopss.adaptation.measuring import RelativeError, sdr_of
from hiphopss.adaptation.mixing import MixedBatches
from hiphopss.adaptation.network import Trainee
from hiphopss.adaptation.settings import AdaptationSettings
from hiphopss.config import SOURCES
from hiphopss.datasets.licences import data_of, merged, tell_licences
from hiphopss.datasets.names import few, same_song
from hiphopss.datasets.songs import Song
from hiphopss.errors import HiphopssError
from hiphopss.signal.containers import container_of
from hiphopss.util.files import require_writable, sha256_of
from hiphopss.util.keras_backend import import_keras, require_keras, threads_in_use
from hiphopss.util.locks import locked
from hiphopss.util.progress import progress_bar
from hiphopss.util.text import printable
from hiphopss.weights.files import SUFFIX, WeightsInfo, assign_arrays, read_weights, save_weights
from hiphopss.weights.registry import resolve_weights

if TYPE_CHECKING:
    from tqdm import tqdm

logger = logging.getLogger(__name__)

_CHECKS = 10  # on what is held out, in a training of all steps


@dataclass(frozen=True, eq=False)
class Adaptation:
    """What an adaptation has brought.

    Attributes
    ----------
    output : Path
        The weight file.
    songs : list of str
        Names of the songs that were heard.
    pieces : list of str
        What was held out in turn, and measured: every song, or parts of a single one.
    before, after : np.ndarray [shape=(n_pieces, n_sources)]
        SDR in dB of the weights at the beginning, and of weights that were adapted to the other
        pieces; NaN where a source is silent.
    steps : int
        Number of batches on which the weights in ``output`` were trained.
    """

    output: Path
    songs: list[str]
    pieces: list[str]
    before: np.ndarray
    after: np.ndarray
    steps: int

    @property
    def gain_db(self) -> float:
        """Difference of the mean SDR, over pieces and sources."""
        return _mean(self.after) - _mean(self.before)

    def text(self) -> str:
        """A table for people: before and after, by source, and by what was held out."""
        columns = ("mean", *SOURCES)
        lines = ["SDR in dB, before -> after".ljust(32) + "".join(f"{c:>16}" for c in columns)]
        rows = [(printable(name), [number]) for number, name in enumerate(self.pieces)]
        for name, chosen in [*rows, ("mean", list(range(len(rows))))]:
            before, after = self.before[chosen], self.after[chosen]
            values = [(_mean(before), _mean(after))]
            values += [(_mean(before[:, s]), _mean(after[:, s])) for s in range(len(SOURCES))]
            told = (f"{old:.2f} -> {new:.2f}" if old == old else "silent" for old, new in values)
            lines.append(name[:30].ljust(32) + "".join(f"{cell:>16}" for cell in told))
        return "\n".join(lines)


def adapt(
    songs: str | Path | Sequence[Song],
    output: str | Path,
    settings: AdaptationSettings | None = None,
    *,
    init: str | Path | None = None,
    progress: bool = True,
) -> Adaptation:
    """Adapt weights to the style of a few songs with stems, and say what it brings.

    Each song is held out once (of more than four songs, several at a time; of a single song, a
    third of it): the network is trained on the others, and the held out ones are separated before
    and after. How long it is best to train follows from this, too. Then the network is trained on
    all songs, and written if those that were held out were separated better than before.

    Parameters
    ----------
    songs : path-like or sequence of Song
        A folder with 1 to 20 songs in any known layout (:func:`hiphopss.find_songs`), the folder
        or stem file of a single song, or a list of songs. Songs of the subset ``Test`` are left
        out.
    output : path-like
        Weight file to write, ``NAME.weights.h5``.
    settings : AdaptationSettings, optional
        Steps, learning rate, augmentation and seed.
    init : path-like, optional
        Weight file (own or published) to start from, by path or name; by default the shipped one.
        Its preset and its signal settings stay as they are.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Adaptation
        Scores of what was held out.

    Raises
    ------
    HiphopssError
        If the songs or the files can't be used, or if the songs that were held out were separated
        no better than before. Then nothing is written.
    """
    settings, output = settings or AdaptationSettings(), Path(output)
    settings.check()
    require_keras("adapt")
    if not output.name.endswith(SUFFIX):
        raise HiphopssError(f"{output}: a weight file's name must end in {SUFFIX}: rename it")
    if output.is_dir():
        raise HiphopssError(f"{output}: is a folder: give the name of a file")
    require_writable(output)
    path = resolve_weights(init)
    info, arrays = read_weights(path)
    chosen = choose_songs(songs)
    _tell_heard(path, info, chosen)
    tell_licences(data_of(chosen))
    pieces = load_pieces(chosen, info.config.sample_rate, progress=progress)
    folds = divide(pieces, info.config.sample_rate)
    if len(pieces) == 1:
        logger.info(
            "%s is the only song, so thirds of it are held out in turn: expect less of other songs "
            "than of these, or add songs",
            chosen[0].name,
        )
    with locked(output, wait=False):
        total = (len(folds) + 1) * settings.steps
        with progress_bar(total=total, desc="adapt", unit="batch", show=progress) as bar:
            run = _Run(info, arrays, settings, path, bar)
            names, before, after, steps = run.measured(folds)
            found = Adaptation(output, [s.name for s in chosen], names, before, after, steps)
            if not found.gain_db > 0:
                raise HiphopssError(
                    f"{output}: not written: on what was held out, the mean SDR went from "
                    f"{_mean(before):.2f} to {_mean(after):.2f} dB: keep {path.name}, or give more "
                    "songs, or others"
                )
            adapted = run.trained_on_all(pieces, steps)
        made = _provenance(info, path, chosen, found, settings)
        model = run.trainee.model
        assign_arrays(model, adapted, origin=str(output))
        save_weights(output, model, config=info.config, fidelity=info.fidelity, provenance=made)
    return found


class _Run:
    """The trainings of an adaptation, which all begin with the same weights."""

    def __init__(
        self,
        info: WeightsInfo,
        arrays: dict[str, np.ndarray],
        settings: AdaptationSettings,
        path: Path,
        bar: tqdm,
    ):
        self._info, self._arrays, self._settings, self._bar = info, arrays, settings, bar
        self._path = path
        self.trainee = Trainee(info, arrays, settings, origin=str(path))

    def measured(self, folds: Sequence[Fold]) -> tuple[list[str], np.ndarray, np.ndarray, int]:
        """Train on each division; give names and scores of what was held out, and best steps."""
        trials = [self._trial(number, fold) for number, fold in enumerate(folds, 1)]
        shared = sorted(set.intersection(*(set(trial) for trial in trials)))
        errors = [np.mean([trial[step][0] for trial in trials]) for step in shared]
        best = shared[int(np.argmin(errors))]
        names: list[str] = []
        scores = []
        n_pieces = sum(len(fold.held_out) for fold in folds)
        for fold, trial in zip(folds, trials, strict=True):
            for piece in fold.held_out:
                names.append(piece.name)
                self._bar.set_description(f"measuring {len(names)}/{n_pieces}")
                scores.append(sdr_of(piece, self._info, [self._arrays, trial[best][1]]))
        order = np.argsort(names)
        before, after = np.stack(scores, axis=1)[:, order]
        return [names[number] for number in order], before, after, best

    def _trial(self, number: int, fold: Fold) -> dict[int, tuple[float, dict]]:
        """Train on one division: error on what is held out, and weights, at each check."""
        size, settings = self._settings.batch_size, self._settings
        error = RelativeError(fold.held_out, self._info.config)
        every = max(1, settings.steps // _CHECKS)
        checks: dict[int, tuple[float, dict]] = {}
        best = 0
        for step in self._steps(f"held out {number}", fold.training, settings.steps):
            if step % every:
                continue
            kept = self._kept()
            with self.trainee.using(kept):
                checks[step] = error.of(self.trainee.estimates, size), kept
            best = step if not best or checks[step][0] < checks[best][0] else best
            if step >= best + settings.patience * every:
                self._bar.update(settings.steps - step)
                break
        return checks

    def trained_on_all(self, pieces: Sequence[Piece], steps: int) -> dict[str, np.ndarray]:
        """Weights that were trained on all pieces for so many steps."""
        for _ in self._steps("all songs", pieces, steps):
            pass
        self._bar.update(self._settings.steps - steps)
        return self._kept()

    def _steps(self, what: str, pieces: Sequence[Piece], n_steps: int) -> Iterator[int]:
        """Train from the beginning; give the number of each step that is done."""
        settings = self._settings
        self._bar.set_description(what)
        self.trainee.restart(self._arrays)
        mixed = MixedBatches(pieces, self._info.config, settings.augmentation, seed=settings.seed)
        losses: deque[float] = deque(maxlen=50)
        for step, batch in enumerate(mixed.batches(n_steps, settings.batch_size), 1):
            losses.append(self.trainee.step(*batch))
            if not np.isfinite(losses[-1]):
                raise HiphopssError(
                    f"{self._path}: the loss of step {step} is not finite: lower the learning rate"
                )
            self._bar.set_postfix(loss=f"{np.mean(losses):.3f}", refresh=False)
            self._bar.update()
            yield step

    def _kept(self) -> dict[str, np.ndarray]:
        """The trained weights, with a share of the beginning's."""
        share = np.float32(self._settings.keep)
        return {
            name: share * self._arrays[name] + (1 - share) * array
            for name, array in self.trainee.arrays.items()
        }


def _tell_heard(path: Path, info: WeightsInfo, songs: Sequence[Song]) -> None:
    """Warn of songs that the weights have heard: they say nothing about others."""
    heard = info.provenance.get("songs", [])
    known = [song.name for song in songs if any(same_song(song.name, name) for name in heard)]
    if known:
        logger.warning(
            "%s: was trained on %d of the songs already, so what it gains on them is less than on "
            "others: %s",
            *(path, len(known), few(known)),
        )


def _provenance(
    info: WeightsInfo,
    path: Path,
    songs: Sequence[Song],
    found: Adaptation,
    settings: AdaptationSettings,
) -> dict:
    """The record of an adaptation for its weight file."""
    keras = import_keras()
    made, data = info.provenance, merged(info.provenance.get("data", []), data_of(songs))
    stems = {
        f"{song.subset}/{song.name}/{source}".lstrip("/"): sha256_of(container_of(stem))
        for song in songs
        for source, stem in song.stems.items()
    }
    return {
        "made_by": "adapt",
        "init": info.sha256,
        "init_name": path.name,
        "preset": info.fidelity.name,
        "settings": asdict(settings),
        "steps": found.steps,
        "held_out": found.pieces,
        "loops": "off",
        "sdr_before": round(_mean(found.before), 3),
        "sdr_after": round(_mean(found.after), 3),
        "released_test_leak": made.get("released_test_leak", False),
        **({"data": data} if data else {}),
        "songs": sorted({*made.get("songs", []), *found.songs}),
        "adapted_to": found.songs,
        "stems": stems,
        "threads": threads_in_use(),
        "versions": {
            "hiphopss": __version__,
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
            "numpy": np.__version__,
        },
    }


def _mean(scores: np.ndarray) -> float:
    """Mean of the scores that exist; NaN if none does."""
    there = scores[~np.isnan(scores)]
    return float(there.mean()) if there.size else math.nan
