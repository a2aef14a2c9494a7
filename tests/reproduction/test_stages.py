"""Single stages: what a longer training takes over from a shorter one in the store."""

from dataclasses import replace

import pytest
from helpers.songs import noise, write_song

from hiphopss import SOURCES
from hiphopss.datasets.songs import read_songs
from hiphopss.reproduction.experiments import profile, table1
from hiphopss.reproduction.songs import Songs
from hiphopss.reproduction.stages import Stages
from hiphopss.reproduction.store import Store
from hiphopss.training import checkpoints
from hiphopss.util.executor import Executor
from hiphopss.weights.files import read_info

pytestmark = pytest.mark.usefixtures("uncompiled")


def test_more_epochs_go_on_from_fewer_of_the_same_inputs(tmp_path, lines):
    for number in range(2):
        stems = {s: noise(45000, 10 * number + i) for i, s in enumerate(SOURCES)}
        write_song(tmp_path / "songs", "Dev", f"{number} - song", stems)
    songs = Songs({}, {"HHDS": read_songs(tmp_path / "songs", ("Dev",))}, {}, [])
    experiment = next(model for model in table1() if model.name == "HH")

    def trained(store, epochs):
        """The weights after so many epochs, and the epochs from which they go on."""
        tiny = replace(profile("quick"), patches=16, epochs=epochs)
        stages = Stages(
            *(Store(tmp_path / store), songs, tiny, "corrected", 0, {}),
            *(False, False, Executor()),
        )
        lines.told.clear()
        info = read_info(stages.weights(experiment))
        assert info.provenance["epochs"] == epochs
        taken = [line.partition("goes on from epoch ")[2] for line in lines.told]
        return info.sha256, [int(line.partition(" ")[0]) for line in taken if line]

    assert trained("one", 1)[1] == []
    longer = trained("one", 3)
    assert longer[1] == [1]
    assert longer[0] == trained("other", 3)[0]  # to the bit


def test_siblings_differ_in_one_input(tmp_path):
    store, inputs = Store(tmp_path), {"epochs": 1, "seed": 0, "weights": (1, 2)}
    one, two, *others = (
        store.path("weights", name, inputs | changes, ".h5")
        for name, changes in (
            ("HH", {}),
            ("HH", {"epochs": 2}),
            ("HH", {"epochs": 2, "seed": 1}),
            ("HH_CS", {"epochs": 2}),
        )
    )
    (tmp_path / "weights" / "HH-0.inputs.json").write_text("[damaged")
    found = store.siblings("weights", "HH", inputs, ".h5", free="epochs")
    assert sorted(found) == sorted([one, two])
    assert not set(others) & set(found)


@pytest.mark.parametrize(
    ("own", "others", "taken"),
    [(0, [1, 3, 5], 3), (0, [5], 0), (2, [1, 2], 2), (4, [3], 4), (0, [4, 2], 4), (0, [], 0)],
)
def test_the_checkpoint_of_most_epochs_is_taken(tmp_path, monkeypatch, own, others, taken):
    def n_epochs(path):
        return int(path.read_text()) if path.exists() else 0

    monkeypatch.setattr(checkpoints, "_epochs_in", n_epochs)
    outputs = [tmp_path / f"{n}.weights.h5" for n in range(1 + len(others))]
    for output, done in zip(outputs, (own, *others), strict=True):
        if done:
            checkpoints.checkpoint_of(output).write_text(str(done))
    checkpoints.adopt_checkpoint(outputs[0], outputs, epochs=4)
    assert n_epochs(checkpoints.checkpoint_of(outputs[0])) == taken
