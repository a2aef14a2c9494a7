"""A chain of artefacts: songs, features, weights, stems, scores."""

from types import SimpleNamespace

import pytest
from helpers.songs import noise, write_song

from hiphopss import SOURCES, Baselines, Executor, SeparationSettings, evaluate, separate_files
from hiphopss.datasets.features.file import FeatureFile
from hiphopss.datasets.features.make import make_features
from hiphopss.training.checkpoints import Run, save_checkpoint
from hiphopss.training.steps import compile_model
from hiphopss.weights.files import save_weights


@pytest.fixture(scope="session")
def chain(tmp_path_factory, keras):
    """The artefacts, each with the one before as its origin; put back what a test changes."""
    from hiphopss.network.model import build_model

    root = tmp_path_factory.mktemp("chain") / "a" / "b" / "c"  # nothing of other tests is near
    for number, subset in enumerate(("Dev", "Dev", "Test")):
        stems = {s: noise(30000, 10 * number + i) for i, s in enumerate(SOURCES)}
        write_song(root / "songs", subset, f"{number:03d} - song", stems)
    features = make_features(root / "songs", root / "f.h5", preset="corrected", progress=False)
    with FeatureFile(features) as file:
        made = {"features": file.identity, "init": None}
        heard = file.provenance["sha256"]
        fidelity, config = file.fidelity, file.config
    model = build_model(fidelity, config=config, seed=1)
    compile_model(model, fidelity)
    model.optimizer.build(model.trainable_variables)
    weights = root / "w.weights.h5"
    save_weights(
        weights,
        model,
        config=config,
        fidelity=fidelity,
        provenance={**made, "stems": heard},
    )
    checkpoint = root / "w.checkpoint.weights.h5"
    run = Run(made, stems=heard, log=[{"epoch": 1, "loss": 0.5}])
    save_checkpoint(checkpoint, model, run, config=config, fidelity=fidelity)
    stems = root / "stems" / "mine"
    separate_files(
        root / "songs" / "Mixtures" / "Test", stems, SeparationSettings(weights), progress=False
    )
    scores = root / "scores.csv"
    where, bounds = Executor(n_jobs=1), Baselines(bounds=True)
    evaluate(root / "songs", stems, scores, where=where, baselines=bounds, progress=False)
    return SimpleNamespace(
        root=root,
        songs=root / "songs",
        features=features,
        weights=weights,
        checkpoint=checkpoint,
        stems=stems,
        scores=scores,
        all=[root / "songs", features, weights, checkpoint, stems, scores],
    )


@pytest.fixture
def far(tmp_path):
    """A folder from which nothing of other tests is near."""
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def kept():
    """Remember files that a test changes or removes, and put them back."""
    copies = {}

    def keep(path):
        copies[path] = path.read_bytes()
        return path

    yield keep
    for path, content in copies.items():
        path.unlink(missing_ok=True)
        path.write_bytes(content)
