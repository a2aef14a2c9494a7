"""What a weight file says of itself: anything else than a record is one line."""

import json
from dataclasses import asdict

import h5py
import pytest
from helpers.mutations import TEXTS, all_refused, mutated, one_line_or_fine

from hiphopss import PRESETS, HiphopssError, SignalConfig
from hiphopss.weights.files import WeightsInfo, read_info, save_weights

RECORD = {
    "config": asdict(SignalConfig()),
    "fidelity": asdict(PRESETS["corrected"]),
    "provenance": {
        "released_test_leak": False,
        "epochs": 2,
        "songs": ["a", "b"],
        "data": [{"set": "S", "licence": "L"}],
        "mine": {"anything": [None, 1.5]},
    },
    "sha256": "0" * 64,
}


@pytest.fixture
def told(tmp_path):
    """Read a file with this attribute."""

    def told(attribute):
        with h5py.File(tmp_path / "m.weights.h5", "w") as file:
            file.attrs["hiphopss"] = attribute
        return read_info(tmp_path / "m.weights.h5")

    return told


def test_a_good_record_is_read_whole(told):
    info = told(json.dumps(RECORD | {"of a newer version": 1}))
    assert info.provenance == RECORD["provenance"]
    assert (info.config, info.fidelity) == (SignalConfig(), PRESETS["corrected"])


def test_attributes_that_are_no_records_are_refused(told):
    all_refused(told, [text for text in TEXTS if b"\x00" not in text])
    all_refused(told, [5, 0.5, [1, 2], b"\xff"])


def test_whatever_a_record_says_is_fine_or_one_line(told):
    good = 0
    for text in mutated(RECORD):
        if b"\x00" not in text:
            info = one_line_or_fine(told, text.decode("utf-8", "replace"))
            assert info is None or isinstance(info, WeightsInfo)
            good += info is not None
    assert good > 20  # what is only for people may be anything


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    with pytest.raises(HiphopssError, match=r"m\.weights\.h5: provenance: .*got text .at songs.:"):
        save_weights(
            tmp_path / "m.weights.h5",
            type("Model", (), {"weights": []})(),
            config=SignalConfig(),
            fidelity=PRESETS["released"],
            provenance={"songs": "x"},
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_rate": 1e300}, "expected a whole number, got a number .at sample_rate"),
        ({"sample_rate": 10**12}, r"sample_rate 1e\+12: give 1 to 768000"),
        ({"sample_rate": 0}, "sample_rate 0: give 1"),
        ({"frame": 2**34, "hop": 2**33}, "frame 1.71799e.10: give 2 to 65536"),
        ({"frame": 2**16, "hop": 2**15}, "a patch of 30 frames of 32769 bins"),
        ({"context": 0, "overlap": -1}, "context 0: give 15 to 1024"),
        ({"overlap": 30}, "multiple of context - overlap"),
        ({"scale": 1e300}, "scale 1e.300: give"),
        ({"scale": "0.3"}, "expected a number, got text .at scale"),
        ({"block_seconds": -1.0}, "block_seconds -1: give"),
        ({"window": "kaiser"}, "no window named 'kaiser'"),
        ({"more": 1}, "by another version of hiphopss"),
    ],
)
def test_settings_have_ranges(told, change, message):
    with pytest.raises(HiphopssError, match=message) as caught:
        told(json.dumps(RECORD | {"config": RECORD["config"] | change}))
    assert "m.weights.h5: " in str(caught.value)


@pytest.mark.parametrize("stems", [5, ["a"], {"a": 5}, {"a": "0" * 63}, None])
def test_stems_are_hashes_by_name(told, stems):
    def of(stems):
        provenance = RECORD["provenance"] | {"stems": stems}
        return told(json.dumps(RECORD | {"provenance": provenance}))

    assert of({"Dev/a/bass": "0" * 64}).provenance["stems"] == {"Dev/a/bass": "0" * 64}
    with pytest.raises(HiphopssError, match=r"m\.weights\.h5: .*at stems") as caught:
        of(stems)
    assert "\n" not in str(caught.value)
