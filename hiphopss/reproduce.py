"""The whole way, from songs to a table of scores, in one folder.

So far for one model of the paper's Table 1: HH, trained on hip-hop songs only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hiphopss.config import resolve_preset
from hiphopss.datasets.features import make_features
from hiphopss.datasets.generated import generate, require_sensible
from hiphopss.datasets.layout import read_songs
from hiphopss.errors import HiphopssError
from hiphopss.files import written_whole
from hiphopss.tracks import find_tracks, separate_files
from hiphopss.weights import SUFFIX

MODEL = "HH"


@dataclass(frozen=True)
class Settings:
    """What fixes a run.

    Attributes
    ----------
    dataset : str or None
        Root in the layout of DSD100; None generates one.
    seconds : float
        Length of each generated song.
    preset : str
        Fidelity preset.
    epochs : int
        Of training.
    seed : int
        Of the generated songs and of training.
    """

    dataset: str | None = None
    seconds: float = 20.0
    preset: str = "released"
    epochs: int = 40
    seed: int = 0


def reproduce(
    output: str | Path, settings: Settings | None = None, *, progress: bool = True
) -> tuple[Path, str]:
    """Songs, features, training, separation and evaluation of the model HH.

    A stage whose output is there is not done again, and training goes on from its checkpoint, so an
    interrupted run continues where it stopped.

    Parameters
    ----------
    output : path-like
        Folder of the run.
    settings : Settings
        What to run; a folder holds one run, and other settings need another folder.
    progress : bool
        Show bars.

    Returns
    -------
    table : Path
        The CSV of scores, a row a song and source.
    summary : str
        Its means with 95 % confidence intervals, for people to read.

    Raises
    ------
    HiphopssError
        If the folder holds another run, or from any stage.
    """
    # Late, because training imports TensorFlow.
    from hiphopss.eval import evaluate, format_summary, read_rows, summarise

    settings = settings or Settings()
    if settings.dataset is not None:
        settings = replace(settings, dataset=str(Path(settings.dataset).resolve()))
    output = Path(output)
    _validate(output, settings)
    _claim(output, settings)
    dataset = _songs(output, settings, progress)
    features = output / "features" / f"{MODEL}.h5"
    if not features.exists():
        make_features(dataset, features, preset=settings.preset, progress=progress)
    weights = output / "weights" / f"{MODEL}{SUFFIX}"
    if not weights.exists():
        from hiphopss.training import train

        train(features, weights, epochs=settings.epochs, seed=settings.seed, progress=progress)
    estimates = output / "estimates" / MODEL
    mixtures = dataset / "Mixtures" / "Test"
    missing = [
        path for name, path in find_tracks([mixtures]).items() if not (estimates / name).exists()
    ]
    if missing:
        separate_files(missing, estimates, weights=weights, progress=progress)
    table = output / "metrics.csv"
    if not table.exists():
        evaluate(dataset, estimates, table, subset="Test", bounds=True, progress=progress)
    return table, format_summary(summarise(read_rows(table)))


def _validate(output: Path, settings: Settings) -> None:
    """Raise before anything is written that would bind the folder to settings of no use."""
    resolve_preset(settings.preset)
    if settings.epochs < 1 or settings.seed < 0:
        raise HiphopssError(
            f"epochs {settings.epochs}, seed {settings.seed}: give at least 1 epoch, and a seed of "
            "0 or more"
        )
    if settings.dataset is not None:
        read_songs(settings.dataset)
    elif not (output / "songs").exists():
        require_sensible(output / "songs", seconds=settings.seconds, seed=settings.seed)


def _claim(output: Path, settings: Settings) -> None:
    """Write the settings into a new folder, or see that they are those of an old one."""
    path = output / "settings.json"
    told = json.dumps(asdict(settings), indent=2) + "\n"
    if not path.exists():
        if output.exists() and any(output.iterdir()):
            raise HiphopssError(f"{output}: a folder with something in it: choose another output")
        with written_whole(path) as temporary:
            temporary.write_text(told, "utf-8")
        return
    before = json.loads(path.read_text("utf-8"))
    for name, value in asdict(settings).items():
        if before.get(name) != value:
            raise HiphopssError(
                f"{path}: a run with {name} {before.get(name)}, not {value}: "
                "choose another output, or delete this one"
            )


def _songs(output: Path, settings: Settings, progress: bool) -> Path:
    if settings.dataset is not None:
        return Path(settings.dataset)
    songs = output / "songs"
    if not songs.exists():
        generate(songs, seconds=settings.seconds, seed=settings.seed, progress=progress)
    return songs
